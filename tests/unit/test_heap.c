/* test_heap.c - the heap of deadlines against a list that is searched from end to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/heap.h"
#include "base/prng.h"

#include <cmocka.h>

#include "panic_as_failure.h"

enum { CAPACITY = 200 };

struct model {
	struct heap heap;
	struct timer *memory[CAPACITY + 1];
	struct timer timer[CAPACITY];
	bool in[CAPACITY];
	struct instant at[CAPACITY]; /* what was asked for last */
};

static void model_open(struct model *m)
{
	*m = (struct model){0};
	heap_init(&m->heap, m->memory, CAPACITY);
	for (unsigned i = 0; i < CAPACITY; i++) m->timer[i].ticket.v = 1000 + i;
}

/* Place, order and content: everything the heap's law says, and what the list says. */
static void expect_lawful(const struct model *m)
{
	const struct heap *h = &m->heap;
	for (uint32_t i = 1; i <= h->count; i++) {
		assert_int_equal(h->at[i]->place, i);
		if (i > 1) assert_true(h->at[i / 2]->at.us <= h->at[i]->at.us);
	}
	uint32_t count = 0;
	uint64_t earliest = UINT64_MAX;
	for (unsigned i = 0; i < CAPACITY; i++) {
		assert_int_equal(m->timer[i].place != 0, m->in[i]);
		assert_int_equal(m->timer[i].ticket.v, 1000 + i);
		if (!m->in[i]) continue;
		count++;
		assert_int_equal(m->timer[i].at.us, m->at[i].us);
		if (m->at[i].us < earliest) earliest = m->at[i].us;
	}
	assert_int_equal(h->count, count);
	assert_int_equal(heap_first(h) == NULL, count == 0);
	if (count > 0) assert_int_equal(heap_first(h)->at.us, earliest);
}

static void model_set(struct model *m, unsigned i, uint64_t us)
{
	m->in[i] = true;
	m->at[i].us = us;
	heap_set(&m->heap, &m->timer[i], m->at[i]);
}

static void model_remove(struct model *m, unsigned i)
{
	m->in[i] = false;
	heap_remove(&m->heap, &m->timer[i]);
}

/* Take all out, earliest first. */
static void model_drain(struct model *m)
{
	uint64_t last = 0;
	for (struct timer *t; (t = heap_first(&m->heap)) != NULL;) {
		assert_true(t->at.us >= last);
		last = t->at.us;
		model_remove(m, (unsigned)(t - m->timer));
	}
	expect_lawful(m);
}

static void random_sets_moves_and_removals(uint64_t seed, uint64_t instants)
{
	struct model m;
	model_open(&m);
	struct prng r;
	prng_seed(&r, seed);
	for (unsigned step = 0; step < 4000; step++) {
		unsigned i = (unsigned)prng_below(&r, CAPACITY);
		if (prng_below(&r, 100) < (step / 500 % 2 == 0 ? 70 : 35))
			model_set(&m, i, prng_below(&r, instants));
		else
			model_remove(&m, i); /* also of what is not in */
		expect_lawful(&m);
	}
	model_drain(&m);
}

static void the_first_is_always_the_earliest_whatever_was_set_moved_or_removed(void **state)
{
	(void)state;
	random_sets_moves_and_removals(1, UINT64_MAX);
	random_sets_moves_and_removals(2, 1000);
	random_sets_moves_and_removals(3, 3); /* nearly all equal */
}

static void every_order_of_a_small_heap_comes_out_sorted(void **state)
{
	(void)state;
	enum { N = 7 };
	for (unsigned code = 0; code < 5040; code++) { /* a permutation, as a number */
		struct model m;
		model_open(&m);
		unsigned left[N], rest = code;
		for (unsigned i = 0; i < N; i++) left[i] = i;
		for (unsigned n = N; n > 0; n--) {
			unsigned pick = rest % n;
			rest /= n;
			model_set(&m, N - n, left[pick]);
			left[pick] = left[n - 1];
		}
		for (uint64_t i = 0; i < N; i++) {
			assert_int_equal(heap_first(&m.heap)->at.us, i);
			model_remove(&m, (unsigned)(heap_first(&m.heap) - m.timer));
		}
		assert_null(heap_first(&m.heap));
	}
}

static void a_full_heap_holds_its_capacity_and_one_more_is_a_crash(void **state)
{
	(void)state;
	struct model m;
	model_open(&m);
	for (unsigned i = 0; i < CAPACITY; i++) model_set(&m, i, CAPACITY - i);
	expect_lawful(&m);
	struct timer more = {0};
	expect_assert_failure(heap_set(&m.heap, &more, (struct instant){1}));
	model_set(&m, 5, 0); /* a move needs no room */
	expect_lawful(&m);
	model_drain(&m);
}

static void a_timer_that_never_fires_sorts_last(void **state)
{
	(void)state;
	struct model m;
	model_open(&m);
	model_set(&m, 0, INSTANT_NEVER.us);
	model_set(&m, 1, INSTANT_NEVER.us - 1);
	assert_ptr_equal(heap_first(&m.heap), &m.timer[1]);
	model_set(&m, 1, INSTANT_NEVER.us);
	model_set(&m, 2, 0);
	assert_ptr_equal(heap_first(&m.heap), &m.timer[2]);
	model_drain(&m);
}

static void a_timer_of_another_heap_is_a_crash(void **state)
{
	(void)state;
	struct model m, other;
	model_open(&m);
	model_open(&other);
	model_set(&m, 0, 1);
	model_set(&m, 1, 2);
	model_set(&other, 0, 1);
	expect_assert_failure(heap_set(&other.heap, &m.timer[0], (struct instant){1}));
	expect_assert_failure(heap_set(&other.heap, &m.timer[1], (struct instant){1}));
	expect_assert_failure(heap_remove(&other.heap, &m.timer[0]));
	expect_assert_failure(heap_remove(&other.heap, &m.timer[1]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_is_always_the_earliest_whatever_was_set_moved_or_removed),
		cmocka_unit_test(every_order_of_a_small_heap_comes_out_sorted),
		cmocka_unit_test(a_full_heap_holds_its_capacity_and_one_more_is_a_crash),
		cmocka_unit_test(a_timer_that_never_fires_sorts_last),
		cmocka_unit_test(a_timer_of_another_heap_is_a_crash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
