/* test_expiry.c - values that live for a while: gone when their time has come, without anybody's doing. */
#include "tests/scenario/story.h"

static int put_for(struct story *s, int node, const char *key, const char *value, uint64_t seconds,
                   int shown)
{
	s->ttl_s = seconds;
	return put(s, node, key, value, shown);
}

static void a_value_is_gone_when_its_time_has_come(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put_for(s, A, "k", "brief", 5, NOTHING);
	run(s, 4500);
	expect_answer(s, get(s, B, "k"), "brief");
	run(s, 600);
	for (int i = A; i <= C; i++) expect_answer(s, get(s, i, "k"), "deleted");
	run(s, 60000);
	assert_string_equal(held(s, A, "k"), "brief"); /* nobody wrote anything for it */
	assert_int_equal(metrics_of(s, A).read_repairs, 0);
}

static void what_has_expired_stands_beside_what_has_not_as_a_deletion(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put_for(s, A, "k", "brief", 5, NOTHING);
	put(s, B, "k", "long", NOTHING);
	run(s, 6000);
	int both = get(s, C, "k");
	expect_answer(s, both, "deleted|long");
	put(s, C, "k", "one", both); /* who has seen both replaces both */
	run(s, 20);
	assert_string_equal(held(s, A, "k"), "one");
}

static void a_write_over_an_expired_value_makes_no_sibling_for_who_was_shown_that(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put_for(s, A, "k", "brief", 5, NOTHING);
	run(s, 6000);
	int gone = get(s, A, "k");
	expect_answer(s, gone, "deleted");
	put(s, A, "k", "new", gone);
	run(s, 20);
	expect_answer(s, get(s, B, "k"), "new");
}

static void a_first_write_may_follow_an_expired_value(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put_for(s, A, "k", "brief", 5, NOTHING);
	s->if_none = true;
	expect_answer(s, put(s, A, "k", "first", NOTHING), "PRECONDITION, none");
	run(s, 6000);
	s->if_none = true;
	expect_answer(s, put(s, A, "k", "first", NOTHING), "stored");
	run(s, 20);
	expect_answer(s, get(s, B, "k"), "first");
}

static void a_delete_of_what_has_expired_finds_nothing(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put_for(s, A, "k", "brief", 5, NOTHING);
	run(s, 6000);
	expect_answer(s, del(s, A, "k", NOTHING), "deleted");
}

/* A node whose clock is off judges nothing: neither when it was so for long, nor right after a jump. */
static void a_clock_that_is_off_makes_nothing_expire(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put_for(s, A, "k", "for an hour", 3600, NOTHING);
	run(s, 100);
	s->node[B].wall_ms = 7200 * 1000; /* two hours ahead, this instant */
	s->next.r = 1;
	expect_answer(s, get(s, B, "k"), "for an hour");
	run(s, 2000);
	expect_answer(s, get(s, B, "k"), "for an hour");
	s->node[B].wall_ms = 0;
	run(s, 2000);
	expect_answer(s, get(s, B, "k"), "for an hour");
	put_for(s, A, "k2", "brief", 5, NOTHING);
	run(s, 6000);
	expect_answer(s, get(s, B, "k2"), "deleted"); /* well again */
}

/* It has just started, its clock is wrong, and nobody is there to say so. */
static void who_knows_no_other_clock_makes_nothing_expire(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put_for(s, A, "k", "for an hour", 3600, NOTHING);
	run(s, 100);
	node_dies(s, B);
	cut(s, A, B, true);
	cut(s, C, B, true);
	s->node[B].wall_ms = 7200 * 1000;
	node_starts(s, B);
	run(s, 4000);
	s->next.r = 1;
	expect_answer(s, get(s, B, "k"), "for an hour");
}

/* Its hybrid clock stays where its wall clock has been. */
static void a_clock_that_was_off_neither_ends_nor_prolongs_a_life(void **state)
{
	struct story *s = *state;
	begin(s, 1);
	s->node[A].wall_ms = 7200 * 1000;
	run(s, 1000);
	put(s, A, "k", "minted ahead", NOTHING); /* alone, so nobody says that it is off */
	s->node[A].wall_ms = 0;
	run(s, 1000);
	put_for(s, A, "k2", "for an hour", 3600, NOTHING);
	put_for(s, A, "k3", "brief", 30, NOTHING);
	expect_answer(s, get(s, A, "k2"), "for an hour");
	run(s, 60000);
	expect_answer(s, get(s, A, "k2"), "for an hour");
	expect_answer(s, get(s, A, "k3"), "deleted");
}

/* What is judged is nowhere written, so replicas hold the same all the while. */
static void expiry_is_no_difference_between_replicas(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put_for(s, A, "k", "brief", 5, NOTHING);
	s->node[C].wall_ms = 9000; /* it judges earlier */
	s->next.r = 3;
	int early = client_get(s, C, "k"), late = client_get(s, A, "k");
	run(s, 100);
	expect_answer(s, early, "deleted");
	expect_answer(s, late, "deleted"); /* the hybrid clock: C's answer told the time */
	for (int i = A; i <= C; i++) {
		assert_string_equal(held(s, i, "k"), "brief");
		assert_int_equal(metrics_of(s, i).read_repairs, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_value_is_gone_when_its_time_has_come),
		STORY(what_has_expired_stands_beside_what_has_not_as_a_deletion),
		STORY(a_write_over_an_expired_value_makes_no_sibling_for_who_was_shown_that),
		STORY(a_first_write_may_follow_an_expired_value),
		STORY(a_delete_of_what_has_expired_finds_nothing),
		STORY(a_clock_that_is_off_makes_nothing_expire),
		STORY(who_knows_no_other_clock_makes_nothing_expire),
		STORY(a_clock_that_was_off_neither_ends_nor_prolongs_a_life),
		STORY(expiry_is_no_difference_between_replicas),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
