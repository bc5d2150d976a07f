/* test_sim_counts.c - the simulator's checker of counters, on histories that it must accept and refuse. */
#include "base/bytes.h"
#include "tests/sim/counts.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define UP 4   /* a counter that goes up */
#define DOWN 5 /* one that goes down */

struct story {
	struct counts c;
	uint64_t now;
};

static int setup(void **state)
{
	struct story *s = calloc(1, sizeof *s);
	s->c.replicas_n = 3;
	s->now = 1000;
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct story *s = *state;
	counts_free(&s->c);
	free(s);
	return 0;
}

static uint32_t count(struct story *s, uint32_t key, enum hist_outcome outcome)
{
	uint32_t id = counts_add(&s->c, key, s->now += 10);
	if (outcome != HIST_OPEN) counts_answer(&s->c, id, outcome, s->now += 10);
	return id;
}

static struct count_read *read_it(struct story *s, uint32_t key, enum hist_view view,
                                  const char *number)
{
	struct count_read r = {.view = view, .key = key, .of = COUNTS_NOBODY, .began_us = s->now + 10};
	snprintf(r.number, sizeof r.number, "%s", number);
	r.ended_us = s->now += 20;
	counts_read(&s->c, &r);
	return &s->c.reads[s->c.read_count - 1];
}

static void holds(struct story *s)
{
	struct check_failure f = {0};
	if (!check_counts(&s->c, &f)) fail_msg("refused: %s %s", f.promise, f.text);
}

static void refuses(struct story *s, const char *promise, const char *text)
{
	struct check_failure f = {0};
	assert_false(check_counts(&s->c, &f));
	assert_string_equal(f.promise, promise);
	if (strstr(f.text, text) == NULL) fail_msg("%s", f.text);
}

static void a_number_with_all_of_them_is_right(void **state)
{
	struct story *s = *state;
	for (int i = 0; i < 3; i++) count(s, UP, HIST_ACKED), count(s, DOWN, HIST_ACKED);
	read_it(s, UP, HIST_FINAL, "13");
	read_it(s, DOWN, HIST_FINAL, "-13");
	holds(s);
}

static void all_that_a_key_may_have_fit(void **state)
{
	struct story *s = *state;
	for (int i = 0; i < COUNTS_PER_KEY; i++) count(s, UP, HIST_ACKED);
	read_it(s, UP, HIST_FINAL, "2026277576509488133");
	holds(s);
	read_it(s, UP, HIST_FINAL, "3377129294182480222");
	refuses(s, "P2", "increment 38: it is counted twice");
}

static void an_acknowledged_increment_that_is_gone_is_lost(void **state)
{
	struct story *s = *state;
	for (int i = 0; i < 3; i++) count(s, UP, HIST_ACKED);
	read_it(s, UP, HIST_FINAL, "10");
	refuses(s, "P2", "increment 1: acknowledged");
}

static void a_counter_that_is_gone_is_lost(void **state)
{
	struct story *s = *state;
	count(s, DOWN, HIST_ACKED);
	read_it(s, DOWN, HIST_FINAL, "");
	refuses(s, "P2", "acknowledged");
}

static void an_increment_that_is_counted_twice_is_refused(void **state)
{
	struct story *s = *state;
	for (int i = 0; i < 3; i++) count(s, DOWN, HIST_ACKED);
	read_it(s, DOWN, HIST_READ, "-16");
	refuses(s, "P2", "increment 1: it is counted twice");
}

static void one_of_unknown_outcome_may_be_counted_or_not_but_not_twice(void **state)
{
	struct story *s = *state;
	count(s, UP, HIST_UNKNOWN);
	count(s, UP, HIST_OPEN);
	read_it(s, UP, HIST_FINAL, "3");
	read_it(s, UP, HIST_FINAL, "1");
	read_it(s, UP, HIST_FINAL, "");
	holds(s);
	read_it(s, UP, HIST_FINAL, "2");
	refuses(s, "P2", "twice");
}

static void a_fragile_one_may_be_lost(void **state)
{
	struct story *s = *state;
	uint32_t id = count(s, UP, HIST_ACKED);
	s->c.ops[id].fragile = true;
	read_it(s, UP, HIST_FINAL, "");
	holds(s);
}

static void one_of_which_nothing_was_stored_must_not_be_counted(void **state)
{
	struct story *s = *state;
	count(s, UP, HIST_NONE);
	read_it(s, UP, HIST_READ, "0");
	holds(s);
	read_it(s, UP, HIST_READ, "1");
	refuses(s, "P7", "nothing was stored");
}

static void one_must_not_be_counted_before_it_is_asked_for(void **state)
{
	struct story *s = *state;
	count(s, UP, HIST_ACKED);
	read_it(s, UP, HIST_READ, "4");
	count(s, UP, HIST_ACKED);
	refuses(s, "P7", "before it was asked for");
}

static void a_quorum_read_that_misses_an_acknowledged_one_is_refused(void **state)
{
	struct story *s = *state;
	uint32_t id = count(s, UP, HIST_ACKED);
	s->c.ops[id].pw = 2;
	read_it(s, UP, HIST_READ, "0")->pr = 1;
	holds(s);
	read_it(s, UP, HIST_READ, "0")->pr = 2;
	refuses(s, "P5", "pw=2");
}

static void a_quorum_read_that_began_before_the_answer_may_miss_it(void **state)
{
	struct story *s = *state;
	uint32_t id = count(s, UP, HIST_ACKED);
	s->c.ops[id].pw = 2;
	struct count_read *r = read_it(s, UP, HIST_READ, "");
	r->pr = 2;
	r->began_us = s->c.ops[id].ended_us;
	holds(s);
}

static void an_answer_counts_its_own(void **state)
{
	struct story *s = *state;
	count(s, UP, HIST_ACKED);
	uint32_t id = count(s, UP, HIST_ACKED);
	read_it(s, UP, HIST_READ, "3")->of = id;
	holds(s);
	read_it(s, UP, HIST_READ, "1")->of = id;
	refuses(s, "P7", "its own answer");
}

static void what_nobody_asked_for_is_refused(void **state)
{
	struct story *s = *state;
	count(s, UP, HIST_ACKED);
	read_it(s, UP, HIST_READ, "4");
	refuses(s, "P2", "what nobody asked for");
}

static void the_wrong_direction_is_refused(void **state)
{
	struct story *s = *state;
	count(s, DOWN, HIST_UNKNOWN);
	read_it(s, DOWN, HIST_READ, "1");
	refuses(s, "P2", "direction");
}

static void what_is_no_number_is_refused(void **state)
{
	struct story *s = *state;
	read_it(s, UP, HIST_READ, "0x");
	refuses(s, "P2", "no number");
}

static void the_first_answer_stands(void **state)
{
	struct story *s = *state;
	uint32_t id = count(s, UP, HIST_UNKNOWN);
	counts_answer(&s->c, id, HIST_NONE, s->now);
	read_it(s, UP, HIST_FINAL, "1");
	holds(s);
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_number_with_all_of_them_is_right),
		STORY(all_that_a_key_may_have_fit),
		STORY(an_acknowledged_increment_that_is_gone_is_lost),
		STORY(a_counter_that_is_gone_is_lost),
		STORY(an_increment_that_is_counted_twice_is_refused),
		STORY(one_of_unknown_outcome_may_be_counted_or_not_but_not_twice),
		STORY(a_fragile_one_may_be_lost),
		STORY(one_of_which_nothing_was_stored_must_not_be_counted),
		STORY(one_must_not_be_counted_before_it_is_asked_for),
		STORY(a_quorum_read_that_misses_an_acknowledged_one_is_refused),
		STORY(a_quorum_read_that_began_before_the_answer_may_miss_it),
		STORY(an_answer_counts_its_own),
		STORY(what_nobody_asked_for_is_refused),
		STORY(the_wrong_direction_is_refused),
		STORY(what_is_no_number_is_refused),
		STORY(the_first_answer_stands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
