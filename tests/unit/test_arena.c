/* test_arena.c - several arenas on one pool, in random turns of take, mark and release. Every byte
 * that was taken keeps its pattern until it is given back, and nothing is left in the pool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/prng.h"

#include <cmocka.h>

#include "panic_as_failure.h"

enum { ARENAS = 3, TAKEN_MAX = 512, MARKS_MAX = 16 };

struct taken {
	uint8_t *at;
	size_t len;
	uint8_t fill;
};

/* One arena and what it owes: its pieces in order, and how many there were at each mark. */
struct owner {
	struct arena arena;
	struct taken taken[TAKEN_MAX];
	struct arena_mark mark[MARKS_MAX];
	size_t count, count_at_mark[MARKS_MAX], marks;
};

struct yard {
	struct pool pool;
	uint8_t *region, *marks;
};

static void yard_open(struct yard *y, size_t bytes)
{
	y->region = aligned_alloc(16, bytes);
	y->marks = calloc(1, pool_state_bytes(bytes));
	assert_true(y->region != NULL && y->marks != NULL);
	pool_init(&y->pool, y->region, bytes, y->marks);
}

static void yard_close(struct yard *y)
{
	assert_int_equal(y->pool.used, 0);
	free(y->region);
	free(y->marks);
}

static void expect_unspoilt(const struct owner *o)
{
	for (size_t i = 0; i < o->count; i++)
		for (size_t b = 0; b < o->taken[i].len; b++)
			if (o->taken[i].at[b] != o->taken[i].fill)
				fail_msg("byte %zu of %zu changed", b, o->taken[i].len);
}

/* True if there was room. */
static bool owner_take(struct owner *o, size_t len, uint8_t fill)
{
	uint8_t *at = arena_take(&o->arena, len);
	if (at == NULL) return false;
	assert_int_equal((uintptr_t)at % 16, 0);
	memset(at, fill, len);
	o->taken[o->count++] = (struct taken){at, len, fill};
	return true;
}

static void owner_release(struct owner *o)
{
	o->marks--;
	o->count = o->count_at_mark[o->marks];
	arena_release(&o->arena, o->mark[o->marks]);
}

static void owner_turn(struct owner *o, struct prng *r, unsigned *refused)
{
	switch (prng_below(r, 8)) {
	case 0:
		if (o->marks == MARKS_MAX) break;
		o->count_at_mark[o->marks] = o->count;
		o->mark[o->marks++] = arena_mark(&o->arena);
		break;
	case 1:
		if (o->marks > 0) owner_release(o);
		break;
	case 2:
		if (!prng_one_in(r, 10)) break;
		arena_free(&o->arena);
		o->count = o->marks = 0;
		break;
	default:
		if (o->count == TAKEN_MAX) break;
		*refused += !owner_take(o, (size_t)prng_below(r, prng_one_in(r, 8) ? 60000 : 400),
		                        (uint8_t)prng_next(r));
	}
}

static void what_is_taken_stays_as_it_was_until_it_is_released(void **state)
{
	(void)state;
	struct yard y;
	yard_open(&y, MIB(1));
	struct owner *owners = calloc(ARENAS, sizeof *owners);
	assert_non_null(owners);
	for (int i = 0; i < ARENAS; i++) arena_init(&owners[i].arena, &y.pool);
	struct prng r;
	prng_seed(&r, 1);
	unsigned refused = 0;
	for (unsigned turn = 0; turn < 20000; turn++) {
		struct owner *o = &owners[prng_below(&r, ARENAS)];
		owner_turn(o, &r, &refused);
		if (turn % 64 == 0)
			for (int i = 0; i < ARENAS; i++) expect_unspoilt(&owners[i]);
	}
	assert_true(refused > 0);
	for (int i = 0; i < ARENAS; i++) {
		expect_unspoilt(&owners[i]);
		arena_free(&owners[i].arena);
	}
	free(owners);
	yard_close(&y);
}

static void small_takes_share_a_piece_and_lie_side_by_side(void **state)
{
	(void)state;
	struct yard y;
	yard_open(&y, MIB(1));
	struct arena a;
	arena_init(&a, &y.pool);
	assert_int_equal(y.pool.used, 0);
	uint8_t *first = arena_take(&a, 1), *second = arena_take(&a, 17), *third = arena_take(&a, 16);
	assert_ptr_equal(second, first + 16);
	assert_ptr_equal(third, second + 32);
	assert_int_equal(y.pool.used, POOL_PIECE_BYTES_MIN);
	arena_free(&a);
	yard_close(&y);
}

static void a_take_of_nothing_is_not_null(void **state)
{
	(void)state;
	struct yard y;
	yard_open(&y, MIB(1));
	struct arena a;
	arena_init(&a, &y.pool);
	assert_non_null(arena_take(&a, 0));
	assert_non_null(arena_take(&a, 0));
	arena_free(&a);
	yard_close(&y);
}

static void a_take_without_room_says_so_and_harms_nothing(void **state)
{
	(void)state;
	struct yard y;
	yard_open(&y, MIB(1));
	struct arena a;
	arena_init(&a, &y.pool);
	uint8_t *kept = arena_take(&a, 100);
	memset(kept, 7, 100);
	static const size_t len[] = {MIB(1),        POOL_PIECE_BYTES_MAX, POOL_PIECE_BYTES_MAX + 1,
	                             SIZE_MAX - 40, SIZE_MAX - 14,        SIZE_MAX};
	for (size_t i = 0; i < sizeof len / sizeof len[0]; i++) assert_null(arena_take(&a, len[i]));
	assert_int_equal(y.pool.used, POOL_PIECE_BYTES_MIN);
	assert_non_null(arena_take(&a, KIB(100)));
	for (int i = 0; i < 100; i++) assert_int_equal(kept[i], 7);
	arena_free(&a);
	yard_close(&y);
}

static void a_copy_is_equal_and_elsewhere(void **state)
{
	(void)state;
	struct yard y;
	yard_open(&y, MIB(1));
	struct arena a;
	arena_init(&a, &y.pool);
	bool ok = true;
	struct bytes from = BYTES("what was said"), copy = arena_copy(&a, from, &ok);
	assert_true(ok && bytes_equal(copy, from) && copy.data != from.data);
	assert_int_equal(arena_copy(&a, BYTES_EMPTY, &ok).len, 0);
	assert_true(ok);
	arena_free(&a);
	yard_close(&y);
}

static void a_copy_without_room_turns_ok_false_and_a_later_one_leaves_it_so(void **state)
{
	(void)state;
	struct yard y;
	yard_open(&y, MIB(1));
	struct arena a;
	arena_init(&a, &y.pool);
	static const uint8_t much[MIB(1)];
	bool ok = true;
	struct bytes copy = arena_copy(&a, bytes_of(much, sizeof much), &ok);
	assert_true(!ok && copy.data == NULL && copy.len == 0);
	(void)arena_copy(&a, BYTES("small"), &ok);
	(void)arena_copy(&a, BYTES_EMPTY, &ok);
	assert_false(ok);
	arena_free(&a);
	yard_close(&y);
}

static void released_room_is_the_next_that_is_taken(void **state)
{
	(void)state;
	struct yard y;
	yard_open(&y, MIB(1));
	struct arena a;
	arena_init(&a, &y.pool);
	struct arena_mark empty = arena_mark(&a);
	assert_non_null(arena_take(&a, 64));
	struct arena_mark mark = arena_mark(&a);
	void *after = arena_take(&a, 64);
	assert_non_null(arena_take(&a, KIB(16)));
	arena_release(&a, mark);
	assert_int_equal(y.pool.used, POOL_PIECE_BYTES_MIN);
	assert_ptr_equal(arena_take(&a, 64), after);
	arena_release(&a, empty);
	assert_int_equal(y.pool.used, 0);
	arena_free(&a); /* of an empty one: nothing */
	yard_close(&y);
}

static void a_mark_of_another_arena_is_a_crash(void **state)
{
	(void)state;
	struct yard y;
	yard_open(&y, MIB(1));
	struct arena a, b;
	arena_init(&a, &y.pool);
	arena_init(&b, &y.pool);
	assert_non_null(arena_take(&a, 1));
	assert_non_null(arena_take(&b, 1));
	expect_assert_failure(arena_release(&a, arena_mark(&b)));
	arena_free(&a);
	arena_free(&b);
	yard_close(&y);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_taken_stays_as_it_was_until_it_is_released),
		cmocka_unit_test(small_takes_share_a_piece_and_lie_side_by_side),
		cmocka_unit_test(a_take_of_nothing_is_not_null),
		cmocka_unit_test(a_take_without_room_says_so_and_harms_nothing),
		cmocka_unit_test(a_copy_is_equal_and_elsewhere),
		cmocka_unit_test(a_copy_without_room_turns_ok_false_and_a_later_one_leaves_it_so),
		cmocka_unit_test(released_room_is_the_next_that_is_taken),
		cmocka_unit_test(a_mark_of_another_arena_is_a_crash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
