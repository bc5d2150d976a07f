/* test_condition.c - conditional writes and listings over whole nodes: what a look finds, where the
 * write is judged, and what becomes of a listing whose replica goes away. */
#include "tests/scenario/story.h"

/* ---- conditional writes ------------------------------------------------------------------------ */

static int put_if(struct story *s, int node, const char *key, const char *value, uint8_t what)
{
	uint8_t to[256];
	int number = s->answers++;
	struct event ev = {.type = EV_CLIENT_REQUEST};
	ev.request.client.v = (uint64_t)number + 1;
	ev.request.request = (struct request){.op = REQUEST_PUT,
	                                      .key = full_key(to, key),
	                                      .value = bytes_of_string(value),
	                                      .options = s->next,
	                                      .conditions = {.what = what}};
	s->next = REQUEST_OPTIONS_DEFAULT;
	story_step(s, node, &ev);
	return number;
}

static void quiet_begin(struct story *s, int nodes)
{
	begin(s, nodes);
	s->quiet = true;
}

static void a_first_write_is_judged_at_the_first_primary(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	answered(s, put_if(s, C, "k", "v", IF_NONE_MATCH_ANY));
	expect_answer(s, 0, "stored");
	expect(s, "[  0] C > forward k to A\n"
	          "[  1] A < forward C    A > get k to B, C\n"
	          "[  3] A < NOT_FOUND B    A < NOT_FOUND C    A > store k v    A > put k v to B, C\n"
	          "[  4] B > store k v\n"
	          "[  4] C > store k v\n"
	          "[  5] A < stored\n"
	          "[  6] B < stored\n"
	          "[  6] C < stored\n"
	          "[  7] A < ack B    A < ack C\n"
	          "[  8] C < answer A OK    C > reply stored\n");
}

static void of_two_first_writers_one_wins(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	int one = put_if(s, B, "k", "one", IF_NONE_MATCH_ANY);
	int two = put_if(s, C, "k", "two", IF_NONE_MATCH_ANY);
	int three = put_if(s, A, "k", "three", IF_NONE_MATCH_ANY);
	run(s, 100);
	int stored = 0;
	for (int i = one; i <= three; i++) {
		stored += strcmp(answer_text(s, i), "stored") == 0;
		if (s->answer[i].reply.err != ERR_OK) expect_answer(s, i, "PRECONDITION, none");
	}
	assert_int_equal(stored, 1);
	assert_int_equal(two, one + 1);
	assert_int_equal(s->answer[get(s, B, "k")].reply.sibling_count, 1);
}

/* The look of both is over before either has its turn on the key. */
static void what_was_found_is_looked_at_again_in_its_turn(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	int one = put_if(s, A, "k", "one", IF_NONE_MATCH_ANY);
	int two = put_if(s, A, "k", "two", IF_NONE_MATCH_ANY);
	run(s, 100);
	expect_answer(s, one, "stored");
	expect_answer(s, two, "PRECONDITION, none");
}

static void a_look_without_a_majority_of_primaries_is_no_answer(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 5); /* D and E would stand in for B and C */
	put(s, A, "k", "old", NOTHING);
	run(s, 1000);
	node_dies(s, B);
	node_dies(s, C);
	run(s, 10);
	answered(s, put_if(s, A, "k", "new", IF_NONE_MATCH_ANY));
	expect_answer(s, s->answers - 1, "PR_UNMET 1/2, none");
	put(s, A, "other", "v", NOTHING); /* which a plain write does not mind */
	expect_answer(s, s->answers - 1, "stored, fallbacks 1");
	assert_string_equal(held(s, A, "k"), "old");
}

static void a_look_that_is_not_answered_in_time_is_no_answer(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	cut(s, A, B, true);
	cut(s, A, C, true);
	s->next.timeout_us = ms(300);
	int n = put_if(s, A, "k", "new", IF_NONE_MATCH_ANY);
	run(s, 400);
	expect_answer(s, n, "TIMEOUT, none");
	assert_string_equal(held(s, A, "k"), "nothing");
}

/* A has not got the value; the majority has. */
static void what_the_judge_missed_is_found_by_its_look(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	node_dies(s, A);
	run(s, 10);
	put(s, B, "k", "old", NOTHING);
	run(s, 10);
	node_starts(s, A);
	run(s, 60);
	int n = answered(s, put_if(s, A, "k", "new", IF_NONE_MATCH_ANY));
	expect_answer(s, n, "PRECONDITION, none");
}

/* ---- listings ------------------------------------------------------------------------------------- */

static void list(struct story *s, int node, const char *bucket, uint32_t most)
{
	struct event ev = {.type = EV_CLIENT_LIST};
	ev.list.client.v = 1;
	ev.list.type = BYTES("default");
	ev.list.bucket = bytes_of_string(bucket);
	ev.list.most = most;
	s->list_len = s->list_pages = 0;
	s->list_text[0] = '\0';
	s->list_done = false;
	story_step(s, node, &ev);
	for (unsigned i = 0; i < 20000 && !s->list_done; i++) run(s, 1);
	assert_true(s->list_done);
}

static uint32_t lines(const char *text)
{
	uint32_t count = 0;
	for (; *text != '\0'; text++) count += *text == '\n';
	return count;
}

static void fill(struct story *s, int count)
{
	char key[16];
	for (int i = 0; i < count; i++) {
		snprintf(key, sizeof key, "key%d", i);
		put(s, A, key, "v", NOTHING);
		if (s->answers > STORY_ANSWERS - 4) s->answers = 0, memset(s->answer, 0, sizeof s->answer);
	}
	run(s, 1000);
}

static void any_node_lists_everything_once(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 5);
	fill(s, 300);
	for (int i = 0; i < 5; i++) { /* D and E hold nothing, and ask */
		list(s, i, "b", 0);
		assert_int_equal(s->list_err, ERR_OK);
		assert_int_equal(lines(s->list_text), 301); /* the prologue's key is one of them */
	}
	list(s, D, "", 0);
	assert_string_equal(s->list_text, "b\n");
	list(s, D, "nothing", 0);
	assert_string_equal(s->list_text, "");
	list(s, D, "b", 7);
	assert_int_equal(lines(s->list_text), 7);
}

static void a_deleted_key_is_not_listed(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	put(s, A, "k1", "v", NOTHING);
	put(s, A, "k2", "v", NOTHING);
	del(s, A, "k1", NOTHING);
	del(s, A, "prologue", NOTHING);
	run(s, 10);
	list(s, B, "b", 0);
	assert_string_equal(s->list_text, "k2\n");
}

static void a_replica_that_dies_meanwhile_is_replaced(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 5);
	fill(s, 300);
	struct event ev = {.type = EV_CLIENT_LIST};
	ev.list.client.v = 1;
	ev.list.type = BYTES("default");
	ev.list.bucket = BYTES("b");
	s->list_len = 0;
	story_step(s, D, &ev); /* it asks A */
	node_dies(s, A);
	for (unsigned i = 0; i < 20000 && !s->list_done; i++) run(s, 1);
	assert_int_equal(s->list_err, ERR_OK);
	assert_int_equal(lines(s->list_text), 301);
}

static void a_silent_replica_is_given_up(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 5);
	fill(s, 20);
	cut(s, D, A, true);
	list(s, D, "b", 0);
	assert_int_equal(s->list_err, ERR_OK);
	assert_int_equal(lines(s->list_text), 21);
}

static void without_a_replica_it_says_so(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 5);
	fill(s, 20);
	for (int i = A; i <= C; i++) node_dies(s, i);
	run(s, 10);
	list(s, D, "b", 0);
	assert_int_equal(s->list_err, ERR_COVERAGE);
	assert_int_equal(lines(s->list_text), 0);
}

/* A replica that does not vouch for its memory is passed over. */
static void a_damaged_replica_is_not_believed(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	fill(s, 20);
	cut(s, A, B, true); /* so that A cannot mend it */
	cut(s, A, C, true);
	rot(s, A, "key7");
	run(s, 2000);
	list(s, A, "b", 0); /* its own first page is damaged; there is nobody else */
	assert_int_equal(s->list_err, ERR_COVERAGE);
	cut(s, A, B, false);
	cut(s, A, C, false);
	run(s, 3000);
	list(s, A, "b", 0);
	assert_int_equal(s->list_err, ERR_OK);
	assert_int_equal(lines(s->list_text), 21);
}

static const struct CMUnitTest tests[] = {
	STORY(a_first_write_is_judged_at_the_first_primary),
	STORY(of_two_first_writers_one_wins),
	STORY(what_was_found_is_looked_at_again_in_its_turn),
	STORY(a_look_without_a_majority_of_primaries_is_no_answer),
	STORY(a_look_that_is_not_answered_in_time_is_no_answer),
	STORY(what_the_judge_missed_is_found_by_its_look),
	STORY(any_node_lists_everything_once),
	STORY(a_deleted_key_is_not_listed),
	STORY(a_replica_that_dies_meanwhile_is_replaced),
	STORY(a_silent_replica_is_given_up),
	STORY(without_a_replica_it_says_so),
	STORY(a_damaged_replica_is_not_believed),
};

int main(void)
{
	return cmocka_run_group_tests_name("condition", tests, NULL, NULL);
}
