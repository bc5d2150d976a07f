/* test_sim_tracing.c - the simulator's checker of traces: a true story, and one lie for each law.
 *
 * The world is two processes and nothing that moves; its failures are kept here. */
#include "tests/sim/tracing.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define A 0
#define B 1
#define ID(proc) ((struct node_id){(proc) + 100U})
#define TRACE ((struct trace_id){1})

static char told[200]; /* the first failure */

void world_fail(struct world *w, const char *promise, uint32_t key, uint32_t write,
                const char *format, ...)
{
	(void)promise, (void)key, (void)write;
	if (w->failed) return;
	w->failed = true;
	va_list args;
	va_start(args, format);
	vsnprintf(told, sizeof told, format, args);
	va_end(args);
}

int world_find(const struct world *w, struct node_id id)
{
	for (uint32_t i = 0; i < w->options.nodes; i++)
		if (w->procs[i].id.v == id.v) return (int)i;
	return -1;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	w->options.nodes = 2;
	for (uint16_t i = 0; i < 2; i++)
		w->procs[i] = (struct proc){.state = PROC_UP, .start = 1, .id = ID(i), .name = "n1"};
	tracing_init(w);
	told[0] = '\0';
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	tracing_free(*state);
	free(*state);
	return 0;
}

static void step(struct world *w, struct trace_step s)
{
	s.trace = TRACE;
	if (s.at.us == 0) s.at.us = 1000;
	tracing_on_step(w, A, &s);
}

static void tells(struct world *w, enum trace_kind kind)
{
	step(w, (struct trace_step){.kind = kind});
}

static void of(struct world *w, enum trace_kind kind, uint16_t proc)
{
	step(w, (struct trace_step){.kind = kind, .node = ID(proc), .counted = true, .write = true});
}

static void replies(struct world *w, uint8_t got, uint8_t need)
{
	step(w, (struct trace_step){.kind = TRACE_REPLIED, .write = true, .got = got, .need = need});
}

/* A write, stored here and at B, and acknowledged. */
static void begins(struct world *w)
{
	tells(w, TRACE_ADMITTED);
	tells(w, TRACE_TURN);
	of(w, TRACE_ASKED, A);
	of(w, TRACE_ASKED, B);
	of(w, TRACE_ANSWERED, A);
}

static void holds(struct world *w)
{
	struct reply reply = {.err = ERR_OK};
	if (!w->failed) tracing_on_reply(w, A, TRACE, &reply);
	tracing_check(w);
	if (w->failed) fail_msg("refused: %s", told);
}

static void refuses(struct world *w, const char *text)
{
	if (!w->failed) tracing_check(w);
	assert_true(w->failed);
	if (strstr(told, text) == NULL) fail_msg("%s", told);
}

static void a_true_story_is_believed(void **state)
{
	struct world *w = *state;
	begins(w);
	of(w, TRACE_ANSWERED, B);
	step(w, (struct trace_step){.kind = TRACE_QUORUM, .got = 2});
	replies(w, 2, 2);
	tells(w, TRACE_ENDED);
	holds(w);
}

static void t1_it_begins_with_its_admission(void **state)
{
	tells(*state, TRACE_TURN);
	refuses(*state, "before it was admitted");
}

static void t1_it_is_admitted_once(void **state)
{
	tells(*state, TRACE_ADMITTED);
	tells(*state, TRACE_ADMITTED);
	refuses(*state, "a second time");
}

static void t1_it_ends_with_a_reply_before(void **state)
{
	begins(*state);
	tells(*state, TRACE_ENDED);
	refuses(*state, "without a reply");
}

static void t1_it_replies_once(void **state)
{
	begins(*state);
	replies(*state, 1, 1);
	replies(*state, 1, 1);
	refuses(*state, "a second reply");
}

static void t1_nothing_follows_its_end(void **state)
{
	begins(*state);
	replies(*state, 1, 1);
	tells(*state, TRACE_ENDED);
	of(*state, TRACE_ASKED, B);
	refuses(*state, "behind the end");
}

static void t1_it_does_end(void **state)
{
	begins(*state);
	replies(*state, 1, 1);
	refuses(*state, "never ended");
}

static void t2_time_does_not_go_back(void **state)
{
	begins(*state);
	step(*state, (struct trace_step){.kind = TRACE_MINTED, .at = {999}});
	refuses(*state, "time goes back");
}

static void t2_steps_are_bounded(void **state)
{
	begins(*state);
	for (int i = 0; i < TRACE_STEPS_MAX; i++) tells(*state, TRACE_MINTED);
	refuses(*state, "too many steps");
}

static void t3_nobody_answers_unasked(void **state)
{
	tells(*state, TRACE_ADMITTED);
	of(*state, TRACE_ANSWERED, B);
	refuses(*state, "not asked");
}

static void t3_nobody_answers_twice(void **state)
{
	begins(*state);
	of(*state, TRACE_ANSWERED, A);
	refuses(*state, "that had answered");
}

static void t3_nobody_confirms_a_repair_that_was_not_sent(void **state)
{
	begins(*state);
	of(*state, TRACE_REPAIRED, B);
	refuses(*state, "not sent a repair");
}

static void t4_a_quorum_counts_what_was_told(void **state)
{
	begins(*state);
	step(*state, (struct trace_step){.kind = TRACE_QUORUM, .got = 2});
	refuses(*state, "other answers were counted");
}

static void t4_a_reply_counts_what_was_told(void **state)
{
	begins(*state);
	replies(*state, 2, 2);
	refuses(*state, "other answers were counted");
}

static void t4_a_reply_counts_the_fallbacks_that_were_told(void **state)
{
	begins(*state);
	step(*state, (struct trace_step){.kind = TRACE_REPLIED, .got = 1, .need = 1, .fallbacks = 1});
	refuses(*state, "other fallbacks");
}

static void t4_nothing_counts_behind_the_reply(void **state)
{
	begins(*state);
	replies(*state, 1, 1);
	of(*state, TRACE_ANSWERED, B);
	refuses(*state, "behind the reply");
}

static void t4_an_acknowledged_write_had_enough_answers(void **state)
{
	begins(*state);
	replies(*state, 1, 2);
	refuses(*state, "too few answers");
}

static void t5_the_client_gets_what_was_told(void **state)
{
	struct world *w = *state;
	struct reply reply = {.err = ERR_TIMEOUT};
	begins(w);
	replies(w, 1, 1);
	tracing_on_reply(w, A, TRACE, &reply);
	refuses(w, "another answer");
}

static void t5_what_is_answered_is_told(void **state)
{
	struct world *w = *state;
	struct reply reply = {.err = ERR_OK};
	tells(w, TRACE_ADMITTED);
	tracing_on_reply(w, A, TRACE, &reply);
	refuses(w, "yet not told");
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_true_story_is_believed),
		STORY(t1_it_begins_with_its_admission),
		STORY(t1_it_is_admitted_once),
		STORY(t1_it_ends_with_a_reply_before),
		STORY(t1_it_replies_once),
		STORY(t1_nothing_follows_its_end),
		STORY(t1_it_does_end),
		STORY(t2_time_does_not_go_back),
		STORY(t2_steps_are_bounded),
		STORY(t3_nobody_answers_unasked),
		STORY(t3_nobody_answers_twice),
		STORY(t3_nobody_confirms_a_repair_that_was_not_sent),
		STORY(t4_a_quorum_counts_what_was_told),
		STORY(t4_a_reply_counts_what_was_told),
		STORY(t4_a_reply_counts_the_fallbacks_that_were_told),
		STORY(t4_nothing_counts_behind_the_reply),
		STORY(t4_an_acknowledged_write_had_enough_answers),
		STORY(t5_the_client_gets_what_was_told),
		STORY(t5_what_is_answered_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
