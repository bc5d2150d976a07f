/* test_hints.c - three nodes, N = 3: there is no fallback, so the coordinator keeps an extra hint for
 * who missed a write. It is durable, it counts for nothing, and it goes when the primary confirms. */
#include "tests/scenario/story.h"

static void a_hint_for_a_primary_that_is_down_is_in_the_batch_of_the_write(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	node_dies(s, C);
	run(s, 5);
	chapter(s);
	client_put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	expect(s, "[  0] A < put k v1    A > store k v1, hint for C    A > put k v1 to B\n"
	          "[  1] B > store k v1\n"
	          "[  2] A < stored\n"
	          "[  3] B < stored\n"
	          "[  4] A < ack B    A > reply stored\n");
	assert_int_equal(hints_on(s, A), 1);
	assert_int_equal(metrics_of(s, A).hints, 1);
}

static void a_hint_is_delivered_on_return_and_dropped_on_confirmation(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	node_dies(s, C);
	run(s, 5);
	put(s, A, "k", "v1", NOTHING);
	run(s, 3000);
	chapter(s);
	node_starts(s, C);
	run(s, 1000);
	expect(s, "[  0] * C starts\n"
	          "[243] A > put k v1 to C\n"
	          "[244] C > store k v1\n"
	          "[246] C < stored\n"
	          "[247] A < ack C    A > drop hint for C\n");
	assert_int_equal(hints_on(s, A), 0);
	assert_int_equal(metrics_of(s, A).hints, 0);
	assert_int_equal(metrics_of(s, A).hints_delivered, 1);
}

static void a_primary_that_is_only_late_gets_a_hint_too(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	cut(s, A, C, true);
	client_put(s, A, "k", "v1", NOTHING);
	run(s, 300);
	cut(s, A, C, false);
	run(s, 2000);
	expect(s, "[  0] A < put k v1    A > store k v1    A > put k v1 to B, C\n"
	          "[  1] B > store k v1\n"
	          "[  2] A < stored\n"
	          "[  3] B < stored\n"
	          "[  4] A < ack B    A > reply stored\n"
	          "[500] A > hint for C\n"
	          "[502] A > put k v1 to C\n"
	          "[503] C > store k v1\n"
	          "[505] C < stored\n"
	          "[506] A < ack C    A > drop hint for C\n");
}

static void a_hint_whose_confirmation_is_lost_is_kept_and_sent_again(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	node_dies(s, C);
	run(s, 5);
	put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	node_starts(s, C);
	while (strcmp(held(s, C, "k"), "v1") != 0) run(s, 1);
	assert_int_equal(hints_on(s, A), 1);
	node_dies(s, A); /* the ack is on its way, and finds nobody who waits for it */
	run(s, 10);
	node_starts(s, A);
	run(s, 100);
	assert_int_equal(metrics_of(s, A).hints, 1); /* it is durable, and counted at the start */
	run(s, 3000);
	assert_int_equal(hints_on(s, A), 0);
	assert_string_equal(held(s, C, "k"), "v1");
}

static void a_hint_is_kept_while_its_primary_cannot_store(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	store_mem_set_full(s->node[C].store, true);
	put(s, A, "k", "v1", NOTHING);
	run(s, 5000);
	assert_int_equal(hints_on(s, A), 1);
	store_mem_set_full(s->node[C].store, false);
	run(s, 40000);
	assert_int_equal(hints_on(s, A), 0);
	assert_string_equal(held(s, C, "k"), "v1");
}

static void hints_for_one_key_are_one_delivery_of_what_is_there_now(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	node_dies(s, C);
	run(s, 5);
	int one = put(s, A, "k", "v1", NOTHING);
	int two = put(s, A, "k", "v2", one);
	put(s, A, "k", "v3", two);
	run(s, 20);
	assert_int_equal(hints_on(s, A), 3);
	node_starts(s, C);
	run(s, 10);
	chapter(s);
	run(s, 2000);
	expect(s, "[205] A > put k v3 to C\n"
	          "[206] C > store k v3\n"
	          "[208] C < stored\n"
	          "[209] A < ack C    A > drop hint for C, drop hint for C, drop hint for C\n");
}

/* Its hint was for the write that is there; a newer write has a hint of its own. */
static void a_write_during_the_delivery_keeps_its_own_hint(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	node_dies(s, C);
	run(s, 5);
	int one = put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	node_starts(s, C);
	s->node[C].disk_us = ms(100);
	while (metrics_of(s, C).replica_puts == 0) run(s, 1);
	s->cut[A][C] = true; /* the second write does not reach it */
	client_put(s, A, "k", "v2", one);
	run(s, 200);
	s->cut[A][C] = false;
	run(s, 5000);
	assert_string_equal(held(s, C, "k"), "v2");
	assert_int_equal(hints_on(s, A), 0);
}

static void two_primaries_down_get_a_hint_each(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	node_dies(s, B);
	node_dies(s, C);
	run(s, 5);
	untold(s);
	s->next.w = 1;
	client_put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	expect(s, "[  5] A < put k v1    A > store k v1, hint for B, hint for C\n"
	          "[  7] A < stored    A > reply stored\n");
	node_starts(s, C);
	run(s, 5000);
	assert_int_equal(hints_on(s, A), 1); /* for B, still */
	assert_string_equal(held(s, C, "k"), "v1");
	node_starts(s, B);
	run(s, 5000);
	assert_int_equal(hints_on(s, A), 0);
	assert_string_equal(held(s, B, "k"), "v1");
}

/* The disk gives an error when the hints are counted, once: they are there all the same. */
static void hints_that_could_not_be_counted_at_the_start_are_found_later(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	node_dies(s, C);
	run(s, 5);
	put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	node_dies(s, A);
	node_starts(s, A);
	store_mem_fail_reads(s->node[A].store, 1);
	run(s, 1000);
	assert_int_equal(hints_on(s, A), 1);
	node_starts(s, C);
	run(s, 60000);
	assert_string_equal(held(s, C, "k"), "v1");
	assert_int_equal(hints_on(s, A), 0);
	assert_int_equal(metrics_of(s, A).hints, 0);
}

static uint64_t lag(struct story *s, int of, int peer)
{
	return node_lag_ms(s->node[of].node, s->node[peer].id);
}

static void a_member_lags_by_the_age_of_the_oldest_write_that_it_missed(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	assert_int_equal(lag(s, A, C), 0);
	node_dies(s, C);
	run(s, 5);
	put(s, A, "k", "v1", NOTHING);
	run(s, 5000);
	put(s, A, "later", "v2", NOTHING);
	run(s, 1000);
	assert_in_range(lag(s, A, C), 5900, 6100);
	assert_int_equal(lag(s, A, B), 0);
	assert_int_equal(lag(s, B, C), 0); /* it keeps nothing for it */
	node_starts(s, C);
	run(s, 4000);
	assert_int_equal(lag(s, A, C), 0);
}

static void what_is_left_for_a_member_decides_its_lag(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	node_dies(s, B);
	run(s, 5);
	put(s, A, "k", "v1", NOTHING); /* for B, which stays away */
	run(s, 3000);
	cut(s, A, C, true);
	untold(s);
	s->next.w = 1;
	put(s, A, "k2", "v2", NOTHING);
	run(s, 3000);
	assert_in_range(lag(s, A, C), 2900, 3600);
	cut(s, A, C, false);
	connect_all(s, A);
	run(s, 10000);
	assert_int_equal(lag(s, A, C), 0);
	assert_in_range(lag(s, A, B), 15900, 17000);
}

static void a_restart_does_not_forget_how_far_a_member_is_behind(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	node_dies(s, C);
	run(s, 5);
	put(s, A, "k", "v1", NOTHING);
	run(s, 2000);
	node_dies(s, A);
	node_starts(s, A);
	run(s, 5000);
	assert_in_range(lag(s, A, C), 6900, 7200);
	node_starts(s, C);
	run(s, 5000);
	assert_int_equal(lag(s, A, C), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_hint_for_a_primary_that_is_down_is_in_the_batch_of_the_write),
		STORY(a_hint_is_delivered_on_return_and_dropped_on_confirmation),
		STORY(a_primary_that_is_only_late_gets_a_hint_too),
		STORY(a_hint_whose_confirmation_is_lost_is_kept_and_sent_again),
		STORY(a_hint_is_kept_while_its_primary_cannot_store),
		STORY(hints_for_one_key_are_one_delivery_of_what_is_there_now),
		STORY(a_write_during_the_delivery_keeps_its_own_hint),
		STORY(two_primaries_down_get_a_hint_each),
		STORY(a_member_lags_by_the_age_of_the_oldest_write_that_it_missed),
		STORY(what_is_left_for_a_member_decides_its_lag),
		STORY(a_restart_does_not_forget_how_far_a_member_is_behind),
		STORY(hints_that_could_not_be_counted_at_the_start_are_found_later),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
