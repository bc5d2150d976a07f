/* test_peer_queue.c - what waits for a peer: in which order it goes, and that it is bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "drive/peer_queue.h"
#include "wire/frame.h"
#include "wire/msg.h"

#include <cmocka.h>

static bool add_vote(struct peer_queue *q, uint64_t id)
{
	struct msg m = {.type = MSG_VOTE, .id = {id}};
	return peer_queue_add(q, &m);
}

static bool add_heartbeat(struct peer_queue *q, uint64_t id)
{
	struct msg m = {.type = MSG_HEARTBEAT, .id = {id}};
	return peer_queue_add(q, &m);
}

static bool add_layout(struct peer_queue *q, uint64_t id, size_t len)
{
	uint8_t *layout = calloc(1, len);
	assert_non_null(layout);
	struct msg m = {.type = MSG_LAYOUT, .id = {id}, .layout = {bytes_of(layout, len)}};
	bool added = peer_queue_add(q, &m);
	free(layout);
	return added;
}

/* Takes the next frame: its kind, how many messages ended with it, and the id of its first message
 * if it is one of whole messages. */
struct took {
	int kind;
	unsigned messages;
	uint64_t id;
	size_t len;
};

static struct took take(struct peer_queue *q)
{
	struct scan_entry *entries = malloc(SCAN_PAGE_ENTRIES_MAX * sizeof *entries);
	struct took t = {.kind = -1};
	struct frame f;
	struct bytes b;
	struct msg m;
	struct bytes plain = peer_queue_front(q);
	if (plain.len > 0) {
		assert_true(plain.len <= FRAME_PLAIN_BYTES_MAX);
		assert_int_equal(frame_split(plain, &f), ERR_OK);
		t.kind = (int)f.kind;
		t.len = f.body.len;
		if (f.kind == FRAME_WHOLE) {
			assert_int_equal(frame_next(&f, &b), ERR_OK);
			assert_int_equal(msg_unpack(b, &m, entries), ERR_OK);
			t.id = m.id.v;
		}
		t.messages = peer_queue_pop(q);
	}
	free(entries);
	return t;
}

static void messages_go_in_order_many_to_a_frame(void **state)
{
	(void)state;
	struct peer_queue q = {0};
	for (uint64_t i = 1; i <= 10000; i++) assert_true(add_vote(&q, i));
	uint64_t next = 1;
	while (!peer_queue_is_empty(&q)) {
		struct took t = take(&q);
		assert_int_equal(t.kind, FRAME_WHOLE);
		assert_int_equal(t.id, next);
		assert_true(peer_queue_is_empty(&q) || t.len > FRAME_BYTES_MAX - 100);
		next += t.messages;
	}
	assert_int_equal(next, 10001);
	assert_int_equal(take(&q).kind, -1);
	assert_int_equal(peer_queue_clear(&q), 0);
}

static void heartbeats_go_first_and_pieces_share_with_the_rest(void **state)
{
	(void)state;
	struct peer_queue q = {0};
	assert_true(add_layout(&q, 1, 3 * FRAME_BYTES_MAX));
	for (uint64_t i = 0; i < 5000; i++) assert_true(add_vote(&q, 100 + i));
	assert_int_equal(take(&q).kind, FRAME_WHOLE);
	assert_int_equal(take(&q).kind, FRAME_PIECE);
	assert_true(add_heartbeat(&q, 7));
	assert_int_equal(take(&q).id, 7);
	assert_int_equal(take(&q).kind, FRAME_WHOLE);
	assert_int_equal(take(&q).kind, FRAME_PIECE);
	peer_queue_clear(&q);
}

static void the_longest_that_fits_a_frame_is_whole_and_one_more_is_pieces(void **state)
{
	(void)state;
	struct peer_queue q = {0};
	struct msg m = {.type = MSG_LAYOUT};
	struct packer p = {NULL, 0, 0};
	msg_pack(&p, &m);
	size_t head = p.len - 2 + 3; /* the empty bin's two bytes become three, for a u16 length */
	assert_true(add_layout(&q, 0, FRAME_WHOLE_BYTES_MAX - head));
	struct took t = take(&q);
	assert_int_equal(t.kind, FRAME_WHOLE);
	assert_int_equal(t.len, FRAME_BYTES_MAX);
	assert_true(add_layout(&q, 0, FRAME_WHOLE_BYTES_MAX - head + 1));
	t = take(&q);
	assert_int_equal(t.kind, FRAME_LAST_PIECE);
	assert_int_equal(t.messages, 1);
	peer_queue_clear(&q);
}

static void pieces_join_to_the_message(void **state)
{
	(void)state;
	struct peer_queue q = {0};
	size_t len = 5 * FRAME_BYTES_MAX + 17, at = 0;
	uint8_t *layout = malloc(len), *joined = malloc(len + 64);
	for (size_t i = 0; i < len; i++) layout[i] = (uint8_t)(i * 7 + i / 251);
	struct msg m = {.type = MSG_LAYOUT, .layout = {bytes_of(layout, len)}}, back;
	assert_true(peer_queue_add(&q, &m));
	while (!peer_queue_is_empty(&q)) {
		struct bytes plain = peer_queue_front(&q);
		assert_true(at + plain.len - 1 <= len + 64);
		memcpy(joined + at, plain.data + 1, plain.len - 1);
		at += plain.len - 1;
		peer_queue_pop(&q);
	}
	struct scan_entry *entries = malloc(SCAN_PAGE_ENTRIES_MAX * sizeof *entries);
	assert_int_equal(msg_unpack(bytes_of(joined, at), &back, entries), ERR_OK);
	assert_true(bytes_equal(back.layout.layout, bytes_of(layout, len)));
	free(entries);
	free(joined);
	free(layout);
	peer_queue_clear(&q);
}

static void the_queue_is_bounded_but_one_longest_message_always_fits(void **state)
{
	(void)state;
	struct peer_queue q = {0};
	assert_false(add_layout(&q, 1, MSG_BYTES_MAX)); /* with its head, more than a message may be */
	assert_true(add_vote(&q, 1));
	assert_true(add_layout(&q, 1, MSG_BYTES_MAX - 100));
	assert_false(add_layout(&q, 2, KIB(100)));
	assert_false(add_vote(&q, 2));
	assert_false(add_heartbeat(&q, 2));
	assert_int_equal(q.messages, 2);
	while (q.bytes >= PEER_QUEUE_BYTES_MAX) take(&q);
	assert_true(add_vote(&q, 3));
	assert_int_equal(peer_queue_clear(&q), 2); /* the long one under way, and the last */
	assert_true(peer_queue_is_empty(&q));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_go_in_order_many_to_a_frame),
		cmocka_unit_test(heartbeats_go_first_and_pieces_share_with_the_rest),
		cmocka_unit_test(the_longest_that_fits_a_frame_is_whole_and_one_more_is_pieces),
		cmocka_unit_test(pieces_join_to_the_message),
		cmocka_unit_test(the_queue_is_bounded_but_one_longest_message_always_fits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
