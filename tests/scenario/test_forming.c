/* test_forming.c - how nodes that know each other's addresses become one cluster, whatever dies on the
 * way, and how a node alone becomes one of its own. */
#include "tests/scenario/story.h"

static void begin_forming(struct story *s, int nodes, const char *join, uint32_t expect_count)
{
	s->join = join;
	s->expect = expect_count;
	story_init(s, nodes);
	s->quiet = true;
	for (int i = 0; i < nodes; i++) node_starts(s, i);
}

static bool all_ready(struct story *s)
{
	for (int i = 0; i < s->nodes; i++)
		if (s->node[i].node == NULL || !node_is_ready(s->node[i].node)) return false;
	return true;
}

static void run_until_ready(struct story *s)
{
	for (int i = 0; i < 300 && !all_ready(s); i++) run(s, 100);
	for (int i = 0; i < s->nodes; i++)
		if (!node_is_ready(s->node[i].node))
			fail_msg("%s: %s", s->node[i].name, node_trouble(s->node[i].node));
}

static void read_layout(struct story *s, int node, uint8_t hash[LAYOUT_HASH_BYTES])
{
	struct bytes value;
	void *handle;
	assert_int_equal(
		store_read(s->node[node].store, STORE_META, BYTES("layout"), false, &value, &handle),
		ERR_OK);
	layout_hash(value, hash);
	store_release(handle);
}

/* All nodes have the same layout, durably, and serve. */
static void expect_one_cluster(struct story *s)
{
	uint8_t first[LAYOUT_HASH_BYTES], other[LAYOUT_HASH_BYTES];
	read_layout(s, 0, first);
	for (int i = 1; i < s->nodes; i++) {
		read_layout(s, i, other);
		assert_memory_equal(first, other, sizeof first);
	}
	run(s, 2000); /* until all know that all are up */
	expect_answer(s, put(s, 0, "k", "v1", NOTHING), "stored");
	run(s, 20);
	for (int i = 0; i < s->nodes; i++) expect_answer(s, get(s, i, "k"), "v1");
}

static void three_nodes_with_one_list_form_one_cluster(void **state)
{
	struct story *s = *state;
	begin_forming(s, 3, "ABC", 3);
	run_until_ready(s);
	expect_one_cluster(s);
	const struct layout *l = node_layout(s->node[B].node);
	assert_int_equal(l->member_count, 3);
	assert_int_equal(l->replicas, 3);
	assert_int_equal(l->partitions, 16);
	assert_int_equal(l->epoch.v, 1);
}

static void a_node_without_a_list_forms_a_cluster_of_its_own(void **state)
{
	struct story *s = *state;
	begin_forming(s, 1, "", 1);
	run_until_ready(s);
	expect_one_cluster(s);
	assert_int_equal(node_layout(s->node[A].node)->replicas, 1);
	node_dies(s, A);
	node_starts(s, A);
	run_until_ready(s);
	run(s, 2000);
	expect_answer(s, get(s, A, "k"), "v1");
}

static void until_it_is_formed_a_node_refuses_and_says_why(void **state)
{
	struct story *s = *state;
	begin_forming(s, 2, "ABC", 3);
	run(s, 5000);
	assert_false(node_is_ready(s->node[A].node));
	assert_null(node_layout(s->node[A].node));
	expect_answer(s, client_put(s, A, "k", "v1", NOTHING), "NOT_READY, none");
	expect_answer(s, client_get(s, B, "k"), "NOT_READY, none");
	assert_non_null(strstr(node_trouble(s->node[A].node), "as many nodes as `expect`"));
}

static void a_minority_of_the_list_does_not_form(void **state)
{
	struct story *s = *state;
	begin_forming(s, 2, "ABCD", 2);
	run(s, 5000);
	assert_false(node_is_ready(s->node[A].node) || node_is_ready(s->node[B].node));
	assert_non_null(strstr(node_trouble(s->node[A].node), "more than half"));
}

static void a_node_that_comes_late_takes_part(void **state)
{
	struct story *s = *state;
	begin_forming(s, 3, "ABC", 3);
	node_dies(s, C);
	run(s, 5000);
	assert_false(node_is_ready(s->node[A].node));
	node_starts(s, C);
	run_until_ready(s);
	expect_one_cluster(s);
}

static void a_formed_cluster_comes_back_as_it_was(void **state)
{
	struct story *s = *state;
	uint8_t before[LAYOUT_HASH_BYTES], after[LAYOUT_HASH_BYTES];
	begin_forming(s, 3, "ABC", 3);
	run_until_ready(s);
	read_layout(s, A, before);
	for (int i = 0; i < 3; i++) node_dies(s, i);
	run(s, 10);
	for (int i = 0; i < 3; i++) node_starts(s, i);
	run_until_ready(s);
	read_layout(s, A, after);
	assert_memory_equal(before, after, sizeof before);
	expect_one_cluster(s);
}

static void a_partition_of_the_network_while_forming_only_delays_it(void **state)
{
	struct story *s = *state;
	for (uint64_t cut_at = 240; cut_at < 280; cut_at += 2) {
		begin_forming(s, 3, "ABC", 3);
		run(s, cut_at);
		cut(s, A, B, true);
		cut(s, B, C, true);
		run(s, 4000);
		cut(s, A, B, false);
		cut(s, B, C, false);
		run_until_ready(s);
		expect_one_cluster(s);
		story_end(s);
	}
}

/* Every node dies once at every store write that it makes until the cluster stands: before it is
 * durable, or after, and before anybody hears of it. */
static uint32_t form_with_a_death(struct story *s, int who, uint32_t write, bool durable)
{
	s->node[who].dies_at_write = write;
	s->node[who].durable_then = durable;
	begin_forming(s, 3, "ABC", 3);
	for (int i = 0; i < 100 && s->node[who].node != NULL && !all_ready(s); i++) run(s, 100);
	uint32_t writes = s->node[who].writes;
	s->node[who].dies_at_write = 0;
	if (s->node[who].node == NULL) node_starts(s, who);
	run_until_ready(s);
	expect_one_cluster(s);
	return writes;
}

static void a_death_at_any_store_write_of_any_node_does_not_hinder_it(void **state)
{
	struct story *s = *state;
	for (int who = A; who <= C; who++)
		for (int durable = 0; durable <= 1; durable++) {
			uint32_t reached = 0;
			for (uint32_t write = 1; write <= 6; write++) {
				if (form_with_a_death(s, who, write, durable != 0) >= write) reached++;
				story_end(s);
			}
			assert_in_range(reached, 3, 6); /* identity, vote and layout at least */
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(three_nodes_with_one_list_form_one_cluster),
		STORY(a_node_without_a_list_forms_a_cluster_of_its_own),
		STORY(until_it_is_formed_a_node_refuses_and_says_why),
		STORY(a_minority_of_the_list_does_not_form),
		STORY(a_node_that_comes_late_takes_part),
		STORY(a_formed_cluster_comes_back_as_it_was),
		STORY(a_partition_of_the_network_while_forming_only_delays_it),
		STORY(a_death_at_any_store_write_of_any_node_does_not_hinder_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
