/* test_ring.c - where a key lives. Small rings exhaustively: every set of members up, every partition,
 * every n. The layouts here are written by hand, so that nothing of the planner is trusted. */
#include <murmurhash.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/panic.h"
#include "base/prng.h"
#include "ring/ring.h"

#include <cmocka.h>

/* ---- hash -------------------------------------------------------------------------------- */

/* h1 of MurmurHash3 x64 128, seed 0, as published with the reference code's ports. */
static void the_key_hash_is_the_first_word_of_the_published_vectors(void **state)
{
	(void)state;
	static const struct {
		uint64_t h1;
		const char *text;
	} vectors[] = {
		{0, ""},
		{0xcbd8a7b341bd9b02, "hello"},
		{0x342fac623a5ebc8e, "hello, world"},
		{0xb89e5988b737affc, "19 Jan 2038 at 3:14:07 AM"},
		{0xe34bbc7bbc071b6c, "The quick brown fox jumps over the lazy dog"},
		{0xcd99481f9ee902c9, "The quick brown fox jumps over the lazy dog."},
	};
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
		assert_int_equal(key_hash_of(bytes_of_string(vectors[i].text)).v, vectors[i].h1);
}

/* SMHasher's check of the whole function: lengths 0 to 255, 256 seeds, one published number. */
static void the_hash_function_gives_the_published_verification_value(void **state)
{
	(void)state;
	uint8_t key[256], hashes[256 * 16];
	for (unsigned i = 0; i < 256; i++) {
		uint64_t h[2];
		key[i] = (uint8_t)i;
		lmmh_x64_128(key, i, 256 - i, h);
		for (unsigned b = 0; b < 16; b++) hashes[i * 16 + b] = (uint8_t)(h[b / 8] >> (b % 8 * 8));
	}
	uint64_t last[2];
	lmmh_x64_128(hashes, sizeof hashes, 0, last);
	assert_int_equal((uint32_t)last[0], 0x6384BA69);
}

/* ---- full keys --------------------------------------------------------------------------- */

static void a_full_key_is_three_parts_behind_big_endian_lengths(void **state)
{
	(void)state;
	static const uint8_t expected[] = "\x00\x01t\x00\x05"
									  "carts\x00\x03"
									  "bob";
	uint8_t full[32];
	struct bytes type = BYTES("t"), bucket = BYTES("carts"), name = BYTES("bob");
	assert_int_equal(full_key_len(type, bucket, name), sizeof expected - 1);
	full_key_write(full, type, bucket, name);
	assert_memory_equal(full, expected, sizeof expected - 1);
}

/* Split a copy that ends where the heap block ends, so that a read past it is seen. */
static bool split_copy(struct bytes full, size_t lens[3])
{
	uint8_t *copy = malloc(full.len + 1);
	if (full.len > 0) memcpy(copy + 1, full.data, full.len);
	struct bytes parts[3];
	struct bytes in = bytes_of(copy + 1, full.len);
	bool ok = full_key_split(in, &parts[0], &parts[1], &parts[2]);
	for (unsigned i = 0; i < 3; i++) {
		lens[i] = parts[i].len;
		if (ok) assert_true(parts[i].data > in.data && parts[i].len < in.len);
	}
	free(copy);
	return ok;
}

static void a_full_key_of_any_allowed_lengths_splits_into_what_it_was_made_of(void **state)
{
	(void)state;
	static const size_t sizes[3][4] = {{1, 2, 254, TYPE_BYTES_MAX},
	                                   {1, 255, 256, BUCKET_BYTES_MAX},
	                                   {1, 300, NAME_BYTES_MAX - 1, NAME_BYTES_MAX}};
	static uint8_t text[3][NAME_BYTES_MAX], full[FULL_KEY_BYTES_MAX];
	for (unsigned i = 0; i < 3; i++) memset(text[i], 'a' + (int)i, sizeof text[i]);
	for (unsigned i = 0; i < 64; i++) {
		struct bytes in[3], out[3];
		for (unsigned part = 0; part < 3; part++)
			in[part] = bytes_of(text[part], sizes[part][i >> (2 * part) & 3]);
		size_t len = full_key_len(in[0], in[1], in[2]);
		assert_true(len <= FULL_KEY_BYTES_MAX);
		full_key_write(full, in[0], in[1], in[2]);
		assert_true(full_key_split(bytes_of(full, len), &out[0], &out[1], &out[2]));
		for (unsigned part = 0; part < 3; part++) assert_true(bytes_equal(in[part], out[part]));
	}
}

static void a_full_key_that_is_cut_padded_or_has_an_empty_part_is_refused(void **state)
{
	(void)state;
	size_t lens[3];
	struct bytes good = BYTES("\x00\x01t\x00\x02"
	                          "bb\x00\x03nnn");
	assert_true(split_copy(good, lens));
	for (size_t len = 0; len < good.len; len++) {
		assert_false(split_copy(bytes_of(good.data, len), lens));
		assert_int_equal(lens[0] + lens[1] + lens[2], 0);
	}
	assert_false(split_copy(BYTES("\x00\x01t\x00\x02"
	                              "bb\x00\x03nnn!"),
	                        lens));
	assert_false(split_copy(BYTES("\x00\x00\x00\x01"
	                              "b\x00\x01n"),
	                        lens));
	assert_false(split_copy(BYTES("\x00\x01t\x00\x00\x00\x01n"), lens));
	assert_false(split_copy(BYTES("\x00\x01t\x00\x01"
	                              "b\x00\x00"),
	                        lens));
	assert_false(split_copy(BYTES_EMPTY, lens));
}

static void a_full_key_with_a_part_above_its_limit_is_refused(void **state)
{
	(void)state;
	static const size_t limits[3] = {TYPE_BYTES_MAX, BUCKET_BYTES_MAX, NAME_BYTES_MAX};
	static uint8_t full[FULL_KEY_BYTES_MAX + 8];
	struct bytes type, bucket, name;
	for (unsigned big = 0; big < 3; big++) {
		for (unsigned over = 0; over < 2; over++) {
			size_t at = 0;
			for (unsigned part = 0; part < 3; part++) {
				size_t len = part == big ? limits[part] + over : 1;
				put_u16be(full + at, (uint16_t)len);
				at += 2 + len;
			}
			assert_int_equal(full_key_split(bytes_of(full, at), &type, &bucket, &name), !over);
		}
	}
}

static void bytes_that_changed_in_a_full_key_are_read_within_it_or_refused(void **state)
{
	(void)state;
	static const uint8_t good[] = "\x00\x01t\x00\x02"
								  "bb\x00\x03nnn";
	uint8_t bad[sizeof good - 1];
	size_t lens[3];
	for (size_t at = 0; at < sizeof bad; at++) {
		for (unsigned v = 0; v < 256; v++) {
			memcpy(bad, good, sizeof bad);
			bad[at] = (uint8_t)v;
			bool ok = split_copy(bytes_of(bad, sizeof bad), lens);
			assert_true(implies(ok, lens[0] + lens[1] + lens[2] + 6 == sizeof bad));
		}
	}
}

/* ---- partitions -------------------------------------------------------------------------- */

static void the_partitions_of_every_q_tile_the_ring_in_order(void **state)
{
	(void)state;
	for (uint32_t q = 1; q <= PARTITIONS_MAX; q *= 2) {
		struct layout l = {.partitions = q};
		uint64_t next = 0;
		for (uint32_t p = 0; p < q; p++) {
			uint64_t first, last;
			partition_range(&l, (struct partition_id){p}, &first, &last);
			assert_int_equal(first, next);
			assert_true(last > first);
			assert_int_equal(partition_of(&l, (struct key_hash){first}).v, p);
			assert_int_equal(partition_of(&l, (struct key_hash){last}).v, p);
			next = last + 1;
		}
		assert_int_equal(next, 0); /* once around */
	}
}

static void doubling_q_cuts_each_partition_in_two_and_moves_no_key_out_of_it(void **state)
{
	(void)state;
	struct prng prng;
	prng_seed(&prng, 1);
	for (uint32_t q = 1; q < PARTITIONS_MAX; q *= 2) {
		struct layout l = {.partitions = q}, doubled = {.partitions = 2 * q};
		for (unsigned i = 0; i < 1000; i++) {
			struct key_hash h = {prng_next(&prng)};
			uint64_t first, last, half_first, half_last;
			struct partition_id p = partition_of(&l, h), half = partition_of(&doubled, h);
			assert_int_equal(half.v / 2, p.v);
			partition_range(&l, p, &first, &last);
			partition_range(&doubled, half, &half_first, &half_last);
			assert_true(first <= half_first && half_last <= last);
			assert_int_equal(half_last - half_first, (last - first) / 2);
		}
	}
}

/* ---- preference lists -------------------------------------------------------------------- */

enum { SMALL_Q = 8, SMALL_MEMBERS = 6 };

struct ring {
	struct layout l;
	struct member members[MEMBERS_MAX];
	uint16_t primaries[256 * REPLICAS_MAX];
};

/* Primaries by drawing lots; ids random and rising. */
static void ring_make(struct ring *r, uint32_t q, uint32_t members, uint8_t n)
{
	struct prng prng;
	prng_seed(&prng, q * 1000 + members * 10 + n);
	uint64_t id = 0;
	*r =
		(struct ring){.l = {.epoch = {1}, .partitions = q, .replicas = n, .member_count = members}};
	for (uint32_t m = 0; m < members; m++)
		r->members[m] =
			(struct member){.id = {id += 1 + prng_below(&prng, 1ULL << 40)}, .weight = 1};
	for (uint32_t p = 0; p < q; p++) {
		struct member_set taken = {0};
		for (unsigned i = 0; i < n; i++) {
			uint32_t m;
			do m = (uint32_t)prng_below(&prng, members);
			while (member_set_has(&taken, m));
			member_set_add(&taken, m);
			r->primaries[p * n + i] = (uint16_t)m;
		}
	}
	r->l.members = r->members;
	r->l.primaries = r->primaries;
	assert_true(layout_is_sound(&r->l));
}

static struct member_set set_of(uint64_t mask)
{
	return (struct member_set){{mask}};
}

static unsigned list_of(const struct ring *r, uint32_t p, unsigned n, uint64_t up,
                        struct preference out[REPLICAS_MAX])
{
	struct member_set set = set_of(up);
	return ring_preference(&r->l, (struct partition_id){p}, n, &set, out);
}

/* One list against the rules, R1 and R2 of ring.c. */
static void check_list(const struct ring *r, uint32_t p, unsigned n, uint64_t up)
{
	struct preference list[REPLICAS_MAX];
	assert_int_equal(list_of(r, p, n, up, list), n);
	uint64_t seen = 0, primaries = 0;
	for (unsigned i = 0; i < n; i++) primaries |= 1ULL << r->primaries[p * r->l.replicas + i];
	for (unsigned i = 0; i < n; i++) {
		uint64_t bit = 1ULL << list[i].member;
		assert_true((seen & bit) == 0);
		seen |= bit;
		assert_int_equal(list[i].stands_for, r->primaries[p * r->l.replicas + i]);
		assert_int_equal(list[i].fallback, list[i].member != list[i].stands_for);
		assert_int_equal(list[i].up, (up & bit) != 0);
		assert_int_equal(list[i].fallback, (primaries & bit) == 0);
		assert_true(implies(list[i].fallback, list[i].up));
		assert_true(implies(list[i].fallback, (up >> list[i].stands_for & 1) == 0));
	}
	for (unsigned i = 0; i < n; i++) /* nobody is left down while a fallback is idle */
		assert_true(implies(!list[i].up, (up & ~seen) == 0));
}

static void every_list_of_every_small_ring_with_every_set_up_keeps_the_rules(void **state)
{
	(void)state;
	static struct ring r;
	for (uint32_t members = 1; members <= SMALL_MEMBERS; members++) {
		for (uint8_t replicas = 1; replicas <= members && replicas <= 4; replicas++) {
			ring_make(&r, SMALL_Q, members, replicas);
			for (uint64_t up = 0; up < 1ULL << members; up++)
				for (uint32_t p = 0; p < SMALL_Q; p++)
					for (unsigned n = 1; n <= replicas; n++) check_list(&r, p, n, up);
		}
	}
}

static bool list_names(const struct preference *list, unsigned n, unsigned member)
{
	for (unsigned i = 0; i < n; i++)
		if (list[i].member == member || list[i].stands_for == member) return true;
	return false;
}

static void a_member_that_goes_down_changes_only_the_lists_it_was_in(void **state)
{
	(void)state;
	static struct ring r;
	unsigned unchanged = 0, changed = 0;
	ring_make(&r, SMALL_Q, SMALL_MEMBERS, 3);
	for (uint64_t up = 0; up < 1 << SMALL_MEMBERS; up++) {
		for (unsigned gone = 0; gone < SMALL_MEMBERS; gone++) {
			for (uint32_t p = 0; p < SMALL_Q; p++) {
				struct preference before[REPLICAS_MAX] = {0}, after[REPLICAS_MAX] = {0};
				if ((up >> gone & 1) == 0) continue;
				list_of(&r, p, 3, up, before);
				list_of(&r, p, 3, up & ~(1ULL << gone), after);
				bool same = memcmp(before, after, sizeof before) == 0;
				assert_int_equal(same, !list_names(before, 3, gone));
				*(same ? &unchanged : &changed) += 1;
			}
		}
	}
	assert_true(unchanged > 100 && changed > 100);
}

/* The ring without one member that is no primary of p: indexes above it fall by one. */
static void ring_without(const struct ring *r, unsigned gone, struct ring *out)
{
	*out = *r;
	out->l.members = out->members;
	out->l.primaries = out->primaries;
	out->l.member_count--;
	for (unsigned m = gone; m < out->l.member_count; m++) out->members[m] = r->members[m + 1];
	for (uint32_t i = 0; i < r->l.partitions * r->l.replicas; i++)
		if (r->primaries[i] > gone) out->primaries[i]--;
}

static void a_member_that_leaves_the_layout_changes_only_the_lists_it_was_in(void **state)
{
	(void)state;
	static struct ring r, smaller;
	ring_make(&r, SMALL_Q, SMALL_MEMBERS, 2);
	for (unsigned gone = 0; gone < SMALL_MEMBERS; gone++) {
		ring_without(&r, gone, &smaller);
		for (uint64_t up = 0; up < 1 << SMALL_MEMBERS; up++) {
			uint64_t low = (1ULL << gone) - 1, up_after = (up & low) | (up >> 1 & ~low);
			for (uint32_t p = 0; p < SMALL_Q; p++) {
				struct preference before[REPLICAS_MAX], after[REPLICAS_MAX];
				list_of(&r, p, 2, up, before);
				if (list_names(before, 2, gone)) continue;
				list_of(&smaller, p, 2, up_after, after);
				for (unsigned i = 0; i < 2; i++)
					assert_int_equal(r.members[before[i].member].id.v,
					                 smaller.members[after[i].member].id.v);
			}
		}
	}
}

static void the_fallbacks_of_a_dead_member_are_spread_over_all_others(void **state)
{
	(void)state;
	enum { MEMBERS = 10, Q = 256 };
	static struct ring r;
	unsigned taken[MEMBERS] = {0}, all = 0;
	ring_make(&r, Q, MEMBERS, 3);
	for (uint32_t p = 0; p < Q; p++) {
		struct preference list[REPLICAS_MAX];
		list_of(&r, p, 3, (1 << MEMBERS) - 2, list); /* member 0 is down */
		for (unsigned i = 0; i < 3; i++) {
			if (!list[i].fallback) continue;
			taken[list[i].member]++;
			all++;
		}
	}
	assert_true(all > 50);
	for (unsigned m = 1; m < MEMBERS; m++)
		assert_true(taken[m] > all / MEMBERS / 3 && taken[m] < 3 * all / MEMBERS);
}

static void a_leaving_member_stands_in_for_nobody(void **state)
{
	(void)state;
	static struct ring r;
	ring_make(&r, SMALL_Q, 4, 2);
	for (unsigned leaving = 0; leaving < 4; leaving++) {
		for (unsigned m = 0; m < 4; m++)
			r.members[m].state = m == leaving ? MEMBER_LEAVING : MEMBER_SERVING;
		for (uint32_t p = 0; p < SMALL_Q; p++) {
			struct preference list[REPLICAS_MAX];
			list_of(&r, p, 2, 0xf & ~(1ULL << r.primaries[p * 2]), list);
			assert_true(list[0].fallback);
			assert_int_not_equal(list[0].member, leaving);
		}
	}
}

static void fallbacks_one_by_one_visit_every_member_that_is_up_once(void **state)
{
	(void)state;
	static struct ring r;
	ring_make(&r, SMALL_Q, SMALL_MEMBERS, 2);
	for (uint32_t p = 0; p < SMALL_Q; p++) {
		struct member_set up = set_of(0x3b), used = {0};
		unsigned visited = 0;
		uint16_t m;
		for (; ring_next_fallback(&r.l, (struct partition_id){p}, &up, &used, &m); visited++) {
			assert_true(member_set_has(&up, m) && !member_set_has(&used, m));
			member_set_add(&used, m);
		}
		assert_int_equal(visited, member_set_count(&up));
	}
}

static void is_primary_is_true_of_the_first_n_places_and_no_other_member(void **state)
{
	(void)state;
	static struct ring r;
	ring_make(&r, SMALL_Q, SMALL_MEMBERS, 4);
	for (uint32_t p = 0; p < SMALL_Q; p++) {
		for (unsigned n = 0; n <= 4; n++) {
			unsigned count = 0;
			for (uint32_t m = 0; m < SMALL_MEMBERS; m++)
				count += ring_is_primary(&r.l, (struct partition_id){p}, n, m);
			assert_int_equal(count, n);
			for (unsigned i = 0; i < n; i++)
				assert_true(
					ring_is_primary(&r.l, (struct partition_id){p}, n, r.primaries[p * 4 + i]));
		}
	}
}

static void a_member_set_holds_what_was_added_and_not_removed(void **state)
{
	(void)state;
	struct member_set s = {0};
	for (uint32_t m = 0; m < MEMBERS_MAX; m += 7) member_set_add(&s, m);
	for (uint32_t m = 0; m < MEMBERS_MAX; m += 14) member_set_remove(&s, m);
	unsigned count = 0;
	for (uint32_t m = 0; m < MEMBERS_MAX; m++) {
		assert_int_equal(member_set_has(&s, m), m % 7 == 0 && m % 14 != 0);
		count += member_set_has(&s, m);
	}
	assert_int_equal(member_set_count(&s), count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_key_hash_is_the_first_word_of_the_published_vectors),
		cmocka_unit_test(the_hash_function_gives_the_published_verification_value),
		cmocka_unit_test(a_full_key_is_three_parts_behind_big_endian_lengths),
		cmocka_unit_test(a_full_key_of_any_allowed_lengths_splits_into_what_it_was_made_of),
		cmocka_unit_test(a_full_key_that_is_cut_padded_or_has_an_empty_part_is_refused),
		cmocka_unit_test(a_full_key_with_a_part_above_its_limit_is_refused),
		cmocka_unit_test(bytes_that_changed_in_a_full_key_are_read_within_it_or_refused),
		cmocka_unit_test(the_partitions_of_every_q_tile_the_ring_in_order),
		cmocka_unit_test(doubling_q_cuts_each_partition_in_two_and_moves_no_key_out_of_it),
		cmocka_unit_test(every_list_of_every_small_ring_with_every_set_up_keeps_the_rules),
		cmocka_unit_test(a_member_that_goes_down_changes_only_the_lists_it_was_in),
		cmocka_unit_test(a_member_that_leaves_the_layout_changes_only_the_lists_it_was_in),
		cmocka_unit_test(the_fallbacks_of_a_dead_member_are_spread_over_all_others),
		cmocka_unit_test(a_leaving_member_stands_in_for_nobody),
		cmocka_unit_test(fallbacks_one_by_one_visit_every_member_that_is_up_once),
		cmocka_unit_test(is_primary_is_true_of_the_first_n_places_and_no_other_member),
		cmocka_unit_test(a_member_set_holds_what_was_added_and_not_removed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
