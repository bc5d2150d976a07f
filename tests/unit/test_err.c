/* test_err.c - the table of errors: its numbers are part of the peer protocol, its statuses of the
 * HTTP contract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dunlin/err.h"

#include <cmocka.h>

/* What peers of older versions know. New rows go below; none of these may move. */
static const struct {
	const char *name;
	int status, retryable;
} known[] = {
	{"OK", 200, 0},          {"NOT_FOUND", 404, 0},
	{"BUSY", 503, 1},        {"TIMEOUT", 503, 1},
	{"R_UNMET", 503, 1},     {"PR_UNMET", 503, 1},
	{"W_UNMET", 503, 1},     {"PW_UNMET", 503, 1},
	{"DW_UNMET", 503, 1},    {"CONFIRMS_UNMET", 503, 1},
	{"ABOVE_N", 400, 0},     {"BAD_CONTEXT", 400, 0},
	{"NO_VTAG", 404, 0},     {"SIBLINGS", 503, 0},
	{"TOO_LARGE", 413, 0},   {"NOT_READY", 503, 1},
	{"CLOCK", 503, 1},       {"NOT_MEMBER", 503, 1},
	{"UNREACHABLE", 503, 1}, {"STORE", 503, 1},
	{"CORRUPT", 503, 1},     {"FULL", 503, 1},
	{"BAD_BYTES", 400, 0},   {"OLD_EPOCH", 503, 1},
	{"PLAN", 409, 0},
};

#define KNOWN ((int)(sizeof known / sizeof known[0]))

static void the_numbers_that_peers_know_have_not_moved(void **state)
{
	(void)state;
	assert_true(ERR_COUNT >= KNOWN);
	for (int i = 0; i < KNOWN; i++) {
		assert_string_equal(err_name((enum err)i), known[i].name);
		assert_int_equal(err_http_status((enum err)i), known[i].status);
		assert_int_equal(err_retryable((enum err)i), known[i].retryable);
	}
	assert_int_equal(ERR_OK, 0);
}

static void every_row_has_a_name_of_its_own_and_a_sentence(void **state)
{
	(void)state;
	for (int i = 0; i < ERR_COUNT; i++) {
		assert_true(strlen(err_name((enum err)i)) > 0 && strlen(err_text((enum err)i)) > 0);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(err_name((enum err)i), err_name((enum err)k));
	}
}

/* A client library tries 503 again, so only that status may promise that it helps. */
static void what_may_succeed_later_is_answered_503(void **state)
{
	(void)state;
	for (int i = 0; i < ERR_COUNT; i++) {
		int status = err_http_status((enum err)i);
		assert_true(status == 200 || (status >= 400 && status < 600));
		if (err_retryable((enum err)i)) assert_int_equal(status, 503);
	}
}

/* The texts that Riak's clients look for. */
static void the_quorum_texts_are_riaks(void **state)
{
	(void)state;
	assert_string_equal(err_text(ERR_TIMEOUT), "request timed out");
	assert_string_equal(err_text(ERR_R_UNMET), "R-value unsatisfied");
	assert_string_equal(err_text(ERR_PR_UNMET), "PR-value unsatisfied");
	assert_string_equal(err_text(ERR_PW_UNMET), "PW-value unsatisfied");
	assert_string_equal(err_text(ERR_DW_UNMET), "DW-value unsatisfied");
	assert_string_equal(err_text(ERR_W_UNMET), "Too Many write failures to satisfy W/DW");
}

static void a_number_out_of_range_is_malformed(void **state)
{
	(void)state;
	static const int out[] = {ERR_COUNT, ERR_COUNT + 1, 255, 65535, INT32_MAX, -1, INT32_MIN};
	for (size_t i = 0; i < sizeof out / sizeof out[0]; i++) {
		enum err e = (enum err)out[i];
		assert_string_equal(err_name(e), "BAD_BYTES");
		assert_string_equal(err_text(e), err_text(ERR_BAD_BYTES));
		assert_int_equal(err_http_status(e), 400);
		assert_int_equal(err_retryable(e), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_numbers_that_peers_know_have_not_moved),
		cmocka_unit_test(every_row_has_a_name_of_its_own_and_a_sentence),
		cmocka_unit_test(what_may_succeed_later_is_answered_503),
		cmocka_unit_test(the_quorum_texts_are_riaks),
		cmocka_unit_test(a_number_out_of_range_is_malformed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
