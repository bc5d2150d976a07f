/* test_pool.c - the buddy allocator against a naive truth: a map that says, for each smallest piece
 * of the region, who owns it. A take may fail only when the map shows no aligned run that is free. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/pool.h"
#include "base/prng.h"

#include <cmocka.h>

#include "panic_as_failure.h"

#define UNIT POOL_PIECE_BYTES_MIN
#define PIECES_MAX 4096

struct piece {
	uint8_t *at;
	size_t got;
	uint8_t fill;
};

struct model {
	struct pool pool;
	uint8_t *region, *state, *fresh_state;
	size_t bytes, used, count;
	bool *owned; /* per unit of the region */
	struct piece piece[PIECES_MAX];
};

static struct model *model_new(size_t bytes)
{
	struct model *m = calloc(1, sizeof *m);
	assert_non_null(m);
	m->bytes = bytes;
	m->region = aligned_alloc(UNIT, bytes);
	m->state = calloc(1, pool_state_bytes(bytes));
	m->fresh_state = malloc(pool_state_bytes(bytes));
	m->owned = calloc(bytes / UNIT, sizeof *m->owned);
	assert_true(m->region != NULL && m->state != NULL && m->fresh_state != NULL &&
	            m->owned != NULL);
	pool_init(&m->pool, m->region, bytes, m->state);
	memcpy(m->fresh_state, m->state, pool_state_bytes(bytes));
	return m;
}

static void model_free(struct model *m)
{
	free(m->region);
	free(m->state);
	free(m->fresh_state);
	free(m->owned);
	free(m);
}

static bool all_free(const struct model *m, size_t from, size_t bytes)
{
	for (size_t at = from; at < from + bytes; at += UNIT)
		if (m->owned[at / UNIT]) return false;
	return true;
}

static void own(struct model *m, size_t from, size_t bytes, bool owned)
{
	for (size_t at = from; at < from + bytes; at += UNIT) m->owned[at / UNIT] = owned;
}

/* The truth about a take: is there a free run of that power of two, on a multiple of itself? */
static bool has_room(const struct model *m, size_t bytes)
{
	for (size_t at = 0; at + bytes <= m->bytes; at += bytes)
		if (all_free(m, at, bytes)) return true;
	return false;
}

static size_t rounded_up(size_t len)
{
	size_t bytes = UNIT;
	while (bytes < len) bytes *= 2;
	return bytes;
}

/* Try to take; true if there was room. Fills the whole piece, to see it spoilt by another. */
static bool model_take(struct model *m, size_t len)
{
	size_t want = rounded_up(len), got = 0;
	uint8_t *at = pool_take(&m->pool, len, &got);
	assert_int_equal(at != NULL, has_room(m, want));
	if (at == NULL) return false;
	assert_true(m->count < PIECES_MAX);
	assert_int_equal(got, want);
	size_t offset = (size_t)(at - m->region);
	assert_true(offset + got <= m->bytes && offset % got == 0);
	assert_true(all_free(m, offset, got));
	own(m, offset, got, true);
	struct piece p = {at, got, (uint8_t)(m->count * 7 + 1)};
	memset(at, p.fill, got);
	m->piece[m->count++] = p;
	m->used += got;
	assert_int_equal(m->pool.used, m->used);
	return true;
}

static void model_give(struct model *m, size_t i)
{
	struct piece p = m->piece[i];
	m->piece[i] = m->piece[--m->count];
	for (size_t b = 0; b < p.got; b++)
		if (p.at[b] != p.fill) fail_msg("byte %zu of a piece changed while it was taken", b);
	own(m, (size_t)(p.at - m->region), p.got, false);
	pool_give(&m->pool, p.at);
	m->used -= p.got;
	assert_int_equal(m->pool.used, m->used);
}

/* All given back: the bookkeeping is what it was at first, so all buddies have joined again. */
static void model_expect_whole(const struct model *m)
{
	assert_int_equal(m->pool.used, 0);
	assert_memory_equal(m->state, m->fresh_state, pool_state_bytes(m->bytes));
}

/* Mostly small, sometimes up to the whole region. */
static size_t some_len(struct prng *r, size_t bytes)
{
	unsigned shift = (unsigned)prng_below(r, 14);
	size_t most = bytes >> (13 - shift);
	return (size_t)prng_below(r, most + 1);
}

static void random_takes_and_gives(size_t bytes, uint64_t seed)
{
	struct model *m = model_new(bytes);
	struct prng r;
	prng_seed(&r, seed);
	unsigned refused = 0;
	for (unsigned i = 0; i < 3000; i++) {
		/* Long waves of mostly taking and mostly giving, to be full and empty in turn. */
		bool taking = prng_below(&r, 100) < (i / 250 % 2 == 0 ? 70 : 30);
		if (taking && m->count < PIECES_MAX)
			refused += !model_take(m, some_len(&r, bytes));
		else if (m->count > 0)
			model_give(m, (size_t)prng_below(&r, m->count));
	}
	assert_true(refused > 0);
	while (m->count > 0) model_give(m, (size_t)prng_below(&r, m->count));
	model_expect_whole(m);
	model_free(m);
}

static void pieces_never_overlap_fail_only_without_room_and_join_again(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) random_takes_and_gives(MIB(1), seed);
	random_takes_and_gives(MIB(2), 5);
	random_takes_and_gives(MIB(3), 6); /* not a power of two: 2 + 1 */
	random_takes_and_gives(MIB(7), 7); /* 4 + 2 + 1 */
}

static void a_region_is_used_up_to_its_last_piece(void **state)
{
	(void)state;
	struct model *m = model_new(MIB(1));
	for (size_t i = 0; i < MIB(1) / UNIT; i++) assert_true(model_take(m, 1));
	assert_false(model_take(m, 1));
	assert_int_equal(m->pool.used, MIB(1));
	while (m->count > 0) model_give(m, m->count / 2);
	model_expect_whole(m);
	assert_true(model_take(m, MIB(1)));
	model_give(m, 0);
	model_free(m);
}

static void one_small_piece_in_the_way_refuses_the_whole_and_no_more(void **state)
{
	(void)state;
	struct model *m = model_new(MIB(1));
	assert_true(model_take(m, 1));
	assert_false(model_take(m, MIB(1)));
	assert_true(model_take(m, MIB(1) / 2));
	assert_true(model_take(m, MIB(1) / 4));
	model_give(m, 0);
	model_give(m, 0);
	model_give(m, 0);
	model_expect_whole(m);
	model_free(m);
}

static void lengths_are_rounded_up_to_the_next_power_of_two(void **state)
{
	(void)state;
	static const struct {
		size_t len, got;
	} row[] = {{0, 512},           {1, 512},     {511, 512},         {512, 512},
	           {513, 1024},        {1024, 1024}, {KIB(64), KIB(64)}, {KIB(64) + 1, KIB(128)},
	           {KIB(1024), MIB(1)}};
	struct model *m = model_new(MIB(1));
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		size_t got = 0;
		void *piece = pool_take(&m->pool, row[i].len, &got);
		assert_non_null(piece);
		assert_int_equal(got, row[i].got);
		pool_give(&m->pool, piece);
	}
	model_expect_whole(m);
	model_free(m);
}

static void a_length_above_any_piece_is_refused(void **state)
{
	(void)state;
	struct model *m = model_new(MIB(1));
	static const size_t len[] = {MIB(1) + 1, POOL_PIECE_BYTES_MAX, POOL_PIECE_BYTES_MAX + 1,
	                             SIZE_MAX / 2 + 2, SIZE_MAX};
	for (size_t i = 0; i < sizeof len / sizeof len[0]; i++) {
		size_t got = 42;
		assert_null(pool_take(&m->pool, len[i], &got));
	}
	model_expect_whole(m);
	model_free(m);
}

/* Two buddies of the largest order stay two: there is no order above to join them in. */
static void the_largest_pieces_stand_side_by_side(void **state)
{
	(void)state;
	size_t bytes = 2 * POOL_PIECE_BYTES_MAX, got = 0;
	uint8_t *region = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(region != MAP_FAILED);
	uint8_t *marks = calloc(1, pool_state_bytes(bytes));
	struct pool p;
	for (unsigned round = 0; round < 2; round++) {
		if (round == 0) pool_init(&p, region, bytes, marks);
		void *a = pool_take(&p, POOL_PIECE_BYTES_MAX, &got);
		void *b = pool_take(&p, POOL_PIECE_BYTES_MAX, &got);
		assert_true(a != NULL && b != NULL && a != b);
		assert_null(pool_take(&p, 1, &got));
		pool_give(&p, a);
		pool_give(&p, b);
	}
	assert_int_equal(p.used, 0);
	free(marks);
	munmap(region, bytes);
}

static void giving_what_was_not_taken_is_a_crash(void **state)
{
	(void)state;
	struct model *m = model_new(MIB(1));
	size_t got;
	uint8_t *piece = pool_take(&m->pool, KIB(2), &got);
	expect_assert_failure(pool_give(&m->pool, piece + UNIT));           /* its inside */
	expect_assert_failure(pool_give(&m->pool, piece + 16));             /* not where pieces begin */
	expect_assert_failure(pool_give(&m->pool, piece + KIB(2)));         /* a free one */
	expect_assert_failure(pool_give(&m->pool, m->region + m->bytes));   /* past the end */
	expect_assert_failure(pool_give(&m->pool, (void *)(uintptr_t)512)); /* anywhere */
	pool_give(&m->pool, piece);
	expect_assert_failure(pool_give(&m->pool, piece)); /* twice */
	model_expect_whole(m);
	model_free(m);
}

static void a_region_that_is_not_whole_mebibytes_is_a_crash(void **state)
{
	(void)state;
	struct pool p;
	static uint64_t region[4];
	uint8_t marks[4] = {0};
	expect_assert_failure(pool_init(&p, region, 0, marks));
	expect_assert_failure(pool_init(&p, region, MIB(1) + UNIT, marks));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_never_overlap_fail_only_without_room_and_join_again),
		cmocka_unit_test(a_region_is_used_up_to_its_last_piece),
		cmocka_unit_test(one_small_piece_in_the_way_refuses_the_whole_and_no_more),
		cmocka_unit_test(lengths_are_rounded_up_to_the_next_power_of_two),
		cmocka_unit_test(a_length_above_any_piece_is_refused),
		cmocka_unit_test(the_largest_pieces_stand_side_by_side),
		cmocka_unit_test(giving_what_was_not_taken_is_a_crash),
		cmocka_unit_test(a_region_that_is_not_whole_mebibytes_is_a_crash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
