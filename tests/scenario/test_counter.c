/* test_counter.c - counters over whole nodes: what an increment is added to, what it replaces, and what
 * becomes of it when nodes die, stand in, are cut off, or are asked twice. */
#include "tests/scenario/story.h"

static int ask_for(struct story *s, int node, struct request r, const char *key)
{
	uint8_t to[256];
	int number = s->answers++;
	struct event ev = {.type = EV_CLIENT_REQUEST};
	assert(number < STORY_ANSWERS && s->node[node].node != NULL);
	ev.request.client.v = (uint64_t)number + 1;
	r.key = full_key(to, key);
	r.options = s->next;
	r.ttl_s = s->ttl_s;
	s->next = REQUEST_OPTIONS_DEFAULT;
	s->ttl_s = 0;
	ev.request.request = r;
	story_step(s, node, &ev);
	return number;
}

static int client_count(struct story *s, int node, const char *key, int64_t delta)
{
	uint8_t value[INCREMENT_BYTES];
	put_u64be(value, (uint64_t)delta);
	struct request r = {.op = REQUEST_INCREMENT, .value = bytes_of(value, sizeof value)};
	s->next.return_body = true;
	return ask_for(s, node, r, key);
}

static const char *number_of(struct story *s, int answer)
{
	assert_true(s->answer[answer].here);
	assert_int_equal(s->answer[answer].times, 1);
	if (s->answer[answer].reply.err != ERR_OK) return answer_text(s, answer);
	return s->answer[answer].reply.number;
}

/* Count, and be told the number as this write left it. */
static const char *count(struct story *s, int node, const char *key, int64_t delta)
{
	return number_of(s, answered(s, client_count(s, node, key, delta)));
}

/* What all replicas together say. */
static const char *number(struct story *s, int node, const char *key)
{
	s->next.r = QUORUM_ALL;
	struct request r = {.op = REQUEST_GET, .as_counter = true};
	return number_of(s, answered(s, ask_for(s, node, r, key)));
}

static void quiet_begin(struct story *s, int nodes)
{
	begin(s, nodes);
	s->quiet = true;
}

/* How many siblings a node's store holds. */
static uint32_t siblings_on(struct story *s, int node, const char *key)
{
	uint8_t to[264];
	struct bytes value;
	struct object o;
	void *handle = NULL;
	enum err e =
		store_read(s->node[node].store, STORE_OBJECTS, object_key(to, key), false, &value, &handle);
	if (e != ERR_OK) return 0;
	assert_int_equal(object_decode(&s->scratch.arena, value, &o), ERR_OK);
	uint32_t count = o.sibling_count;
	arena_free(&s->scratch.arena);
	store_release(handle);
	return count;
}

static void what_three_nodes_count_adds_up(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	assert_string_equal(number(s, A, "k"), "nothing");
	assert_string_equal(count(s, A, "k", 5), "5");
	run(s, 10);
	assert_string_equal(count(s, B, "k", 7), "12");
	run(s, 10);
	assert_string_equal(count(s, C, "k", -20), "-8");
	run(s, 10);
	assert_string_equal(count(s, A, "k", 0), "-8");
	run(s, 10);
	for (int i = A; i <= C; i++) {
		assert_string_equal(number(s, i, "k"), "-8");
		assert_int_equal(siblings_on(s, i, "k"), 1);
	}
}

/* The first is not durable yet when the others have their turns. */
static void increments_in_flight_at_once_are_all_counted(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	for (int i = 0; i < 5; i++) client_count(s, A, "k", 1);
	for (int i = 0; i < 5; i++) client_count(s, B, "k", 1);
	run(s, 100);
	assert_string_equal(number_of(s, 4), "5");
	assert_string_equal(number(s, C, "k"), "10");
}

static void a_node_that_is_no_replica_forwards_it_and_tells_the_number(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 5);
	assert_string_equal(count(s, A, "k", 5), "5");
	run(s, 10);
	assert_string_equal(count(s, D, "k", 2), "7");
	assert_string_equal(number(s, E, "k"), "7");
}

static void one_that_is_forwarded_twice_by_the_network_is_counted_once(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 5);
	for (int i = A; i <= C; i++) s->twice[D][i] = true;
	assert_string_equal(count(s, D, "k", 3), "3");
	run(s, 100);
	assert_string_equal(number(s, A, "k"), "3");
}

/* What it sent is with the others, and its own disk has not got it. */
static void a_node_that_died_takes_nothing_from_what_the_others_have(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	assert_string_equal(count(s, A, "k", 10), "10");
	run(s, 50);
	s->node[A].disk_us = ms(50);
	client_count(s, A, "k", 1);
	run(s, 10);
	node_dies(s, A);
	run(s, 10);
	s->node[A].disk_us = ms(2);
	node_starts(s, A);
	run(s, 2000);
	assert_string_equal(count(s, A, "k", 100), "110"); /* all that A knows of */
	run(s, 50);
	for (int i = A; i <= C; i++) assert_string_equal(number(s, i, "k"), "111");
}

/* The copy of a node that stands in knows nothing of what was counted before. */
static void what_a_stand_in_counted_is_added_when_it_is_delivered(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 5);
	assert_string_equal(count(s, A, "k", 10), "10");
	run(s, 50);
	for (int i = A; i <= C; i++) node_dies(s, i);
	run(s, 10);
	s->next.w = s->next.dw = 1;
	assert_string_equal(count(s, D, "k", 1), "1");
	for (int i = A; i <= C; i++) node_starts(s, i);
	run(s, 10000);
	assert_string_equal(number(s, B, "k"), "11");
	assert_string_equal(held(s, D, "k"), "nothing");
}

/* A delete takes what it saw. What A counts after it is not taken for what it had counted before, though
 * both are A's, when the state from before comes back with what B counted meanwhile. */
static void what_is_counted_after_a_delete_is_added_to_what_was_counted_beside_it(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	assert_string_equal(count(s, A, "k", 5), "5");
	run(s, 50);
	cut(s, A, B, true);
	cut(s, C, B, true);
	s->next.w = s->next.dw = 1;
	assert_string_equal(count(s, B, "k", 1), "6");
	assert_int_equal(s->answer[del(s, A, "k", NOTHING)].reply.err, ERR_OK);
	run(s, 50);
	assert_string_equal(count(s, A, "k", 1), "1");
	cut(s, A, B, false);
	cut(s, C, B, false);
	run(s, 5000);
	assert_string_equal(number(s, B, "k"), "7");
	assert_string_equal(count(s, A, "k", 1), "8");
}

static void a_deleted_counter_begins_at_nothing_and_stands_alone(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	count(s, A, "k", 5);
	run(s, 50);
	del(s, B, "k", NOTHING);
	run(s, 50);
	assert_string_equal(number(s, C, "k"), "deleted");
	assert_string_equal(count(s, C, "k", 2), "2");
	run(s, 50);
	assert_string_equal(number(s, A, "k"), "2");
	for (int i = A; i <= C; i++) assert_int_equal(siblings_on(s, i, "k"), 1);
}

static void plain_values_beside_a_counter_stay_and_do_not_count(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	put(s, A, "k", "12", NOTHING);
	run(s, 50);
	assert_string_equal(number(s, A, "k"), "nothing");
	assert_string_equal(count(s, B, "k", 3), "3");
	run(s, 50);
	assert_string_equal(count(s, C, "k", 3), "6");
	run(s, 50);
	assert_int_equal(siblings_on(s, A, "k"), 2);
	assert_string_equal(number(s, A, "k"), "6");
}

static void a_counter_that_has_expired_begins_at_nothing(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	s->ttl_s = 2;
	assert_string_equal(count(s, A, "k", 5), "5");
	run(s, 1000);
	s->ttl_s = 2;
	assert_string_equal(count(s, A, "k", 1), "6");
	run(s, 1500);
	assert_string_equal(number(s, B, "k"), "6"); /* each increment is a life of its own */
	run(s, 1000);
	assert_string_equal(number(s, B, "k"), "deleted");
	assert_string_equal(count(s, A, "k", 4), "4");
	run(s, 50);
	assert_int_equal(siblings_on(s, C, "k"), 1);
}

static void one_that_would_leave_64_bits_is_refused_and_changes_nothing(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	assert_string_equal(count(s, A, "k", INT64_MAX), "9223372036854775807");
	run(s, 50);
	assert_string_equal(count(s, B, "k", 1), "COUNTER_RANGE, none");
	assert_string_equal(count(s, B, "k", -1), "9223372036854775806");
	run(s, 50);
	assert_string_equal(number(s, C, "k"), "9223372036854775806");
}

/* The write failed, so the outcome is not known; what is counted next is under another actor. */
static void an_increment_whose_own_write_failed_may_count_and_no_other_is_lost(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	assert_string_equal(count(s, A, "k", 1), "1");
	run(s, 50);
	store_mem_set_full(s->node[A].store, true);
	assert_string_equal(count(s, A, "k", 10), "11"); /* B and C have it */
	run(s, 50);
	store_mem_set_full(s->node[A].store, false);
	run(s, 2000);
	assert_string_equal(count(s, A, "k", 100), "101"); /* all that A knows of */
	run(s, 50);
	assert_string_equal(number(s, B, "k"), "111");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(what_three_nodes_count_adds_up),
		STORY(increments_in_flight_at_once_are_all_counted),
		STORY(a_node_that_is_no_replica_forwards_it_and_tells_the_number),
		STORY(one_that_is_forwarded_twice_by_the_network_is_counted_once),
		STORY(a_node_that_died_takes_nothing_from_what_the_others_have),
		STORY(what_a_stand_in_counted_is_added_when_it_is_delivered),
		STORY(what_is_counted_after_a_delete_is_added_to_what_was_counted_beside_it),
		STORY(a_deleted_counter_begins_at_nothing_and_stands_alone),
		STORY(plain_values_beside_a_counter_stay_and_do_not_count),
		STORY(a_counter_that_has_expired_begins_at_nothing),
		STORY(one_that_would_leave_64_bits_is_refused_and_changes_nothing),
		STORY(an_increment_whose_own_write_failed_may_count_and_no_other_is_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
