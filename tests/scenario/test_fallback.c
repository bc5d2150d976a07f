/* test_fallback.c - five nodes, three primaries: who stands in for one that is down, how its copy goes
 * home, and what a node does that may not mint for the key. The fallbacks are D, then E. */
#include "tests/scenario/story.h"

/* ---- standing in ------------------------------------------------------------------------------ */

static void a_primary_that_is_down_is_replaced_by_the_next_fallback(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	node_dies(s, C);
	run(s, 5);
	chapter(s);
	net_delay(s, B, A, ms(30));
	client_put(s, A, "k", "v1", NOTHING);
	run(s, 40);
	expect(s, "[  0] A < put k v1    A > store k v1    A > put k v1 to B, D\n"
	          "[  1] B > store k v1\n"
	          "[  1] D > store k v1 as stand-in\n"
	          "[  2] A < stored\n"
	          "[  3] B < stored\n"
	          "[  3] D < stored\n"
	          "[  4] A < ack D    A > reply stored, fallbacks 1\n"
	          "[ 33] A < ack B\n");
}

static void a_fallback_that_answered_is_counted_in_the_answer(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	node_dies(s, B);
	node_dies(s, C);
	run(s, 5);
	s->next.w = 3;
	expect_answer(s, put(s, A, "k", "v1", NOTHING), "stored, fallbacks 2");
	run(s, 20);
	s->next.r = 3;
	expect_answer(s, get(s, A, "k"), "v1, fallbacks 2");
}

static void with_all_primaries_down_the_fallbacks_take_the_write(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	node_dies(s, A);
	node_dies(s, B);
	node_dies(s, C);
	run(s, 5);
	expect_answer(s, put(s, D, "k", "v1", NOTHING), "stored, fallbacks 2");
	expect_answer(s, get(s, E, "k"), "v1, fallbacks 2");
	node_starts(s, A);
	node_starts(s, B);
	node_starts(s, C);
	run(s, 5000);
	for (int i = A; i <= C; i++) assert_string_equal(held(s, i, "k"), "v1");
	for (int i = D; i <= E; i++) assert_string_equal(held(s, i, "k"), "nothing");
}

static void a_replica_that_dies_in_mid_request_is_replaced_with_the_same_dot(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	s->next.w = 3;
	int one = client_put(s, A, "k", "v1", NOTHING);
	node_dies(s, C);
	run(s, 20);
	expect(s, "[  0] A < put k v1\n"
	          "[  0] * C dies\n"
	          "[  0] A > store k v1    A > put k v1 to B, C\n"
	          "[  1] A > put k v1 to D\n"
	          "[  1] B > store k v1\n"
	          "[  2] A < stored\n"
	          "[  2] D > store k v1 as stand-in\n"
	          "[  3] B < stored\n"
	          "[  4] D < stored\n"
	          "[  4] A < ack B\n"
	          "[  5] A < ack D    A > reply stored, fallbacks 1\n");
	expect_answer(s, one, "stored, fallbacks 1");
	int seen = get(s, D, "k");
	expect_answer(s, seen, "v1, fallbacks 1"); /* one sibling: every copy bears one dot */
}

static void a_replica_whose_disk_is_full_is_replaced_too(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	store_mem_set_full(s->node[B].store, true);
	s->next.w = 3;
	expect_answer(s, put(s, A, "k", "v1", NOTHING), "stored, fallbacks 1");
	assert_string_equal(held(s, D, "k"), "v1");
}

static void pw_counts_no_fallback(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	node_dies(s, C);
	run(s, 5);
	s->next.pw = 3;
	expect_answer(s, client_put(s, A, "k", "v", NOTHING), "PW_UNMET 2/3, none");
	s->next.pr = 3;
	expect_answer(s, client_get(s, A, "k"), "PR_UNMET 2/3");
	s->next.pw = 2;
	expect_answer(s, put(s, A, "k", "v", NOTHING), "stored");
}

/* ---- going home ------------------------------------------------------------------------------- */

static void a_stand_in_copy_goes_home_when_its_primary_is_back(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	node_dies(s, C);
	run(s, 5);
	put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	assert_int_equal(metrics_of(s, D).stand_ins, 1);
	assert_string_equal(held(s, D, "k"), "v1");
	node_starts(s, C);
	run(s, 3000);
	assert_string_equal(held(s, C, "k"), "v1");
	assert_string_equal(held(s, D, "k"), "nothing");
	assert_int_equal(hints_on(s, D), 0);
	assert_int_equal(metrics_of(s, D).stand_ins, 0);
	assert_int_equal(metrics_of(s, D).stand_ins_delivered, 1);
}

/* It may be the only copy: one confirmation is not enough, and a lost one is none. */
static void a_stand_in_copy_stays_until_all_primaries_have_confirmed_it(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	node_dies(s, A);
	node_dies(s, B);
	node_dies(s, C);
	run(s, 5);
	s->next.w = 1;
	put(s, D, "k", "v1", NOTHING);
	run(s, 20);
	node_dies(s, E);
	node_starts(s, A);
	run(s, 5000);
	assert_string_equal(held(s, A, "k"), "v1");
	assert_string_equal(held(s, D, "k"), "v1"); /* B and C have not confirmed it */
	assert_int_equal(metrics_of(s, D).stand_ins, 1);
	node_starts(s, B);
	s->cut[B][D] = true; /* B hears D, and D does not hear B */
	run(s, 8000);
	assert_string_equal(held(s, D, "k"), "v1");
	assert_int_equal(metrics_of(s, D).stand_ins, 1);
	s->cut[B][D] = false;
	connect_all(s, B);
	run(s, 40000); /* rounds without success grow rare */
	assert_string_equal(held(s, A, "k"), "v1");
	assert_string_equal(held(s, B, "k"), "v1");
	assert_string_equal(held(s, D, "k"), "v1"); /* C has not */
	node_starts(s, C);
	run(s, 40000);
	assert_string_equal(held(s, C, "k"), "v1");
	assert_string_equal(held(s, D, "k"), "nothing");
	assert_int_equal(metrics_of(s, D).stand_ins, 0);
}

/* C does not come back: past the hint window two of three are enough. */
static void an_old_stand_in_copy_goes_when_a_majority_has_confirmed_it(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	node_dies(s, C);
	run(s, 5);
	put(s, D, "k", "v1", NOTHING);
	run(s, 5000);
	assert_int_equal(metrics_of(s, D).stand_ins + metrics_of(s, E).stand_ins, 1);
	run(s, HINT_WINDOW_MS + 60000);
	assert_int_equal(metrics_of(s, D).stand_ins + metrics_of(s, E).stand_ins, 0);
}

static void a_primary_that_confirms_nothing_durable_does_not_free_a_stand_in_copy(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	for (int i = A; i <= C; i++) node_dies(s, i);
	run(s, 5);
	put(s, D, "k", "v1", NOTHING);
	run(s, 20);
	store_mem_set_full(s->node[A].store, true);
	store_mem_set_full(s->node[B].store, true);
	for (int i = A; i <= C; i++) node_starts(s, i);
	run(s, 5000);
	assert_string_equal(held(s, C, "k"), "v1");
	assert_string_equal(held(s, D, "k"), "v1");
	store_mem_set_full(s->node[A].store, false);
	run(s, 40000);
	assert_string_equal(held(s, A, "k"), "v1");
	assert_string_equal(held(s, D, "k"), "v1");
	store_mem_set_full(s->node[B].store, false);
	run(s, 40000);
	assert_string_equal(held(s, B, "k"), "v1");
	assert_string_equal(held(s, D, "k"), "nothing");
}

/* C is back, and only D can reach it; while C stores the copy, A has D stand in for it once more. */
static void a_stand_in_copy_that_changed_on_its_way_home_is_kept_for_another_round(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	node_dies(s, C);
	run(s, 5);
	int one = put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	cut(s, A, C, true);
	cut(s, B, C, true);
	s->node[C].disk_us = ms(400);
	node_starts(s, C);
	while (metrics_of(s, C).replica_puts == 0) run(s, 1);
	s->next.w = 3;
	expect_answer(s, put(s, A, "k", "v2", one), "stored, fallbacks 1");
	assert_string_equal(held(s, D, "k"), "v2");
	while (strcmp(held(s, C, "k"), "nothing") == 0) run(s, 1);
	assert_string_equal(held(s, C, "k"), "v1");
	run(s, 20); /* it says so, and D takes its turn on the key */
	assert_string_equal(held(s, D, "k"), "v2");
	run(s, 40000);
	assert_string_equal(held(s, C, "k"), "v2");
	assert_string_equal(held(s, D, "k"), "nothing");
}

/* A and B have confirmed v2; then v1, which is older, joins it: that nobody has confirmed. */
static void what_joins_a_stand_in_copy_is_to_be_confirmed_by_all_anew(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	node_dies(s, C);
	run(s, 5);
	net_delay(s, A, D, ms(2500));
	cut(s, A, B, true); /* to the end: B hears of v1 from D, or never */
	s->next.w = 1;
	put(s, A, "k", "v1", NOTHING);
	net_delay(s, A, D, ms(1)); /* what follows overtakes it */
	put(s, B, "k", "v2", NOTHING);
	run(s, 2000);
	assert_string_equal(held(s, D, "k"), "v2");
	run(s, 1000);
	assert_string_equal(held(s, D, "k"), "v1|v2");
	node_starts(s, C);
	run(s, 10000);
	assert_string_equal(held(s, C, "k"), "v1|v2");
	assert_string_equal(held(s, B, "k"), "v1|v2");
	assert_string_equal(held(s, D, "k"), "nothing");
}

/* It minted for the key, and forgot it with its copy: what it mints next must not claim to follow that. */
static void who_dropped_a_copy_that_it_minted_covers_nothing_of_it_later(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	node_dies(s, C);
	run(s, 5);
	expect_answer(s, put(s, D, "k", "v1", NOTHING), "stored, fallbacks 1");
	node_starts(s, C);
	run(s, 5000);
	assert_string_equal(held(s, C, "k"), "v1");
	assert_string_equal(held(s, D, "k"), "nothing");
	node_dies(s, C);
	run(s, 5);
	put(s, D, "k", "v2", NOTHING); /* by one who was shown nothing */
	run(s, 20);
	expect_answer(s, get(s, A, "k"), "v1|v2");
}

static void stand_in_copies_are_counted_again_after_a_restart(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	node_dies(s, C);
	run(s, 5);
	put(s, A, "k1", "v1", NOTHING);
	put(s, A, "k2", "v2", NOTHING);
	run(s, 20);
	node_dies(s, D);
	run(s, 10);
	node_starts(s, D);
	run(s, 100);
	assert_int_equal(metrics_of(s, D).stand_ins, 2);
	node_starts(s, C);
	run(s, 5000);
	assert_string_equal(held(s, C, "k2"), "v2");
	assert_int_equal(metrics_of(s, D).stand_ins, 0);
}

/* ---- forwarding ------------------------------------------------------------------------------- */

static void a_node_outside_the_list_forwards_once(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	client_put(s, E, "k", "v1", NOTHING);
	run(s, 20);
	expect(s, "[  0] E < put k v1    E > forward k to A\n"
	          "[  1] A < forward E    A > store k v1    A > put k v1 to B, C\n"
	          "[  2] B > store k v1\n"
	          "[  2] C > store k v1\n"
	          "[  3] A < stored\n"
	          "[  4] B < stored\n"
	          "[  4] C < stored\n"
	          "[  5] A < ack B    A < ack C\n"
	          "[  6] E < answer A OK    E > reply stored\n");
}

static void a_forwarded_answer_has_all_that_the_coordinator_said(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	put(s, A, "k", "v1", NOTHING);
	run(s, 10);
	s->next.return_body = true;
	int two = put(s, E, "k", "v2", NOTHING);
	expect_answer(s, two, "stored v1|v2");
	put(s, D, "k", "v3", two);
	run(s, 10);
	expect_answer(s, get(s, E, "k"), "v3");
	s->next.pw = 9;
	expect_answer(s, client_put(s, E, "k", "v", NOTHING), "ABOVE_N, none");
	expect_answer(s, del(s, E, "absent", NOTHING), "nothing");
}

static void when_the_answer_is_lost_the_outcome_is_unknown(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	net_delay(s, A, E, ms(50));
	client_put(s, E, "k", "v1", NOTHING);
	run(s, 3);
	s->cut[A][E] = true;
	node_dies(s, A);
	s->cut[A][E] = false;
	run(s, 2000); /* E learns by silence */
	expect(s, "[  0] E < put k v1    E > forward k to A\n"
	          "[  1] A < forward E    A > store k v1    A > put k v1 to B, C\n"
	          "[  2] B > store k v1\n"
	          "[  2] C > store k v1\n"
	          "[  3] A < stored\n"
	          "[  3] * A dies\n"
	          "[  4] B < stored\n"
	          "[  4] C < stored\n"
	          "[1752] E > reply UNREACHABLE, unknown\n");
	assert_string_equal(held(s, B, "k"), "v1");
}

static void in_silence_a_forward_ends_with_its_deadline(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	s->cut[A][E] = true;
	s->next.timeout_us = ms(100);
	client_put(s, E, "k", "v1", NOTHING);
	run(s, 150);
	expect(s, "[  0] E < put k v1    E > forward k to A\n"
	          "[  1] A < forward E    A > store k v1    A > put k v1 to B, C\n"
	          "[  2] B > store k v1\n"
	          "[  2] C > store k v1\n"
	          "[  3] A < stored\n"
	          "[  4] B < stored\n"
	          "[  4] C < stored\n"
	          "[  5] A < ack B    A < ack C\n"
	          "[100] E > reply TIMEOUT, unknown\n");
}

static void one_that_refused_before_minting_is_followed_by_the_next(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	node_dies(s, A);
	run(s, 10);
	node_starts(s, A);
	run(s, 500);
	store_mem_set_full(s->node[A].store, true); /* it cannot reserve its clock */
	chapter(s);
	client_put(s, E, "k", "v1", NOTHING);
	run(s, 30);
	expect(s, "[  0] E < put k v1    E > forward k to A\n"
	          "[  1] A < forward E\n"
	          "[  3] A < store FULL\n"
	          "[  4] E < answer A FULL    E > forward k to B\n"
	          "[  5] B < forward E\n"
	          "[  7] B > store k v1    B > put k v1 to A, C\n"
	          "[  8] A > store k v1\n"
	          "[  8] C > store k v1\n"
	          "[  9] B < stored\n"
	          "[ 10] A < store FULL\n"
	          "[ 10] C < stored\n"
	          "[ 11] B < FULL A    B > put k v1 to D    B < ack C\n"
	          "[ 12] E < answer B OK    E > reply stored\n"
	          "[ 12] D > store k v1 as stand-in\n"
	          "[ 14] D < stored\n"
	          "[ 15] B < ack D\n");
}

static void one_that_is_busy_is_followed_by_the_next(void **state)
{
	struct story *s = *state;
	char key[4] = "k0";
	s->coord_slots = 8;
	begin(s, 5);
	s->node[A].disk_us = ms(300);
	for (int i = 0; i < 8; i++, key[1]++) client_put(s, A, key, "v", NOTHING);
	run(s, 10);
	chapter(s);
	client_put(s, E, "k", "v1", NOTHING);
	run(s, 10);
	expect(s, "[  0] E < put k v1    E > forward k to A\n"
	          "[  1] A < forward E\n"
	          "[  2] E < answer A BUSY    E > forward k to B\n"
	          "[  3] B < forward E    B > store k v1    B > put k v1 to A, C\n"
	          "[  4] A > store k v1\n"
	          "[  4] C > store k v1\n"
	          "[  5] B < stored\n"
	          "[  6] C < stored\n"
	          "[  7] B < ack C\n"
	          "[  8] E < answer B OK    E > reply stored\n");
}

/* The network brings the question twice, and the answer twice: there is one write. */
static void a_forward_that_arrives_twice_is_minted_once(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	s->twice[E][A] = s->twice[A][E] = true;
	uint64_t taken = metrics_of(s, A).forwards_taken;
	expect_answer(s, put(s, E, "k", "v1", NOTHING), "stored");
	run(s, 20);
	for (int i = A; i <= C; i++) assert_string_equal(held(s, i, "k"), "v1");
	assert_int_equal(metrics_of(s, A).forwards_taken, taken + 1);
}

static void a_node_that_can_reach_nobody_stands_in_for_the_primary(void **state)
{
	struct story *s = *state;
	s->replicas = 1;
	begin(s, 3);
	cut(s, C, A, true);
	cut(s, C, B, true);
	run(s, 2000);
	untold(s);
	expect_answer(s, put(s, C, "k", "v", NOTHING), "stored, fallbacks 1"); /* it stands in */
	cut(s, C, A, false);
	connect_all(s, C);
	run(s, 3000);
	assert_string_equal(held(s, A, "k"), "v");
}

static uint64_t lag(struct story *s, int of, int peer)
{
	return node_lag_ms(s->node[of].node, s->node[peer].id);
}

/* D stands in for C. For a moment it counts A and B behind too, which have not told it that they have it. */
static void whoever_a_copy_stands_in_for_lags_by_its_age(void **state)
{
	struct story *s = *state;
	begin(s, 4);
	node_dies(s, C);
	run(s, 5);
	put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	assert_int_equal(metrics_of(s, D).stand_ins, 1);
	run(s, 60000);
	assert_in_range(lag(s, D, C), 59900, 60200);
	assert_int_equal(lag(s, D, A), 0);
	assert_int_equal(lag(s, D, B), 0);
	assert_int_equal(lag(s, A, C), 0); /* it keeps nothing */
	node_starts(s, C);
	run(s, 10000);
	assert_int_equal(metrics_of(s, D).stand_ins, 0);
	assert_int_equal(lag(s, D, C), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(whoever_a_copy_stands_in_for_lags_by_its_age),
		STORY(a_primary_that_is_down_is_replaced_by_the_next_fallback),
		STORY(a_fallback_that_answered_is_counted_in_the_answer),
		STORY(with_all_primaries_down_the_fallbacks_take_the_write),
		STORY(a_replica_that_dies_in_mid_request_is_replaced_with_the_same_dot),
		STORY(a_replica_whose_disk_is_full_is_replaced_too),
		STORY(pw_counts_no_fallback),
		STORY(a_stand_in_copy_goes_home_when_its_primary_is_back),
		STORY(a_stand_in_copy_stays_until_all_primaries_have_confirmed_it),
		STORY(an_old_stand_in_copy_goes_when_a_majority_has_confirmed_it),
		STORY(a_primary_that_confirms_nothing_durable_does_not_free_a_stand_in_copy),
		STORY(a_stand_in_copy_that_changed_on_its_way_home_is_kept_for_another_round),
		STORY(what_joins_a_stand_in_copy_is_to_be_confirmed_by_all_anew),
		STORY(who_dropped_a_copy_that_it_minted_covers_nothing_of_it_later),
		STORY(stand_in_copies_are_counted_again_after_a_restart),
		STORY(a_node_outside_the_list_forwards_once),
		STORY(a_forwarded_answer_has_all_that_the_coordinator_said),
		STORY(when_the_answer_is_lost_the_outcome_is_unknown),
		STORY(in_silence_a_forward_ends_with_its_deadline),
		STORY(one_that_refused_before_minting_is_followed_by_the_next),
		STORY(one_that_is_busy_is_followed_by_the_next),
		STORY(a_forward_that_arrives_twice_is_minted_once),
		STORY(a_node_that_can_reach_nobody_stands_in_for_the_primary),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
