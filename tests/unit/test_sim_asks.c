/* test_sim_asks.c - the simulator's checkers of P6 and P7, on questions that they must accept and refuse. */
#include "tests/sim/asks.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define CALM SECONDS(100)

static int setup(void **state)
{
	struct asks *a = calloc(1, sizeof *a);
	asks_init(a);
	a->calm_from_us = CALM;
	*state = a;
	return 0;
}

static int teardown(void **state)
{
	asks_free(*state);
	free(*state);
	return 0;
}

static uint32_t read_at(struct asks *a, uint64_t at_us)
{
	struct ask k = {
		.what = "a read", .of = "n1", .key = 3, .write = HIST_NOBODY, .began_us = at_us};
	return asks_add(a, &k);
}

static uint32_t put_at(struct asks *a, uint64_t at_us)
{
	struct ask k = {.what = "a write",
	                .of = "n1",
	                .key = 3,
	                .write = 7,
	                .writes = true,
	                .puts = true,
	                .began_us = at_us};
	return asks_add(a, &k);
}

static void holds(const struct asks *a)
{
	struct check_failure f = {0};
	if (!check_asks(a, &f)) fail_msg("refused: %s %s", f.promise, f.text);
}

static void refuses(const struct asks *a, const char *promise, const char *text)
{
	struct check_failure f = {0};
	assert_false(check_asks(a, &f));
	assert_string_equal(f.promise, promise);
	if (strstr(f.text, text) == NULL) fail_msg("%s", f.text);
}

/* ---- P6 ------------------------------------------------------------------------------------- */

static void what_is_answered_well_is_served(void **state)
{
	struct asks *a = *state;
	asks_answered(a, read_at(a, CALM), ERR_OK, CALM + 10);
	asks_answered(a, read_at(a, CALM), ERR_NOT_FOUND, CALM + 20);
	uint32_t put = put_at(a, CALM);
	asks_answered(a, put, ERR_OK, CALM + 30);
	asks_outcome(a, put, OUTCOME_DONE, true);
	holds(a);
}

static void a_refusal_when_nothing_is_wrong_breaks_p6(void **state)
{
	struct asks *a = *state;
	uint32_t put = put_at(a, CALM);
	asks_answered(a, put, ERR_W_UNMET, CALM + 10);
	asks_outcome(a, put, OUTCOME_UNKNOWN, true);
	refuses(a, "P6", "W_UNMET");
}

static void a_read_that_times_out_when_nothing_is_wrong_breaks_p6(void **state)
{
	struct asks *a = *state;
	asks_answered(a, read_at(a, CALM), ERR_TIMEOUT, CALM + 10);
	refuses(a, "P6", "TIMEOUT");
}

static void a_question_that_is_lost_when_nothing_is_wrong_breaks_p6(void **state)
{
	struct asks *a = *state;
	asks_given_up(a, read_at(a, CALM), false, CALM + 10);
	refuses(a, "P6", "was lost");
}

static void a_write_is_never_answered_with_not_found(void **state)
{
	struct asks *a = *state;
	uint32_t put = put_at(a, CALM);
	asks_answered(a, put, ERR_NOT_FOUND, CALM + 10);
	asks_outcome(a, put, OUTCOME_NONE, false);
	refuses(a, "P6", "NOT_FOUND");
}

static void in_trouble_anything_may_be_answered(void **state)
{
	struct asks *a = *state;
	asks_answered(a, read_at(a, CALM - 1), ERR_R_UNMET, CALM + 10);
	asks_given_up(a, read_at(a, CALM - 1), false, CALM + 10);
	holds(a);
}

static void what_is_excused_may_be_refused(void **state)
{
	struct asks *a = *state;
	uint32_t read = read_at(a, CALM);
	asks_answered(a, read, ERR_PR_UNMET, CALM + 10);
	a->list[read].excused = true;
	holds(a);
}

static void a_condition_may_fail_and_no_other_write_for_it(void **state)
{
	struct asks *a = *state;
	uint32_t put = put_at(a, CALM);
	asks_answered(a, put, ERR_PRECONDITION, CALM + 10);
	asks_outcome(a, put, OUTCOME_NONE, false);
	a->list[put].conditional = true;
	holds(a);
	a->list[put].conditional = false;
	refuses(a, "P6", "PRECONDITION");
}

/* ---- P7 ------------------------------------------------------------------------------------- */

static void a_node_that_lived_and_never_answered_breaks_p7(void **state)
{
	struct asks *a = *state;
	asks_given_up(a, read_at(a, CALM - 1), true, CALM);
	refuses(a, "P7", "never answered");
}

static void two_answers_break_p7(void **state)
{
	struct asks *a = *state;
	uint32_t read = read_at(a, CALM - 1);
	asks_answered(a, read, ERR_OK, CALM);
	asks_answered(a, read, ERR_OK, CALM);
	refuses(a, "P7", "twice");
}

static void an_answer_after_its_client_gave_up_is_one_answer(void **state)
{
	struct asks *a = *state;
	uint32_t read = read_at(a, CALM - 1);
	asks_given_up(a, read, false, CALM);
	asks_answered(a, read, ERR_OK, CALM);
	holds(a);
}

static void an_acknowledgement_without_a_mint_breaks_p7(void **state)
{
	struct asks *a = *state;
	uint32_t put = put_at(a, CALM - 1);
	asks_answered(a, put, ERR_OK, CALM);
	asks_outcome(a, put, OUTCOME_DONE, false);
	refuses(a, "P7", "nothing was minted");
}

static void a_failure_that_says_done_breaks_p7(void **state)
{
	struct asks *a = *state;
	uint32_t put = put_at(a, CALM - 1);
	asks_answered(a, put, ERR_TIMEOUT, CALM);
	asks_outcome(a, put, OUTCOME_DONE, true);
	refuses(a, "P7", "yet done");
}

static void a_delete_of_nothing_is_done_without_a_mint(void **state)
{
	struct asks *a = *state;
	uint32_t delete = put_at(a, CALM);
	a->list[delete].puts = false;
	asks_answered(a, delete, ERR_NOT_FOUND, CALM + 10);
	asks_outcome(a, delete, OUTCOME_DONE, false);
	holds(a);
}

static void nothing_is_waited_for_when_all_is_over(void **state)
{
	struct asks *a = *state;
	read_at(a, CALM - 1);
	refuses(a, "P7", "is waited for");
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(what_is_answered_well_is_served),
		STORY(a_refusal_when_nothing_is_wrong_breaks_p6),
		STORY(a_read_that_times_out_when_nothing_is_wrong_breaks_p6),
		STORY(a_question_that_is_lost_when_nothing_is_wrong_breaks_p6),
		STORY(a_write_is_never_answered_with_not_found),
		STORY(in_trouble_anything_may_be_answered),
		STORY(what_is_excused_may_be_refused),
		STORY(a_condition_may_fail_and_no_other_write_for_it),
		STORY(a_node_that_lived_and_never_answered_breaks_p7),
		STORY(two_answers_break_p7),
		STORY(an_answer_after_its_client_gave_up_is_one_answer),
		STORY(an_acknowledgement_without_a_mint_breaks_p7),
		STORY(a_failure_that_says_done_breaks_p7),
		STORY(a_delete_of_nothing_is_done_without_a_mint),
		STORY(nothing_is_waited_for_when_all_is_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
