/* test_slots.c - a ticket finds its slot for exactly one life: against a list of all lives that ever
 * were, across pools and across starts of the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "base/slots.h"

#include <cmocka.h>

#include "panic_as_failure.h"

#define GENERATION_MAX ((1UL << 44) - 1)

struct item {
	uint64_t mark, rest[4];
};

enum { COUNT = 37, LIVES_MAX = 30000, POOL = 3 };

struct life {
	struct ticket ticket;
	struct item *item; /* NULL: over */
};

struct model {
	struct slots slots;
	void *memory;
	struct life life[LIVES_MAX];
	size_t lives, live[COUNT], used; /* live[]: places in life[] */
};

/* Exactly as much as the header asks for, so that a sanitizer sees any more. */
static void *open_slots(struct slots *s, uint32_t count, size_t item_bytes, unsigned pool,
                        uint64_t first_generation)
{
	void *memory = malloc(slots_bytes(count, item_bytes));
	assert_non_null(memory);
	memset(memory, 0xa5, slots_bytes(count, item_bytes));
	slots_init(s, memory, count, item_bytes, pool, first_generation);
	return memory;
}

static void expect_zeroed(const struct item *item)
{
	static const struct item zero;
	assert_memory_equal(item, &zero, sizeof zero);
}

static void model_take(struct model *m)
{
	struct ticket t = {0};
	struct item *item = slots_take(&m->slots, &t);
	assert_int_equal(item == NULL, m->used == COUNT);
	if (item == NULL) return;
	expect_zeroed(item);
	memset(item, 0xff, sizeof *item);
	item->mark = t.v;
	assert_int_not_equal(t.v, 0);
	assert_int_equal(ticket_pool(t), POOL);
	m->life[m->lives] = (struct life){t, item};
	m->live[m->used++] = m->lives++;
}

static void model_give(struct model *m, size_t i)
{
	struct life *l = &m->life[m->live[i]];
	assert_int_equal(l->item->mark, l->ticket.v);
	slots_give(&m->slots, l->ticket);
	l->item = NULL;
	m->live[i] = m->live[--m->used];
}

static void expect_lives(const struct model *m)
{
	assert_int_equal(m->slots.used, m->used);
	for (size_t i = 0; i < m->lives; i++)
		if (slots_find(&m->slots, m->life[i].ticket) != m->life[i].item)
			fail_msg("life %zu of %zu", i, m->lives);
	size_t seen = 0;
	for (uint32_t i = 0; i < COUNT + 2; i++) {
		const struct item *item = slots_at(&m->slots, i);
		if (item == NULL) continue;
		seen++;
		assert_ptr_equal(slots_find(&m->slots, (struct ticket){item->mark}), item);
	}
	assert_int_equal(seen, m->used);
}

static void a_ticket_finds_its_own_life_and_no_other(void **state)
{
	(void)state;
	struct model *m = calloc(1, sizeof *m);
	assert_non_null(m);
	m->memory = open_slots(&m->slots, COUNT, sizeof(struct item), POOL, 12345);
	struct prng r;
	prng_seed(&r, 1);
	for (unsigned i = 0; m->lives < LIVES_MAX; i++) {
		bool taking = prng_below(&r, 100) < (i / 200 % 2 == 0 ? 65 : 35);
		if (taking)
			model_take(m);
		else if (m->used > 0)
			model_give(m, (size_t)prng_below(&r, m->used));
		if (i % 1000 == 0) expect_lives(m);
	}
	expect_lives(m);
	while (m->used > 0) model_give(m, 0);
	expect_lives(m);
	free(m->memory);
	free(m);
}

static void a_full_pool_says_so_and_serves_again_after_one_is_given(void **state)
{
	(void)state;
	struct slots s;
	void *memory = open_slots(&s, 2, 8, 0, 9);
	struct ticket a, b, none = {77};
	assert_non_null(slots_take(&s, &a));
	assert_non_null(slots_take(&s, &b));
	assert_int_not_equal(a.v, b.v);
	assert_null(slots_take(&s, &none));
	assert_int_equal(none.v, 77);
	slots_give(&s, a);
	assert_non_null(slots_take(&s, &none));
	assert_int_not_equal(none.v, a.v);
	assert_null(slots_find(&s, a));
	assert_non_null(slots_find(&s, b));
	free(memory);
}

static void a_ticket_with_any_bit_turned_finds_nothing(void **state)
{
	(void)state;
	struct slots s;
	void *memory = open_slots(&s, COUNT, sizeof(struct item), POOL, 1UL << 40);
	struct ticket live[5];
	for (int i = 0; i < 5; i++) assert_non_null(slots_take(&s, &live[i]));
	for (unsigned bit = 0; bit < 64; bit++) {
		struct ticket t = {live[0].v ^ 1UL << bit};
		bool is_live = false;
		for (int i = 1; i < 5; i++) is_live |= live[i].v == t.v;
		assert_int_equal(slots_find(&s, t) != NULL, is_live);
	}
	assert_null(slots_find(&s, (struct ticket){0}));
	assert_null(slots_find(&s, (struct ticket){UINT64_MAX}));
	free(memory);
}

static void a_ticket_not_yet_given_out_finds_nothing(void **state)
{
	(void)state;
	struct slots s;
	void *memory = open_slots(&s, 4, 8, 0, 5);
	for (uint32_t i = 0; i < 4; i++) assert_null(slots_find(&s, (struct ticket){s.tickets[i]}));
	struct ticket t;
	(void)slots_take(&s, &t);
	slots_give(&s, t);
	assert_null(slots_find(&s, (struct ticket){s.tickets[t.v & 0xffff]}));
	free(memory);
}

static void the_tickets_of_two_pools_never_meet(void **state)
{
	(void)state;
	struct slots s[16];
	void *memory[16];
	struct ticket t[16];
	for (unsigned i = 0; i < 16; i++) {
		memory[i] = open_slots(&s[i], 3, 8, i, 99);
		assert_non_null(slots_take(&s[i], &t[i]));
	}
	for (unsigned i = 0; i < 16; i++) {
		assert_int_equal(ticket_pool(t[i]), i);
		for (unsigned j = 0; j < 16; j++) assert_int_equal(slots_find(&s[i], t[j]) != NULL, i == j);
	}
	for (unsigned i = 0; i < 16; i++) free(memory[i]);
}

/* Each start draws its first generation; what an earlier start gave out means nothing later. */
static void tickets_of_an_earlier_start_find_nothing(void **state)
{
	(void)state;
	enum { STARTS = 50, LIVES = 200 };
	static struct ticket before[STARTS * LIVES];
	size_t count = 0;
	struct prng r;
	prng_seed(&r, 7);
	for (unsigned start = 0; start < STARTS; start++) {
		struct slots s;
		void *memory = open_slots(&s, 4, 8, 0, prng_next(&r));
		for (unsigned i = 0; i < LIVES; i++) {
			assert_non_null(slots_take(&s, &before[count + i]));
			for (size_t k = 0; k < count + i; k++)
				if (slots_find(&s, before[k]) != NULL) fail_msg("ticket %zu", k);
			slots_give(&s, before[count + i]);
		}
		count += LIVES;
		free(memory);
	}
}

/* The ticket 0 is no ticket, also for the first slot of pool 0 when its generation wraps. */
static void no_life_has_the_ticket_that_means_none(void **state)
{
	(void)state;
	static const uint64_t first[] = {
		0, 1, GENERATION_MAX - 1, GENERATION_MAX, UINT64_MAX, GENERATION_MAX + 1};
	for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
		struct slots s;
		void *memory = open_slots(&s, 1, 8, 0, first[i]);
		for (unsigned life = 0; life < 5; life++) {
			struct ticket t;
			assert_non_null(slots_take(&s, &t));
			assert_int_not_equal(t.v, 0);
			assert_int_equal(t.v & 0xfffff, 0);
			assert_non_null(slots_find(&s, t));
			slots_give(&s, t);
			assert_null(slots_find(&s, t));
		}
		free(memory);
	}
}

static void the_largest_pool_has_65536_slots_apart_from_each_other(void **state)
{
	(void)state;
	struct slots s;
	void *memory = open_slots(&s, 65536, sizeof(struct item), 15, UINT64_MAX);
	struct ticket t;
	for (uint32_t i = 0; i < 65536; i++) {
		struct item *item = slots_take(&s, &t);
		assert_non_null(item);
		item->mark = t.v;
	}
	assert_null(slots_take(&s, &t));
	for (uint32_t i = 0; i < 65536; i++) {
		const struct item *item = slots_at(&s, i);
		assert_int_equal(item->mark & 0xffff, i);
		assert_ptr_equal(slots_find(&s, (struct ticket){item->mark}), item);
	}
	free(memory);
}

static void misuse_is_a_crash(void **state)
{
	(void)state;
	struct slots s;
	void *memory = open_slots(&s, 2, 8, 0, 1);
	struct ticket t;
	assert_non_null(slots_take(&s, &t));
	slots_give(&s, t);
	expect_assert_failure(slots_give(&s, t)); /* twice */
	expect_assert_failure(slots_give(&s, (struct ticket){0}));
	expect_assert_failure(slots_init(&s, memory, 0, 8, 0, 1));
	expect_assert_failure(slots_init(&s, memory, 65537, 8, 0, 1));
	expect_assert_failure(slots_init(&s, memory, 2, 8, 16, 1));
	expect_assert_failure(slots_init(&s, memory, 2, 9, 0, 1)); /* tickets would not be aligned */
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ticket_finds_its_own_life_and_no_other),
		cmocka_unit_test(a_full_pool_says_so_and_serves_again_after_one_is_given),
		cmocka_unit_test(a_ticket_with_any_bit_turned_finds_nothing),
		cmocka_unit_test(a_ticket_not_yet_given_out_finds_nothing),
		cmocka_unit_test(the_tickets_of_two_pools_never_meet),
		cmocka_unit_test(tickets_of_an_earlier_start_find_nothing),
		cmocka_unit_test(no_life_has_the_ticket_that_means_none),
		cmocka_unit_test(the_largest_pool_has_65536_slots_apart_from_each_other),
		cmocka_unit_test(misuse_is_a_crash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
