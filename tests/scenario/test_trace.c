/* test_trace.c - what traced requests tell of themselves. Trace 7 is the one that is looked at; a line
 * of it is: when, who tells, what, of whom, and what else is known. */
#include "tests/scenario/story.h"

static void add(char *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(char *to, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsprintf(to + strlen(to), format, args);
	va_end(args);
}

static void step_text(struct story *s, int i, char *to)
{
	const struct trace_step *t = &s->step[i];
	bool counts = t->kind == TRACE_QUORUM || t->kind == TRACE_REPLIED;
	add(to, "[%3llu] %s %s", (unsigned long long)((t->at.us - s->zero_us) / 1000),
	    s->node[s->step_node[i]].name, trace_kind_name(t->kind));
	if (t->node.v != 0) add(to, " %c", (char)('A' + story_find(s, t->node)));
	if (t->stands_for.v != 0) add(to, " for %c", (char)('A' + story_find(s, t->stands_for)));
	if (t->err != ERR_OK) add(to, " %s", err_name(t->err));
	if (t->counted) add(to, ", counts");
	if (counts) add(to, " %u/%u", t->got, t->need);
	if (t->fallbacks > 0) add(to, ", fallbacks %u", t->fallbacks);
	if (t->siblings > 0) add(to, ", %u of %u bytes", t->siblings, (unsigned)t->bytes);
	if (t->tombstones > 0) add(to, ", %u dead", t->tombstones);
	if (t->late && t->kind != TRACE_ENDED) add(to, ", late");
	add(to, "\n");
}

static void expect_trace(struct story *s, const char *text)
{
	char told[8192] = "";
	for (int i = 0; i < s->steps; i++)
		if (s->step[i].trace.v == 7) step_text(s, i, told);
	if (strcmp(told, text) == 0) return;
	printf("really:\n");
	for (char *line = strtok(told, "\n"); line != NULL; line = strtok(NULL, "\n"))
		printf("\t\"%s\\n\"\n", line);
	fail_msg("the trace tells something else");
}

/* Time 0 is now, and the next request is the traced one. */
static void trace_next(struct story *s)
{
	chapter(s);
	s->trace_next = 7;
}

/* ---- writes ----------------------------------------------------------------------------------- */

static void a_put_tells_who_was_asked_and_who_had_it_when(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	net_delay(s, C, A, ms(30));
	trace_next(s);
	expect_answer(s, put(s, A, "k", "v1", NOTHING), "stored");
	run(s, 100);
	expect_trace(s, "[  0] A admitted\n"
	                "[  0] A turn\n"
	                "[  0] A minted\n"
	                "[  0] A asked A\n"
	                "[  0] A asked B\n"
	                "[  0] A asked C\n"
	                "[  2] A answered A, counts\n"
	                "[  4] A answered B, counts\n"
	                "[  4] A quorum 2/2\n"
	                "[  4] A replied 2/2\n"
	                "[ 33] A answered C, late\n"
	                "[ 33] A ended\n");
}

static void a_request_that_is_not_traced_tells_nothing(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put(s, A, "k", "v1", NOTHING);
	get(s, B, "k");
	del(s, C, "k", NOTHING);
	run(s, 3000);
	assert_int_equal(s->steps, 0);
}

static void a_fallback_is_told_with_whom_it_stands_for(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	node_dies(s, C);
	run(s, 5);
	trace_next(s);
	s->next.w = 3;
	expect_answer(s, put(s, A, "k", "v1", NOTHING), "stored, fallbacks 1");
	run(s, 20);
	expect_trace(s, "[  0] A admitted\n"
	                "[  0] A turn\n"
	                "[  0] A minted\n"
	                "[  0] A asked A\n"
	                "[  0] A asked B\n"
	                "[  0] A asked D for C\n"
	                "[  2] A answered A, counts\n"
	                "[  4] A answered B, counts\n"
	                "[  4] A answered D for C, counts\n"
	                "[  4] A quorum 3/3\n"
	                "[  4] A replied 3/3, fallbacks 1\n"
	                "[  4] A ended\n");
}

static void a_primary_that_is_down_with_nobody_to_stand_in_is_hinted(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	node_dies(s, C);
	run(s, 5);
	trace_next(s);
	expect_answer(s, put(s, A, "k", "v1", NOTHING), "stored");
	run(s, 20);
	expect_trace(s, "[  0] A admitted\n"
	                "[  0] A turn\n"
	                "[  0] A hinted C\n"
	                "[  0] A minted\n"
	                "[  0] A down C\n"
	                "[  0] A asked A\n"
	                "[  0] A asked B\n"
	                "[  2] A answered A, counts\n"
	                "[  4] A answered B, counts\n"
	                "[  4] A quorum 2/2\n"
	                "[  4] A replied 2/2\n"
	                "[  4] A ended\n");
}

static void a_replica_that_dies_meanwhile_is_lost_and_replaced(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	trace_next(s);
	s->next.w = 3;
	client_put(s, A, "k", "v1", NOTHING);
	node_dies(s, C);
	run(s, 20);
	expect_trace(s, "[  0] A admitted\n"
	                "[  0] A turn\n"
	                "[  0] A minted\n"
	                "[  0] A asked A\n"
	                "[  0] A asked B\n"
	                "[  0] A asked C\n"
	                "[  1] A lost C\n"
	                "[  1] A asked D for C\n"
	                "[  2] A answered A, counts\n"
	                "[  4] A answered B, counts\n"
	                "[  5] A answered D for C, counts\n"
	                "[  5] A quorum 3/3\n"
	                "[  5] A replied 3/3, fallbacks 1\n"
	                "[  5] A ended\n");
}

static void who_stays_silent_is_named_at_the_end(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	cut(s, A, C, true);
	trace_next(s);
	put(s, A, "k", "v1", NOTHING);
	run(s, 1000);
	expect_trace(s, "[  0] A admitted\n"
	                "[  0] A turn\n"
	                "[  0] A minted\n"
	                "[  0] A asked A\n"
	                "[  0] A asked B\n"
	                "[  0] A asked C\n"
	                "[  2] A answered A, counts\n"
	                "[  4] A answered B, counts\n"
	                "[  4] A quorum 2/2\n"
	                "[  4] A replied 2/2\n"
	                "[500] A hinted C, late\n"
	                "[500] A silent C, late\n"
	                "[500] A ended\n");
}

static void a_write_that_cannot_be_met_tells_why(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	node_dies(s, C);
	run(s, 5);
	trace_next(s);
	s->next.w = 3;
	client_put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	expect_trace(s, "[  0] A admitted\n"
	                "[  0] A turn\n"
	                "[  0] A replied W_UNMET 0/3\n"
	                "[  0] A ended\n");
}

static void a_condition_is_judged_by_what_was_found(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	trace_next(s);
	s->conditions_next.what = IF_NONE_MATCH_ANY;
	expect_answer(s, put(s, A, "k", "v1", NOTHING), "stored");
	run(s, 20);
	expect_trace(s, "[  0] A admitted\n"
	                "[  0] A asked A\n"
	                "[  0] A asked B\n"
	                "[  0] A asked C\n"
	                "[  0] A answered A NOT_FOUND, counts\n"
	                "[  2] A answered B NOT_FOUND, counts\n"
	                "[  2] A quorum 2/2\n"
	                "[  2] A judged\n"
	                "[  2] A turn\n"
	                "[  2] A minted\n"
	                "[  2] A asked A\n"
	                "[  2] A asked B\n"
	                "[  2] A asked C\n"
	                "[  4] A answered A, counts\n"
	                "[  6] A answered B, counts\n"
	                "[  6] A quorum 2/2\n"
	                "[  6] A replied 2/2\n"
	                "[  6] A answered C, late\n"
	                "[  6] A ended\n");
}

/* Those whom the look asked are not reproached with silence towards the write, which asked nobody. */
static void a_look_that_ends_in_a_refused_write_leaves_nobody_silent(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	node_dies(s, C);
	run(s, 5);
	trace_next(s);
	s->conditions_next.what = IF_NONE_MATCH_ANY;
	s->next.w = 3;
	client_put(s, A, "k", "v1", NOTHING);
	run(s, 20);
	expect_trace(s, "[  0] A admitted\n"
	                "[  0] A down C\n"
	                "[  0] A asked A\n"
	                "[  0] A asked B\n"
	                "[  0] A answered A NOT_FOUND, counts\n"
	                "[  2] A answered B NOT_FOUND, counts\n"
	                "[  2] A quorum 2/2\n"
	                "[  2] A judged\n"
	                "[  2] A turn\n"
	                "[  2] A replied W_UNMET 0/3\n"
	                "[  2] A ended\n");
}

/* ---- forwarding ------------------------------------------------------------------------------- */

static void a_forwarded_write_is_told_by_both_nodes(void **state)
{
	struct story *s = *state;
	begin(s, 5);
	trace_next(s);
	expect_answer(s, put(s, E, "k", "v1", NOTHING), "stored");
	run(s, 20);
	expect_trace(s, "[  0] E admitted\n"
	                "[  0] E forwarded A NOT_MEMBER\n"
	                "[  1] A admitted E\n"
	                "[  1] A turn\n"
	                "[  1] A minted\n"
	                "[  1] A asked A\n"
	                "[  1] A asked B\n"
	                "[  1] A asked C\n"
	                "[  3] A answered A, counts\n"
	                "[  5] A answered B, counts\n"
	                "[  5] A quorum 2/2\n"
	                "[  5] A replied 2/2\n"
	                "[  5] A answered C, late\n"
	                "[  5] A ended\n"
	                "[  6] E forward_answered A\n"
	                "[  6] E replied 0/0\n"
	                "[  6] E ended\n");
}

static void a_request_without_a_slot_tells_that_it_was_refused(void **state)
{
	struct story *s = *state;
	s->coord_slots = 1;
	begin(s, 1);
	s->node[A].disk_us = ms(50);
	client_put(s, A, "k", "v1", NOTHING);
	trace_next(s);
	int two = client_put(s, A, "x", "v2", NOTHING);
	expect_answer(s, two, "BUSY, none");
	expect_trace(s, "[  0] A admitted BUSY\n"
	                "[  0] A replied BUSY 0/0\n"
	                "[  0] A ended\n");
	run(s, 100);
}

/* ---- reads ------------------------------------------------------------------------------------ */

static void a_stale_replica_is_told_to_be_repaired_and_to_have_confirmed(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put(s, A, "k", "v1", NOTHING);
	run(s, 1000);
	cut(s, A, C, true);
	cut(s, B, C, true);
	s->next.w = 2;
	put(s, A, "k", "v2", NOTHING);
	cut(s, A, C, false);
	cut(s, B, C, false);
	trace_next(s);
	expect_answer(s, get(s, B, "k"), "v1|v2");
	run(s, 50);
	expect_trace(s, "[  0] B admitted\n"
	                "[  0] B asked B\n"
	                "[  0] B asked A\n"
	                "[  0] B asked C\n"
	                "[  0] B answered B, counts, 2 of 4 bytes\n"
	                "[  2] B answered A, counts, 2 of 4 bytes\n"
	                "[  2] B quorum 2/2\n"
	                "[  2] B replied 2/2, 2 of 4 bytes\n"
	                "[  2] B answered C, 1 of 2 bytes, late\n"
	                "[  2] B repair C, late\n"
	                "[  6] B repaired C, late\n"
	                "[  6] B ended\n");
	assert_string_equal(held(s, C, "k"), "v1|v2");
	run(s, 500);
	assert_int_equal(metrics_of(s, B).coord_slots_used, 0);
}

static void a_repair_that_is_never_confirmed_ends_in_silence(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put(s, A, "k", "v1", NOTHING);
	run(s, 1000);
	cut(s, A, C, true);
	cut(s, B, C, true);
	put(s, A, "k", "v2", NOTHING);
	cut(s, A, C, false);
	cut(s, B, C, false);
	net_delay(s, B, C, ms(4));
	trace_next(s);
	client_get(s, B, "k");
	run(s, 4);
	s->cut[B][C] = true; /* its answer is on the way; the repair is lost */
	run(s, 1500);
	expect_trace(s, "[  0] B admitted\n"
	                "[  0] B asked B\n"
	                "[  0] B asked A\n"
	                "[  0] B asked C\n"
	                "[  0] B answered B, counts, 2 of 4 bytes\n"
	                "[  2] B answered A, counts, 2 of 4 bytes\n"
	                "[  2] B quorum 2/2\n"
	                "[  2] B replied 2/2, 2 of 4 bytes\n"
	                "[  5] B answered C, 1 of 2 bytes, late\n"
	                "[  5] B repair C, late\n"
	                "[1005] B silent C, late\n"
	                "[1005] B ended\n");
	assert_int_equal(metrics_of(s, B).coord_slots_used, 0);
}

static void what_is_deleted_or_was_never_there_is_told_so(void **state)
{
	struct story *s = *state;
	begin(s, 3);
	put(s, A, "k", "v1", NOTHING);
	del(s, A, "k", NOTHING);
	run(s, 20);
	trace_next(s);
	s->next.r = 1;
	expect_answer(s, get(s, A, "k"), "deleted");
	run(s, 20);
	expect_trace(s, "[  0] A admitted\n"
	                "[  0] A asked A\n"
	                "[  0] A asked C\n"
	                "[  0] A asked B\n"
	                "[  0] A answered A, counts, 1 of 0 bytes, 1 dead\n"
	                "[  0] A quorum 1/1\n"
	                "[  0] A replied NOT_FOUND 1/1\n"
	                "[  2] A answered C, 1 of 0 bytes, 1 dead, late\n"
	                "[  2] A answered B, 1 of 0 bytes, 1 dead, late\n"
	                "[  2] A ended\n");
}

/* Few are asked: the one that takes long, and the one that is asked because of it. */
static void who_is_late_and_who_answers_a_digest_is_told(void **state)
{
	struct story *s = *state;
	s->read_all_one_in = 1000000000;
	s->read_whole_bytes = 1;
	begin(s, 3);
	put(s, A, "k", "v1", NOTHING);
	for (int i = 0; i < 30; i++) {
		s->next.r = QUORUM_ALL;
		get(s, A, "k");
	}
	net_delay(s, B, A, ms(40));
	net_delay(s, C, A, ms(40));
	trace_next(s);
	s->next.r = 2;
	get(s, A, "k");
	run(s, 100);
	char told[8192] = "";
	for (int i = 0; i < s->steps; i++)
		if (s->step[i].trace.v == 7) step_text(s, i, told);
	assert_non_null(strstr(told, "A late "));
	assert_non_null(strstr(told, "A digest "));
	assert_true(strstr(told, "A late ") < strstr(told, "A digest "));
	assert_non_null(strstr(told, "A ended"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_put_tells_who_was_asked_and_who_had_it_when),
		STORY(a_request_that_is_not_traced_tells_nothing),
		STORY(a_fallback_is_told_with_whom_it_stands_for),
		STORY(a_primary_that_is_down_with_nobody_to_stand_in_is_hinted),
		STORY(a_replica_that_dies_meanwhile_is_lost_and_replaced),
		STORY(who_stays_silent_is_named_at_the_end),
		STORY(a_write_that_cannot_be_met_tells_why),
		STORY(a_condition_is_judged_by_what_was_found),
		STORY(a_look_that_ends_in_a_refused_write_leaves_nobody_silent),
		STORY(a_forwarded_write_is_told_by_both_nodes),
		STORY(a_request_without_a_slot_tells_that_it_was_refused),
		STORY(a_stale_replica_is_told_to_be_repaired_and_to_have_confirmed),
		STORY(a_repair_that_is_never_confirmed_ends_in_silence),
		STORY(what_is_deleted_or_was_never_there_is_told_so),
		STORY(who_is_late_and_who_answers_a_digest_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
