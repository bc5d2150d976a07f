/* test_causality.c - what clients see when they write at the same time, and what must not come back. */
#include "tests/scenario/story.h"

static void the_cart_of_two_clients_keeps_what_both_put_in(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	int milk = put(s, A, "cart", "milk", NOTHING);
	int eggs = put(s, B, "cart", "eggs", NOTHING); /* another client, which saw nothing */
	int flour = put(s, A, "cart", "milk+flour", milk);
	int ham = put(s, B, "cart", "eggs+ham", eggs);
	run(s, 10);
	int all = get(s, C, "cart");
	expect_answer(s, all, "eggs+ham|milk+flour");
	put(s, C, "cart", "eggs+ham+milk+flour", all);
	run(s, 10);
	expect_answer(s, get(s, A, "cart"), "eggs+ham+milk+flour");
	put(s, A, "cart", "milk+flour+bacon", flour); /* a stale client replaces only what it saw */
	run(s, 10);
	expect_answer(s, get(s, B, "cart"), "eggs+ham+milk+flour|milk+flour+bacon");
	put(s, B, "cart", "nothing new", ham);
	run(s, 10);
	expect_answer(s, get(s, C, "cart"), "eggs+ham+milk+flour|milk+flour+bacon|nothing new");
}

static void butter_taken_out_while_a_replica_was_down_does_not_rise_from_the_dead(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	int one = put(s, A, "cart", "milk+butter", NOTHING);
	run(s, 10);
	assert_string_equal(held(s, C, "cart"), "milk+butter");
	node_dies(s, C);
	run(s, 5);
	put(s, A, "cart", "milk", one);
	run(s, 10);
	node_starts(s, C);
	run(s, 10);
	assert_string_equal(held(s, C, "cart"), "milk+butter");
	expect_answer(s, get(s, C, "cart"), "milk");
	run(s, 3000);
	for (int i = A; i <= C; i++) assert_string_equal(held(s, i, "cart"), "milk");
}

static void what_was_deleted_while_a_replica_was_down_stays_deleted(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	int one = put(s, A, "k", "v1", NOTHING);
	run(s, 10);
	node_dies(s, C);
	run(s, 5);
	expect_answer(s, del(s, B, "k", one), "stored");
	node_starts(s, C);
	run(s, 3000);
	for (int i = A; i <= C; i++) assert_string_equal(held(s, i, "k"), "deleted");
	s->next.r = QUORUM_ALL;
	expect_answer(s, get(s, C, "k"), "deleted");
}

/* It gave the key to its client as it was; a context of everything would cover the other's v1. */
static void a_writes_answer_does_not_cover_a_sibling_that_its_client_never_saw(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put(s, A, "k", "v1", NOTHING);
	run(s, 10);
	int two = put(s, A, "k", "v2", NOTHING);
	put(s, A, "k", "v3", two);
	run(s, 10);
	expect_answer(s, get(s, B, "k"), "v1|v3");
}

static void a_writer_whose_value_is_the_only_one_may_replace_it_at_another_node(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	int one = put(s, A, "k", "v1", NOTHING);
	int two = put(s, B, "k", "v2", one);
	put(s, C, "k", "v3", two);
	run(s, 10);
	expect_answer(s, get(s, A, "k"), "v3");
}

/* Each with the context of its own last answer: two siblings, not twenty. */
static void interleaved_writers_do_not_explode_siblings(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	int mine = NOTHING, theirs = NOTHING;
	for (int i = 0; i < 10; i++) {
		mine = put(s, i % 3, "k", "mine", mine);
		theirs = put(s, A, "k", "theirs", theirs);
	}
	run(s, 10);
	expect_answer(s, get(s, B, "k"), "mine|theirs");
	assert_string_equal(held(s, B, "k"), "mine|theirs");
}

static void a_stale_context_replaces_only_what_it_covers(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	int one = put(s, A, "k", "v1", NOTHING);
	put(s, B, "k", "v2", one);
	put(s, C, "k", "v3", one);
	run(s, 10);
	expect_answer(s, get(s, A, "k"), "v2|v3");
}

/* ---- deletes ---------------------------------------------------------------------------------- */

static void a_delete_without_a_context_covers_what_is_there(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put(s, A, "k", "v1", NOTHING);
	put(s, B, "k", "v2", NOTHING);
	run(s, 20);
	chapter(s);
	client_delete(s, A, "k", NOTHING);
	run(s, 20);
	expect(s, "[  0] A < delete k    A > get k to B, C\n"
	          "[  2] A < v1|v2 B    A < v1|v2 C    A > store k deleted"
	          "    A > put k deleted to B, C\n"
	          "[  3] B > store k deleted\n"
	          "[  3] C > store k deleted\n"
	          "[  4] A < stored\n"
	          "[  5] B < stored\n"
	          "[  5] C < stored\n"
	          "[  6] A < ack B    A > reply stored    A < ack C\n");
	expect_answer(s, get(s, B, "k"), "deleted");
}

static void a_delete_without_a_context_covers_also_what_only_another_node_has(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	cut(s, C, A, true);
	s->next.w = 1;
	put(s, C, "k", "v1", NOTHING);
	run(s, 5);
	cut(s, C, A, false);
	assert_string_equal(held(s, A, "k"), "nothing");
	expect_answer(s, del(s, A, "k", NOTHING), "stored");
	run(s, 3000);
	for (int i = A; i <= C; i++) assert_string_equal(held(s, i, "k"), "deleted");
}

static void a_delete_without_a_context_of_what_is_not_there_writes_nothing(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	client_delete(s, A, "k", NOTHING);
	run(s, 20);
	expect(s, "[  0] A < delete k    A > get k to B, C\n"
	          "[  2] A < NOT_FOUND B    A > reply nothing    A < NOT_FOUND C\n");
	int one = put(s, A, "k", "v1", NOTHING);
	del(s, A, "k", one);
	run(s, 20);
	chapter(s);
	client_delete(s, A, "k", NOTHING); /* deleted already */
	run(s, 20);
	expect(s, "[  0] A < delete k    A > get k to B, C\n"
	          "[  2] A < deleted B    A > reply deleted    A < deleted C\n");
}

static void a_delete_with_a_context_leaves_what_its_client_never_saw(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	int one = put(s, A, "k", "v1", NOTHING);
	put(s, B, "k", "v2", NOTHING);
	run(s, 10);
	expect_answer(s, del(s, A, "k", one), "stored");
	run(s, 10);
	int all = get(s, C, "k");
	expect_answer(s, all, "deleted|v2");
	put(s, A, "k", "v3", all);
	run(s, 10);
	assert_string_equal(held(s, B, "k"), "v3");
}

static void a_deleted_key_gives_a_context_that_a_writer_can_build_on(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	del(s, B, "k", put(s, A, "k", "v1", NOTHING));
	run(s, 10);
	int gone = get(s, C, "k");
	expect_answer(s, gone, "deleted");
	assert_true(s->answer[gone].context_len > 0);
	put(s, C, "k", "v2", gone);
	run(s, 10);
	for (int i = A; i <= C; i++) assert_string_equal(held(s, i, "k"), "v2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(the_cart_of_two_clients_keeps_what_both_put_in),
		STORY(butter_taken_out_while_a_replica_was_down_does_not_rise_from_the_dead),
		STORY(what_was_deleted_while_a_replica_was_down_stays_deleted),
		STORY(a_writes_answer_does_not_cover_a_sibling_that_its_client_never_saw),
		STORY(a_writer_whose_value_is_the_only_one_may_replace_it_at_another_node),
		STORY(interleaved_writers_do_not_explode_siblings),
		STORY(a_stale_context_replaces_only_what_it_covers),
		STORY(a_delete_without_a_context_covers_what_is_there),
		STORY(a_delete_without_a_context_covers_also_what_only_another_node_has),
		STORY(a_delete_without_a_context_of_what_is_not_there_writes_nothing),
		STORY(a_delete_with_a_context_leaves_what_its_client_never_saw),
		STORY(a_deleted_key_gives_a_context_that_a_writer_can_build_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
