/* test_put.c - one write over three nodes, from the request to the answer. */
#include "tests/scenario/story.h"

/* ---- when it is answered ---------------------------------------------------------------------- */

static void put_replies_once_at_quorum(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	net_delay(s, C, A, ms(40));
	int one = client_put(s, A, "k", "v1", NOTHING);
	run(s, 100);
	expect(s, "[  0] A < put k v1    A > store k v1    A > put k v1 to B, C\n"
	          "[  1] B > store k v1\n"
	          "[  1] C > store k v1\n"
	          "[  2] A < stored\n"
	          "[  3] B < stored\n"
	          "[  3] C < stored\n"
	          "[  4] A < ack B    A > reply stored\n"
	          "[ 43] A < ack C\n");
	expect_answer(s, one, "stored");
}

static void a_put_with_w_1_is_answered_when_it_is_durable_here(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	s->node[A].disk_us = ms(9);
	net_delay(s, A, B, ms(50));
	net_delay(s, A, C, ms(50));
	s->next.w = 1;
	client_put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	expect(s, "[  0] A < put k v1    A > store k v1    A > put k v1 to B, C\n"
	          "[  9] A < stored    A > reply stored\n");
}

static void a_replicas_ack_waits_for_its_disk(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	s->node[B].disk_us = s->node[C].disk_us = ms(30);
	client_put(s, A, "k", "v1", NOTHING);
	run(s, 50);
	expect(s, "[  0] A < put k v1    A > store k v1    A > put k v1 to B, C\n"
	          "[  1] B > store k v1\n"
	          "[  1] C > store k v1\n"
	          "[  2] A < stored\n"
	          "[ 31] B < stored\n"
	          "[ 31] C < stored\n"
	          "[ 32] A < ack B    A > reply stored    A < ack C\n");
}

static void a_put_may_answer_with_all_that_is_stored_now(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put(s, A, "k", "v1", NOTHING);
	s->next.return_body = true;
	int two = put(s, B, "k", "v2", NOTHING);
	expect_answer(s, two, "stored v1|v2");
	expect_answer(s, put(s, C, "k", "v3", two), "stored"); /* and its context covers both */
	run(s, 10);
	expect_answer(s, get(s, A, "k"), "v3");
}

/* ---- several at once -------------------------------------------------------------------------- */

static void two_puts_in_flight_on_one_key_build_on_each_other(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	int one = client_put(s, A, "k", "v1", NOTHING);
	int two = client_put(s, A, "k", "v2", NOTHING);
	run(s, 20);
	expect(s, "[  0] A < put k v1    A < put k v2    A > store k v1    A > store k v1|v2"
	          "    A > put k v1 to B, C    A > put k v1|v2 to B, C\n"
	          "[  1] B > store k v1    B > store k v1|v2\n"
	          "[  1] C > store k v1    C > store k v1|v2\n"
	          "[  2] A < stored    A < stored\n"
	          "[  3] B < stored    B < stored\n"
	          "[  3] C < stored    C < stored\n"
	          "[  4] A < ack B    A > reply stored    A < ack B    A > reply stored"
	          "    A < ack C    A < ack C\n");
	expect_answer(s, one, "stored");
	expect_answer(s, two, "stored");
}

static void puts_through_two_coordinators_at_once_are_siblings_everywhere(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	client_put(s, A, "k", "v1", NOTHING);
	client_put(s, B, "k", "v2", NOTHING);
	run(s, 20);
	for (int i = A; i <= C; i++) assert_string_equal(held(s, i, "k"), "v1|v2");
}

static void a_put_behind_one_that_failed_reads_what_is_there(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put(s, A, "k", "v0", NOTHING);
	run(s, 20);
	untold(s);
	store_mem_set_full(s->node[A].store, true);
	client_put(s, A, "k", "v1", NOTHING);
	client_put(s, A, "k", "v2", NOTHING);
	run(s, 20);
	store_mem_set_full(s->node[A].store, false);
	run(s, 1000); /* until it trusts its disk again */
	client_put(s, A, "k", "v3", NOTHING);
	run(s, 20);
	expect_answer(s, get(s, B, "k"), "v0|v1|v2|v3");
	assert_string_equal(held(s, A, "k"), "v0|v3");
	run(s, 1100); /* the read repairs */
	assert_string_equal(held(s, A, "k"), "v0|v1|v2|v3");
}

/* ---- own failures ----------------------------------------------------------------------------- */

/* Its peers hold a dot that it does not. Were the next one the same actor's, it would cover it. */
static void a_mint_after_a_failed_own_write_does_not_cover_it(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	uint64_t actors = metrics_of(s, A).actors_drawn;
	store_mem_set_full(s->node[A].store, true);
	client_put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	store_mem_set_full(s->node[A].store, false);
	run(s, 1000); /* until it trusts its disk again */
	client_put(s, A, "k", "v2", NOTHING);
	run(s, 20);
	expect(s, "[  0] A < put k v1    A > store k v1    A > put k v1 to B, C\n"
	          "[  1] B > store k v1\n"
	          "[  1] C > store k v1\n"
	          "[  2] A < store FULL\n"
	          "[  3] B < stored\n"
	          "[  3] C < stored\n"
	          "[  4] A < ack B    A < ack C    A > reply stored\n"
	          "[1020] A < put k v2    A > store k v2    A > put k v2 to B, C\n"
	          "[1021] B > store k v1|v2\n"
	          "[1021] C > store k v1|v2\n"
	          "[1022] A < stored\n"
	          "[1023] B < stored\n"
	          "[1023] C < stored\n"
	          "[1024] A < ack B    A > reply stored    A < ack C\n");
	assert_int_equal(metrics_of(s, A).actors_drawn, actors + 1);
	expect_answer(s, get(s, C, "k"), "v1|v2");
}

/* One write finds out that the disk is full; those that follow are minted elsewhere, without failing. */
static void a_node_whose_disk_is_full_hands_its_writes_to_others(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	store_mem_set_full(s->node[A].store, true);
	put(s, A, "k", "v1", NOTHING);
	uint64_t actors = metrics_of(s, A).actors_drawn;
	for (int i = 0; i < 5; i++) put(s, A, "other", "v", NOTHING);
	assert_int_equal(metrics_of(s, A).forwards_sent, 5);
	assert_int_equal(metrics_of(s, A).actors_drawn, actors);
	store_mem_set_full(s->node[A].store, false);
	run(s, 1000);
	put(s, A, "k", "v2", NOTHING);
	assert_int_equal(metrics_of(s, A).forwards_sent, 5);
}

/* The second finds in memory what the first could not make durable, and must not vouch for it. */
static void a_put_that_arrives_twice_at_a_full_disk_is_acknowledged_by_neither(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	s->twice[A][B] = true;
	store_mem_set_full(s->node[B].store, true);
	s->next.w = 3;
	client_put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	expect(s, "[  0] A < put k v1    A > store k v1    A > put k v1 to B, C\n"
	          "[  1] B > store k v1\n"
	          "[  1] C > store k v1\n"
	          "[  2] A < stored\n"
	          "[  3] B < store FULL\n"
	          "[  3] C < stored\n"
	          "[  4] A < STORE B    A > hint for B    A > reply W_UNMET 1/3, unknown"
	          "    A < FULL B    A < ack C\n");
}

/* And when it could, both are, once it is durable. */
static void a_put_that_arrives_twice_is_stored_once(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	s->twice[A][B] = true;
	client_put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	expect(s, "[  0] A < put k v1    A > store k v1    A > put k v1 to B, C\n"
	          "[  1] B > store k v1\n"
	          "[  1] C > store k v1\n"
	          "[  2] A < stored\n"
	          "[  3] B < stored\n"
	          "[  3] C < stored\n"
	          "[  4] A < ack B    A > reply stored    A < ack B    A < ack C\n");
	assert_int_equal(s->node[B].writes, 1);
}

static void a_put_is_unknown_when_all_stores_are_full(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	for (int i = A; i <= C; i++) store_mem_set_full(s->node[i].store, true);
	client_put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	expect(s, "[  0] A < put k v1    A > store k v1    A > put k v1 to B, C\n"
	          "[  1] B > store k v1\n"
	          "[  1] C > store k v1\n"
	          "[  2] A < store FULL\n"
	          "[  3] B < store FULL\n"
	          "[  3] C < store FULL\n"
	          "[  4] A < FULL B    A > hint for B    A > reply W_UNMET 0/2, unknown"
	          "    A < FULL C    A > hint for C\n"
	          "[  6] A < store FULL    A < store FULL\n");
}

/* ---- unmet ------------------------------------------------------------------------------------ */

static void what_cannot_be_met_is_refused_before_anything_is_stored(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	node_dies(s, C);
	run(s, 5);
	untold(s);
	s->next.pw = 3;
	expect_answer(s, client_put(s, A, "k", "v", NOTHING), "PW_UNMET 2/3, none");
	s->next.w = 3;
	expect_answer(s, client_put(s, A, "k", "v", NOTHING), "W_UNMET 2/3, none");
	s->next.dw = QUORUM_ALL;
	expect_answer(s, client_put(s, A, "k", "v", NOTHING), "DW_UNMET 2/3, none");
	s->next.node_confirms = 3;
	expect_answer(s, client_put(s, A, "k", "v", NOTHING), "CONFIRMS_UNMET 2/3, none");
	run(s, 20);
	assert_string_equal(held(s, A, "k"), "nothing");
	assert_string_equal(held(s, B, "k"), "nothing");
	assert_int_equal(hints_on(s, A), 0);
}

static void what_can_no_longer_be_met_after_the_mint_is_unknown(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	s->next.w = QUORUM_ALL;
	client_put(s, A, "k", "v1", NOTHING);
	node_dies(s, C);
	run(s, 20);
	expect(s, "[  0] A < put k v1\n"
	          "[  0] * C dies\n"
	          "[  0] A > store k v1    A > put k v1 to B, C\n"
	          "[  1] A > hint for C    A > reply W_UNMET 0/3, unknown\n"
	          "[  1] B > store k v1\n"
	          "[  2] A < stored\n"
	          "[  3] B < stored\n"
	          "[  4] A < ack B\n");
	s->next.pw = 2; /* and with the rest it goes on */
	expect_answer(s, put(s, A, "k", "v2", NOTHING), "stored");
}

static void each_quorum_that_is_lost_is_named(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	store_mem_set_full(s->node[C].store, true);
	s->next.w = 3;
	expect_answer(s, put(s, A, "k", "v", NOTHING), "W_UNMET 2/3, unknown");
	s->next.dw = 3;
	expect_answer(s, put(s, A, "k", "v", NOTHING), "DW_UNMET 2/3, unknown");
	s->next.pw = 3;
	expect_answer(s, put(s, A, "k", "v", NOTHING), "PW_UNMET 2/3, unknown");
	s->next.node_confirms = 3;
	expect_answer(s, put(s, A, "k", "v", NOTHING), "CONFIRMS_UNMET 2/3, unknown");
}

static void a_quorum_above_n_is_refused(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	s->next.w = 4;
	expect_answer(s, client_put(s, A, "k", "v", NOTHING), "ABOVE_N, none");
	s->next.pr = 200;
	expect_answer(s, client_get(s, A, "k"), "ABOVE_N, none");
}

static void in_silence_the_deadline_ends_it_and_it_may_be_stored(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	cut(s, A, B, true);
	cut(s, A, C, true);
	s->next.timeout_us = ms(100);
	client_put(s, A, "k", "v1", NOTHING);
	run(s, 150);
	expect(s, "[  0] A < put k v1    A > store k v1    A > put k v1 to B, C\n"
	          "[  2] A < stored\n"
	          "[100] A > reply TIMEOUT, unknown\n");
	cut(s, A, B, false);
	cut(s, A, C, false);
	run(s, 3000); /* its hints go out */
	assert_string_equal(held(s, B, "k"), "v1");
	assert_string_equal(held(s, C, "k"), "v1");
}

/* The messages are lost, the peers live, and the client is gone before anybody is late. */
static void a_write_whose_deadline_is_short_is_still_hinted_and_its_slot_freed(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	cut(s, A, B, true);
	cut(s, A, C, true);
	s->next.timeout_us = ms(100);
	int one = client_put(s, A, "k", "v1", NOTHING);
	run(s, 1);
	cut(s, A, B, false);
	cut(s, A, C, false);
	run(s, 5000);
	expect_answer(s, one, "TIMEOUT, unknown");
	assert_int_equal(metrics_of(s, A).coord_slots_used, 0);
	assert_string_equal(held(s, B, "k"), "v1");
	assert_string_equal(held(s, C, "k"), "v1");
}

static void a_deadline_before_the_mint_stores_nothing(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	node_dies(s, A);
	run(s, 10);
	node_starts(s, A);
	run(s, 50);
	untold(s);
	s->node[A].disk_us = ms(300); /* the clock must be reserved first */
	s->next.timeout_us = ms(100);
	client_put(s, A, "k", "v1", NOTHING);
	run(s, 2000);
	expect(s, "[ 60] A < put k v1\n"
	          "[160] A > reply TIMEOUT, none\n");
	assert_string_equal(held(s, A, "k"), "nothing");
}

/* ---- refused ---------------------------------------------------------------------------------- */

static void a_put_that_would_exceed_siblings_max_is_refused_and_one_that_reduces_is_not(
	void **state)
{
	struct story *s = *state;
	s->siblings_max = 3;
	begin(s, 3);
	put(s, A, "k", "v1", NOTHING);
	put(s, A, "k", "v2", NOTHING);
	put(s, A, "k", "v3", NOTHING);
	expect_answer(s, put(s, A, "k", "v4", NOTHING), "SIBLINGS, none");
	assert_int_equal(metrics_of(s, A).siblings_refused, 1);
	int all = get(s, B, "k");
	expect_answer(s, all, "v1|v2|v3");
	expect_answer(s, put(s, A, "k", "v5", all), "stored");
	run(s, 10);
	expect_answer(s, get(s, C, "k"), "v5");
}

static void siblings_above_the_limit_that_met_by_merging_can_still_be_reduced(void **state)
{
	struct story *s = *state;
	s->siblings_max = 1;
	begin(s, 3);
	int one = client_put(s, A, "k", "v1", NOTHING);
	client_put(s, B, "k", "v2", NOTHING);
	client_put(s, C, "k", "v3", NOTHING);
	run(s, 20);
	int all = get(s, A, "k");
	expect_answer(s, all, "v1|v2|v3");
	expect_answer(s, put(s, A, "k", "v4", NOTHING), "SIBLINGS, none");
	expect_answer(s, put(s, A, "k", "v4", one), "stored"); /* one for one */
	expect_answer(s, put(s, A, "k", "v5", all), "stored");
	run(s, 10);
	expect_answer(s, get(s, B, "k"), "v4|v5");
}

static void a_context_of_another_key_is_refused(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	int one = put(s, A, "k", "v1", NOTHING);
	expect_answer(s, client_put(s, A, "other", "v", one), "BAD_CONTEXT, none");
	expect_answer(s, client_delete(s, B, "other", one), "BAD_CONTEXT, none");
	s->answer[one].context[3] ^= 1;
	expect_answer(s, client_put(s, A, "k", "v", one), "BAD_CONTEXT, none");
	run(s, 10);
	assert_string_equal(held(s, A, "other"), "nothing");
	assert_string_equal(held(s, A, "k"), "v1");
}

static void with_all_slots_taken_the_answer_is_busy_and_what_was_accepted_is_stored(void **state)
{
	struct story *s = *state;
	char key[4] = "k0";
	s->coord_slots = 8;
	begin(s, 3);
	for (int i = 0; i < 8; i++, key[1]++) client_put(s, A, key, "v", NOTHING);
	int ninth = client_put(s, A, key, "v", NOTHING);
	expect_answer(s, ninth, "BUSY, none");
	run(s, 20);
	key[1] = '0';
	for (int i = 0; i < 8; i++, key[1]++) {
		expect_answer(s, i, "stored");
		assert_string_equal(held(s, C, key), "v");
	}
	assert_string_equal(held(s, A, key), "nothing");
	expect_answer(s, put(s, A, key, "v", NOTHING), "stored");
	assert_int_equal(metrics_of(s, A).requests_busy, 1);
}

/* ---- restarts --------------------------------------------------------------------------------- */

static void a_late_answer_bears_a_dead_ticket_after_a_restart(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	net_delay(s, B, A, ms(3000));
	net_delay(s, C, A, ms(3000));
	int one = client_put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	net_delay(s, B, A, ms(50));
	net_delay(s, C, A, ms(50));
	node_dies(s, A);
	run(s, 10);
	node_starts(s, A);
	run(s, 2960);
	uint64_t late = metrics_of(s, A).late_answers;
	int two = client_put(s, A, "k", "v2", NOTHING);
	run(s, 20);
	assert_false(s->answer[two].here); /* the acks of the first are not its */
	assert_int_equal(metrics_of(s, A).late_answers, late + 2);
	run(s, 200);
	assert_false(s->answer[one].here);
	expect_answer(s, two, "stored");
	expect_answer(s, get(s, B, "k"), "v1|v2");
}

static void what_was_acknowledged_is_there_after_all_nodes_died_at_once(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	int one = put(s, A, "k", "v1", NOTHING);
	for (int i = A; i <= C; i++) node_dies(s, i);
	for (int i = A; i <= C; i++) node_starts(s, i);
	run(s, 100);
	expect_answer(s, get(s, B, "k"), "v1");
	int two = put(s, A, "k", "v2", one);
	assert_true(s->answer[two].reply.dot.at.v > s->answer[one].reply.dot.at.v);
	assert_true(s->answer[two].reply.dot.actor.v != s->answer[one].reply.dot.actor.v);
	run(s, 20);
	expect_answer(s, get(s, C, "k"), "v2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(put_replies_once_at_quorum),
		STORY(a_put_with_w_1_is_answered_when_it_is_durable_here),
		STORY(a_replicas_ack_waits_for_its_disk),
		STORY(a_put_may_answer_with_all_that_is_stored_now),
		STORY(two_puts_in_flight_on_one_key_build_on_each_other),
		STORY(puts_through_two_coordinators_at_once_are_siblings_everywhere),
		STORY(a_put_behind_one_that_failed_reads_what_is_there),
		STORY(a_mint_after_a_failed_own_write_does_not_cover_it),
		STORY(a_node_whose_disk_is_full_hands_its_writes_to_others),
		STORY(a_put_that_arrives_twice_at_a_full_disk_is_acknowledged_by_neither),
		STORY(a_put_that_arrives_twice_is_stored_once),
		STORY(a_put_is_unknown_when_all_stores_are_full),
		STORY(what_cannot_be_met_is_refused_before_anything_is_stored),
		STORY(what_can_no_longer_be_met_after_the_mint_is_unknown),
		STORY(each_quorum_that_is_lost_is_named),
		STORY(a_quorum_above_n_is_refused),
		STORY(in_silence_the_deadline_ends_it_and_it_may_be_stored),
		STORY(a_write_whose_deadline_is_short_is_still_hinted_and_its_slot_freed),
		STORY(a_deadline_before_the_mint_stores_nothing),
		STORY(a_put_that_would_exceed_siblings_max_is_refused_and_one_that_reduces_is_not),
		STORY(siblings_above_the_limit_that_met_by_merging_can_still_be_reduced),
		STORY(a_context_of_another_key_is_refused),
		STORY(with_all_slots_taken_the_answer_is_busy_and_what_was_accepted_is_stored),
		STORY(a_late_answer_bears_a_dead_ticket_after_a_restart),
		STORY(what_was_acknowledged_is_there_after_all_nodes_died_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
