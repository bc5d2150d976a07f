/* test_layout.c - a layout as bytes: round trip, and everything that is not one sound layout refused
 * without a read past its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/panic.h"
#include "base/prng.h"
#include "ring/layout.h"

#include <cmocka.h>

static uint8_t region[MIB(4)] __attribute__((aligned(4096)));

struct memory {
	struct pool pool;
	struct arena arena;
	void *state;
};

static void memory_make(struct memory *m)
{
	m->state = calloc(1, pool_state_bytes(sizeof region));
	pool_init(&m->pool, region, sizeof region, m->state);
	arena_init(&m->arena, &m->pool);
}

static void memory_free(struct memory *m)
{
	arena_free(&m->arena);
	assert_int_equal(m->pool.used, 0);
	free(m->state);
}

/* ---- samples ----------------------------------------------------------------------------- */

enum { SAMPLE_MEMBERS = 4, SAMPLE_Q = 4, SAMPLE_N = 3 };

struct sample {
	struct layout l;
	struct member members[SAMPLE_MEMBERS];
	uint16_t primaries[SAMPLE_Q * SAMPLE_N];
	struct node_id retired[2];
};

static void sample_make(struct sample *s)
{
	static const uint16_t primaries[] = {0, 1, 2, 1, 2, 3, 2, 3, 0, 3, 0, 1};
	static const uint64_t ids[] = {1, 77, 0x123456789abcdefULL, UINT64_MAX};
	*s = (struct sample){.l = {.epoch = {9},
	                           .partitions = SAMPLE_Q,
	                           .replicas = SAMPLE_N,
	                           .member_count = SAMPLE_MEMBERS,
	                           .retired_count = 2}};
	memset(s->l.cluster, 0xc1, sizeof s->l.cluster);
	memset(s->l.secret, 0x5e, sizeof s->l.secret);
	memcpy(s->primaries, primaries, sizeof primaries);
	for (unsigned i = 0; i < SAMPLE_MEMBERS; i++)
		s->members[i] = (struct member){.id = {ids[i]},
		                                .weight = 100 + i * 100,
		                                .state = i == 2 ? MEMBER_LEAVING : MEMBER_SERVING,
		                                .name = bytes_of(&"n1n2n3n4"[i * 2], 2),
		                                .address = BYTES("10.0.0.1:8099"),
		                                .zone = bytes_of(&"ab"[i % 2], i < 3)};
	s->retired[0].v = 5;
	s->retired[1].v = 1ULL << 40;
	s->l.members = s->members;
	s->l.primaries = s->primaries;
	s->l.retired = s->retired;
}

/* What layout_encode would write of a layout that is not sound. */
static struct bytes encode_unchecked(const struct layout *l, uint8_t *to, size_t room)
{
	struct packer p = {to, room, 0};
	uint32_t primaries = l->partitions * l->replicas;
	pack_array(&p, 9);
	pack_uint(&p, LAYOUT_VERSION);
	pack_bin(&p, bytes_of(l->cluster, 16));
	pack_bin(&p, bytes_of(l->secret, 16));
	pack_uint(&p, l->epoch.v);
	pack_uint(&p, l->partitions);
	pack_uint(&p, l->replicas);
	pack_array(&p, l->member_count);
	for (uint32_t i = 0; i < l->member_count; i++) {
		const struct member *m = &l->members[i];
		pack_array(&p, 6);
		pack_uint(&p, m->id.v);
		pack_uint(&p, m->weight);
		pack_uint(&p, m->state);
		pack_bin(&p, m->name);
		pack_bin(&p, m->address);
		pack_bin(&p, m->zone);
	}
	pack_array(&p, primaries);
	for (uint32_t i = 0; i < primaries; i++) pack_uint(&p, l->primaries[i]);
	pack_array(&p, l->retired_count);
	for (uint32_t i = 0; i < l->retired_count; i++) pack_uint(&p, l->retired[i].v);
	assert_true(pack_fits(&p));
	return bytes_of(to, p.len);
}

static struct bytes encode(const struct layout *l, uint8_t *to, size_t room)
{
	struct packer p = {to, room, 0};
	layout_encode(&p, l);
	assert_true(pack_fits(&p));
	return bytes_of(to, p.len);
}

/* Decode a copy that ends where its heap block ends, and is gone before the layout is looked at. */
static enum err decode_copy(struct bytes in, struct arena *a, struct layout *out)
{
	uint8_t *copy = malloc(in.len == 0 ? 1 : in.len);
	if (in.len > 0) memcpy(copy, in.data, in.len);
	enum err e = layout_decode(bytes_of(copy, in.len), a, out);
	if (in.len > 0) memset(copy, 0xee, in.len);
	free(copy);
	return e;
}

static void assert_layouts_equal(const struct layout *a, const struct layout *b)
{
	assert_memory_equal(a->cluster, b->cluster, 16);
	assert_memory_equal(a->secret, b->secret, 16);
	assert_int_equal(a->epoch.v, b->epoch.v);
	assert_int_equal(a->partitions, b->partitions);
	assert_int_equal(a->replicas, b->replicas);
	assert_int_equal(a->member_count, b->member_count);
	for (uint32_t i = 0; i < a->member_count; i++) {
		const struct member *m = &a->members[i], *n = &b->members[i];
		assert_int_equal(m->id.v, n->id.v);
		assert_int_equal(m->weight, n->weight);
		assert_int_equal(m->state, n->state);
		assert_true(bytes_equal(m->name, n->name) && bytes_equal(m->address, n->address));
		assert_true(bytes_equal(m->zone, n->zone));
	}
	assert_memory_equal(a->primaries, b->primaries, a->partitions * a->replicas * 2);
	assert_int_equal(a->retired_count, b->retired_count);
	for (uint32_t i = 0; i < a->retired_count; i++)
		assert_int_equal(a->retired[i].v, b->retired[i].v);
}

/* ---- round trips ------------------------------------------------------------------------- */

static void a_layout_comes_back_as_it_was_and_outlives_the_bytes_it_came_in(void **state)
{
	(void)state;
	struct sample s;
	struct memory memory;
	struct layout out;
	uint8_t bytes[1024];
	sample_make(&s);
	memory_make(&memory);
	struct bytes encoded = encode(&s.l, bytes, sizeof bytes);
	assert_int_equal(decode_copy(encoded, &memory.arena, &out), ERR_OK);
	assert_layouts_equal(&s.l, &out);
	memory_free(&memory);
}

static void a_copy_of_a_layout_shares_nothing_with_it(void **state)
{
	(void)state;
	struct sample s, same;
	struct memory memory;
	struct layout out;
	char name[] = "n1";
	sample_make(&s);
	sample_make(&same);
	s.members[0].name = bytes_of_string(name);
	memory_make(&memory);
	assert_int_equal(layout_copy(&s.l, &memory.arena, &out), ERR_OK);
	memset(s.members, 0xee, sizeof s.members);
	memset(s.primaries, 0xee, sizeof s.primaries);
	memset(s.retired, 0xee, sizeof s.retired);
	name[0] = 'x';
	assert_layouts_equal(&same.l, &out);
	memory_free(&memory);
}

static void the_largest_layout_there_may_be_comes_back_as_it_was(void **state)
{
	(void)state;
	static struct member members[MEMBERS_MAX];
	static uint16_t primaries[PARTITIONS_MAX * REPLICAS_MAX];
	static uint8_t bytes[MIB(3)];
	static const uint8_t text[MEMBER_ADDRESS_BYTES_MAX] = {'x'};
	struct layout out, l = {.epoch = {UINT64_MAX},
	                        .partitions = PARTITIONS_MAX,
	                        .replicas = REPLICAS_MAX,
	                        .member_count = MEMBERS_MAX,
	                        .members = members,
	                        .primaries = primaries};
	for (uint32_t i = 0; i < MEMBERS_MAX; i++)
		members[i] = (struct member){.id = {UINT64_MAX - MEMBERS_MAX + 1 + i},
		                             .weight = MEMBER_WEIGHT_MAX,
		                             .name = bytes_of(text, MEMBER_NAME_BYTES_MAX),
		                             .address = bytes_of(text, MEMBER_ADDRESS_BYTES_MAX),
		                             .zone = bytes_of(text, MEMBER_ZONE_BYTES_MAX)};
	for (uint32_t i = 0; i < PARTITIONS_MAX * REPLICAS_MAX; i++)
		primaries[i] = (uint16_t)(i % MEMBERS_MAX);
	struct memory memory;
	memory_make(&memory);
	struct bytes encoded = encode(&l, bytes, sizeof bytes);
	assert_true(encoded.len < MSG_BYTES_MAX);
	assert_int_equal(decode_copy(encoded, &memory.arena, &out), ERR_OK);
	assert_layouts_equal(&l, &out);
	memory_free(&memory);
}

/* ---- hostile bytes ----------------------------------------------------------------------- */

static void a_layout_that_was_cut_anywhere_or_padded_is_refused(void **state)
{
	(void)state;
	struct sample s;
	struct memory memory;
	struct layout out;
	uint8_t bytes[1024] = {0};
	sample_make(&s);
	memory_make(&memory);
	struct bytes encoded = encode(&s.l, bytes, sizeof bytes);
	for (size_t len = 0; len <= encoded.len + 1; len++) {
		enum err e = decode_copy(bytes_of(bytes, len), &memory.arena, &out);
		assert_int_equal(e, len == encoded.len ? ERR_OK : ERR_BAD_BYTES);
		assert_true(implies(e != ERR_OK, out.members == NULL && out.member_count == 0));
		arena_free(&memory.arena);
	}
	assert_int_equal(layout_decode(BYTES_EMPTY, &memory.arena, &out), ERR_BAD_BYTES);
	memory_free(&memory);
}

/* Whatever one byte is changed to: it is refused, or it is another sound layout, whose encoding is
 * exactly those bytes and whose hash is another. */
static void a_changed_byte_is_refused_or_makes_another_layout_with_another_hash(void **state)
{
	(void)state;
	struct sample s;
	struct memory memory;
	uint8_t good[1024], bad[1024], again[1024], good_hash[16], bad_hash[16];
	unsigned refused = 0, other = 0;
	sample_make(&s);
	memory_make(&memory);
	struct bytes encoded = encode(&s.l, good, sizeof good);
	layout_hash(encoded, good_hash);
	memcpy(bad, good, sizeof bad);
	for (size_t at = 0; at < encoded.len; at++) {
		for (unsigned by = 1; by < 256; by++) {
			struct layout out;
			bad[at] = (uint8_t)(good[at] ^ by);
			enum err e = decode_copy(bytes_of(bad, encoded.len), &memory.arena, &out);
			assert_true(e == ERR_OK || e == ERR_BAD_BYTES);
			*(e == ERR_OK ? &other : &refused) += 1;
			if (e == ERR_OK) {
				struct bytes b = encode(&out, again, sizeof again);
				assert_true(bytes_equal(b, bytes_of(bad, encoded.len)));
				layout_hash(b, bad_hash);
				assert_memory_not_equal(good_hash, bad_hash, sizeof bad_hash);
			}
			arena_free(&memory.arena);
		}
		bad[at] = good[at];
	}
	assert_true(refused > 1000 && other > 1000);
	memory_free(&memory);
}

static void random_bytes_in_the_midst_of_a_layout_do_no_harm(void **state)
{
	(void)state;
	struct sample s;
	struct memory memory;
	struct prng prng;
	uint8_t good[1024], bad[1024];
	sample_make(&s);
	memory_make(&memory);
	prng_seed(&prng, 5);
	struct bytes encoded = encode(&s.l, good, sizeof good);
	for (unsigned i = 0; i < 20000; i++) {
		struct layout out;
		memcpy(bad, good, sizeof bad);
		for (unsigned n = 1 + (unsigned)prng_below(&prng, 6); n > 0; n--)
			bad[prng_below(&prng, encoded.len)] = (uint8_t)prng_next(&prng);
		size_t len = encoded.len - (size_t)(i % 4 == 0 ? prng_below(&prng, encoded.len) : 0);
		enum err e = decode_copy(bytes_of(bad, len), &memory.arena, &out);
		assert_true(implies(e == ERR_OK, layout_is_sound(&out)));
		arena_free(&memory.arena);
	}
	memory_free(&memory);
}

/* ---- each rule --------------------------------------------------------------------------- */

static struct bytes of_length(size_t len)
{
	static const uint8_t text[512] = {'x'};
	return bytes_of(text, len);
}

enum { BREAKS = 25 };

/* Break the sample in the i-th way; way 0 leaves it sound. */
static void sample_break(struct sample *s, unsigned way)
{
	struct layout *l = &s->l;
	switch (way) {
	case 0: break;
	case 1: l->epoch.v = 0; break;
	case 2: l->partitions = 3; break;
	case 3: l->partitions = 0; break;
	case 4: l->replicas = 0; break;
	case 5: l->partitions = 1, l->replicas = REPLICAS_MAX + 1; break;
	case 6: l->member_count = 2; break; /* fewer than N, and indexes out of range */
	case 7: l->member_count = 0; break;
	case 8: s->primaries[0] = SAMPLE_MEMBERS; break;
	case 9: s->primaries[11] = 0xffff; break;
	case 10: s->primaries[2] = s->primaries[0]; break;
	case 11: s->primaries[10] = s->primaries[9]; break;
	case 12: s->members[0].id.v = 0; break;
	case 13: s->members[1].id = s->members[0].id; break;
	case 14: s->members[1].id = s->members[3].id; break;
	case 15: s->members[3].id.v = 78; break;
	case 16: s->members[1].weight = MEMBER_WEIGHT_MAX + 1; break;
	case 17: s->members[1].state = MEMBER_STATES; break;
	case 18: s->members[1].name = of_length(MEMBER_NAME_BYTES_MAX + 1); break;
	case 19: s->members[1].address = of_length(MEMBER_ADDRESS_BYTES_MAX + 1); break;
	case 20: s->members[1].zone = of_length(MEMBER_ZONE_BYTES_MAX + 1); break;
	case 21: s->retired[0].v = 0; break;
	case 22: s->retired[1] = s->retired[0]; break;
	case 23: s->retired[0].v = (1ULL << 40) + 1; break;
	case 24: s->retired[1].v = 77; break; /* a member */
	default: unreachable();
	}
}

static void each_rule_that_is_broken_is_noticed_on_both_sides(void **state)
{
	(void)state;
	for (unsigned way = 0; way < BREAKS; way++) {
		struct sample s;
		struct memory memory;
		struct layout out;
		uint8_t bytes[1024];
		sample_make(&s);
		sample_break(&s, way);
		memory_make(&memory);
		assert_int_equal(layout_is_sound(&s.l), way == 0);
		struct bytes encoded = encode_unchecked(&s.l, bytes, sizeof bytes);
		assert_int_equal(layout_decode(encoded, &memory.arena, &out),
		                 way == 0 ? ERR_OK : ERR_BAD_BYTES);
		memory_free(&memory);
	}
}

static void another_version_is_refused(void **state)
{
	(void)state;
	struct sample s;
	struct memory memory;
	struct layout out;
	uint8_t bytes[1024];
	sample_make(&s);
	memory_make(&memory);
	struct bytes encoded = encode(&s.l, bytes, sizeof bytes);
	assert_int_equal(bytes[1], LAYOUT_VERSION);
	bytes[1]++;
	assert_int_equal(layout_decode(encoded, &memory.arena, &out), ERR_BAD_BYTES);
	memory_free(&memory);
}

/* An arena with `room` bytes left, in a pool with none. */
static void memory_make_full(struct memory *m, struct arena *hog, size_t room)
{
	enum { PIECE_ROOM = POOL_PIECE_BYTES_MIN - 32 }; /* less its header */
	memory_make(m);
	arena_init(hog, &m->pool);
	assert_non_null(arena_take(&m->arena, PIECE_ROOM - room));
	while (arena_take(hog, PIECE_ROOM) != NULL) continue;
}

static void a_full_arena_is_said_so_wherever_it_fills_up(void **state)
{
	(void)state;
	struct sample s;
	uint8_t bytes[1024];
	sample_make(&s);
	s.l.member_count = 3; /* of four it would not fit one piece */
	for (unsigned i = 0; i < SAMPLE_Q * SAMPLE_N; i++) s.primaries[i] = (uint16_t)(i % 3);
	struct bytes encoded = encode(&s.l, bytes, sizeof bytes);
	unsigned refused = 0, done = 0;
	for (size_t room = 0; room <= 480; room += 16) {
		struct memory memory;
		struct arena hog;
		struct layout out;
		memory_make_full(&memory, &hog, room);
		struct arena_mark mark = arena_mark(&memory.arena);
		enum err e = layout_decode(encoded, &memory.arena, &out);
		assert_true(e == ERR_OK || (e == ERR_BUSY && out.members == NULL));
		arena_release(&memory.arena, mark);
		assert_int_equal(layout_copy(&s.l, &memory.arena, &out), e);
		assert_true(implies(e != ERR_OK, out.members == NULL));
		*(e == ERR_OK ? &done : &refused) += 1;
		arena_free(&hog);
		memory_free(&memory);
	}
	assert_true(refused > 10 && done > 0);
}

/* ---- finding ----------------------------------------------------------------------------- */

static void every_member_and_retired_id_is_found_and_no_other(void **state)
{
	(void)state;
	struct sample s;
	sample_make(&s);
	for (uint32_t i = 0; i < SAMPLE_MEMBERS; i++) {
		struct node_id id = s.members[i].id;
		assert_int_equal(layout_find(&s.l, id), i);
		if (id.v < UINT64_MAX) assert_int_equal(layout_find(&s.l, (struct node_id){id.v + 1}), -1);
		assert_int_equal(layout_find(&s.l, (struct node_id){id.v - 1}), -1);
		assert_false(layout_is_retired(&s.l, id));
	}
	for (unsigned i = 0; i < 2; i++) {
		assert_true(layout_is_retired(&s.l, s.retired[i]));
		assert_false(layout_is_retired(&s.l, (struct node_id){s.retired[i].v + 1}));
		assert_int_equal(layout_find(&s.l, s.retired[i]), -1);
	}
	struct layout nobody = {0};
	assert_int_equal(layout_find(&nobody, (struct node_id){1}), -1);
	assert_false(layout_is_retired(&nobody, (struct node_id){1}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_layout_comes_back_as_it_was_and_outlives_the_bytes_it_came_in),
		cmocka_unit_test(a_copy_of_a_layout_shares_nothing_with_it),
		cmocka_unit_test(the_largest_layout_there_may_be_comes_back_as_it_was),
		cmocka_unit_test(a_layout_that_was_cut_anywhere_or_padded_is_refused),
		cmocka_unit_test(a_changed_byte_is_refused_or_makes_another_layout_with_another_hash),
		cmocka_unit_test(random_bytes_in_the_midst_of_a_layout_do_no_harm),
		cmocka_unit_test(each_rule_that_is_broken_is_noticed_on_both_sides),
		cmocka_unit_test(another_version_is_refused),
		cmocka_unit_test(a_full_arena_is_said_so_wherever_it_fills_up),
		cmocka_unit_test(every_member_and_retired_id_is_found_and_no_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
