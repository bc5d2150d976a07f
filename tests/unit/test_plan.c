/* test_plan.c - the planner's promises L1 to L5 (plan.h), on every small ring there is: members 1 to
 * 6, Q 1 to 16, N 1 to 4, every way of laying the members into at most four zones, several weights.
 * What a share should be is computed here in another way than in share.c: by bisection. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include "base/panic.h"
#include "base/prng.h"
#include "ring/plan.h"

#include <cmocka.h>

enum { ZONES_MAX = MEMBERS_MAX };

static uint8_t region[MIB(64)] __attribute__((aligned(4096)));

struct memory {
	struct pool pool;
	struct arena arena;
	void *state;
};

static void memory_make(struct memory *m, size_t bytes)
{
	m->state = calloc(1, pool_state_bytes(bytes));
	pool_init(&m->pool, region, bytes, m->state);
	arena_init(&m->arena, &m->pool);
}

static void memory_free(struct memory *m)
{
	arena_free(&m->arena);
	assert_int_equal(m->pool.used, 0);
	free(m->state);
}

/* ---- wishes ------------------------------------------------------------------------------ */

static const uint8_t zone_names[ZONES_MAX][2] = {"a", "b", "c", "d", "e"};

struct wish {
	struct layout l;
	struct member members[MEMBERS_MAX];
	uint32_t zone_of[MEMBERS_MAX];
};

static void wish_init(struct wish *w, uint32_t q, uint8_t n, uint32_t members)
{
	w->l = (struct layout){.epoch = {1}, .partitions = q, .replicas = n, .member_count = members};
	w->l.members = w->members;
	for (uint32_t m = 0; m < members; m++) {
		w->zone_of[m] = 0;
		w->members[m] = (struct member){.id = {1000 + m * 17}, .weight = 100};
	}
}

static void wish_zone(struct wish *w, uint32_t member, uint32_t zone)
{
	w->zone_of[member] = zone;
	w->members[member].zone = bytes_of(zone_names[zone], 1);
}

/* ---- the promises ------------------------------------------------------------------------ */

static uint32_t zone_count_of(const struct wish *w)
{
	uint32_t zones = 0;
	for (uint32_t m = 0; m < w->l.member_count; m++)
		if (w->zone_of[m] >= zones) zones = w->zone_of[m] + 1;
	return zones;
}

/* The least number that the fullest zone of a partition can hold: lay N replicas down one by one,
 * each in the emptiest zone that has a member left. */
static uint32_t fullest_zone(const struct wish *w, const uint32_t *size, uint32_t zones)
{
	uint32_t held[ZONES_MAX] = {0}, most = 0;
	for (unsigned i = 0; i < w->l.replicas; i++) {
		uint32_t best = UINT32_MAX;
		for (uint32_t z = 0; z < zones; z++)
			if (held[z] < size[z] && (best == UINT32_MAX || held[z] < held[best])) best = z;
		if (++held[best] > most) most = held[best];
	}
	return most;
}

/* What the members of a zone (all zones: UINT32_MAX) get at a level. */
static double at_level(const struct wish *w, uint32_t zone, double level)
{
	double sum = 0;
	for (uint32_t m = 0; m < w->l.member_count; m++)
		if (w->zone_of[m] == zone) sum += fmin(w->l.partitions, level * w->members[m].weight);
	return sum;
}

static double total_at_level(const struct wish *w, const double *most, uint32_t zones, double level)
{
	double sum = 0;
	for (uint32_t z = 0; z < zones; z++) sum += fmin(most[z], at_level(w, z, level));
	return sum;
}

/* The share that share.h promises, before rounding. */
static void expected_shares(const struct wish *w, double *share)
{
	uint32_t zones = zone_count_of(w), size[ZONES_MAX] = {0};
	double most[ZONES_MAX], level[ZONES_MAX], low = 0, high = 1e6, want;
	for (uint32_t m = 0; m < w->l.member_count; m++) size[w->zone_of[m]]++;
	uint32_t cap = fullest_zone(w, size, zones);
	want = (double)w->l.partitions * w->l.replicas;
	for (uint32_t z = 0; z < zones; z++)
		most[z] = (double)w->l.partitions * (size[z] < cap ? size[z] : cap);
	for (unsigned i = 0; i < 70; i++) {
		double middle = (low + high) / 2;
		*(total_at_level(w, most, zones, middle) < want ? &low : &high) = middle;
	}
	for (uint32_t z = 0; z < zones; z++) {
		level[z] = high;
		if (at_level(w, z, high) <= most[z]) continue;
		double from = 0, to = high;
		for (unsigned i = 0; i < 70; i++) {
			double middle = (from + to) / 2;
			*(at_level(w, z, middle) < most[z] ? &from : &to) = middle;
		}
		level[z] = to;
	}
	for (uint32_t m = 0; m < w->l.member_count; m++)
		share[m] = fmin(w->l.partitions, level[w->zone_of[m]] * w->members[m].weight);
}

/* L1 and L2. */
static void check_partitions(const struct wish *w, const struct layout *l)
{
	uint32_t zones = zone_count_of(w), size[ZONES_MAX] = {0};
	for (uint32_t m = 0; m < w->l.member_count; m++) size[w->zone_of[m]]++;
	uint32_t cap = fullest_zone(w, size, zones);
	uint32_t inhabited = 0;
	for (uint32_t z = 0; z < zones; z++) inhabited += size[z] > 0;
	assert_int_equal(cap == 1, inhabited >= l->replicas);
	for (uint32_t p = 0; p < l->partitions; p++) {
		const uint16_t *row = l->primaries + p * l->replicas;
		uint8_t in_zone[ZONES_MAX] = {0};
		for (unsigned i = 0; i < l->replicas; i++) {
			for (unsigned j = 0; j < i; j++) assert_int_not_equal(row[i], row[j]);
			assert_true(row[i] < l->member_count);
			assert_true(++in_zone[w->zone_of[row[i]]] <= cap);
		}
	}
}

/* L3 and L4. */
static void check_members(const struct wish *w, const struct layout *l)
{
	static double share[MEMBERS_MAX];
	static uint32_t held[MEMBERS_MAX], first[MEMBERS_MAX];
	memset(held, 0, sizeof held);
	memset(first, 0, sizeof first);
	expected_shares(w, share);
	for (uint32_t i = 0; i < l->partitions * l->replicas; i++) {
		held[l->primaries[i]]++;
		if (i % l->replicas == 0) first[l->primaries[i]]++;
	}
	for (uint32_t m = 0; m < l->member_count; m++) {
		assert_true(fabs(held[m] - share[m]) < 1 - 1e-7);
		uint32_t floor = held[m] / l->replicas;
		assert_in_range(first[m], floor, floor + (held[m] % l->replicas != 0));
	}
}

/* The members of `wish` have rising ids, so that their indexes are the layout's. */
static void check_plan(const struct wish *w, struct arena *a)
{
	struct layout l;
	struct arena_mark mark = arena_mark(a);
	assert_int_equal(plan_first(&w->l, a, &l), ERR_OK);
	assert_true(layout_is_sound(&l));
	check_partitions(w, &l);
	check_members(w, &l);
	arena_release(a, mark);
}

/* ---- small rings ------------------------------------------------------------------------- */

static uint32_t weight_of(unsigned pattern, uint32_t member)
{
	static const uint32_t odd[] = {7, 1000, 1, 13, 999, 2};
	switch (pattern) {
	case 0: return 100;
	case 1: return 1 + member;
	case 2: return member == 1 ? 1000 : 10;
	default: return odd[member % 6];
	}
}

/* Every way to lay the members into at most four zones; a zone's number is not above that of the
 * zones before it plus one, so that no two ways differ in the names only. */
static unsigned check_all_zones(struct wish *w, uint32_t member, uint32_t zones, struct arena *a)
{
	if (member == w->l.member_count) {
		check_plan(w, a);
		return 1;
	}
	unsigned count = 0;
	for (uint32_t z = 0; z <= zones && z < 4; z++) {
		wish_zone(w, member, z);
		count += check_all_zones(w, member + 1, z == zones ? zones + 1 : zones, a);
	}
	return count;
}

static void every_small_ring_keeps_every_promise(void **state)
{
	(void)state;
	static struct wish w;
	struct memory memory;
	unsigned count = 0;
	memory_make(&memory, MIB(1));
	for (uint32_t members = 1; members <= 6; members++) {
		for (uint8_t n = 1; n <= 4 && n <= members; n++) {
			for (uint32_t q = 1; q <= 16; q *= 2) {
				for (unsigned pattern = 0; pattern < 4; pattern++) {
					wish_init(&w, q, n, members);
					for (uint32_t m = 0; m < members; m++)
						w.members[m].weight = weight_of(pattern, m);
					count += check_all_zones(&w, 0, 0, &memory.arena);
				}
			}
		}
	}
	print_message("%u rings\n", count);
	memory_free(&memory);
}

static void rings_of_random_members_keep_every_promise(void **state)
{
	(void)state;
	static struct wish w;
	struct memory memory;
	struct prng prng;
	prng_seed(&prng, 7);
	memory_make(&memory, MIB(4));
	for (unsigned i = 0; i < 300; i++) {
		uint8_t n = (uint8_t)(1 + prng_below(&prng, REPLICAS_MAX));
		uint32_t members = n + (uint32_t)prng_below(&prng, 40);
		uint32_t zones = 1 + (uint32_t)prng_below(&prng, 5);
		wish_init(&w, 1U << prng_below(&prng, 9), n, members);
		for (uint32_t m = 0; m < members; m++) {
			w.members[m].weight = 1 + (uint32_t)prng_below(&prng, i % 2 == 0 ? 3 : 1000);
			wish_zone(&w, m, (uint32_t)prng_below(&prng, zones));
		}
		check_plan(&w, &memory.arena);
	}
	memory_free(&memory);
}

static void with_equal_weights_and_no_limits_in_the_way_shares_differ_by_one_at_most(void **state)
{
	(void)state;
	static struct wish w;
	struct memory memory;
	struct layout l;
	memory_make(&memory, MIB(1));
	for (uint32_t members = 3; members < 40; members++) {
		uint32_t held[40] = {0};
		struct arena_mark mark = arena_mark(&memory.arena);
		wish_init(&w, 64, 3, members);
		assert_int_equal(plan_first(&w.l, &memory.arena, &l), ERR_OK);
		for (unsigned i = 0; i < 64 * 3; i++) held[l.primaries[i]]++;
		for (uint32_t m = 0; m < members; m++)
			assert_in_range(held[m], 64 * 3 / members, 64 * 3 / members + 1);
		arena_release(&memory.arena, mark);
	}
	memory_free(&memory);
}

/* ---- the same everywhere ----------------------------------------------------------------- */

static struct bytes encode_plan(const struct wish *w, struct arena *a, uint8_t *to, size_t room)
{
	struct layout l;
	struct packer p = {to, room, 0};
	struct arena_mark mark = arena_mark(a);
	assert_int_equal(plan_first(&w->l, a, &l), ERR_OK);
	layout_encode(&p, &l);
	assert_true(pack_fits(&p));
	arena_release(a, mark);
	return bytes_of(to, p.len);
}

static void shuffle(struct member *members, uint32_t count, struct prng *prng)
{
	for (uint32_t i = count; i > 1; i--) {
		uint32_t j = (uint32_t)prng_below(prng, i);
		struct member m = members[i - 1];
		members[i - 1] = members[j];
		members[j] = m;
	}
}

static void the_order_in_which_members_are_given_changes_nothing(void **state)
{
	(void)state;
	static struct wish w;
	static uint8_t one[KIB(64)], other[KIB(64)];
	struct memory memory;
	struct prng prng;
	prng_seed(&prng, 3);
	memory_make(&memory, MIB(1));
	for (uint32_t members = 1; members <= 12; members++) {
		uint8_t n = (uint8_t)(members < 3 ? members : 3);
		wish_init(&w, 16, n, members);
		for (uint32_t m = 0; m < members; m++) {
			w.members[m].weight = weight_of(members % 4, m);
			wish_zone(&w, m, m % 5);
		}
		struct bytes first = encode_plan(&w, &memory.arena, one, sizeof one);
		for (unsigned i = 0; i < 50; i++) {
			shuffle(w.members, members, &prng);
			struct bytes again = encode_plan(&w, &memory.arena, other, sizeof other);
			assert_true(bytes_equal(first, again));
		}
	}
	memory_free(&memory);
}

/* A plan that comes out otherwise than it used to is no plan for members of mixed versions. */
static void a_known_wish_gives_the_layout_it_always_gave(void **state)
{
	(void)state;
	static struct wish w;
	static uint8_t bytes[KIB(64)];
	static const uint8_t known[LAYOUT_HASH_BYTES] = {0x38, 0x1f, 0x61, 0xd2, 0x6d, 0xe0,
	                                                 0x7c, 0xd8, 0x8f, 0xea, 0x9e, 0x66,
	                                                 0x6e, 0x1d, 0xbb, 0x32};
	uint8_t hash[LAYOUT_HASH_BYTES];
	struct memory memory;
	memory_make(&memory, MIB(1));
	wish_init(&w, 256, 3, 13);
	for (uint32_t m = 0; m < 13; m++) {
		w.members[m].weight = weight_of(3, m);
		wish_zone(&w, m, m % 4);
	}
	layout_hash(encode_plan(&w, &memory.arena, bytes, sizeof bytes), hash);
	assert_memory_equal(hash, known, sizeof hash);
	memory_free(&memory);
}

/* ---- refusals ---------------------------------------------------------------------------- */

static void check_refused(const struct wish *w, struct arena *a)
{
	struct layout l;
	assert_int_equal(plan_first(&w->l, a, &l), ERR_PLAN);
	assert_int_equal(l.member_count, 0);
}

static void a_wish_that_cannot_be_met_is_refused(void **state)
{
	(void)state;
	static struct wish w;
	struct memory memory;
	memory_make(&memory, MIB(1));
	struct arena *a = &memory.arena;
	wish_init(&w, 8, 3, 3);
	check_plan(&w, a);
	for (uint8_t n = 3; n <= REPLICAS_MAX; n++) {
		for (uint32_t members = 0; members < n; members++) {
			wish_init(&w, 8, n, members);
			check_refused(&w, a);
		}
	}
	static const uint32_t bad_q[] = {0, 3, 6, 65535, 2 * PARTITIONS_MAX};
	for (unsigned i = 0; i < sizeof bad_q / sizeof bad_q[0]; i++) {
		wish_init(&w, bad_q[i], 3, 3);
		check_refused(&w, a);
	}
	wish_init(&w, 8, 0, 3), check_refused(&w, a);
	wish_init(&w, 8, REPLICAS_MAX + 1, 20), check_refused(&w, a);
	wish_init(&w, 8, 3, 4), w.members[3].weight = 0, check_refused(&w, a);
	wish_init(&w, 8, 3, 4), w.members[0].weight = MEMBER_WEIGHT_MAX + 1, check_refused(&w, a);
	wish_init(&w, 8, 3, 4), w.members[1].state = MEMBER_LEAVING, check_refused(&w, a);
	wish_init(&w, 8, 3, 4), w.members[0].id = w.members[3].id, check_refused(&w, a);
	wish_init(&w, 8, 3, 4), w.members[0].id.v = 0, check_refused(&w, a);
	memory_free(&memory);
}

static void a_full_arena_is_said_so_at_every_point_of_the_work(void **state)
{
	(void)state;
	static struct wish w;
	unsigned refused = 0;
	enum err e = ERR_BUSY;
	wish_init(&w, 256, 3, 9);
	for (size_t leave = 0; e != ERR_OK; leave += POOL_PIECE_BYTES_MIN) {
		struct memory memory;
		struct layout l;
		memory_make(&memory, MIB(1));
		struct arena hog;
		arena_init(&hog, &memory.pool);
		while (memory.pool.used + leave < MIB(1) && arena_take(&hog, 400) != NULL) continue;
		e = plan_first(&w.l, &memory.arena, &l);
		assert_true(e == ERR_OK || e == ERR_BUSY);
		refused += e == ERR_BUSY;
		arena_free(&hog);
		memory_free(&memory);
	}
	assert_true(refused > 3);
}

static void the_memory_it_worked_in_is_given_back(void **state)
{
	(void)state;
	static struct wish w;
	struct memory memory;
	struct layout l;
	memory_make(&memory, MIB(1));
	wish_init(&w, 256, 3, 500); /* whose results leave little room in their pieces */
	assert_int_equal(plan_first(&w.l, &memory.arena, &l), ERR_OK);
	size_t used = memory.pool.used;
	arena_free(&memory.arena);
	assert_non_null(arena_take(&memory.arena, 500 * sizeof(struct member)));
	assert_non_null(arena_take(&memory.arena, 256 * 3 * sizeof(uint16_t)));
	assert_int_equal(used, memory.pool.used);
	memory_free(&memory);
}

/* ---- large rings ------------------------------------------------------------------------- */

static double plan_seconds(const struct wish *w, struct arena *a)
{
	struct timespec from, to;
	clock_gettime(CLOCK_MONOTONIC, &from);
	check_plan(w, a);
	clock_gettime(CLOCK_MONOTONIC, &to);
	return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

static void a_large_ring_keeps_every_promise_and_is_planned_in_seconds(void **state)
{
	(void)state;
	static struct wish w;
	static const uint32_t sizes[][3] = {{256, 3, 300}, {4096, 3, 1024}, {65536, 3, 1024}};
	struct memory memory;
	memory_make(&memory, sizeof region);
	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		wish_init(&w, sizes[i][0], (uint8_t)sizes[i][1], sizes[i][2]);
		for (uint32_t m = 0; m < sizes[i][2]; m++) {
			w.members[m].weight = 50 + m * 37 % 100;
			wish_zone(&w, m, m % 5);
		}
		print_message("Q %u, N %u, %u members: %.3f s\n", sizes[i][0], sizes[i][1], sizes[i][2],
		              plan_seconds(&w, &memory.arena));
	}
	memory_free(&memory);
}

/* Scattered, a member's partitions are shared with nearly everybody it may share with. */
static void a_member_shares_partitions_with_most_others(void **state)
{
	(void)state;
	static struct wish w;
	static uint32_t together[20][20];
	struct memory memory;
	struct layout l;
	memory_make(&memory, MIB(1));
	wish_init(&w, 256, 3, 20);
	assert_int_equal(plan_first(&w.l, &memory.arena, &l), ERR_OK);
	for (uint32_t p = 0; p < 256; p++)
		for (unsigned i = 0; i < 9; i++)
			together[l.primaries[p * 3 + i / 3]][l.primaries[p * 3 + i % 3]]++;
	for (unsigned m = 0; m < 20; m++) {
		unsigned partners = 0;
		for (unsigned other = 0; other < 20; other++)
			partners += other != m && together[m][other] > 0;
		assert_true(partners >= 16);
	}
	memory_free(&memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_small_ring_keeps_every_promise),
		cmocka_unit_test(rings_of_random_members_keep_every_promise),
		cmocka_unit_test(with_equal_weights_and_no_limits_in_the_way_shares_differ_by_one_at_most),
		cmocka_unit_test(the_order_in_which_members_are_given_changes_nothing),
		cmocka_unit_test(a_known_wish_gives_the_layout_it_always_gave),
		cmocka_unit_test(a_wish_that_cannot_be_met_is_refused),
		cmocka_unit_test(a_full_arena_is_said_so_at_every_point_of_the_work),
		cmocka_unit_test(the_memory_it_worked_in_is_given_back),
		cmocka_unit_test(a_large_ring_keeps_every_promise_and_is_planned_in_seconds),
		cmocka_unit_test(a_member_shares_partitions_with_most_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
