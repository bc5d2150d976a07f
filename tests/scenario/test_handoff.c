/* test_handoff.c - what is kept for others has bounds, goes home at a bounded rate, and one node that does
 * not take it is in nobody's way. And draining: a node that gets rid of all it keeps for others. */
#include "tests/scenario/story.h"

static const char *key_number(int i)
{
	static char key[8];
	snprintf(key, sizeof key, "k%02d", i);
	return key;
}

/* Written by A while whoever should have it is away. */
static void put_many(struct story *s, int count)
{
	for (int i = 0; i < count; i++) {
		client_put(s, A, key_number(i), "v", NOTHING);
		run(s, 10);
		s->answers = 0;
		memset(s->answer, 0, sizeof s->answer);
	}
}

static int held_of(struct story *s, int node, int count)
{
	int have = 0;
	for (int i = 0; i < count; i++) have += strcmp(held(s, node, key_number(i)), "v") == 0;
	return have;
}

/* ---- room for stand-in copies ------------------------------------------------------------------- */

static void a_node_without_room_refuses_and_the_next_fallback_stands_in(void **state)
{
	struct story *s = *state;
	s->stand_ins_max = 1;
	begin(s, 5);
	node_dies(s, C);
	run(s, 5);
	put(s, A, "one", "v", NOTHING);
	run(s, 20);
	chapter(s);
	client_put(s, A, "two", "v", NOTHING);
	run(s, 20);
	expect(s, "[  0] A < put two v    A > store two v    A > put two v to B, D\n"
	          "[  1] B > store two v\n"
	          "[  2] A < stored    A < NO_ROOM D    A > put two v to E\n"
	          "[  3] B < stored\n"
	          "[  3] E > store two v as stand-in\n"
	          "[  4] A < ack B    A > reply stored\n"
	          "[  5] E < stored\n"
	          "[  6] A < ack E\n");
	assert_string_equal(held(s, D, "two"), "nothing");
	assert_int_equal(metrics_of(s, D).stand_ins_refused, 1);
}

/* A refusal counts for nothing, and the primary that nobody stands for gets an extra hint. */
static void where_nobody_has_room_the_write_is_what_its_acks_make_it(void **state)
{
	struct story *s = *state;
	s->stand_ins_max = 1;
	begin(s, 5);
	node_dies(s, C);
	run(s, 5);
	put(s, A, "one", "v", NOTHING);
	put(s, A, "two", "v", NOTHING);
	run(s, 20);
	s->next.w = 3;
	expect_answer(s, put(s, A, "three", "v", NOTHING), "W_UNMET 2/3, unknown");
	expect_answer(s, put(s, A, "four", "v", NOTHING), "stored");
	run(s, 600);
	assert_int_equal(metrics_of(s, A).hints, 2);
	for (int i = D; i <= E; i++) assert_int_equal(metrics_of(s, i).stand_ins, 1);
	node_starts(s, C);
	run(s, 3000);
	assert_string_equal(held(s, C, "three"), "v");
	assert_string_equal(held(s, C, "four"), "v");
	for (int i = D; i <= E; i++) assert_int_equal(metrics_of(s, i).stand_ins, 0);
}

static void a_coordinator_that_would_stand_in_without_room_stores_nothing(void **state)
{
	struct story *s = *state;
	s->stand_ins_max = 1;
	begin(s, 5);
	for (int i = A; i <= C; i++) node_dies(s, i);
	run(s, 5);
	put(s, D, "one", "v", NOTHING);
	run(s, 600);
	chapter(s);
	client_put(s, D, "two", "v", NOTHING);
	run(s, 20);
	expect(s, "[  0] D < put two v    D > forward two to E\n"
	          "[  1] E < forward D\n"
	          "[  2] D < answer E NO_ROOM    D > reply NO_ROOM, none\n");
	for (int i = D; i <= E; i++) assert_string_equal(held(s, i, "two"), "nothing");
}

static void copies_that_went_home_make_room(void **state)
{
	struct story *s = *state;
	s->stand_ins_max = 1;
	begin(s, 5);
	for (int i = 0; i < 3; i++) {
		node_dies(s, C);
		run(s, 5);
		s->next.w = 3;
		expect_answer(s, put(s, A, key_number(i), "v", NOTHING), "stored, fallbacks 1");
		assert_string_equal(held(s, D, key_number(i)), "v");
		node_starts(s, C);
		run(s, 3000);
		assert_string_equal(held(s, D, key_number(i)), "nothing");
	}
	assert_int_equal(metrics_of(s, D).stand_ins_refused, 0);
}

static void the_bytes_of_copies_are_counted_and_bounded(void **state)
{
	struct story *s = *state;
	char large[1201];
	memset(large, 'x', sizeof large - 1);
	large[sizeof large - 1] = '\0';
	s->stand_in_bytes_max = 2000;
	begin(s, 5);
	node_dies(s, C);
	run(s, 5);
	int one = client_put(s, A, "one", large, NOTHING);
	run(s, 20);
	expect_answer(s, one, "stored");
	uint64_t bytes = metrics_of(s, D).stand_in_bytes;
	assert_in_range(bytes, 1200, 1400);
	client_put(s, A, "two", large, NOTHING);
	run(s, 20);
	assert_int_equal(metrics_of(s, D).stand_ins_refused, 1);
	put(s, A, "one", "small", one); /* in its place */
	run(s, 20);
	assert_in_range(metrics_of(s, D).stand_in_bytes, 5, 400);
	bytes = metrics_of(s, D).stand_in_bytes;
	node_dies(s, D);
	run(s, 5);
	node_starts(s, D);
	run(s, 2500);
	assert_int_equal(metrics_of(s, D).stand_in_bytes, bytes);
	assert_in_range(metrics_of(s, D).stand_ins_oldest_seconds, 2, 4);
	node_starts(s, C);
	run(s, 5000);
	assert_int_equal(metrics_of(s, D).stand_ins, 0);
	assert_int_equal(metrics_of(s, D).stand_in_bytes, 0);
	assert_int_equal(metrics_of(s, D).stand_ins_oldest_seconds, 0);
}

/* What it minted and could not store cost an actor: it does not try again for others' sake. */
static void a_node_whose_disk_is_full_refuses_at_once(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	node_dies(s, C);
	run(s, 5);
	store_mem_set_full(s->node[D].store, true);
	put(s, A, "one", "v", NOTHING);
	run(s, 20);
	uint32_t writes = s->node[D].writes;
	s->next.w = 3;
	expect_answer(s, put(s, A, "two", "v", NOTHING), "stored, fallbacks 1");
	assert_int_equal(s->node[D].writes, writes);
	assert_string_equal(held(s, E, "two"), "v");
}

/* ---- bounds of extra hints ---------------------------------------------------------------------------- */

static void hints_past_their_number_are_dropped_with_a_count(void **state)
{
	struct story *s = *state;
	s->hints_max = 5;
	begin(s, 3);
	node_dies(s, C);
	run(s, 5);
	put_many(s, 8);
	assert_int_equal(metrics_of(s, A).hints, 5);
	assert_int_equal(metrics_of(s, A).hints_dropped, 3);
	node_starts(s, C);
	run(s, 3000);
	assert_int_equal(held_of(s, C, 8), 5);
	assert_int_equal(metrics_of(s, A).hints, 0);
	assert_int_equal(metrics_of(s, A).hint_bytes, 0);
}

static void hints_past_their_bytes_are_dropped_with_a_count(void **state)
{
	struct story *s = *state;
	s->hint_bytes_max = 150;
	begin(s, 3);
	node_dies(s, C);
	run(s, 5);
	put_many(s, 8);
	uint64_t hints = metrics_of(s, A).hints;
	assert_in_range(hints, 1, 4);
	assert_in_range(metrics_of(s, A).hint_bytes, 34 * hints, 150);
	assert_int_equal(metrics_of(s, A).hints_dropped, 8 - hints);
}

/* Also those for a node that stays away; and never a stand-in copy, which may be the only one. */
static void what_is_older_than_the_window_goes_but_no_stand_in_copy(void **state)
{
	struct story *s = *state;
	s->hint_window_ms = 20000;
	begin(s, 4);
	node_dies(s, B);
	node_dies(s, C);
	run(s, 5);
	s->next.w = 1;
	put(s, A, "k", "v", NOTHING); /* D stands in for one of them, the other gets a hint */
	run(s, 1000);
	assert_int_equal(metrics_of(s, A).hints, 1);
	assert_int_equal(metrics_of(s, D).stand_ins, 1);
	assert_in_range(metrics_of(s, A).hints_oldest_seconds, 0, 1);
	run(s, 10000);
	assert_in_range(metrics_of(s, A).hints_oldest_seconds, 10, 12);
	run(s, 150000);
	assert_int_equal(metrics_of(s, A).hints, 0);
	assert_int_equal(metrics_of(s, A).hints_dropped, 1);
	assert_int_equal(hints_on(s, A), 0);
	assert_int_equal(metrics_of(s, D).stand_ins, 1);
	assert_string_equal(held(s, D, "k"), "v");
	node_starts(s, B);
	node_starts(s, C);
	run(s, 5000);
	assert_string_equal(held(s, B, "k"), "v");
	assert_string_equal(held(s, C, "k"), "v");
	assert_string_equal(held(s, D, "k"), "nothing");
}

/* ---- fairness ----------------------------------------------------------------------------------------------- */

/* A hears B, and B hears nothing of A: it takes nothing, and costs C no time. */
static void a_node_that_is_silent_does_not_hold_up_another(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	s->quiet = true;
	node_dies(s, B);
	node_dies(s, C);
	run(s, 5);
	for (int i = 0; i < 60; i++) {
		s->next.w = 1;
		client_put(s, A, key_number(i), "v", NOTHING);
		run(s, 10);
		s->answers = 0;
		memset(s->answer, 0, sizeof s->answer);
	}
	assert_int_equal(metrics_of(s, A).hints, 120);
	s->cut[A][B] = true;
	node_starts(s, B);
	item_new(s, ITEM_UP, A, s->now_us + ms(5))->from = B; /* it could be dialled */
	item_new(s, ITEM_UP, B, s->now_us + ms(5))->from = A;
	run(s, 400);
	node_starts(s, C);
	run(s, 700);
	assert_int_equal(metrics_of(s, A).peers_up, 2);
	assert_int_equal(held_of(s, C, 60), 60);
	assert_int_equal(held_of(s, B, 60), 0);
	run(s, 2000);
	assert_int_equal(metrics_of(s, A).hints, 60);
	assert_true(metrics_of(s, A).hint_deliveries_failed > 0);
	s->cut[A][B] = false;
	run(s, 40000); /* it is tried less and less often, and then at once with the rest */
	assert_int_equal(held_of(s, B, 60), 60);
	assert_int_equal(metrics_of(s, A).hints, 0);
}

static void nor_does_it_where_stand_in_copies_are_for_both(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	s->quiet = true;
	node_dies(s, B);
	node_dies(s, C);
	run(s, 5);
	put_many(s, 60);
	uint64_t copies = metrics_of(s, D).stand_ins + metrics_of(s, E).stand_ins;
	assert_int_equal(copies, 120);
	s->cut[D][B] = s->cut[E][B] = true;
	node_starts(s, B);
	for (int i = D; i <= E; i++) {
		item_new(s, ITEM_UP, i, s->now_us + ms(5))->from = B;
		item_new(s, ITEM_UP, B, s->now_us + ms(5))->from = i;
	}
	run(s, 400);
	node_starts(s, C);
	run(s, 6000);
	assert_int_equal(held_of(s, C, 60), 60);
	assert_int_equal(metrics_of(s, D).stand_ins + metrics_of(s, E).stand_ins, 120);
	s->cut[D][B] = s->cut[E][B] = false;
	run(s, 90000);
	assert_int_equal(held_of(s, B, 60), 60);
	assert_int_equal(metrics_of(s, D).stand_ins + metrics_of(s, E).stand_ins, 0);
}

/* What A holds of 30 keys has rotted, and nobody is there to mend it: those cannot be delivered. */
static void what_cannot_be_delivered_keeps_nothing_behind_it_from_its_turn(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	s->quiet = true;
	node_dies(s, B);
	node_dies(s, C);
	run(s, 5);
	for (int i = 0; i < 40; i++) {
		s->next.w = 1;
		client_put(s, A, key_number(i), "v", NOTHING);
		run(s, 10);
		s->answers = 0;
		memset(s->answer, 0, sizeof s->answer);
	}
	for (int i = 0; i < 40; i++)
		if (i % 4 != 3) rot(s, A, key_number(i));
	node_dies(s, A); /* what it knew of the way is gone */
	run(s, 10);
	node_starts(s, A);
	run(s, 500);
	node_starts(s, C);
	run(s, 2000);
	assert_int_equal(held_of(s, C, 40), 10);
	assert_int_equal(metrics_of(s, A).hints, 70);
}

/* 48 objects of 64 KiB, by one of two who may hold hints for it: 8 MiB a second, after a burst of one. */
static void a_node_that_comes_back_is_not_flooded(void **state)
{
	struct story *s = *state;
	enum { COUNT = 48, EACH = 65536 };
	char *large = malloc(EACH + 1);
	assert(large != NULL);
	memset(large, 'x', EACH);
	large[EACH] = '\0';
	begin(s, 3);
	s->quiet = true;
	node_dies(s, C);
	run(s, 5);
	for (int i = 0; i < COUNT; i++) {
		client_put(s, A, key_number(i), large, NOTHING);
		run(s, 20);
		s->answers = 0;
		memset(s->answer, 0, sizeof s->answer);
	}
	free(large);
	run(s, 1000);
	node_starts(s, C);
	while (metrics_of(s, C).replica_puts == 0) run(s, 1);
	uint64_t began = s->now_us, share = HINT_TARGET_BYTES_PER_S / 2, took = 0;
	while (metrics_of(s, C).replica_puts < COUNT) {
		run(s, 10);
		took = s->now_us - began;
		uint64_t bytes = metrics_of(s, C).replica_puts * EACH;
		assert_true(bytes <= HINT_TARGET_BURST_BYTES + share * took / 1000000 + 10 * EACH);
		assert_true(took < SECONDS(5));
	}
	assert_true(took > SECONDS(1) * (COUNT * EACH - HINT_TARGET_BURST_BYTES) / share / 2);
	run(s, 1000);
	assert_int_equal(metrics_of(s, A).hints, 0);
}

/* ---- draining ------------------------------------------------------------------------------------------------- */

static void a_node_that_is_drained_coordinates_nothing_new(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	node_drains(s, A, true);
	assert_false(node_is_ready(s->node[A].node));
	chapter(s);
	client_put(s, A, "k", "v1", NOTHING);
	client_get(s, A, "k");
	run(s, 20);
	expect(s, "[  0] A < put k v1    A > reply DRAINING, none    A < get k    A > reply DRAINING, "
	          "none\n");
	client_put(s, E, "k", "v1", NOTHING); /* A is the first it would hand it to */
	run(s, 30);
	expect(s, "[ 20] E < put k v1    E > forward k to A\n"
	          "[ 21] A < forward E\n"
	          "[ 22] E < answer A DRAINING    E > forward k to B\n"
	          "[ 23] B < forward E    B > store k v1    B > put k v1 to A, C\n"
	          "[ 24] A > store k v1\n"
	          "[ 24] C > store k v1\n"
	          "[ 25] B < stored\n"
	          "[ 26] A < stored\n"
	          "[ 26] C < stored\n"
	          "[ 27] B < ack A    B < ack C\n"
	          "[ 28] E < answer B OK    E > reply stored\n");
	node_drains(s, A, false);
	assert_true(node_is_ready(s->node[A].node));
	expect_answer(s, put(s, A, "k2", "v", NOTHING), "stored");
}

static void a_node_that_is_drained_stands_in_for_nobody_and_gives_back_what_it_has(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	node_dies(s, C);
	run(s, 5);
	put(s, A, "one", "v", NOTHING);
	run(s, 20);
	assert_string_equal(held(s, D, "one"), "v");
	node_drains(s, D, true);
	s->next.w = 3;
	expect_answer(s, put(s, A, "two", "v", NOTHING), "stored, fallbacks 1");
	assert_string_equal(held(s, D, "two"), "nothing");
	assert_string_equal(held(s, E, "two"), "v");
	run(s, 5000);
	assert_int_equal(metrics_of(s, D).stand_ins, 1); /* it waits for C, and says so */
	node_starts(s, C);
	run(s, 3000);
	assert_int_equal(metrics_of(s, D).stand_ins, 0);
	assert_string_equal(held(s, C, "one"), "v");
	assert_true(node_is_idle(s->node[D].node));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_node_without_room_refuses_and_the_next_fallback_stands_in),
		STORY(where_nobody_has_room_the_write_is_what_its_acks_make_it),
		STORY(a_coordinator_that_would_stand_in_without_room_stores_nothing),
		STORY(copies_that_went_home_make_room),
		STORY(the_bytes_of_copies_are_counted_and_bounded),
		STORY(a_node_whose_disk_is_full_refuses_at_once),
		STORY(hints_past_their_number_are_dropped_with_a_count),
		STORY(hints_past_their_bytes_are_dropped_with_a_count),
		STORY(what_is_older_than_the_window_goes_but_no_stand_in_copy),
		STORY(a_node_that_is_silent_does_not_hold_up_another),
		STORY(nor_does_it_where_stand_in_copies_are_for_both),
		STORY(what_cannot_be_delivered_keeps_nothing_behind_it_from_its_turn),
		STORY(a_node_that_comes_back_is_not_flooded),
		STORY(a_node_that_is_drained_coordinates_nothing_new),
		STORY(a_node_that_is_drained_stands_in_for_nobody_and_gives_back_what_it_has),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
