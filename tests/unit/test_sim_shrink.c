/* test_sim_shrink.c - a failing run is shrunk to what it needs: runs here are functions of their options. */
#include "tests/sim/numbers.c"
#include "tests/sim/shrink.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define TURNS 300

/* What a run needs to fail. */
static struct {
	uint32_t faults;
	struct {
		enum fault_kind kind;
		uint32_t number;
	} strikes[4];
	uint32_t strike_count;
	uint32_t turns[4], turn_count;
	uint64_t keys, until_us;
	uint32_t counters;
	uint32_t key; /* that it says failed */
	uint32_t runs;
	bool all; /* everything that was in the first run */
} need;

/* Each kind strikes nine times, and all turns of the first 300 are taken. */
static void say_what_happened(const struct sim_options *o, struct run_result *r)
{
	*r = (struct run_result){.held = true, .key = need.key, .write = HIST_NOBODY};
	for (uint32_t k = 0; k < FAULT_KINDS; k++)
		if ((o->faults & FAULT_BIT(k)) != 0) r->strikes[k] = 9;
	for (uint32_t t = 0; t < TURNS; t++)
		if (numbers_have(o->turns, t)) numbers_set(r->turns, t, true);
}

static bool has_all(const struct sim_options *o)
{
	bool all = o->faults == FAULTS_ALL && o->until_us == 0 && o->counters == SIM_COUNTERS_MAX;
	for (uint32_t t = 0; t < TURNS; t++) all &= numbers_have(o->turns, t);
	for (uint32_t k = 0; k < FAULT_KINDS; k++) all &= (o->strikes[k] & 0x1ff) == 0x1ff;
	return all && numbers_are_all(&o->keys, SIM_KEYS);
}

static bool has_what_it_needs(const struct sim_options *o)
{
	uint64_t until = o->until_us > 0 ? o->until_us : o->time_us;
	bool has = (o->faults & need.faults) == need.faults && (o->keys & need.keys) == need.keys;
	for (uint32_t i = 0; i < need.strike_count; i++)
		has &= numbers_have(&o->strikes[need.strikes[i].kind], need.strikes[i].number);
	for (uint32_t i = 0; i < need.turn_count; i++) has &= numbers_have(o->turns, need.turns[i]);
	return has && until >= need.until_us && o->counters >= need.counters &&
	       (!need.all || has_all(o));
}

static void a_run(const struct sim_options *o, struct run_result *r)
{
	need.runs++;
	say_what_happened(o, r);
	if (!has_what_it_needs(o)) return;
	r->held = false;
	snprintf(r->promise, sizeof r->promise, "P2");
}

/* Without faults it breaks another promise. */
static void a_run_with_two_bugs(const struct sim_options *o, struct run_result *r)
{
	a_run(o, r);
	if (o->faults != 0) return;
	r->held = false;
	snprintf(r->promise, sizeof r->promise, "P6");
}

static const struct shrunk *shrunk_by(shrink_run *run)
{
	static struct shrunk out;
	struct sim_options o;
	struct run_result first;
	options_default(&o);
	o.time_us = SECONDS(60);
	run(&o, &first);
	assert_false(first.held);
	shrink(&o, &first, run, &out);
	assert_false(out.result.held);
	assert_string_equal(out.result.promise, "P2");
	return &out;
}

/* options.c has the rest of it, and a command line. */
void options_default(struct sim_options *o)
{
	*o = (struct sim_options){.nodes = 5,
	                          .clients = 10,
	                          .faults = FAULTS_ALL,
	                          .counters = SIM_COUNTERS_MAX,
	                          .operators = 1};
	memset(o->strikes, 0xff, sizeof o->strikes);
	numbers_fill(o->turns, SIM_TURNS_MAX);
	numbers_fill(&o->keys, SIM_KEYS);
}

static int setup(void **state)
{
	(void)state;
	memset(&need, 0, sizeof need);
	need.key = HIST_NOBODY;
	return 0;
}

static uint32_t count_of(const uint64_t *bits, uint32_t max)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < max; i++) count += numbers_have(bits, i);
	return count;
}

static void what_fails_anyway_is_shrunk_to_nothing(void **state)
{
	(void)state;
	const struct shrunk *s = shrunk_by(a_run);
	assert_int_equal(s->options.faults, 0);
	assert_int_equal(s->options.counters + s->options.operators, 0);
	assert_int_equal(count_of(s->options.turns, SIM_TURNS_MAX), 0);
	assert_true(s->options.until_us <= MS(200));
	assert_true(s->runs <= 40);
}

static void what_is_needed_stays_and_nothing_else(void **state)
{
	(void)state;
	need.faults = FAULT_BIT(FAULT_CRASH) | FAULT_BIT(FAULT_LOSS);
	need.strikes[0].kind = FAULT_CRASH, need.strikes[0].number = 2;
	need.strikes[1].kind = FAULT_CRASH, need.strikes[1].number = 7;
	need.strikes[2].kind = FAULT_LOSS, need.strikes[2].number = 0;
	need.strike_count = 3;
	need.turns[0] = 40, need.turns[1] = 41, need.turns[2] = 290;
	need.turn_count = 3;
	need.keys = 1U << 3;
	need.key = 3;
	need.until_us = SECONDS(7);
	const struct shrunk *s = shrunk_by(a_run);
	assert_int_equal(s->options.faults, need.faults);
	assert_int_equal(s->options.strikes[FAULT_CRASH], 1U << 2 | 1U << 7);
	assert_int_equal(s->options.strikes[FAULT_LOSS], 1U << 0);
	assert_int_equal(count_of(s->options.turns, SIM_TURNS_MAX), 3);
	assert_true(numbers_have(s->options.turns, 40) && numbers_have(s->options.turns, 41) &&
	            numbers_have(s->options.turns, 290));
	assert_int_equal(s->options.keys, 1U << 3);
	assert_true(s->options.until_us >= SECONDS(7) && s->options.until_us < SECONDS(7) + MS(300));
	assert_int_equal(s->options.counters, 0);
}

static void keys_go_one_by_one_where_none_is_named(void **state)
{
	(void)state;
	need.keys = 1U << 2 | 1U << 11;
	const struct shrunk *s = shrunk_by(a_run);
	assert_int_equal(s->options.keys, need.keys);
}

static void clients_that_count_stay_as_far_as_they_are_needed(void **state)
{
	(void)state;
	need.counters = 2;
	const struct shrunk *s = shrunk_by(a_run);
	assert_int_equal(s->options.counters, 2);
	assert_int_equal(s->options.operators, 0);
}

static void another_promise_is_another_failure(void **state)
{
	(void)state;
	need.faults = FAULT_BIT(FAULT_ROT);
	const struct shrunk *s = shrunk_by(a_run_with_two_bugs);
	assert_int_equal(s->options.faults, FAULT_BIT(FAULT_ROT));
}

static void what_needs_everything_costs_no_more_than_it_may(void **state)
{
	(void)state;
	need.all = true;
	const struct shrunk *s = shrunk_by(a_run);
	assert_true(s->runs <= SHRINK_RUNS_MAX && need.runs <= SHRINK_RUNS_MAX + 1);
	assert_int_equal(s->options.faults, FAULTS_ALL);
}

static void numbers_are_read_as_they_are_written(void **state)
{
	(void)state;
	static const char *const texts[] = {"all", "none", "0", "3,7,12-40", "63-65", "99"};
	for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		uint64_t bits[NUMBERS_WORDS(100)] = {0};
		char *text = NULL;
		size_t len = 0;
		assert_true(numbers_parse(texts[i], bits, 100));
		FILE *to = open_memstream(&text, &len);
		numbers_print(bits, 100, to);
		fclose(to);
		assert_string_equal(text, texts[i]);
		free(text);
	}
}

static void what_is_no_set_of_numbers_is_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {"",      "100", "-1", "1,",  "1-",
	                                    "1-100", "5-3", "x",  "1 2", "1,,2"};
	uint64_t bits[NUMBERS_WORDS(100)];
	for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_false(numbers_parse(texts[i], bits, 100));
}

#define STORY(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(what_fails_anyway_is_shrunk_to_nothing),
		STORY(what_is_needed_stays_and_nothing_else),
		STORY(keys_go_one_by_one_where_none_is_named),
		STORY(clients_that_count_stay_as_far_as_they_are_needed),
		STORY(another_promise_is_another_failure),
		STORY(what_needs_everything_costs_no_more_than_it_may),
		STORY(numbers_are_read_as_they_are_written),
		STORY(what_is_no_set_of_numbers_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
