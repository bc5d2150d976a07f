/* test_bytes.c - views compare as their bytes do, and numbers in keys sort as numbers do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/prng.h"

#include <cmocka.h>

#include "panic_as_failure.h"

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

/* One byte after the other; the shorter first where all are equal. */
static int naive_compare(struct bytes a, struct bytes b)
{
	for (size_t i = 0;; i++) {
		if (i == a.len || i == b.len) return (i == b.len) - (i == a.len);
		if (a.data[i] != b.data[i]) return a.data[i] < b.data[i] ? -1 : 1;
	}
}

/* Up to four letters out of three, one of them above 127: collisions and prefixes are common. */
static struct bytes some_bytes(struct prng *r, uint8_t room[4])
{
	static const uint8_t letters[] = {0, 'a', 0xff};
	size_t len = (size_t)prng_below(r, 5);
	for (size_t i = 0; i < len; i++) room[i] = letters[prng_below(r, 3)];
	return len == 0 && prng_one_in(r, 2) ? BYTES_EMPTY : bytes_of(room, len);
}

static void comparing_equality_and_prefixes_agree_with_one_byte_at_a_time(void **state)
{
	(void)state;
	struct prng r;
	prng_seed(&r, 1);
	unsigned equal = 0, prefixes = 0;
	for (unsigned i = 0; i < 20000; i++) {
		uint8_t room_a[4], room_b[4];
		struct bytes a = some_bytes(&r, room_a), b = some_bytes(&r, room_b);
		int order = naive_compare(a, b);
		assert_int_equal(sign(bytes_compare(a, b)), order);
		assert_int_equal(bytes_equal(a, b), order == 0);
		bool prefix = a.len >= b.len && naive_compare(bytes_of(a.data, b.len), b) == 0;
		assert_int_equal(bytes_start_with(a, b), prefix);
		equal += order == 0;
		prefixes += prefix;
	}
	assert_true(equal > 100 && prefixes > equal);
}

static void a_prefix_sorts_first_and_nothing_sorts_before_anything(void **state)
{
	(void)state;
	assert_true(bytes_compare(BYTES("ab"), BYTES("abc")) < 0);
	assert_true(bytes_compare(BYTES("abc"), BYTES("ab")) > 0);
	assert_true(bytes_compare(BYTES_EMPTY, BYTES("\0")) < 0);
	assert_int_equal(bytes_compare(BYTES_EMPTY, BYTES("")), 0);
	assert_true(bytes_equal(BYTES_EMPTY, BYTES("")));
	assert_true(bytes_start_with(BYTES("x"), BYTES_EMPTY));
}

static void a_literal_and_a_string_end_before_their_nul(void **state)
{
	(void)state;
	assert_int_equal(BYTES("abc").len, 3);
	assert_int_equal(BYTES("a\0c").len, 3);
	assert_true(bytes_equal(bytes_of_string("abc"), BYTES("abc")));
}

static void big_endian_numbers_have_their_highest_byte_first(void **state)
{
	(void)state;
	uint8_t b[8];
	put_u16be(b, 0x0102);
	assert_memory_equal(b, "\x01\x02", 2);
	put_u32be(b, 0x01020384);
	assert_memory_equal(b, "\x01\x02\x03\x84", 4);
	put_u64be(b, 0x0102030405060788);
	assert_memory_equal(b, "\x01\x02\x03\x04\x05\x06\x07\x88", 8);
}

/* At every offset: keys put them where they like. */
static void a_number_comes_back_as_it_went_and_sorts_as_bytes(void **state)
{
	(void)state;
	struct prng r;
	prng_seed(&r, 2);
	for (unsigned i = 0; i < 20000; i++) {
		uint8_t a[16], b[16];
		size_t at = (size_t)prng_below(&r, 8);
		uint64_t v = prng_next(&r) >> prng_below(&r, 64), w = prng_next(&r) >> prng_below(&r, 64);
		put_u64be(a + at, v);
		put_u64be(b + at, w);
		assert_int_equal(get_u64be(a + at), v);
		assert_int_equal(sign(memcmp(a + at, b + at, 8)), (v > w) - (v < w));
		put_u32be(a + at, (uint32_t)v);
		assert_int_equal(get_u32be(a + at), (uint32_t)v);
		put_u16be(a + at, (uint16_t)v);
		assert_int_equal(get_u16be(a + at), (uint16_t)v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comparing_equality_and_prefixes_agree_with_one_byte_at_a_time),
		cmocka_unit_test(a_prefix_sorts_first_and_nothing_sorts_before_anything),
		cmocka_unit_test(a_literal_and_a_string_end_before_their_nul),
		cmocka_unit_test(big_endian_numbers_have_their_highest_byte_first),
		cmocka_unit_test(a_number_comes_back_as_it_went_and_sorts_as_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
