/* test_cli.c - how the flags of a command are taken apart. What the commands print is tested over real
 * processes in tests/wire/test_cli.py. */
#include "drive/cmd.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "base/panic.h"
#include <cmocka.h>

static const struct cmd_option options[] = {
	{"level", "N", "a number"},
	{"loud", NULL, "a switch"},
	{"name", "TEXT", "a text"},
};
static const struct cmd sample = {
	.name = "sample",
	.words = "ONE [TWO]",
	.summary = "",
	.text = "",
	.options = options,
	.option_count = 3,
	.words_least = 1,
	.words_most = 2,
};

/* Parse a line of words split at spaces; the exit code, or -1 to go on. */
static int parse(const char *line, struct cmd_args *args)
{
	static char text[256];
	char *argv[16];
	int argc = 0, exit_code;
	strncpy(text, line, sizeof text - 1);
	for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
		argv[argc++] = word;
	return cmd_parse(&sample, argc, argv, args, &exit_code) ? -1 : exit_code;
}

static void flags_and_words_may_be_mixed(void **state)
{
	struct cmd_args a;
	(void)state;
	assert_int_equal(parse("one --level 3 two --loud --name=x=y", &a), -1);
	assert_int_equal(a.word_count, 2);
	assert_string_equal(a.words[0], "one");
	assert_string_equal(a.words[1], "two");
	assert_string_equal(cmd_value(&sample, &a, "level", NULL), "3");
	assert_string_equal(cmd_value(&sample, &a, "name", NULL), "x=y");
	assert_non_null(cmd_value(&sample, &a, "loud", NULL));
}

static void an_absent_flag_gives_the_other_value(void **state)
{
	struct cmd_args a;
	(void)state;
	assert_int_equal(parse("one", &a), -1);
	assert_null(cmd_value(&sample, &a, "loud", NULL));
	assert_string_equal(cmd_value(&sample, &a, "name", "none"), "none");
}

static void two_dashes_end_the_flags_and_one_is_a_word(void **state)
{
	struct cmd_args a;
	(void)state;
	assert_int_equal(parse("-- --loud", &a), -1);
	assert_string_equal(a.words[0], "--loud");
	assert_null(cmd_value(&sample, &a, "loud", NULL));
	assert_int_equal(parse("one -", &a), -1);
	assert_string_equal(a.words[1], "-");
}

static void what_is_wrong_is_misuse(void **state)
{
	static const char *const wrong[] = {
		"",          "one two three", "one --nosuch", "one --level", "one --loud=1",
		"--level 3", "one --lev 3"};
	struct cmd_args a;
	(void)state;
	for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_int_equal(parse(wrong[i], &a), CMD_MISUSE);
}

static void numbers_are_checked_against_their_bounds(void **state)
{
	static const struct {
		const char *line;
		bool good;
		uint64_t value;
	} cases[] = {
		{"one", true, 5},
		{"one --level 1", true, 1},
		{"one --level 10", true, 10},
		{"one --level 0", false, 5},
		{"one --level 11", false, 5},
		{"one --level 3x", false, 5},
		{"one --level -3", false, 5},
		{"one --level 18446744073709551617", false, 5},
	};
	struct cmd_args a;
	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint64_t value = 5;
		assert_int_equal(parse(cases[i].line, &a), -1);
		assert_int_equal(cmd_number(&sample, &a, "level", 1, 10, &value), cases[i].good);
		assert_int_equal(value, cases[i].value);
	}
}

static void every_command_is_found_by_its_name(void **state)
{
	(void)state;
	for (unsigned i = 0; cmd_at(i) != NULL; i++) {
		assert_ptr_equal(cmd_find(cmd_at(i)->name), cmd_at(i));
		assert_true(cmd_at(i)->option_count <= CMD_OPTIONS_MAX);
		assert_true(cmd_at(i)->words_most <= CMD_WORDS_MAX);
	}
	assert_null(cmd_find("nosuch"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_and_words_may_be_mixed),
		cmocka_unit_test(an_absent_flag_gives_the_other_value),
		cmocka_unit_test(two_dashes_end_the_flags_and_one_is_a_word),
		cmocka_unit_test(what_is_wrong_is_misuse),
		cmocka_unit_test(numbers_are_checked_against_their_bounds),
		cmocka_unit_test(every_command_is_found_by_its_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
