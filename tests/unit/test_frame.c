/* test_frame.c - frames between nodes: sealed in a stream, cut into messages, joined from pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "wire/frame.h"

#include <cmocka.h>

static const struct noise_cipher fresh = {.key = {{7, 7, 7}}};

static void a_sealed_frame_arrives_byte_by_byte(void **state)
{
	(void)state;
	struct noise_cipher send = fresh, receive = fresh;
	uint8_t wire[64];
	size_t len = frame_seal(&send, BYTES("\0\0\0\0\2hi"), wire), total = 0;
	for (size_t i = 0; i < len; i++)
		assert_int_equal(frame_measure(bytes_of(wire, i), &total), ERR_NOT_FOUND);
	assert_int_equal(frame_measure(bytes_of(wire, sizeof wire), &total), ERR_OK);
	assert_int_equal(total, len);
	struct bytes plain;
	assert_int_equal(frame_open(&receive, wire, total, &plain), ERR_OK);
	assert_true(bytes_equal(plain, BYTES("\0\0\0\0\2hi")));
}

static void a_length_out_of_bounds_is_refused_at_once(void **state)
{
	(void)state;
	uint8_t wire[4];
	size_t total;
	const uint32_t good[] = {NOISE_TAG_BYTES + 1, FRAME_SEALED_BYTES_MAX};
	const uint32_t bad[] = {0, NOISE_TAG_BYTES, FRAME_SEALED_BYTES_MAX + 1, UINT32_MAX};
	for (unsigned i = 0; i < 2; i++) {
		put_u32be(wire, good[i]);
		assert_int_equal(frame_measure(bytes_of(wire, 4), &total), ERR_NOT_FOUND);
	}
	for (unsigned i = 0; i < 4; i++) {
		put_u32be(wire, bad[i]);
		assert_int_equal(frame_measure(bytes_of(wire, 4), &total), ERR_BAD_BYTES);
	}
}

static void a_changed_byte_of_a_frame_is_refused(void **state)
{
	(void)state;
	for (size_t i = 4; i < 4 + 3 + NOISE_TAG_BYTES; i++) {
		struct noise_cipher send = fresh, receive = fresh;
		uint8_t wire[64];
		struct bytes plain;
		size_t len = frame_seal(&send, BYTES("abc"), wire);
		wire[i] ^= 1;
		assert_int_equal(frame_open(&receive, wire, len, &plain), ERR_BAD_BYTES);
	}
}

static void one_frame_holds_many_messages(void **state)
{
	(void)state;
	struct frame f;
	struct bytes m;
	assert_int_equal(frame_split(BYTES("\0\0\0\0\3one\0\0\0\0\0\0\0\3two"), &f), ERR_OK);
	assert_int_equal(frame_next(&f, &m), ERR_OK);
	assert_true(bytes_equal(m, BYTES("one")));
	assert_int_equal(frame_next(&f, &m), ERR_OK);
	assert_int_equal(m.len, 0);
	assert_int_equal(frame_next(&f, &m), ERR_OK);
	assert_true(bytes_equal(m, BYTES("two")));
	assert_int_equal(frame_next(&f, &m), ERR_NOT_FOUND);
}

static enum err last_answer(struct bytes plain)
{
	struct frame f;
	struct bytes m;
	enum err e = frame_split(plain, &f);
	while (e == ERR_OK) e = frame_next(&f, &m);
	return e;
}

static void a_frame_that_does_not_add_up_is_refused(void **state)
{
	(void)state;
	assert_int_equal(last_answer(BYTES("\0\0\0\0\1a")), ERR_NOT_FOUND);
	assert_int_equal(last_answer(BYTES("\0\0\0\0\2a")), ERR_BAD_BYTES);
	assert_int_equal(last_answer(BYTES("\0\xff\xff\xff\xff")), ERR_BAD_BYTES);
	assert_int_equal(last_answer(BYTES("\0\0\0\0\1a\0")), ERR_BAD_BYTES);
	assert_int_equal(last_answer(BYTES("\0")), ERR_BAD_BYTES);
	assert_int_equal(last_answer(BYTES("\4abc")), ERR_BAD_BYTES);
	assert_int_equal(last_answer(BYTES_EMPTY), ERR_BAD_BYTES);
}

static enum err add(struct frame_join *j, enum frame_kind kind, struct bytes body)
{
	struct frame f = {kind, body};
	size_t want = frame_join_capacity(j, body.len);
	if (want == 0) return ERR_TOO_LARGE;
	if (want > j->capacity) {
		j->data = realloc(j->data, want);
		assert_non_null(j->data);
		j->capacity = want;
	}
	return frame_join_add(j, &f);
}

static void pieces_become_one_message_and_then_the_next(void **state)
{
	(void)state;
	struct frame_join j = {0};
	assert_int_equal(add(&j, FRAME_PIECE, BYTES("long ")), ERR_NOT_FOUND);
	assert_int_equal(add(&j, FRAME_PIECE, BYTES("mess")), ERR_NOT_FOUND);
	assert_int_equal(add(&j, FRAME_LAST_PIECE, BYTES("age")), ERR_OK);
	assert_true(bytes_equal(bytes_of(j.data, j.len), BYTES("long message")));
	assert_int_equal(add(&j, FRAME_LAST_PIECE, BYTES("next")), ERR_OK);
	assert_true(bytes_equal(bytes_of(j.data, j.len), BYTES("next")));
	assert_int_equal(add(&j, FRAME_PIECE, BYTES_EMPTY), ERR_BAD_BYTES);
	free(j.data);
}

static void memory_for_pieces_follows_what_arrived_and_ends_at_the_limit(void **state)
{
	(void)state;
	struct frame_join j = {0};
	size_t arrived = 0;
	for (; arrived < MSG_BYTES_MAX; arrived += FRAME_BYTES_MAX) {
		size_t want = frame_join_capacity(&j, FRAME_BYTES_MAX);
		assert_true(want >= arrived + FRAME_BYTES_MAX && want <= MSG_BYTES_MAX);
		assert_true(want <= j.capacity || want <= 2 * (arrived + FRAME_BYTES_MAX));
		j = (struct frame_join){NULL, arrived + FRAME_BYTES_MAX, want, true};
	}
	assert_int_equal(frame_join_capacity(&j, 1), 0);
	j.open = false; /* it ended: the next message begins with nothing */
	assert_int_equal(frame_join_capacity(&j, 1), MSG_BYTES_MAX);
}

static void hello_comes_back_and_a_longer_one_of_a_later_version_too(void **state)
{
	(void)state;
	struct hello h = {{0x1122334455667788}, "cluster of three", 5, 99}, back;
	uint8_t out[HELLO_PLAIN_BYTES + 10] = {0};
	struct frame f;
	hello_write(&h, out);
	for (size_t len = HELLO_PLAIN_BYTES; len <= sizeof out; len++) {
		assert_int_equal(frame_split(bytes_of(out, len), &f), ERR_OK);
		assert_int_equal(hello_read(&f, &back), ERR_OK);
		assert_true(back.node.v == h.node.v && back.features == 5 && back.start_nonce == 99);
		assert_memory_equal(back.cluster, h.cluster, 16);
	}
	for (size_t len = 2; len < HELLO_PLAIN_BYTES; len++) {
		assert_int_equal(frame_split(bytes_of(out, len), &f), ERR_OK);
		assert_int_equal(hello_read(&f, &back), ERR_BAD_BYTES);
	}
	memset(out + 1, 0, 8); /* nobody */
	assert_int_equal(frame_split(bytes_of(out, HELLO_PLAIN_BYTES), &f), ERR_OK);
	assert_int_equal(hello_read(&f, &back), ERR_BAD_BYTES);
}

static void clusters_differ_only_when_both_are_known(void **state)
{
	(void)state;
	const uint8_t none[16] = {0}, a[16] = {1}, b[16] = {2};
	assert_true(hello_clusters_differ(a, b));
	assert_false(hello_clusters_differ(a, a));
	assert_false(hello_clusters_differ(a, none));
	assert_false(hello_clusters_differ(none, b));
	assert_false(hello_clusters_differ(none, none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sealed_frame_arrives_byte_by_byte),
		cmocka_unit_test(a_length_out_of_bounds_is_refused_at_once),
		cmocka_unit_test(a_changed_byte_of_a_frame_is_refused),
		cmocka_unit_test(one_frame_holds_many_messages),
		cmocka_unit_test(a_frame_that_does_not_add_up_is_refused),
		cmocka_unit_test(pieces_become_one_message_and_then_the_next),
		cmocka_unit_test(memory_for_pieces_follows_what_arrived_and_ends_at_the_limit),
		cmocka_unit_test(hello_comes_back_and_a_longer_one_of_a_later_version_too),
		cmocka_unit_test(clusters_differ_only_when_both_are_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
