/* test_memory.c - nodes that forgot: a disk put back from an older copy, a record lost without a trace, a
 * disk that was full for one write. Among these are the ways in which Riak lost acknowledged writes,
 * by the number of its issue (riak_kv). Keys are in one partition, whose primaries are A, B and C. */
#include "tests/scenario/story.h"

/* The record vanishes without a trace. */
static void lose(struct story *s, int node, const char *key)
{
	uint8_t to[264];
	struct store_op op = {.family = STORE_OBJECTS, .key = object_key(to, key)};
	struct store_batch batch = {&op, 1};
	assert_int_equal(store_write(s->node[node].store, &batch, 1), ERR_OK);
}

/* The node dies, and starts with its disk as it was when the copy was taken. Ends the copy. */
static void starts_on_old_copy(struct story *s, int node, struct store *copy)
{
	node_dies(s, node);
	run(s, 10);
	store_mem_restore(s->node[node].store, copy);
	store_close(copy);
	node_starts(s, node);
}

static struct store *copy_of(struct story *s, int node)
{
	return store_mem_clone(s->node[node].store);
}

/* B holds old values in its copy; the others hold the new ones, and know B's later beats. */
static struct store *begin_with_a_copy_of_b(struct story *s)
{
	begin(s, 3);
	int one = put(s, A, "k", "v1", NOTHING);
	run(s, 2500);
	struct store *copy = copy_of(s, B);
	put(s, A, "k", "v2", one);
	put(s, A, "new", "n1", NOTHING);
	run(s, 2500);
	return copy;
}

/* ---- old copies ------------------------------------------------------------------------------- */

static void a_cleanly_stopped_disk_put_back_from_an_older_copy_is_found_out(void **state)
{
	struct story *s = *state;
	struct store *copy = begin_with_a_copy_of_b(s);
	starts_on_old_copy(s, B, copy);
	assert_string_equal(held(s, B, "k"), "v1");
	assert_string_equal(held(s, B, "new"), "nothing");
	run(s, 100);
	assert_int_equal(metrics_of(s, B).old_copies, 1);
	run(s, 30000);
	assert_int_equal(metrics_of(s, B).verified_partitions, 1);
	assert_string_equal(held(s, B, "k"), "v2");
	assert_string_equal(held(s, B, "new"), "n1");
	assert_int_equal(metrics_of(s, B).suspect_partitions, 0);
	assert_int_equal(metrics_of(s, B).memory_confirmed, 1);
	node_dies(s, B); /* and it is known to be whole from here on */
	run(s, 10);
	node_starts(s, B);
	run(s, 2000);
	assert_int_equal(metrics_of(s, B).old_copies, 0);
	assert_int_equal(metrics_of(s, B).suspect_partitions, 0);
}

static void a_restart_with_its_own_disk_is_confirmed_at_once(void **state)
{
	struct story *s = *state;
	store_close(begin_with_a_copy_of_b(s));
	node_dies(s, B);
	run(s, 10);
	node_starts(s, B);
	run(s, 20);
	assert_int_equal(metrics_of(s, B).memory_confirmed, 1);
	s->next.r = 3;
	s->next.pr = 3;
	expect_answer(s, get(s, A, "k"), "v2");
	assert_int_equal(metrics_of(s, B).old_copies, 0);
}

/* It cannot know better, so it says so: what it finds is shown, what it misses counts for nothing. */
static void who_reaches_nobody_after_its_start_vouches_for_nothing(void **state)
{
	struct story *s = *state;
	struct store *copy = begin_with_a_copy_of_b(s);
	cut(s, B, A, true);
	cut(s, B, C, true);
	starts_on_old_copy(s, B, copy);
	run(s, 2000);
	assert_int_equal(metrics_of(s, B).memory_confirmed, 0);
	s->next.r = 1;
	expect_answer(s, get(s, B, "k"), "v1");
	s->next.r = 1;
	expect_answer(s, get(s, B, "new"), "R_UNMET 0/1");
	s->next.r = 1;
	s->next.pr = 1;
	expect_answer(s, get(s, B, "k"), "PR_UNMET 0/1");
}

/* It mints nothing meanwhile; and time alone must not make its disk look like the one that the others
 * remember. */
static void an_old_copy_that_ran_on_alone_and_died_is_found_out_still(void **state)
{
	struct story *s = *state;
	struct store *copy = begin_with_a_copy_of_b(s);
	cut(s, B, A, true);
	cut(s, B, C, true);
	starts_on_old_copy(s, B, copy);
	for (int i = 0; i < 10; i++) {
		s->next.w = 1;
		expect_answer(s, put(s, B, "alone", "a", NOTHING), "NOT_READY, none");
		run(s, 2000);
	}
	node_dies(s, B);
	run(s, 10);
	cut(s, B, A, false);
	cut(s, B, C, false);
	node_starts(s, B);
	run(s, 100);
	assert_int_equal(metrics_of(s, B).old_copies, 1);
	run(s, 30000);
	assert_string_equal(held(s, B, "new"), "n1");
}

/* B and D are alone together, and D has heard nothing of B since the copy was taken: two of five cannot
 * confirm it. What it stores for D must not bring it to where the others remember it. */
static void an_old_copy_that_stored_for_others_is_found_out_still(void **state)
{
	static const int away[] = {A, C, E};
	struct story *s = *state;
	begin(s, 5);
	int one = put(s, A, "k", "v1", NOTHING);
	run(s, 2500);
	struct store *copy = copy_of(s, B);
	cut(s, B, D, true);
	put(s, A, "k", "v2", one);
	run(s, 2500);
	cut(s, B, D, false);
	for (int i = 0; i < 3; i++) {
		cut(s, B, away[i], true);
		cut(s, D, away[i], true);
	}
	starts_on_old_copy(s, B, copy);
	run(s, 2000);
	for (int i = 0; i < 10; i++) {
		s->next.w = 1;
		expect_answer(s, put(s, D, "other", "o", NOTHING), "stored, fallbacks 1");
		run(s, 1500);
	}
	assert_int_equal(metrics_of(s, B).memory_confirmed, 0);
	node_dies(s, B);
	run(s, 10);
	for (int i = 0; i < 3; i++) {
		cut(s, B, away[i], false);
		cut(s, D, away[i], false);
	}
	node_starts(s, B);
	run(s, 100);
	assert_int_equal(metrics_of(s, B).old_copies, 1);
}

static void an_old_copy_is_found_out_after_all_died_too(void **state)
{
	struct story *s = *state;
	struct store *copy = begin_with_a_copy_of_b(s);
	node_dies(s, A);
	node_dies(s, C);
	run(s, 2000);
	starts_on_old_copy(s, B, copy);
	node_starts(s, A);
	run(s, 1000);
	assert_int_equal(metrics_of(s, B).old_copies, 1);
	assert_true(metrics_of(s, B).suspect_partitions > 0); /* C may know more */
	node_starts(s, C);
	run(s, 30000);
	assert_string_equal(held(s, B, "new"), "n1");
	assert_int_equal(metrics_of(s, B).suspect_partitions, 0);
}

/* It dies again before its partitions are verified: they stay suspect. */
static void that_a_copy_is_old_is_not_forgotten(void **state)
{
	struct story *s = *state;
	struct store *copy = begin_with_a_copy_of_b(s);
	node_dies(s, C);
	starts_on_old_copy(s, B, copy);
	run(s, 2000);
	assert_int_equal(metrics_of(s, B).old_copies, 1);
	node_dies(s, B);
	run(s, 10);
	node_starts(s, B);
	run(s, 2000);
	assert_int_equal(metrics_of(s, B).old_copies, 0); /* the copy that the others know of now */
	assert_int_equal(metrics_of(s, B).memory_confirmed, 1);
	assert_true(metrics_of(s, B).suspect_partitions > 0);
	node_starts(s, C);
	run(s, 30000);
	assert_string_equal(held(s, B, "k"), "v2");
	assert_int_equal(metrics_of(s, B).suspect_partitions, 0);
}

/* Nodes that formed by themselves, so with 16 partitions. */
static void begin_formed(struct story *s, int nodes, const char *join)
{
	s->join = join;
	s->expect = (uint32_t)nodes;
	story_init(s, nodes);
	s->quiet = true;
	for (int i = 0; i < nodes; i++) node_starts(s, i);
}

/* Without its vote it would wait for a layout that it knows nothing of, for ever. */
static void a_copy_from_before_its_node_voted_takes_the_layout_of_the_others(void **state)
{
	struct story *s = *state;
	begin_formed(s, 3, "ABC");
	run_us(s, 2500); /* its identity is durable, and nothing else */
	struct store *copy = copy_of(s, B);
	run(s, 5000);
	assert_true(node_is_ready(s->node[B].node));
	expect_answer(s, put(s, A, "k", "v1", NOTHING), "stored");
	run(s, 2500);
	starts_on_old_copy(s, B, copy);
	assert_null(node_layout(s->node[B].node));
	run(s, 30000);
	assert_true(node_is_ready(s->node[B].node));
	assert_int_equal(metrics_of(s, B).old_copies, 1);
	assert_int_equal(metrics_of(s, B).suspect_partitions, 0);
	assert_string_equal(held(s, B, "k"), "v1");
}

/* Partitions of this node that the other one holds too. */
static uint32_t shared(struct story *s, int node, int other)
{
	const struct layout *l = node_layout(s->node[node].node);
	uint32_t x = (uint32_t)layout_find(l, s->node[node].id);
	uint32_t y = (uint32_t)layout_find(l, s->node[other].id), count = 0;
	for (uint32_t p = 0; p < l->partitions; p++)
		count += ring_is_primary(l, (struct partition_id){p}, l->replicas, x) &&
		         ring_is_primary(l, (struct partition_id){p}, l->replicas, y);
	return count;
}

static void a_partition_whose_other_replica_is_silent_keeps_none_of_the_others_waiting(void **state)
{
	struct story *s = *state;
	begin_formed(s, 5, "ABCDE");
	run(s, 8000);
	for (int i = A; i <= E; i++) put(s, i, "k", "v", NOTHING);
	run(s, 2500);
	struct store *copy = copy_of(s, A);
	for (int i = A; i <= E; i++) put(s, i, "k", "v", NOTHING);
	run(s, 2500);
	node_dies(s, E);
	starts_on_old_copy(s, A, copy);
	run(s, 60000);
	uint32_t waiting = shared(s, A, E);
	assert_true(waiting > 0);
	assert_int_equal(metrics_of(s, A).suspect_partitions, waiting);
	node_starts(s, E);
	run(s, 60000);
	assert_int_equal(metrics_of(s, A).suspect_partitions, 0);
}

/* ---- what others lost data to ------------------------------------------------------------------- */

/* The coordinator forgot the key; were its actor the same, v2 would bear v1's name. */
static void riak_679_a_lost_key_then_a_blind_write(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put(s, A, "k", "v1", NOTHING);
	run(s, 100);
	node_dies(s, A);
	run(s, 10);
	lose(s, A, "k");
	node_starts(s, A);
	run(s, 100);
	put(s, A, "k", "v2", NOTHING);
	run(s, 100);
	s->next.r = 3;
	expect_answer(s, get(s, B, "k"), "v1|v2");
	run(s, 100);
	for (int i = A; i <= C; i++) assert_string_equal(held(s, i, "k"), "v1|v2");
}

/* B never stored v1 though it saw it; what it writes next covers nothing of it. */
static void riak_679_a_lost_replica_write(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	int one = put(s, B, "k", "v1", NOTHING);
	run(s, 100);
	put(s, B, "k", "v2", one);
	run(s, 100);
	node_dies(s, B);
	run(s, 10);
	lose(s, B, "k");
	node_starts(s, B);
	run(s, 100);
	put(s, B, "k", "v3", one); /* it has seen v1 only */
	run(s, 100);
	s->next.r = 3;
	expect_answer(s, get(s, A, "k"), "v2|v3");
}

static void riak_679_a_restored_backup(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put(s, A, "k", "v1", NOTHING);
	run(s, 2500);
	struct store *copy = copy_of(s, A);
	int two = put(s, A, "k", "v2", NOTHING);
	put(s, A, "k", "v3", two);
	run(s, 2500);
	starts_on_old_copy(s, A, copy);
	assert_string_equal(held(s, A, "k"), "v1");
	run(s, 10);
	put(s, A, "k", "v4", NOTHING);
	run(s, 30000);
	s->next.r = 3;
	expect_answer(s, get(s, C, "k"), "v1|v3|v4");
	for (int i = A; i <= C; i++) assert_string_equal(held(s, i, "k"), "v1|v3|v4");
}

/* The key is deleted, forgotten at the coordinator, and written anew; a tombstone that comes late must
 * not cover what was written after it by an actor that began anew. */
static void riak_1094_the_doomstone(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	int one = put(s, A, "k", "v1", NOTHING);
	run(s, 100);
	cut(s, A, C, true);
	cut(s, B, C, true);
	del(s, A, "k", one);
	run(s, 100);
	node_dies(s, A);
	node_dies(s, B);
	run(s, 10);
	cut(s, A, C, false);
	cut(s, B, C, false);
	lose(s, A, "k");
	node_starts(s, A);
	run(s, 100);
	s->next.w = 1;
	put(s, A, "k", "v2", NOTHING);
	run(s, 100);
	node_starts(s, B); /* brings the tombstone */
	run(s, 5000);
	s->next.r = 3;
	int all = get(s, C, "k");
	expect_answer(s, all, "deleted|v2");
	run(s, 100);
	for (int i = A; i <= C; i++) assert_string_equal(held(s, i, "k"), "deleted|v2");
}

/* Its answer is late, not lost, and nobody else is asked to write it again: one sibling, not two. */
static void riak_1046_a_write_is_coordinated_once(void **state)
{
	struct story *s = *state;
	begin(s, 4); /* D is no primary: it forwards */
	net_delay(s, A, D, ms(400));
	s->next.timeout_us = ms(300);
	int slow = put(s, D, "k", "v1", NOTHING);
	run(s, 5000);
	s->next.r = 3;
	expect_answer(s, get(s, B, "k"), "v1");
	expect_answer(s, slow, "TIMEOUT, unknown");
}

static void riak_746_interleaved_writers(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	int mine = put(s, A, "k", "m0", NOTHING), theirs = put(s, A, "k", "t0", NOTHING);
	for (int i = 0; i < 10; i++) {
		mine = put(s, A, "k", "m", mine);
		theirs = put(s, A, "k", "t", theirs);
		run(s, 20);
		assert_string_equal(held(s, B, "k"), "m|t");
	}
}

/* The failed write's dot may be known to others; the next one is another actor's, and covers nothing. */
static void a_disk_full_for_one_write_costs_an_actor_and_no_value(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put(s, A, "k", "v1", NOTHING);
	run(s, 100);
	uint64_t actors = metrics_of(s, A).actors_drawn;
	store_mem_set_full(s->node[A].store, true);
	put(s, A, "k", "v2", NOTHING);
	store_mem_set_full(s->node[A].store, false);
	run(s, 5000);
	assert_int_equal(metrics_of(s, A).actors_drawn, actors + 1);
	put(s, A, "k", "v3", NOTHING);
	run(s, 5000);
	s->next.r = 3;
	expect_answer(s, get(s, B, "k"), "v1|v2|v3");
	run(s, 100);
	for (int i = A; i <= C; i++) assert_string_equal(held(s, i, "k"), "v1|v2|v3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_cleanly_stopped_disk_put_back_from_an_older_copy_is_found_out),
		STORY(a_restart_with_its_own_disk_is_confirmed_at_once),
		STORY(who_reaches_nobody_after_its_start_vouches_for_nothing),
		STORY(an_old_copy_that_ran_on_alone_and_died_is_found_out_still),
		STORY(an_old_copy_that_stored_for_others_is_found_out_still),
		STORY(an_old_copy_is_found_out_after_all_died_too),
		STORY(that_a_copy_is_old_is_not_forgotten),
		STORY(a_copy_from_before_its_node_voted_takes_the_layout_of_the_others),
		STORY(a_partition_whose_other_replica_is_silent_keeps_none_of_the_others_waiting),
		STORY(riak_679_a_lost_key_then_a_blind_write),
		STORY(riak_679_a_lost_replica_write),
		STORY(riak_679_a_restored_backup),
		STORY(riak_1094_the_doomstone),
		STORY(riak_1046_a_write_is_coordinated_once),
		STORY(riak_746_interleaved_writers),
		STORY(a_disk_full_for_one_write_costs_an_actor_and_no_value),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
