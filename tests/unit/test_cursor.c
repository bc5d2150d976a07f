/* test_cursor.c - the bounded msgpack cursor against msgpack-c, both ways, over generated values;
 * then what it must refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cursor.h"
#include "base/panic.h"
#include "base/prng.h"

#include <cmocka.h>
#include <msgpack.h>

enum { ROUNDS = 2000, DEPTH_MAX = 3, ROOM = 1 << 20 };

/* The same seed walks the same tree of values, so one walk writes and another reads and compares. */
enum kind { KIND_NIL, KIND_BOOL, KIND_UINT, KIND_BIN, KIND_ARRAY, KIND_COUNT };

static const uint8_t filler[70000] = {1, 2, 3};

static enum kind some_kind(struct prng *g, unsigned depth)
{
	return (enum kind)prng_below(g, depth == DEPTH_MAX ? KIND_ARRAY : KIND_COUNT);
}

/* Every width, and the numbers at which a width ends. */
static uint64_t some_uint(struct prng *g)
{
	static const uint64_t edges[] = {0,           0x7f,       0x80,       0xff,
	                                 0x100,       0xffff,     0x10000,    0xffffffff,
	                                 0x100000000, UINT64_MAX, 0x7fffffff, INT64_MAX};
	if (prng_one_in(g, 2)) return edges[prng_below(g, sizeof edges / sizeof *edges)];
	return prng_next(g) >> prng_below(g, 64);
}

static struct bytes some_bin(struct prng *g)
{
	static const size_t edges[] = {0, 1, 255, 256, 65535, 65536};
	size_t len = prng_one_in(g, 20) ? edges[prng_below(g, 6)] : (size_t)prng_below(g, 40);
	return bytes_of(filler, len);
}

static uint32_t some_count(struct prng *g)
{
	return prng_one_in(g, 10) ? 15 + (uint32_t)prng_below(g, 3) : (uint32_t)prng_below(g, 6);
}

static void write_ours(struct prng *g, struct packer *p, unsigned depth)
{
	switch (some_kind(g, depth)) {
	case KIND_NIL: pack_nil(p); return;
	case KIND_BOOL: pack_bool(p, prng_one_in(g, 2)); return;
	case KIND_UINT: pack_uint(p, some_uint(g)); return;
	case KIND_BIN: pack_bin(p, some_bin(g)); return;
	case KIND_ARRAY: {
		uint32_t count = some_count(g);
		pack_array(p, count);
		for (uint32_t i = 0; i < count; i++) write_ours(g, p, depth + 1);
		return;
	}
	case KIND_COUNT: break;
	}
	unreachable();
}

static void write_theirs(struct prng *g, msgpack_packer *p, unsigned depth)
{
	switch (some_kind(g, depth)) {
	case KIND_NIL: msgpack_pack_nil(p); return;
	case KIND_BOOL:
		if (prng_one_in(g, 2))
			msgpack_pack_true(p);
		else
			msgpack_pack_false(p);
		return;
	case KIND_UINT: msgpack_pack_uint64(p, some_uint(g)); return;
	case KIND_BIN: {
		struct bytes b = some_bin(g);
		msgpack_pack_bin(p, b.len);
		msgpack_pack_bin_body(p, b.data, b.len);
		return;
	}
	case KIND_ARRAY: {
		uint32_t count = some_count(g);
		msgpack_pack_array(p, count);
		for (uint32_t i = 0; i < count; i++) write_theirs(g, p, depth + 1);
		return;
	}
	case KIND_COUNT: break;
	}
	unreachable();
}

static void read_ours(struct prng *g, struct cursor *c, unsigned depth)
{
	switch (some_kind(g, depth)) {
	case KIND_NIL: assert_true(cursor_nil(c)); return;
	case KIND_BOOL: assert_int_equal(cursor_bool(c), prng_one_in(g, 2)); return;
	case KIND_UINT: assert_true(cursor_uint(c, UINT64_MAX) == some_uint(g)); return;
	case KIND_BIN: assert_true(bytes_equal(cursor_bin(c, sizeof filler), some_bin(g))); return;
	case KIND_ARRAY: {
		uint32_t count = some_count(g);
		assert_int_equal(cursor_array(c, 100), count);
		for (uint32_t i = 0; i < count; i++) read_ours(g, c, depth + 1);
		return;
	}
	case KIND_COUNT: break;
	}
	unreachable();
}

static void read_theirs(struct prng *g, const msgpack_object *o, unsigned depth)
{
	switch (some_kind(g, depth)) {
	case KIND_NIL: assert_int_equal(o->type, MSGPACK_OBJECT_NIL); return;
	case KIND_BOOL:
		assert_int_equal(o->type, MSGPACK_OBJECT_BOOLEAN);
		assert_int_equal(o->via.boolean, prng_one_in(g, 2));
		return;
	case KIND_UINT:
		assert_int_equal(o->type, MSGPACK_OBJECT_POSITIVE_INTEGER);
		assert_true(o->via.u64 == some_uint(g));
		return;
	case KIND_BIN:
		assert_int_equal(o->type, MSGPACK_OBJECT_BIN);
		assert_true(bytes_equal(bytes_of(o->via.bin.ptr, o->via.bin.size), some_bin(g)));
		return;
	case KIND_ARRAY: {
		uint32_t count = some_count(g);
		assert_int_equal(o->type, MSGPACK_OBJECT_ARRAY);
		assert_int_equal(o->via.array.size, count);
		for (uint32_t i = 0; i < count; i++) read_theirs(g, &o->via.array.ptr[i], depth + 1);
		return;
	}
	case KIND_COUNT: break;
	}
	unreachable();
}

static void what_we_write_msgpack_c_reads(void **state)
{
	(void)state;
	uint8_t *room = malloc(ROOM * 8);
	assert_non_null(room);
	for (uint64_t seed = 0; seed < ROUNDS; seed++) {
		struct prng g;
		struct packer p = {room, ROOM * 8, 0};
		prng_seed(&g, seed);
		write_ours(&g, &p, 0);
		assert_true(pack_fits(&p));
		msgpack_unpacked u;
		msgpack_unpacked_init(&u);
		size_t at = 0;
		assert_int_equal(msgpack_unpack_next(&u, (const char *)room, p.len, &at),
		                 MSGPACK_UNPACK_SUCCESS);
		assert_int_equal(at, p.len);
		prng_seed(&g, seed);
		read_theirs(&g, &u.data, 0);
		msgpack_unpacked_destroy(&u);
	}
	free(room);
}

static void what_msgpack_c_writes_we_read(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < ROUNDS; seed++) {
		struct prng g;
		msgpack_sbuffer out;
		msgpack_packer p;
		msgpack_sbuffer_init(&out);
		msgpack_packer_init(&p, &out, msgpack_sbuffer_write);
		prng_seed(&g, seed);
		write_theirs(&g, &p, 0);
		struct cursor c = cursor_of(bytes_of(out.data, out.size));
		prng_seed(&g, seed);
		read_ours(&g, &c, 0);
		assert_true(cursor_finished(&c));
		msgpack_sbuffer_destroy(&out);
	}
}

static void a_first_pass_without_room_counts_what_the_second_writes(void **state)
{
	(void)state;
	uint8_t *room = malloc(ROOM * 8);
	assert_non_null(room);
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct prng g;
		struct packer count = {NULL, 0, 0}, p = {room, ROOM * 8, 0};
		prng_seed(&g, seed);
		write_ours(&g, &count, 0);
		prng_seed(&g, seed);
		write_ours(&g, &p, 0);
		assert_int_equal(count.len, p.len);
		assert_false(pack_fits(&count));
	}
	free(room);
}

/* With too little room not one byte past it is written. */
static void a_writer_without_room_stays_inside_it(void **state)
{
	(void)state;
	uint8_t room[16];
	for (size_t capacity = 0; capacity < sizeof room; capacity++) {
		memset(room, 0xee, sizeof room);
		struct packer p = {room, capacity, 0};
		pack_array(&p, 3);
		pack_uint(&p, 300);
		pack_bin(&p, BYTES("abcdef"));
		pack_uint(&p, UINT64_MAX);
		assert_false(pack_fits(&p));
		for (size_t i = capacity; i < sizeof room; i++) assert_int_equal(room[i], 0xee);
	}
}

/* Reads one value of any kind and reports whether the cursor took it. */
static bool accepted(struct bytes b, enum kind as)
{
	struct cursor c = cursor_of(b);
	switch (as) {
	case KIND_NIL: cursor_nil(&c); break;
	case KIND_BOOL: cursor_bool(&c); break;
	case KIND_UINT: cursor_uint(&c, UINT64_MAX); break;
	case KIND_BIN: cursor_bin(&c, SIZE_MAX); break;
	case KIND_ARRAY: cursor_array(&c, UINT32_MAX); break;
	case KIND_COUNT: unreachable();
	}
	return cursor_finished(&c);
}

static void forms_that_are_not_the_shortest_are_refused(void **state)
{
	(void)state;
	assert_true(accepted(BYTES("\x7f"), KIND_UINT));
	assert_false(accepted(BYTES("\xcc\x7f"), KIND_UINT));
	assert_true(accepted(BYTES("\xcc\x80"), KIND_UINT));
	assert_false(accepted(BYTES("\xcd\x00\xff"), KIND_UINT));
	assert_true(accepted(BYTES("\xcd\x01\x00"), KIND_UINT));
	assert_false(accepted(BYTES("\xce\x00\x00\xff\xff"), KIND_UINT));
	assert_true(accepted(BYTES("\xce\x00\x01\x00\x00"), KIND_UINT));
	assert_false(accepted(BYTES("\xcf\0\0\0\0\xff\xff\xff\xff"), KIND_UINT));
	assert_true(accepted(BYTES("\xcf\0\0\0\1\0\0\0\0"), KIND_UINT));
	assert_true(accepted(BYTES("\xc4\1a"), KIND_BIN));
	assert_false(accepted(BYTES("\xc5\0\1a"), KIND_BIN));
	assert_false(accepted(BYTES("\xc6\0\0\0\1a"), KIND_BIN));
	assert_true(accepted(BYTES("\x90"), KIND_ARRAY));
	assert_false(accepted(BYTES("\xdc\0\0"), KIND_ARRAY));
	assert_false(accepted(BYTES("\xdc\0\x0f"), KIND_ARRAY));
	assert_false(accepted(BYTES("\xdd\0\0\0\0"), KIND_ARRAY));
}

static void types_we_do_not_use_are_refused(void **state)
{
	(void)state;
	for (unsigned tag = 0; tag < 256; tag++) {
		uint8_t b[10] = {(uint8_t)tag, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
		struct cursor c = cursor_of(bytes_of(b, sizeof b));
		cursor_uint(&c, UINT64_MAX);
		assert_int_equal(!c.bad, tag < 0x80 || (tag >= 0xcc && tag <= 0xcf));
		c = cursor_of(bytes_of(b, sizeof b));
		cursor_bool(&c);
		assert_int_equal(!c.bad, tag == 0xc2 || tag == 0xc3);
	}
	assert_false(accepted(BYTES("\xa1s"), KIND_BIN));     /* str is not bin */
	assert_false(accepted(BYTES("\xd0\x01"), KIND_UINT)); /* int8 */
	assert_false(accepted(BYTES("\xff"), KIND_UINT));     /* -1 */
	assert_false(accepted(BYTES("\x80"), KIND_ARRAY));    /* map */
}

/* The bytes end where the readable memory ends. */
static void a_value_cut_anywhere_is_bad_and_nothing_past_it_is_read(void **state)
{
	(void)state;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(map != MAP_FAILED);
	assert_int_equal(mprotect(map + page, page, PROT_NONE), 0);
	uint8_t room[512];
	struct packer p = {room, sizeof room, 0};
	pack_array(&p, 4);
	pack_uint(&p, UINT64_MAX);
	pack_bin(&p, bytes_of(filler, 300));
	pack_bool(&p, true);
	pack_uint(&p, 70000);
	for (size_t len = 0; len <= p.len; len++) {
		uint8_t *to = map + page - len;
		memcpy(to, room, len);
		struct cursor c = cursor_of(bytes_of(to, len));
		cursor_array_exact(&c, 4);
		cursor_uint(&c, UINT64_MAX);
		cursor_bin(&c, 1000);
		cursor_bool(&c);
		cursor_uint(&c, UINT64_MAX);
		assert_int_equal(cursor_finished(&c), len == p.len);
	}
	munmap(map, 2 * page);
}

static void a_length_is_not_believed(void **state)
{
	(void)state;
	assert_false(accepted(BYTES("\xc6\xff\xff\xff\xff"), KIND_BIN));
	assert_false(accepted(BYTES("\xdd\xff\xff\xff\xff"), KIND_ARRAY));
	struct cursor c = cursor_of(BYTES("\x93\1\2")); /* three elements cannot be in two bytes */
	assert_int_equal(cursor_array(&c, 10), 0);
	assert_true(c.bad);
	c = cursor_of(BYTES("\x92\1\2"));
	assert_int_equal(cursor_array(&c, 1), 0); /* above the caller's maximum */
	assert_true(c.bad);
	c = cursor_of(BYTES("\xc4\2ab"));
	assert_int_equal(cursor_bin(&c, 1).len, 0);
	assert_true(c.bad);
	c = cursor_of(BYTES("\x05"));
	assert_true(cursor_uint(&c, 4) == 0);
	assert_true(c.bad);
}

static void a_bad_cursor_stays_bad_and_gives_zeroes(void **state)
{
	(void)state;
	struct cursor c = cursor_of(BYTES("\xc3\x05\xc4\x01x\x91\x01\xc0"));
	cursor_uint(&c, 10); /* it is a bool */
	uint8_t hash[1] = {7};
	assert_true(cursor_uint(&c, 10) == 0);
	assert_int_equal(cursor_bin(&c, 10).len, 0);
	assert_int_equal(cursor_array(&c, 10), 0);
	assert_false(cursor_bool(&c));
	assert_false(cursor_nil(&c));
	cursor_bin_exact(&c, hash, 1);
	assert_int_equal(hash[0], 0);
	assert_false(cursor_finished(&c));
}

static void exact_means_exact(void **state)
{
	(void)state;
	uint8_t to[4] = {9, 9, 9, 9};
	struct cursor c = cursor_of(BYTES("\xc4\3abc"));
	cursor_bin_exact(&c, to, 4);
	assert_true(c.bad && to[0] == 0 && to[3] == 0);
	c = cursor_of(BYTES("\xc4\4abcd"));
	cursor_bin_exact(&c, to, 4);
	assert_true(!c.bad && memcmp(to, "abcd", 4) == 0);
	c = cursor_of(BYTES("\x91\1"));
	cursor_array_exact(&c, 2);
	assert_true(c.bad);
	c = cursor_of(BYTES("\xc0\xc0"));
	assert_true(cursor_nil(&c));
	assert_false(cursor_finished(&c)); /* one is left over */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_we_write_msgpack_c_reads),
		cmocka_unit_test(what_msgpack_c_writes_we_read),
		cmocka_unit_test(a_first_pass_without_room_counts_what_the_second_writes),
		cmocka_unit_test(a_writer_without_room_stays_inside_it),
		cmocka_unit_test(forms_that_are_not_the_shortest_are_refused),
		cmocka_unit_test(types_we_do_not_use_are_refused),
		cmocka_unit_test(a_value_cut_anywhere_is_bad_and_nothing_past_it_is_read),
		cmocka_unit_test(a_length_is_not_believed),
		cmocka_unit_test(a_bad_cursor_stays_bad_and_gives_zeroes),
		cmocka_unit_test(exact_means_exact),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
