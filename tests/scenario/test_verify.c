/* test_verify.c - a damaged record: its node stops vouching for the partition, pulls it from the
 * others, and vouches again. The one partition of these stories holds all keys. */
#include "tests/scenario/story.h"

static void begin_with_a_damaged_copy_on_b(struct story *s)
{
	begin(s, 3);
	expect_answer(s, put(s, A, "k", "v1", NOTHING), "stored");
	expect_answer(s, put(s, A, "whole", "w1", NOTHING), "stored");
	run(s, 3000); /* so that nothing is owed to anybody */
	rot(s, B, "k");
	assert_string_equal(held(s, B, "k"), "damaged");
	chapter(s);
}

static void a_damaged_record_is_suspected_mended_from_peers_and_vouched_for_again(void **state)
{
	struct story *s = *state;
	begin_with_a_damaged_copy_on_b(s);
	uint64_t actors = metrics_of(s, B).actors_drawn;
	client_get(s, A, "k");
	run(s, 2);
	expect(s, "[  0] A < get k    A > get k to B, C\n"
	          "[  2] A < CORRUPT unvouched B    A < v1 C    A > reply v1\n");
	assert_int_equal(metrics_of(s, B).suspect_partitions, 1);
	assert_int_equal(metrics_of(s, B).actors_drawn, actors + 1);
	run(s, 3000);
	assert_string_equal(held(s, B, "k"), "v1");
	assert_int_equal(metrics_of(s, B).suspect_partitions, 0);
	assert_int_equal(metrics_of(s, B).verified_partitions, 1);
	assert_int_equal(metrics_of(s, B).corrupt_purged, 0);
}

/* A store reports it under a key that is none (rdb.h). */
static void a_stretch_that_a_peer_cannot_read_is_passed_over(void **state)
{
	struct story *s = *state;
	uint8_t stand_in[32];
	begin_with_a_damaged_copy_on_b(s);
	memset(stand_in, 0xff, sizeof stand_in);
	stand_in[0] = 0x12;
	struct store_op op = {STORE_OBJECTS, bytes_of(stand_in, sizeof stand_in), BYTES("x")};
	struct store_batch batch = {&op, 1};
	assert_int_equal(store_write(s->node[C].store, &batch, 1), ERR_OK);
	assert_true(store_mem_rot_key(s->node[C].store, STORE_OBJECTS, op.key, 3));
	client_get(s, A, "k");
	run(s, 3000);
	assert_string_equal(held(s, B, "k"), "v1");
	assert_int_equal(metrics_of(s, B).suspect_partitions, 0);
}

static void what_is_not_found_where_memory_is_suspect_counts_for_nothing(void **state)
{
	struct story *s = *state;
	begin_with_a_damaged_copy_on_b(s);
	cut(s, B, C, true); /* it cannot be verified now, and asks again in ten seconds */
	cut(s, B, A, true);
	s->next.timeout_us = ms(50);
	get(s, B, "k");
	run(s, 300);
	cut(s, B, C, false);
	cut(s, B, A, false);
	chapter(s);
	s->next.r = 3;
	client_get(s, A, "absent");
	run(s, 10);
	expect(s, "[  0] A < get absent    A > get absent to B, C\n"
	          "[  2] A < NOT_FOUND unvouched B    A > reply R_UNMET 1/3    A < NOT_FOUND C\n");
	s->next.pr = 3;
	expect_answer(s, get(s, A, "absent"), "PR_UNMET 1/3"); /* at once */
	expect_answer(s, get(s, A, "absent"), "nothing"); /* two are enough, and B is not of them */
	s->next.r = 3; /* what it does find counts, but not as a primary's */
	expect_answer(s, get(s, A, "whole"), "w1");
	s->next.pr = 3;
	expect_answer(s, get(s, A, "whole"), "PR_UNMET 1/3");
	assert_int_equal(metrics_of(s, B).suspect_partitions, 1);
}

static void what_is_suspect_stays_so_through_a_restart(void **state)
{
	struct story *s = *state;
	begin_with_a_damaged_copy_on_b(s);
	cut(s, B, C, true);
	cut(s, B, A, true);
	s->next.timeout_us = ms(50);
	get(s, B, "k");
	run(s, 50);
	node_dies(s, B);
	run(s, 10);
	node_starts(s, B);
	run(s, 2000);
	assert_int_equal(metrics_of(s, B).suspect_partitions, 1);
	assert_string_equal(held(s, B, "k"), "damaged");
	cut(s, B, C, false);
	cut(s, B, A, false);
	connect_all(s, B);
	run(s, 5000);
	assert_int_equal(metrics_of(s, B).suspect_partitions, 0);
	assert_string_equal(held(s, B, "k"), "v1");
}

static void it_is_not_vouched_for_before_every_other_replica_was_heard(void **state)
{
	struct story *s = *state;
	begin_with_a_damaged_copy_on_b(s);
	node_dies(s, C);
	run(s, 5);
	get(s, B, "k");
	run(s, 5000);
	assert_int_equal(metrics_of(s, B).suspect_partitions, 1);
	node_starts(s, C);
	run(s, 5000);
	assert_int_equal(metrics_of(s, B).suspect_partitions, 0);
}

static void a_damaged_record_that_nobody_can_mend_is_removed_and_counted(void **state)
{
	struct story *s = *state;
	begin_with_a_damaged_copy_on_b(s);
	rot(s, A, "k");
	rot(s, C, "k");
	for (int i = A; i <= C; i++) {
		s->next.timeout_us = ms(50);
		get(s, i, "k");
	}
	run(s, 20000);
	for (int i = A; i <= C; i++) {
		assert_string_equal(held(s, i, "k"), "nothing");
		assert_int_equal(metrics_of(s, i).suspect_partitions, 0);
		assert_int_equal(metrics_of(s, i).corrupt_purged, 1);
	}
	expect_answer(s, get(s, A, "k"), "nothing");
}

/* Its own earlier dots may have been in the record; the new one must not cover what it missed. */
static void a_write_over_a_damaged_record_loses_nothing_that_others_hold(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put(s, B, "k", "v1", NOTHING); /* B's own dot */
	run(s, 3000);
	rot(s, B, "k");
	expect_answer(s, put(s, B, "k", "v2", NOTHING), "stored");
	run(s, 5000);
	for (int i = A; i <= C; i++) assert_string_equal(held(s, i, "k"), "v1|v2");
}

static void many_keys_are_verified_page_by_page(void **state)
{
	struct story *s = *state;
	char key[16], value[16];
	begin(s, 3);
	for (int i = 0; i < 60; i++) {
		snprintf(key, sizeof key, "k%d", i);
		snprintf(value, sizeof value, "v%d", i);
		s->answers = 0;
		memset(s->answer, 0, sizeof s->answer[0]);
		put(s, A, key, value, NOTHING);
	}
	run(s, 3000);
	for (int i = 0; i < 60; i += 3) {
		snprintf(key, sizeof key, "k%d", i);
		rot(s, B, key);
	}
	get(s, A, "k0");
	run(s, 5000);
	for (int i = 0; i < 60; i++) {
		snprintf(key, sizeof key, "k%d", i);
		snprintf(value, sizeof value, "v%d", i);
		assert_string_equal(held(s, B, key), value);
	}
	assert_int_equal(metrics_of(s, B).suspect_partitions, 0);
}

/* As if it had never come, or had been on a disk that was put back. */
static void erase(struct story *s, int node, const char *key)
{
	uint8_t to[264];
	struct store_op op = {STORE_OBJECTS, object_key(to, key), {NULL, 0}};
	struct store_batch batch = {&op, 1};
	assert_int_equal(store_write(s->node[node].store, &batch, 1), ERR_OK);
}

static void what_cannot_be_written_is_not_taken_for_verified(void **state)
{
	struct story *s = *state;
	begin_with_a_damaged_copy_on_b(s);
	erase(s, B, "whole");
	store_mem_set_full(s->node[B].store, true);
	client_get(s, A, "k");
	run(s, 1000);
	store_mem_set_full(s->node[B].store, false);
	run(s, 10000);
	assert_string_equal(held(s, B, "k"), "v1");
	assert_string_equal(held(s, B, "whole"), "w1");
	assert_int_equal(metrics_of(s, B).suspect_partitions, 0);
}

/* No damage comes into it: the disk is an old copy, and has no room for what it misses. */
static void an_old_copy_without_room_is_not_taken_for_verified(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	run(s, 3000);
	struct store *old = store_mem_clone(s->node[B].store);
	expect_answer(s, put(s, A, "k", "v1", NOTHING), "stored");
	run(s, 3000);
	node_dies(s, B);
	store_mem_restore(s->node[B].store, old);
	store_close(old);
	node_starts(s, B);
	s->node[A].disk_us = s->node[C].disk_us = ms(300);
	while (metrics_of(s, B).suspect_partitions == 0) run(s, 1);
	run(s, 100);
	assert_string_equal(held(s, B, "k"), "nothing");
	store_mem_set_full(s->node[B].store, true);
	run(s, 3000);
	assert_int_equal(metrics_of(s, B).suspect_partitions, 1);
	store_mem_set_full(s->node[B].store, false);
	run(s, 10000);
	assert_string_equal(held(s, B, "k"), "v1");
	assert_int_equal(metrics_of(s, B).suspect_partitions, 0);
}

/* Both others take their time. The page of the first (A) was merged, and the next one has less: what goes bad
 * in between was not had. */
static void what_goes_bad_during_the_verification_is_pulled_once_more(void **state)
{
	struct story *s = *state;
	begin_with_a_damaged_copy_on_b(s);
	erase(s, C, "whole");
	s->node[A].disk_us = s->node[C].disk_us = ms(300);
	client_get(s, B, "k");
	while (strcmp(held(s, B, "k"), "v1") != 0) run(s, 1);
	assert_int_equal(metrics_of(s, B).suspect_partitions, 1);
	rot(s, B, "whole");
	run(s, 10000);
	assert_string_equal(held(s, B, "whole"), "w1");
	assert_int_equal(metrics_of(s, B).suspect_partitions, 0);
}

static void what_a_later_replica_has_less_of_does_not_replace_what_an_earlier_one_gave(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	int one = put(s, A, "k", "v1", NOTHING);
	expect_answer(s, put(s, A, "other", "o1", NOTHING), "stored");
	run(s, 3000);
	node_dies(s, C);
	run(s, 5);
	expect_answer(s, put(s, A, "k", "v2", one), "stored"); /* C has v1 still */
	node_starts(s, C);
	store_mem_set_full(s->node[C].store, true); /* it takes no hint meanwhile */
	run(s, 2000);
	s->node[A].disk_us = s->node[C].disk_us = ms(300);
	rot(s, B, "other");
	client_get(s, B, "other");
	while (strcmp(held(s, B, "other"), "o1") != 0) run(s, 1);
	assert_string_equal(held(s, C, "k"), "v1");
	assert_int_equal(metrics_of(s, B).suspect_partitions, 1);
	rot(s, B, "k");
	run(s, 20000);
	assert_string_equal(held(s, B, "k"), "v2");
	assert_int_equal(metrics_of(s, B).suspect_partitions, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_damaged_record_is_suspected_mended_from_peers_and_vouched_for_again),
		STORY(a_stretch_that_a_peer_cannot_read_is_passed_over),
		STORY(what_is_not_found_where_memory_is_suspect_counts_for_nothing),
		STORY(what_is_suspect_stays_so_through_a_restart),
		STORY(it_is_not_vouched_for_before_every_other_replica_was_heard),
		STORY(a_damaged_record_that_nobody_can_mend_is_removed_and_counted),
		STORY(a_write_over_a_damaged_record_loses_nothing_that_others_hold),
		STORY(many_keys_are_verified_page_by_page),
		STORY(what_cannot_be_written_is_not_taken_for_verified),
		STORY(an_old_copy_without_room_is_not_taken_for_verified),
		STORY(what_goes_bad_during_the_verification_is_pulled_once_more),
		STORY(what_a_later_replica_has_less_of_does_not_replace_what_an_earlier_one_gave),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
