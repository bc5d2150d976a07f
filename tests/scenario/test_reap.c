/* test_reap.c - tombstones go, in rounds, and what they covered does not come back. Keys are in one
 * partition, whose primaries are A, B and C. A round may begin every second. */
#include "tests/scenario/story.h"

static struct node_reaping reaping_of(struct story *s, int node)
{
	struct node_reaping r;
	node_reaping(s->node[node].node, &r);
	return r;
}

static void begin_reaping(struct story *s, int nodes)
{
	s->reap_period_us = ms(1000);
	begin(s, nodes);
}

static void a_tombstone_is_reaped_on_all_and_the_key_stays_deleted(void **state)
{
	struct story *s = *state;
	begin_reaping(s, 3);
	int one = put(s, A, "k", "v1", NOTHING);
	del(s, B, "k", one);
	run(s, 100);
	for (int i = A; i <= C; i++) assert_string_equal(held(s, i, "k"), "deleted");
	run(s, 10000);
	for (int i = A; i <= C; i++) assert_string_equal(held(s, i, "k"), "nothing");
	expect_answer(s, get(s, B, "k"), "nothing");
	for (int i = A; i <= C; i++) node_dies(s, i);
	run(s, 10);
	for (int i = A; i <= C; i++) node_starts(s, i);
	run(s, 5000);
	s->next.r = 3;
	expect_answer(s, get(s, C, "k"), "nothing");
}

/* Put and deleted while C is away, which holds nothing of it, or the value that the tombstone covers. */
static void a_round_waits_for_a_member_that_is_silent_and_says_for_whom(void **state)
{
	struct story *s = *state;
	begin_reaping(s, 3);
	int one = put(s, A, "k", "v1", NOTHING);
	run(s, 100);
	node_dies(s, C);
	run(s, 3000);
	del(s, A, "k", one);
	run(s, 20000);
	assert_string_equal(held(s, A, "k"), "deleted");
	assert_string_equal(held(s, B, "k"), "deleted");
	assert_string_equal(held(s, C, "k"), "v1");
	struct node_reaping a = reaping_of(s, A), b = reaping_of(s, B);
	struct node_id waits_for = a.step != REAP_IDLE ? a.waits_for : b.waits_for;
	assert_true(a.step != REAP_IDLE || b.step != REAP_IDLE);
	assert_true(waits_for.v == s->node[C].id.v);
	node_starts(s, C);
	run(s, 20000);
	for (int i = A; i <= C; i++) assert_string_equal(held(s, i, "k"), "nothing");
	s->next.r = 3;
	expect_answer(s, get(s, B, "k"), "nothing");
}

/* It is within what clocks may be apart, but what expires by the horizon has not expired there yet. */
static void a_round_waits_for_a_clock_that_has_not_come_to_its_horizon(void **state)
{
	struct story *s = *state;
	begin_reaping(s, 3);
	for (int i = A; i <= B; i++) s->node[i].wall_ms = 8000;
	run(s, 1000);
	int one = put(s, A, "k", "v1", NOTHING);
	del(s, A, "k", one);
	run(s, 6000);
	for (int i = A; i <= C; i++) assert_string_equal(held(s, i, "k"), "deleted");
	run(s, 15000);
	for (int i = A; i <= C; i++) assert_string_equal(held(s, i, "k"), "nothing");
}

/* Hours later, from a disk that was put back: all others have forgotten that it was ever there. */
static void what_an_old_copy_brings_back_is_forgotten(void **state)
{
	struct story *s = *state;
	begin_reaping(s, 3);
	int one = put(s, A, "k", "v1", NOTHING);
	put(s, A, "live", "l1", NOTHING);
	run(s, 2500);
	struct store *copy = store_mem_clone(s->node[C].store);
	del(s, A, "k", one);
	run(s, 20000);
	for (int i = A; i <= C; i++) assert_string_equal(held(s, i, "k"), "nothing");
	node_dies(s, C);
	run(s, 10);
	store_mem_restore(s->node[C].store, copy);
	store_close(copy);
	node_starts(s, C);
	assert_string_equal(held(s, C, "k"), "v1");
	run(s, 30000);
	assert_int_equal(metrics_of(s, C).old_copies, 1);
	assert_int_equal(metrics_of(s, C).suspect_partitions, 0);
	for (int i = A; i <= C; i++) {
		assert_string_equal(held(s, i, "k"), "nothing");
		assert_string_equal(held(s, i, "live"), "l1");
	}
}

/* Before it has verified anything: who vouches and has nothing of it decides. */
static void what_an_old_copy_finds_is_not_shown_beside_one_who_knows(void **state)
{
	struct story *s = *state;
	begin_reaping(s, 3);
	int one = put(s, A, "k", "v1", NOTHING);
	run(s, 2500);
	struct store *copy = store_mem_clone(s->node[C].store);
	del(s, A, "k", one);
	run(s, 20000);
	node_dies(s, C);
	run(s, 10);
	store_mem_restore(s->node[C].store, copy);
	store_close(copy);
	cut(s, B, C, true); /* it cannot verify */
	node_starts(s, C);
	run(s, 3000);
	assert_string_equal(held(s, C, "k"), "v1");
	s->next.r = 2;
	expect_answer(s, get(s, A, "k"), "nothing");
	assert_string_equal(held(s, A, "k"), "nothing");
	assert_string_equal(held(s, B, "k"), "nothing");
}

/* With two replicas of a key the third node of the partition knows nothing of it, and vouches for that. */
static void an_old_copy_keeps_what_the_key_s_other_replica_holds(void **state)
{
	struct story *s = *state;
	s->n_val = 2;
	begin_reaping(s, 3);
	put(s, A, "live", "l1", NOTHING);
	int one = put(s, B, "k", "v1", NOTHING);
	run(s, 2500);
	struct store *copy = store_mem_clone(s->node[A].store);
	del(s, B, "k", one);
	run(s, 20000);
	assert_string_equal(held(s, B, "k"), "nothing");
	assert_string_equal(held(s, C, "live"), "nothing");
	node_dies(s, A);
	run(s, 10);
	store_mem_restore(s->node[A].store, copy);
	store_close(copy);
	node_starts(s, A);
	run(s, 30000);
	assert_int_equal(metrics_of(s, A).suspect_partitions, 0);
	assert_string_equal(held(s, A, "live"), "l1");
	assert_string_equal(held(s, A, "k"), "nothing");
}

/* A's disk as it was when it kept a hint for C: by now all have forgotten that the key was ever there. */
static void a_hint_of_an_old_copy_brings_nothing_back(void **state)
{
	struct story *s = *state;
	begin_reaping(s, 3);
	node_dies(s, C);
	run(s, 2500);
	int one = put(s, A, "k", "v1", NOTHING);
	run(s, 2500);
	assert_int_equal(metrics_of(s, A).hints, 1);
	struct store *copy = store_mem_clone(s->node[A].store);
	node_starts(s, C);
	run(s, 5000);
	assert_string_equal(held(s, C, "k"), "v1");
	del(s, B, "k", one);
	run(s, 20000);
	assert_string_equal(held(s, C, "k"), "nothing");
	node_dies(s, A);
	run(s, 10);
	store_mem_restore(s->node[A].store, copy);
	store_close(copy);
	node_starts(s, A);
	for (int i = 0; i < 300; i++) {
		run(s, 100);
		assert_string_equal(held(s, C, "k"), "nothing");
	}
	assert_int_equal(metrics_of(s, A).hints, 0);
	assert_string_equal(held(s, A, "k"), "nothing");
}

/* The whole cluster restarts, and one disk is put back: the horizon was durable. */
static void a_horizon_outlives_the_whole_cluster(void **state)
{
	struct story *s = *state;
	begin_reaping(s, 3);
	int one = put(s, A, "k", "v1", NOTHING);
	run(s, 2500);
	struct store *copy = store_mem_clone(s->node[C].store);
	del(s, A, "k", one);
	run(s, 20000);
	struct hlc horizon = reaping_of(s, A).horizon;
	for (int i = A; i <= C; i++) node_dies(s, i);
	run(s, 10);
	store_mem_restore(s->node[C].store, copy);
	store_close(copy);
	for (int i = A; i <= C; i++) node_starts(s, i);
	run(s, 30000);
	for (int i = A; i <= C; i++) {
		assert_true(reaping_of(s, i).horizon.v >= horizon.v);
		assert_string_equal(held(s, i, "k"), "nothing");
	}
}

/* Let time pass, but not longer than until the round is at this step. */
static void run_until_step(struct story *s, int proposer, enum reap_step step, uint64_t for_ms)
{
	for (uint64_t i = 0; i < for_ms && reaping_of(s, proposer).step != step; i++) run(s, 1);
	assert_int_equal(reaping_of(s, proposer).step, step);
}

static struct compare_result compare_at(struct story *s, int node)
{
	struct event ev = {.type = EV_CLIENT_COMPARE, .compare = {.client = {99}}};
	s->compare_here = false;
	story_step(s, node, &ev);
	for (int i = 0; i < 10000 && !s->compare_here; i++) run(s, 1);
	assert_true(s->compare_here);
	assert_int_equal(s->compared.err, ERR_OK);
	return s->compared;
}

/* A and C know that the tombstone may go. B does not yet: its disk is slow. */
static void a_compare_is_as_of_one_horizon(void **state)
{
	struct story *s = *state;
	begin_reaping(s, 3);
	put(s, A, "live", "l1", NOTHING);
	del(s, A, "k", put(s, A, "k", "v1", NOTHING));
	run_until_step(s, A, REAP_IDLE, 40000); /* a round that had begun before */
	run_until_step(s, A, REAP_MATCH, 40000);
	s->node[B].disk_us = ms(3000);
	struct hlc before = reaping_of(s, B).horizon;
	run_until_step(s, A, REAP_PROVE, 40000);
	run(s, 500);
	assert_true(reaping_of(s, A).horizon.v > before.v);
	assert_string_equal(held(s, A, "k"), "deleted");
	struct compare_result by_a = compare_at(s, A);
	assert_int_equal(by_a.keys, 2); /* and one of the prologue */
	assert_int_equal(by_a.different, 0);
	assert_true(reaping_of(s, B).horizon.v == before.v);
	struct compare_result by_b = compare_at(s, B);
	assert_int_equal(by_b.keys, 2);
	assert_int_equal(by_b.different, 0);
	assert_true(reaping_of(s, B).horizon.v == before.v);
}

/* A write that was acknowledged by two fallbacks is on none of the primaries yet: were it at or below a
 * horizon, no primary would take it. */
static void a_round_waits_for_copies_that_stand_in(void **state)
{
	struct story *s = *state;
	begin_reaping(s, 5);
	del(s, A, "gone", put(s, A, "gone", "g1", NOTHING));
	for (int i = A; i <= C; i++)
		for (int j = D; j <= E; j++) cut(s, i, j, true);
	run(s, 3000);
	int one = put(s, D, "k", "v1", NOTHING);
	expect_answer(s, one, "stored, fallbacks 2");
	for (int i = A; i <= C; i++)
		for (int j = D; j <= E; j++) {
			cut(s, i, j, false);
			s->hold[j][i] = true;
		}
	run(s, 20000);
	assert_string_equal(held(s, D, "k"), "v1");
	struct node_reaping r = reaping_of(s, A);
	assert_int_equal(r.step, REAP_PROMISE);
	assert_true(r.waits_for.v == s->node[D].id.v || r.waits_for.v == s->node[E].id.v);
	assert_string_equal(held(s, A, "gone"), "deleted");
	for (int i = A; i <= C; i++)
		for (int j = D; j <= E; j++) let_go(s, j, i);
	run(s, 60000);
	for (int i = A; i <= C; i++) {
		assert_string_equal(held(s, i, "k"), "v1");
		assert_string_equal(held(s, i, "gone"), "nothing");
	}
	assert_string_equal(held(s, D, "k"), "nothing");
}

/* A's disk is full, and what it sends is long on the way: until that request has ended, none of those who
 * are to hold the write does, and nobody may say that all has been seen. */
static void a_round_waits_for_a_request_that_is_open(void **state)
{
	struct story *s = *state;
	begin_reaping(s, 3);
	del(s, B, "gone", put(s, B, "gone", "g1", NOTHING));
	s->hold[A][B] = s->hold[A][C] = true;
	store_mem_set_full(s->node[A].store, true);
	s->next.timeout_us = ms(30000);
	int one = client_put(s, A, "k", "v1", NOTHING);
	run(s, 100);
	store_mem_set_full(s->node[A].store, false);
	run(s, 10000);
	for (int i = A; i <= C; i++) assert_string_equal(held(s, i, "k"), "nothing");
	assert_string_equal(held(s, B, "gone"), "deleted");
	let_go(s, A, B);
	let_go(s, A, C);
	run(s, 40000);
	expect_answer(s, answered(s, one), "stored");
	for (int i = A; i <= C; i++) {
		assert_string_equal(held(s, i, "k"), "v1");
		assert_string_equal(held(s, i, "gone"), "nothing");
	}
}

/* A minted it in a life that it does not remember. It comes to B when C has matched with B, and A is about to:
 * B would hold what the others count as seen. */
static void a_write_from_before_a_round_is_late(void **state)
{
	struct story *s = *state;
	begin_reaping(s, 3);
	del(s, B, "gone", put(s, B, "gone", "g1", NOTHING));
	s->hold[A][B] = s->hold[A][C] = true;
	s->node[A].disk_us = ms(50);
	client_put(s, A, "k", "v1", NOTHING);
	run(s, 10);
	node_dies(s, A); /* before it is durable there */
	s->node[A].disk_us = ms(2);
	node_starts(s, A);
	net_delay(s, B, A, ms(2000)); /* A's own matching takes long */
	run_until_step(s, A, REAP_MATCH, 30000);
	run(s, 1000);
	assert_int_equal(reaping_of(s, A).step, REAP_MATCH);
	let_go(s, A, B);
	run(s, 10);
	assert_int_equal(metrics_of(s, B).writes_too_late, 1);
	net_delay(s, B, A, ms(1));
	run(s, 30000);
	for (int i = A; i <= C; i++) {
		assert_string_equal(held(s, i, "k"), "nothing");
		assert_string_equal(held(s, i, "gone"), "nothing");
	}
}

static void a_key_that_was_reaped_can_be_written_anew(void **state)
{
	struct story *s = *state;
	begin_reaping(s, 3);
	int one = put(s, A, "k", "v1", NOTHING);
	int gone = del(s, A, "k", one);
	run(s, 10000);
	put(s, B, "k", "v2", NOTHING);
	put(s, C, "k", "v3", gone); /* a context of what is no more */
	run(s, 10000);
	for (int i = A; i <= C; i++) assert_string_equal(held(s, i, "k"), "v2|v3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_tombstone_is_reaped_on_all_and_the_key_stays_deleted),
		STORY(a_round_waits_for_a_member_that_is_silent_and_says_for_whom),
		STORY(a_round_waits_for_a_clock_that_has_not_come_to_its_horizon),
		STORY(what_an_old_copy_brings_back_is_forgotten),
		STORY(what_an_old_copy_finds_is_not_shown_beside_one_who_knows),
		STORY(an_old_copy_keeps_what_the_key_s_other_replica_holds),
		STORY(a_hint_of_an_old_copy_brings_nothing_back),
		STORY(a_horizon_outlives_the_whole_cluster),
		STORY(a_compare_is_as_of_one_horizon),
		STORY(a_round_waits_for_copies_that_stand_in),
		STORY(a_round_waits_for_a_request_that_is_open),
		STORY(a_write_from_before_a_round_is_late),
		STORY(a_key_that_was_reaped_can_be_written_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
