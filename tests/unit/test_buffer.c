/* test_buffer.c - the buffer of a connection against a naive truth. */
#include "drive/buffer.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "base/prng.h"
#include <cmocka.h>

static void what_goes_in_comes_out_in_order(void **state)
{
	struct prng prng;
	struct buffer b = {0};
	uint64_t written = 0, read = 0;
	(void)state;
	prng_seed(&prng, 7);
	for (unsigned round = 0; round < 20000; round++) {
		size_t add = (size_t)prng_below(&prng, prng_one_in(&prng, 100) ? 100000 : 300);
		uint8_t *to = buffer_room(&b, add);
		assert_non_null(to);
		assert_true(buffer_room_left(&b) >= add);
		for (size_t i = 0; i < add; i++) to[i] = (uint8_t)(written++ * 31);
		buffer_added(&b, add);
		size_t take = (size_t)prng_below(&prng, b.len + 1);
		if (prng_one_in(&prng, 10)) take = b.len;
		for (size_t i = 0; i < take; i++)
			assert_int_equal(buffer_head(&b)[i], (uint8_t)(read++ * 31));
		buffer_consume(&b, take);
		assert_int_equal(b.len, written - read);
	}
	buffer_free(&b);
}

static void an_idle_buffer_keeps_no_large_memory(void **state)
{
	struct buffer b = {0};
	(void)state;
	buffer_added(&b, buffer_room(&b, MIB(1)) == NULL ? 0 : MIB(1));
	assert_true(b.capacity >= MIB(1));
	buffer_consume(&b, MIB(1));
	assert_null(b.data);
	assert_int_equal(b.capacity, 0);
	assert_true(buffer_append(&b, BYTES("small")));
	size_t capacity = b.capacity;
	buffer_consume(&b, 5);
	assert_int_equal(b.capacity, capacity);
	buffer_free(&b);
}

/* A value of a known length is asked for once and must not be doubled to. */
static void room_for_a_large_value_is_no_more_than_asked_for(void **state)
{
	struct buffer b = {0};
	(void)state;
	assert_true(buffer_append(&b, BYTES("head")));
	assert_non_null(buffer_room(&b, MIB(8)));
	assert_int_equal(b.capacity, MIB(8) + 4);
	assert_memory_equal(buffer_head(&b), "head", 4);
	buffer_free(&b);
}

static void printed_text_is_appended_and_cut_at_a_kilobyte(void **state)
{
	struct buffer b = {0};
	char large[3000];
	(void)state;
	memset(large, 'x', sizeof large - 1);
	large[sizeof large - 1] = '\0';
	buffer_printf(&b, "%s=%d;", "a", 1);
	assert_int_equal(b.len, 4);
	buffer_printf(&b, "%s", large);
	assert_int_equal(b.len, 4 + 1023);
	buffer_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_out_in_order),
		cmocka_unit_test(an_idle_buffer_keeps_no_large_memory),
		cmocka_unit_test(room_for_a_large_value_is_no_more_than_asked_for),
		cmocka_unit_test(printed_text_is_appended_and_cut_at_a_kilobyte),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
