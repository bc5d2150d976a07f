/* test_clock.c - clocks that are wrong: no write is lost to one, and the dots stay in order. */
#include "tests/scenario/story.h"

static struct dot dot_of_answer(const struct story *s, int answer)
{
	assert_true(s->answer[answer].reply.written);
	return s->answer[answer].reply.dot;
}

static void a_write_through_a_slow_clock_replaces_one_through_a_fast_clock(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	s->node[A].wall_ms = 4000;
	s->node[B].wall_ms = -4000;
	int one = put(s, A, "k", "v1", NOTHING);
	int two = put(s, B, "k", "v2", one);
	assert_true(dot_of_answer(s, two).at.v > dot_of_answer(s, one).at.v);
	run(s, 10);
	expect_answer(s, get(s, C, "k"), "v2");
}

static void a_wall_that_jumps_back_does_not_take_the_dots_with_it(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	int one = put(s, A, "k", "v1", NOTHING);
	s->node[A].wall_ms = -8000;
	int two = put(s, A, "k", "v2", one), other = put(s, A, "other", "x", NOTHING);
	assert_true(dot_of_answer(s, two).at.v > dot_of_answer(s, one).at.v);
	assert_true(dot_of_answer(s, other).at.v > dot_of_answer(s, two).at.v);
	run(s, 10);
	expect_answer(s, get(s, C, "k"), "v2");
}

static void a_wall_that_jumps_ahead_waits_for_the_clock_to_be_reserved_and_goes_on(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	s->node[A].wall_ms = 8000;
	uint64_t waits = metrics_of(s, A).clock_waits;
	client_put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	expect(s, "[  0] A < put k v1\n"
	          "[  2] A > store k v1    A > put k v1 to B, C\n"
	          "[  3] B > store k v1\n"
	          "[  3] C > store k v1\n"
	          "[  4] A < stored\n"
	          "[  5] B < stored\n"
	          "[  5] C < stored\n"
	          "[  6] A < ack B    A > reply stored    A < ack C\n");
	assert_int_equal(metrics_of(s, A).clock_waits, waits + 1);
}

static void a_node_whose_clock_is_far_off_mints_nothing_and_stores_what_others_mint(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	s->node[A].wall_ms = 60000;
	run(s, 1000);
	assert_non_null(strstr(node_trouble(s->node[A].node), "clock"));
	chapter(s);
	client_put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	expect(s, "[  0] A < put k v1    A > forward k to B\n"
	          "[  1] B < forward A    B > store k v1    B > put k v1 to A, C\n"
	          "[  2] A > store k v1\n"
	          "[  2] C > store k v1\n"
	          "[  3] B < stored\n"
	          "[  4] A < stored\n"
	          "[  4] C < stored\n"
	          "[  5] B < ack A    B < ack C\n"
	          "[  6] A < answer B OK    A > reply stored\n");
	expect_answer(s, get(s, A, "k"), "v1");
	node_dies(s, B);
	node_dies(s, C);
	run(s, 10);
	s->next.w = 1;
	expect_answer(s, client_put(s, A, "k", "v2", NOTHING), "CLOCK, none");
	s->next.r = 1;
	expect_answer(s, get(s, A, "k"), "v1");
	s->node[A].wall_ms = 0;
	node_starts(s, B);
	run(s, 3000);
	assert_string_equal(node_trouble(s->node[A].node), "");
	expect_answer(s, put(s, A, "k", "v3", NOTHING), "stored");
}

/* The same, and the coordinator is the one that is right. */
static void a_clock_that_is_far_off_is_not_followed(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	s->node[A].wall_ms = 3600000;
	run(s, 3000);
	int one = put(s, B, "k", "v1", NOTHING);
	uint64_t minted_ms = dot_of_answer(s, one).at.v >> 16;
	assert_in_range(minted_ms, wall_of(s, B).ms - CLOCK_SKEW_MAX_MS,
	                wall_of(s, B).ms + CLOCK_SKEW_MAX_MS);
}

static void a_clock_set_back_while_its_node_was_down_still_goes_on(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	int one = put(s, A, "k", "v1", NOTHING);
	node_dies(s, A);
	run(s, 10);
	s->node[A].wall_ms = -9000;
	node_starts(s, A);
	run(s, 3000);
	int two = put(s, A, "k", "v2", one);
	assert_true(dot_of_answer(s, two).at.v > dot_of_answer(s, one).at.v);
	run(s, 10);
	expect_answer(s, get(s, C, "k"), "v2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_write_through_a_slow_clock_replaces_one_through_a_fast_clock),
		STORY(a_wall_that_jumps_back_does_not_take_the_dots_with_it),
		STORY(a_wall_that_jumps_ahead_waits_for_the_clock_to_be_reserved_and_goes_on),
		STORY(a_node_whose_clock_is_far_off_mints_nothing_and_stores_what_others_mint),
		STORY(a_clock_that_is_far_off_is_not_followed),
		STORY(a_clock_set_back_while_its_node_was_down_still_goes_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
