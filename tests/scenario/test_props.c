/* test_props.c - bucket properties over whole nodes: durable before they are in force, the same
 * everywhere whatever was missed, and n_val changed only where nothing is lost by it. */
#include "tests/scenario/story.h"

/* ---- asking ------------------------------------------------------------------------------------ */

static void ask_props(struct story *s, int node, const char *bucket, bool reset,
                      const struct prop_change *changes, uint32_t count)
{
	struct event ev = {.type = EV_CLIENT_PROPS};
	ev.props.client.v = 1;
	ev.props.type = BYTES("default");
	ev.props.bucket = bytes_of_string(bucket);
	ev.props.reset = reset;
	ev.props.change_count = count;
	ev.props.changes = changes;
	s->props_here = false;
	story_step(s, node, &ev);
}

static void ask_one(struct story *s, int node, const char *bucket, enum prop prop, int64_t value)
{
	struct prop_change c = {.prop = (uint8_t)prop, .value = value};
	ask_props(s, node, bucket, false, &c, 1);
}

static enum err props_answer(struct story *s)
{
	for (unsigned i = 0; i < 20000 && !s->props_here; i++) run(s, 1);
	assert_true(s->props_here);
	return s->props.err;
}

static enum err set_prop(struct story *s, int node, const char *bucket, enum prop prop,
                         int64_t value)
{
	ask_one(s, node, bucket, prop, value);
	return props_answer(s);
}

static int64_t prop_at(struct story *s, int node, const char *bucket, enum prop prop)
{
	struct props p;
	assert_int_equal(node_props(s->node[node].node, BYTES("default"), bytes_of_string(bucket), &p),
	                 ERR_OK);
	return p.v[prop];
}

static void expect_prop(struct story *s, const char *bucket, enum prop prop, int64_t value)
{
	for (int i = 0; i < s->nodes; i++) assert_int_equal(prop_at(s, i, bucket, prop), value);
}

static void quiet_begin(struct story *s, int nodes)
{
	begin(s, nodes);
	s->quiet = true;
}

/* ---- in force --------------------------------------------------------------------------------- */

static void a_change_is_in_force_when_durable_and_then_everywhere(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	ask_one(s, A, "b", PROP_allow_mult, 0);
	run(s, 1); /* the store needs 2 ms */
	assert_false(s->props_here);
	expect_prop(s, "b", PROP_allow_mult, 1);
	run(s, 1);
	assert_true(s->props_here && s->props.err == ERR_OK);
	assert_int_equal(prop_at(s, A, "b", PROP_allow_mult), 0);
	assert_int_equal(prop_at(s, B, "b", PROP_allow_mult), 1);
	run(s, 4); /* a message, and the others' stores */
	expect_prop(s, "b", PROP_allow_mult, 0);
	expect_prop(s, "other", PROP_allow_mult, 1);
}

static void a_change_that_cannot_be_stored_is_refused_and_in_force_nowhere(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	store_mem_set_full(s->node[A].store, true);
	assert_int_equal(set_prop(s, A, "b", PROP_ttl, 60), ERR_FULL);
	run(s, 2000);
	expect_prop(s, "b", PROP_ttl, 0);
	store_mem_set_full(s->node[A].store, false);
	assert_int_equal(set_prop(s, A, "b", PROP_ttl, 61), ERR_OK);
	run(s, 10);
	expect_prop(s, "b", PROP_ttl, 61);
}

static void changes_that_come_at_once_are_all_made(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	ask_one(s, A, "b", PROP_r, 1);
	ask_one(s, A, "b", PROP_w, 2);
	ask_one(s, A, "c", PROP_r, 3);
	run(s, 20);
	assert_true(s->props_here && s->props.err == ERR_OK);
	expect_prop(s, "b", PROP_r, 1);
	expect_prop(s, "b", PROP_w, 2);
	expect_prop(s, "c", PROP_r, 3);
}

static void a_pushed_change_that_is_lost_comes_with_a_heartbeat(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	cut(s, A, C, true);
	assert_int_equal(set_prop(s, A, "b", PROP_ttl, 60), ERR_OK);
	run(s, 5);
	assert_int_equal(prop_at(s, C, "b", PROP_ttl), 0);
	run(s, 600); /* from B, whose hash differs */
	assert_int_equal(prop_at(s, C, "b", PROP_ttl), 60);
}

/* ---- merging ---------------------------------------------------------------------------------- */

static void both_sides_of_a_partition_change_and_meet(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 2);
	cut(s, A, B, true);
	assert_int_equal(set_prop(s, A, "b", PROP_r, 1), ERR_OK);
	assert_int_equal(set_prop(s, B, "b", PROP_w, 2), ERR_OK);
	assert_int_equal(set_prop(s, A, "b", PROP_ttl, 100), ERR_OK);
	run(s, 10);
	assert_int_equal(set_prop(s, B, "b", PROP_ttl, 200), ERR_OK); /* the later one */
	cut(s, A, B, false);
	run(s, 4000);
	expect_prop(s, "b", PROP_r, 1);
	expect_prop(s, "b", PROP_w, 2);
	expect_prop(s, "b", PROP_ttl, 200);
}

static void what_is_let_go_of_stays_so(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	assert_int_equal(set_prop(s, A, "b", PROP_ttl, 60), ERR_OK);
	run(s, 10);
	node_dies(s, C);
	run(s, 2000);
	ask_props(s, B, "b", true, NULL, 0);
	assert_int_equal(props_answer(s), ERR_OK);
	node_starts(s, C); /* with the older value on its disk */
	run(s, 2000);
	expect_prop(s, "b", PROP_ttl, 0);
	assert_int_equal(set_prop(s, C, "b", PROP_ttl, 61), ERR_OK);
	run(s, 10);
	expect_prop(s, "b", PROP_ttl, 61);
}

/* A's clock is a minute ahead, more than anybody follows. */
static void a_later_change_wins_though_its_node_s_clock_is_behind(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	s->node[A].wall_ms = 60000;
	assert_int_equal(set_prop(s, A, "b", PROP_ttl, 60), ERR_OK);
	run(s, 10);
	expect_prop(s, "b", PROP_ttl, 60);
	assert_int_equal(set_prop(s, B, "b", PROP_ttl, 61), ERR_OK);
	run(s, 10);
	expect_prop(s, "b", PROP_ttl, 61);
}

/* ---- coming back -------------------------------------------------------------------------------- */

static void a_node_that_was_down_has_them_before_it_is_ready(void **state)
{
	struct story *s = *state;
	char bucket[16];
	quiet_begin(s, 3);
	node_dies(s, C);
	run(s, 2000);
	for (int i = 0; i < 100; i++) { /* several pages */
		snprintf(bucket, sizeof bucket, "b%d", i);
		assert_int_equal(set_prop(s, i % 2 == 0 ? A : B, bucket, PROP_ttl, i + 1), ERR_OK);
	}
	for (int i = 0; i < 2; i++) { /* a page takes longer than to be heard */
		net_delay(s, i, C, ms(100));
		net_delay(s, C, i, ms(100));
	}
	node_starts(s, C);
	for (int waited = 0; !node_is_ready(s->node[C].node); waited++) {
		assert_true(waited < 10000);
		run(s, 1);
	}
	for (int i = 0; i < 100; i++) {
		snprintf(bucket, sizeof bucket, "b%d", i);
		assert_int_equal(prop_at(s, C, bucket, PROP_ttl), i + 1);
	}
}

static void they_outlive_a_crash_of_all(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	assert_int_equal(set_prop(s, A, "b", PROP_ttl, 60), ERR_OK);
	run(s, 10);
	for (int i = 0; i < 3; i++) node_dies(s, i);
	run(s, 100);
	for (int i = 0; i < 3; i++) node_starts(s, i);
	run(s, 2000);
	expect_prop(s, "b", PROP_ttl, 60);
}

/* B and C were down together, and know of each other only that they are the same. */
static void two_that_missed_the_same_do_not_take_it_for_all_there_is(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	node_dies(s, B);
	node_dies(s, C);
	run(s, 2000);
	assert_int_equal(set_prop(s, A, "b", PROP_ttl, 60), ERR_OK);
	for (int i = B; i <= C; i++) {
		net_delay(s, A, i, ms(300));
		net_delay(s, i, A, ms(300));
	}
	node_starts(s, B);
	node_starts(s, C);
	for (int waited = 0; !node_is_ready(s->node[B].node); waited++) {
		assert_true(waited < 10000);
		run(s, 1);
	}
	assert_int_equal(prop_at(s, B, "b", PROP_ttl), 60);
}

/* ---- n_val -------------------------------------------------------------------------------------- */

static void n_val_is_changed_where_nobody_holds_anything(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	assert_int_equal(set_prop(s, A, "b2", PROP_n_val, 2), ERR_OK);
	run(s, 10);
	expect_prop(s, "b2", PROP_n_val, 2);
	assert_int_equal(set_prop(s, A, "b2", PROP_n_val, 3), ERR_OK);
	assert_int_equal(set_prop(s, A, "b2", PROP_n_val, 4), ERR_ABOVE_N);
	assert_int_equal(s->props.n, 3);
}

static void n_val_is_refused_where_one_node_holds_data(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3); /* its prologue wrote to bucket b */
	put(s, A, "k", "v", NOTHING);
	run(s, 1000);
	assert_int_equal(set_prop(s, B, "b", PROP_n_val, 2), ERR_HOLDS_DATA);
	assert_true(s->props.member.v != 0);
	run(s, 10);
	expect_prop(s, "b", PROP_n_val, 3);
	put(s, C, "k", "v2", NOTHING); /* writes are taken again */
	expect_answer(s, s->answers - 1, "stored");
	assert_int_equal(set_prop(s, B, "b", PROP_n_val, 3), ERR_OK); /* no change is none */
}

static void n_val_is_refused_while_a_member_is_silent(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	node_dies(s, C);
	run(s, 10);
	assert_int_equal(set_prop(s, A, "b2", PROP_n_val, 2), ERR_SILENT);
	assert_true(s->props.member.v == s->node[C].id.v);
	node_starts(s, C);
	run(s, 2000);
	assert_int_equal(set_prop(s, A, "b2", PROP_n_val, 2), ERR_OK);
}

static void n_val_is_refused_when_a_member_falls_silent_meanwhile(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	cut(s, A, C, true);
	ask_one(s, A, "b2", PROP_n_val, 2);
	assert_int_equal(props_answer(s), ERR_SILENT);
	assert_int_equal(prop_at(s, A, "b2", PROP_n_val), 3);
}

/* While the members look, no write of the bucket begins; other buckets do not notice. */
static void no_write_slips_in_while_n_val_changes(void **state)
{
	struct story *s = *state;
	quiet_begin(s, 3);
	run(s, 12000);
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++) net_delay(s, i, j, ms(50));
	ask_one(s, A, "z", PROP_n_val, 2);
	run(s, 60); /* A and the others have been asked; the answers are on their way */
	assert_false(s->props_here);
	struct event ev = {.type = EV_CLIENT_REQUEST};
	uint8_t key[64];
	full_key_write(key, BYTES("default"), BYTES("z"), BYTES("k"));
	ev.request.client.v = (uint64_t)s->answers++ + 1;
	ev.request.request = (struct request){
		.op = REQUEST_PUT,
		.key = bytes_of(key, full_key_len(BYTES("default"), BYTES("z"), BYTES("k"))),
		.options = REQUEST_OPTIONS_DEFAULT};
	story_step(s, B, &ev);
	expect_answer(s, s->answers - 1, "CLOSED, none");
	assert_int_equal(props_answer(s), ERR_OK);
	run(s, 1000);
	ev.request.client.v = (uint64_t)s->answers++ + 1;
	story_step(s, B, &ev);
	assert_true(s->answers > 0);
	answered(s, s->answers - 1);
	expect_answer(s, s->answers - 1, "stored");
}

static const struct CMUnitTest tests[] = {
	STORY(a_change_is_in_force_when_durable_and_then_everywhere),
	STORY(a_change_that_cannot_be_stored_is_refused_and_in_force_nowhere),
	STORY(changes_that_come_at_once_are_all_made),
	STORY(a_pushed_change_that_is_lost_comes_with_a_heartbeat),
	STORY(both_sides_of_a_partition_change_and_meet),
	STORY(what_is_let_go_of_stays_so),
	STORY(a_later_change_wins_though_its_node_s_clock_is_behind),
	STORY(a_node_that_was_down_has_them_before_it_is_ready),
	STORY(they_outlive_a_crash_of_all),
	STORY(two_that_missed_the_same_do_not_take_it_for_all_there_is),
	STORY(n_val_is_changed_where_nobody_holds_anything),
	STORY(n_val_is_refused_where_one_node_holds_data),
	STORY(n_val_is_refused_while_a_member_is_silent),
	STORY(n_val_is_refused_when_a_member_falls_silent_meanwhile),
	STORY(no_write_slips_in_while_n_val_changes),
};

int main(void)
{
	return cmocka_run_group_tests_name("props", tests, NULL, NULL);
}
