/* test_get.c - one read over three nodes, and the repair that follows it. */
#include "tests/scenario/story.h"

/* "v1" is on C alone: its coordinator could reach nobody, and the client asked for one copy only. */
static void begin_with_one_copy_on_c(struct story *s)
{
	begin(s, 3);
	cut(s, C, A, true);
	cut(s, C, B, true);
	s->next.w = 1;
	expect_answer(s, put(s, C, "k", "v1", NOTHING), "stored");
	run(s, 5);
	cut(s, C, A, false);
	cut(s, C, B, false);
	assert_string_equal(held(s, A, "k"), "nothing");
	assert_string_equal(held(s, B, "k"), "nothing");
	chapter(s);
}

static void get_replies_once_at_quorum(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put(s, B, "k", "v1", NOTHING);
	run(s, 20);
	chapter(s);
	net_delay(s, C, A, ms(40));
	int one = client_get(s, A, "k");
	run(s, 100);
	expect(s, "[  0] A < get k    A > get k to B, C\n"
	          "[  2] A < v1 B    A > reply v1\n"
	          "[ 41] A < v1 C\n");
	expect_answer(s, one, "v1");
}

static void a_key_that_nobody_has_is_not_found(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	int one = get(s, A, "k");
	expect_answer(s, one, "nothing");
	assert_int_equal(s->answer[one].context_len, 0);
}

/* ---- not found -------------------------------------------------------------------------------- */

static void a_not_found_counts_as_an_answer_unless_told_otherwise(void **state)
{
	struct story *s = *state;
	begin_with_one_copy_on_c(s);
	net_delay(s, C, A, ms(20));
	client_get(s, A, "k");
	run(s, 10);
	expect(s, "[  0] A < get k    A > get k to B, C\n"
	          "[  2] A < NOT_FOUND B    A > reply nothing\n");
}

static void with_notfound_ok_false_a_read_waits_for_who_has_it(void **state)
{
	struct story *s = *state;
	begin_with_one_copy_on_c(s);
	net_delay(s, C, A, ms(20));
	s->next.notfound_ok = 0;
	s->next.r = 1;
	client_get(s, A, "k");
	run(s, 30);
	expect(s, "[  0] A < get k    A > get k to B, C\n"
	          "[  2] A < NOT_FOUND B\n"
	          "[ 21] A < v1 C    A > repair k v1 to B    A > reply v1    A > store k v1\n"
	          "[ 22] B > store k v1\n"
	          "[ 23] A < stored\n"
	          "[ 24] B < stored\n");
}

static void with_notfound_ok_false_one_copy_is_not_two(void **state)
{
	struct story *s = *state;
	begin_with_one_copy_on_c(s);
	s->next.notfound_ok = 0;
	expect_answer(s, get(s, A, "k"), "R_UNMET 1/2");
}

static void with_notfound_ok_false_what_nobody_has_is_still_not_found(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	s->next.notfound_ok = 0;
	expect_answer(s, get(s, A, "k"), "nothing");
	s->next.notfound_ok = 0;
	s->next.pr = 3; /* all of them have to say so */
	expect_answer(s, get(s, A, "k"), "nothing");
	node_dies(s, C);
	run(s, 5);
	s->next.notfound_ok = 0; /* C might have it */
	expect_answer(s, get(s, A, "k"), "R_UNMET 0/2");
}

static void with_basic_quorum_a_majority_of_not_founds_is_enough(void **state)
{
	struct story *s = *state;
	begin_with_one_copy_on_c(s);
	net_delay(s, C, A, ms(20));
	s->next.notfound_ok = 0;
	s->next.basic_quorum = 1;
	s->next.r = 1;
	client_get(s, A, "k");
	run(s, 10);
	expect(s, "[  0] A < get k    A > get k to B, C\n"
	          "[  2] A < NOT_FOUND B    A > reply nothing\n");
}

/* ---- repair ----------------------------------------------------------------------------------- */

static void a_read_repairs_who_was_stale_also_after_its_answer(void **state)
{
	struct story *s = *state;
	begin_with_one_copy_on_c(s);
	net_delay(s, C, A, ms(20));
	client_get(s, A, "k");
	run(s, 40);
	expect(s, "[  0] A < get k    A > get k to B, C\n"
	          "[  2] A < NOT_FOUND B    A > reply nothing\n"
	          "[ 21] A < v1 C    A > repair k v1 to B    A > store k v1\n"
	          "[ 22] B > store k v1\n"
	          "[ 23] A < stored\n"
	          "[ 24] B < stored\n");
	for (int i = A; i <= C; i++) assert_string_equal(held(s, i, "k"), "v1");
	assert_int_equal(metrics_of(s, A).read_repairs, 2);
}

static void replicas_that_agree_are_not_written_to(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	get(s, B, "k");
	run(s, 20);
	chapter(s);
	get(s, B, "k");
	run(s, 2000);
	assert_int_equal(metrics_of(s, B).read_repairs, 0);
}

static void replicas_that_differ_are_merged_and_all_repaired(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	cut(s, A, B, true);
	cut(s, A, C, true);
	cut(s, B, C, true);
	for (int i = A; i <= C; i++) {
		static const char *const values[] = {"va", "vb", "vc"};
		s->next.w = 1;
		put(s, i, "k", values[i], NOTHING);
	}
	cut(s, A, B, false);
	cut(s, A, C, false);
	cut(s, B, C, false);
	chapter(s);
	client_get(s, B, "k");
	run(s, 20);
	expect(s, "[  0] B < get k    B > get k to A, C\n"
	          "[  2] B < va A    B > reply va|vb    B < vc C"
	          "    B > repair k va|vb|vc to A, C    B > store k va|vb|vc\n"
	          "[  3] A > store k va|vb|vc\n"
	          "[  3] C > store k va|vb|vc\n"
	          "[  4] B < stored\n"
	          "[  5] A < stored\n"
	          "[  5] C < stored\n");
	for (int i = A; i <= C; i++) assert_string_equal(held(s, i, "k"), "va|vb|vc");
}

/* ---- unmet ------------------------------------------------------------------------------------ */

static void what_cannot_be_met_is_said_at_once(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put(s, A, "k", "v1", NOTHING);
	node_dies(s, C);
	run(s, 5);
	s->next.r = 3;
	expect_answer(s, client_get(s, A, "k"), "R_UNMET 2/3");
	s->next.pr = 3;
	expect_answer(s, client_get(s, A, "k"), "PR_UNMET 2/3");
	s->next.pr = 2;
	expect_answer(s, get(s, A, "k"), "v1");
}

/* node_confirms: so many distinct nodes must have answered, whatever r says. */
static void a_read_waits_for_as_many_nodes_as_are_to_confirm(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	chapter(s);
	s->next.r = 1;
	s->next.node_confirms = 3;
	get(s, A, "k");
	expect(s, "[  0] A < get k    A > get k to B, C\n"
	          "[  2] A < v1 B    A < v1 C    A > reply v1\n");
	node_dies(s, C);
	run(s, 5);
	s->next.r = 1;
	s->next.node_confirms = 3;
	expect_answer(s, client_get(s, A, "k"), "CONFIRMS_UNMET 2/3");
	s->next.r = 3;
	s->next.node_confirms = 3;
	expect_answer(s, client_get(s, A, "k"), "R_UNMET 2/3");
}

static void a_replica_that_dies_while_it_is_asked_ends_a_read_that_needs_it(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	chapter(s);
	s->next.r = QUORUM_ALL;
	client_get(s, A, "k");
	node_dies(s, C);
	run(s, 20);
	expect(s, "[  0] A < get k    A > get k to B, C\n"
	          "[  0] * C dies\n"
	          "[  1] A > reply R_UNMET 1/3\n"
	          "[  2] A < v1 B\n");
}

static void in_silence_the_deadline_ends_a_read(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put(s, A, "k", "v1", NOTHING);
	cut(s, A, B, true);
	cut(s, A, C, true);
	s->next.timeout_us = ms(100);
	expect_answer(s, get(s, A, "k"), "TIMEOUT");
	run(s, 3000);
	assert_int_equal(metrics_of(s, A).coord_slots_used, 0);
}

static void a_store_that_cannot_be_read_is_no_answer(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	store_mem_fail_reads(s->node[A].store, 1);
	expect_answer(s, get(s, A, "k"), "v1");
	run(s, 20);
	store_mem_fail_reads(s->node[A].store, 1);
	s->next.r = 3; /* said at once: nobody else was heard yet */
	expect_answer(s, get(s, A, "k"), "R_UNMET 0/3");
}

/* ---- siblings --------------------------------------------------------------------------------- */

static void one_sibling_by_its_vtag_shows_only_that_one(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	int one = put(s, A, "k", "v1", NOTHING);
	put(s, B, "k", "v2", NOTHING);
	run(s, 10);
	s->next.has_vtag = true;
	s->next.vtag = s->answer[one].reply.dot;
	int seen = get(s, C, "k");
	expect_answer(s, seen, "v1");
	put(s, C, "k", "v3", seen); /* the client never saw v2 */
	run(s, 10);
	expect_answer(s, get(s, A, "k"), "v2|v3");
	s->next.has_vtag = true;
	s->next.vtag = s->answer[one].reply.dot;
	expect_answer(s, get(s, A, "k"), "NO_VTAG");
}

static void siblings_that_look_the_same_are_shown_once_and_replaced_together(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put(s, A, "k", "same", NOTHING);
	put(s, B, "k", "same", NOTHING);
	put(s, C, "k", "other", NOTHING);
	run(s, 10);
	assert_string_equal(held(s, A, "k"), "other|same|same");
	int all = get(s, A, "k");
	expect_answer(s, all, "other|same");
	put(s, B, "k", "one", all);
	run(s, 10);
	assert_string_equal(held(s, A, "k"), "one");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(get_replies_once_at_quorum),
		STORY(a_key_that_nobody_has_is_not_found),
		STORY(a_not_found_counts_as_an_answer_unless_told_otherwise),
		STORY(with_notfound_ok_false_a_read_waits_for_who_has_it),
		STORY(with_notfound_ok_false_one_copy_is_not_two),
		STORY(with_notfound_ok_false_what_nobody_has_is_still_not_found),
		STORY(with_basic_quorum_a_majority_of_not_founds_is_enough),
		STORY(a_read_repairs_who_was_stale_also_after_its_answer),
		STORY(replicas_that_agree_are_not_written_to),
		STORY(replicas_that_differ_are_merged_and_all_repaired),
		STORY(what_cannot_be_met_is_said_at_once),
		STORY(a_read_waits_for_as_many_nodes_as_are_to_confirm),
		STORY(a_replica_that_dies_while_it_is_asked_ends_a_read_that_needs_it),
		STORY(in_silence_the_deadline_ends_a_read),
		STORY(a_store_that_cannot_be_read_is_no_answer),
		STORY(one_sibling_by_its_vtag_shows_only_that_one),
		STORY(siblings_that_look_the_same_are_shown_once_and_replaced_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
