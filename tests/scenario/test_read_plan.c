/* test_read_plan.c - reads that ask no more replicas than they need: who is asked, and when one more. */
#include "tests/scenario/story.h"

#define LARGE "large" /* read_whole_bytes is 1 */

static void begin_asking_few(struct story *s, int nodes)
{
	s->read_all_one_in = 1000000000;
	begin(s, nodes);
}

/* All three are known to be quick. */
static void measure(struct story *s, int node, const char *key)
{
	s->quiet = true;
	for (int i = 0; i < 50; i++) {
		s->next.r = QUORUM_ALL;
		get(s, node, key);
		s->answers--;
		s->answer[s->answers] = (struct answer){0};
	}
	s->quiet = false;
	chapter(s);
}

/* ---- whom ------------------------------------------------------------------------------------- */

static void a_read_asks_as_many_as_it_needs(void **state)
{
	struct story *s = *state;
	begin_asking_few(s, 3);
	put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	net_delay(s, A, C, ms(1) + 500);
	measure(s, A, "k");
	int one = client_get(s, A, "k");
	run(s, 20);
	expect(s, "[  0] A < get k    A > get k to B\n"
	          "[  2] A < v1 B    A > reply v1\n");
	expect_answer(s, one, "v1");
	chapter(s);
	s->next.r = 1;
	get(s, A, "k");
	expect(s, "[  0] A < get k    A > reply v1\n");
	chapter(s);
	s->next.r = 1;
	s->next.pr = 3;
	get(s, A, "k");
	run(s, 20);
	expect(s, "[  0] A < get k    A > get k to B, C\n"
	          "[  2] A < v1 B    A < v1 C    A > reply v1\n");
}

static void one_read_in_some_asks_all(void **state)
{
	struct story *s = *state;
	s->read_all_one_in = 4;
	begin(s, 3);
	s->quiet = true;
	put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	uint64_t before = metrics_of(s, B).replica_gets + metrics_of(s, C).replica_gets;
	for (int i = 0; i < 400; i++) {
		get(s, A, "k");
		run(s, 5);
		s->answers--;
		s->answer[s->answers] = (struct answer){0};
	}
	uint64_t asked = metrics_of(s, B).replica_gets + metrics_of(s, C).replica_gets - before;
	assert_in_range(asked, 400 + 60, 400 + 140); /* one each, and a second one for 100 of them */
}

static void who_is_slow_is_asked_last(void **state)
{
	struct story *s = *state;
	begin_asking_few(s, 3);
	put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	net_delay(s, B, A, ms(50));
	measure(s, A, "k");
	client_get(s, A, "k");
	run(s, 20);
	expect(s, "[  0] A < get k    A > get k to C\n"
	          "[  2] A < v1 C    A > reply v1\n");
}

/* ---- one more ----------------------------------------------------------------------------------- */

static void who_takes_longer_than_usual_is_not_waited_for(void **state)
{
	struct story *s = *state;
	begin_asking_few(s, 3);
	put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	net_delay(s, C, A, ms(1) + 500);
	measure(s, A, "k");
	net_delay(s, B, A, ms(500)); /* it was the quickest */
	client_get(s, A, "k");
	run(s, 20);
	expect(s, "[  0] A < get k    A > get k to B\n"
	          "[  2] A > get k to C\n"
	          "[  5] A < v1 C    A > reply v1\n");
	assert_int_equal(metrics_of(s, A).read_hedges, 1);
}

/* When everything is slow, asking still more helps nobody. */
static void hedges_are_a_small_share_of_reads(void **state)
{
	struct story *s = *state;
	begin_asking_few(s, 3);
	s->quiet = true;
	put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	net_delay(s, C, A, ms(1) + 500);
	measure(s, A, "k");
	s->quiet = true;
	uint64_t before = metrics_of(s, B).replica_gets + metrics_of(s, C).replica_gets;
	for (int i = 0; i < 1000; i++) {
		uint64_t slow = i % 2 == 0 ? ms(1) : ms(1) * (uint64_t)(20 + i); /* ever slower */
		net_delay(s, B, A, slow);
		net_delay(s, C, A, slow);
		get(s, A, "k");
		s->answers--;
		s->answer[s->answers] = (struct answer){0};
	}
	uint64_t asked = metrics_of(s, B).replica_gets + metrics_of(s, C).replica_gets - before;
	assert_true(metrics_of(s, A).read_hedges > 50);
	assert_true(metrics_of(s, A).read_hedges <= 1000 / HEDGE_ONE_IN + HEDGE_BURST);
	assert_true(metrics_of(s, A).read_hedges_withheld > 0);
	assert_true(asked <= 1000 + 1000 / HEDGE_ONE_IN + HEDGE_BURST);
}

static void who_fails_is_replaced_by_the_next(void **state)
{
	struct story *s = *state;
	begin_asking_few(s, 3);
	put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	net_delay(s, C, A, ms(1) + 500);
	measure(s, A, "k");
	store_mem_fail_reads(s->node[B].store, 1);
	client_get(s, A, "k");
	run(s, 20);
	expect(s, "[  0] A < get k    A > get k to B\n"
	          "[  2] A < STORE B    A > get k to C\n"
	          "[  4] A < v1 C    A > reply v1\n");
}

static void who_dies_is_replaced_by_the_next(void **state)
{
	struct story *s = *state;
	begin_asking_few(s, 3);
	put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	net_delay(s, C, A, ms(1) + 500);
	measure(s, A, "k");
	client_get(s, A, "k");
	node_dies(s, B);
	run(s, 20);
	expect(s, "[  0] A < get k    A > get k to B\n"
	          "[  0] * B dies\n"
	          "[  1] A > get k to C\n"
	          "[  3] A < v1 C    A > reply v1\n");
}

static void a_not_found_that_does_not_count_asks_the_next(void **state)
{
	struct story *s = *state;
	begin_asking_few(s, 3);
	cut(s, C, A, true);
	cut(s, C, B, true);
	s->next.w = 1;
	put(s, C, "k", "v1", NOTHING);
	cut(s, C, A, false);
	cut(s, C, B, false);
	net_delay(s, C, A, ms(1) + 500);
	s->next.r = 1;
	s->next.notfound_ok = 0;
	measure(s, A, "other");
	s->next.r = 1;
	s->next.notfound_ok = 0;
	client_get(s, A, "k");
	run(s, 4);
	expect(s, "[  0] A < get k    A > get k to B\n"
	          "[  2] A < NOT_FOUND B    A > get k to C\n");
	run(s, 4);
	expect(s, "[  4] A < v1 C    A > repair k v1 to B    A > reply v1    A > store k v1\n"
	          "[  5] B > store k v1\n"
	          "[  6] A < stored\n"
	          "[  7] B < stored\n");
}

/* ---- large objects -------------------------------------------------------------------------------- */

static void begin_with_large(struct story *s, int nodes)
{
	s->read_whole_bytes = 1;
	begin_asking_few(s, nodes);
}

static void a_large_object_comes_from_one_replica(void **state)
{
	struct story *s = *state;
	begin_with_large(s, 3);
	put(s, A, "k", LARGE, NOTHING);
	run(s, 20);
	measure(s, A, "other");
	s->next.r = 3;
	client_get(s, A, "k");
	run(s, 20);
	expect(s, "[  0] A < get k    A > get k to B, C\n"
	          "[  2] A < digest B    A < digest C    A > reply " LARGE "\n");
	assert_int_equal(metrics_of(s, A).read_repairs, 0);
	assert_int_equal(metrics_of(s, A).read_fetches, 0);
}

/* Five nodes, three replicas: a coordinator without a copy asks the best one for all of it. */
static void a_coordinator_without_a_copy_asks_one_for_the_object(void **state)
{
	struct story *s = *state;
	s->replicas = 3;
	begin_with_large(s, 5);
	put(s, A, "k", LARGE, NOTHING);
	run(s, 20);
	chapter(s);
	int outside = -1;
	for (int i = A; i <= E; i++)
		if (strcmp(held(s, i, "k"), "nothing") == 0) outside = i;
	assert_true(outside >= 0);
	s->quiet = true;
	expect_answer(s, get(s, outside, "k"), LARGE);
	assert_int_equal(metrics_of(s, outside).read_fetches, 0);
}

static void a_newer_large_object_is_fetched_and_the_stale_one_repaired(void **state)
{
	struct story *s = *state;
	begin_with_large(s, 3);
	net_delay(s, C, A, ms(2));
	measure(s, A, "other");
	int old = put(s, A, "k", "old", NOTHING);
	run(s, 20);
	cut(s, C, A, true);
	s->next.w = 2;
	put(s, C, "k", "new", old);
	run(s, 5);
	cut(s, C, A, false);
	assert_string_equal(held(s, A, "k"), "old");
	chapter(s);
	s->next.r = 3;
	int one = client_get(s, A, "k");
	run(s, 8);
	expect(s, "[  0] A < get k    A > get k to B, C\n"
	          "[  2] A < digest B    A > get k whole to B\n"
	          "[  3] A < digest C\n"
	          "[  4] A < new B    A > reply new    A > store k new\n"
	          "[  6] A < stored\n");
	expect_answer(s, one, "new");
	assert_string_equal(held(s, A, "k"), "new");
	assert_int_equal(metrics_of(s, A).read_fetches, 1);
}

/* What the stale one has is all seen by what is here: it need not be fetched to be merged. */
static void a_stale_large_object_is_repaired_without_being_fetched(void **state)
{
	struct story *s = *state;
	begin_with_large(s, 3);
	net_delay(s, C, A, ms(2));
	measure(s, A, "other");
	int old = put(s, A, "k", "old", NOTHING);
	run(s, 20);
	cut(s, A, C, true);
	put(s, A, "k", "new", old);
	run(s, 5);
	cut(s, A, C, false);
	assert_string_equal(held(s, C, "k"), "old");
	chapter(s);
	s->next.r = 3;
	client_get(s, A, "k");
	run(s, 8);
	expect(s, "[  0] A < get k    A > get k to B, C\n"
	          "[  2] A < digest B\n"
	          "[  3] A < digest C    A > repair k new to C    A > reply new\n"
	          "[  4] C > store k new\n"
	          "[  6] C < stored\n");
	assert_int_equal(metrics_of(s, A).read_fetches, 0);
}

static void a_fetch_that_fails_is_made_of_another(void **state)
{
	struct story *s = *state;
	begin_with_large(s, 3);
	net_delay(s, C, A, ms(2));
	measure(s, A, "other");
	int old = put(s, A, "k", "old", NOTHING);
	run(s, 20);
	cut(s, C, A, true);
	put(s, C, "k", "new", old);
	run(s, 5);
	cut(s, C, A, false);
	chapter(s);
	client_get(s, A, "k");
	run(s, 2);
	node_dies(s, B);
	run(s, 10);
	expect(s, "[  0] A < get k    A > get k to B\n"
	          "[  2] A < digest B    A > get k whole to B\n"
	          "[  2] * B dies\n"
	          "[  3] A > get k to C\n"
	          "[  6] A < digest C    A > get k whole to C\n"
	          "[  9] A < new C    A > reply new    A > store k new\n"
	          "[ 11] A < stored\n");
}

/* ---- sessions ----------------------------------------------------------------------------------- */

static void a_session_reads_its_own_write_at_r_1(void **state)
{
	struct story *s = *state;
	begin_asking_few(s, 3);
	cut(s, A, B, true);
	int mine = put(s, A, "k", "mine", NOTHING);
	run(s, 5);
	cut(s, A, B, false);
	assert_string_equal(held(s, B, "k"), "nothing");
	net_delay(s, C, B, ms(20)); /* so that A is asked first */
	chapter(s);
	s->next.r = 1;
	expect_answer(s, get(s, B, "k"), "nothing"); /* no session, no promise */
	untold(s);
	chapter(s);
	s->next.r = 1;
	int one = session_get(s, B, "k", mine);
	run(s, 10);
	expect_answer(s, one, "mine");
	assert_int_equal(metrics_of(s, B).reads_widened, 1);
}

static void what_nobody_has_seen_is_not_answered(void **state)
{
	struct story *s = *state;
	begin_asking_few(s, 3);
	cut(s, A, B, true);
	cut(s, A, C, true);
	s->next.w = 1;
	int mine = put(s, A, "k", "mine", NOTHING);
	run(s, 5);
	s->next.r = 1;
	s->next.timeout_us = ms(200);
	int one = session_get(s, B, "k", mine); /* A's answers are lost */
	run(s, 300);
	expect_answer(s, one, "NOT_SEEN");
	cut(s, A, B, false);
	node_dies(s, A);
	run(s, 5);
	s->next.r = 1;
	one = session_get(s, B, "k", mine);
	run(s, 20); /* at once: nobody is left to be asked */
	expect_answer(s, one, "NOT_SEEN");
}

static void a_session_never_goes_back(void **state)
{
	struct story *s = *state;
	begin_asking_few(s, 3);
	int old = put(s, A, "k", "old", NOTHING);
	run(s, 20);
	cut(s, A, C, true);
	put(s, A, "k", "new", old);
	run(s, 5);
	cut(s, A, C, false);
	s->quiet = true;
	s->next.r = 1;
	int seen = get(s, A, "k");
	expect_answer(s, seen, "new");
	s->next.r = 1;
	expect_answer(s, get(s, C, "k"), "old");
	s->next.r = 1;
	expect_answer(s, answered(s, session_get(s, C, "k", seen)), "new");
}

static void a_session_takes_only_contexts_of_its_key(void **state)
{
	struct story *s = *state;
	begin_asking_few(s, 3);
	s->quiet = true;
	int other = put(s, A, "other", "v", NOTHING);
	expect_answer(s, answered(s, session_get(s, A, "k", other)), "BAD_CONTEXT, none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_read_asks_as_many_as_it_needs),
		STORY(one_read_in_some_asks_all),
		STORY(who_is_slow_is_asked_last),
		STORY(who_takes_longer_than_usual_is_not_waited_for),
		STORY(hedges_are_a_small_share_of_reads),
		STORY(who_fails_is_replaced_by_the_next),
		STORY(who_dies_is_replaced_by_the_next),
		STORY(a_not_found_that_does_not_count_asks_the_next),
		STORY(a_large_object_comes_from_one_replica),
		STORY(a_coordinator_without_a_copy_asks_one_for_the_object),
		STORY(a_newer_large_object_is_fetched_and_the_stale_one_repaired),
		STORY(a_stale_large_object_is_repaired_without_being_fetched),
		STORY(a_fetch_that_fails_is_made_of_another),
		STORY(a_session_reads_its_own_write_at_r_1),
		STORY(what_nobody_has_seen_is_not_answered),
		STORY(a_session_never_goes_back),
		STORY(a_session_takes_only_contexts_of_its_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
