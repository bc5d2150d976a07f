/* test_config.c - the configuration: where values come from, and how refusals read. */
#include "drive/config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/panic.h"
#include <cmocka.h>

struct fixture {
	struct config config;
	struct config_error error;
	char path[64];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	config_init(&f->config);
	strcpy(f->path, "/tmp/dunlin-config-XXXXXX");
	close(mkstemp(f->path));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	config_free(&f->config);
	unlink(f->path);
	free(f);
	return 0;
}

static bool read_text(struct fixture *f, const char *text)
{
	FILE *file = fopen(f->path, "w");
	fputs(text, file);
	fclose(file);
	return config_file(&f->config, f->path, &f->error);
}

/* The refusal of a file's text, with its path taken off. */
static const char *refusal(struct fixture *f, const char *text)
{
	assert_false(read_text(f, text));
	assert_int_equal(strncmp(f->error.text, f->path, strlen(f->path)), 0);
	return f->error.text + strlen(f->path);
}

static bool flag(struct fixture *f, const char *key, const char *value)
{
	return config_set(&f->config, CONFIG_FLAG, "--flag", key, value, &f->error);
}

static void defaults_are_those_of_the_table(void **state)
{
	struct fixture *f = *state;
	assert_string_equal(f->config.http, "127.0.0.1:8098");
	assert_int_equal(f->config.value_bytes_max, 8 << 20);
	assert_int_equal(f->config.log_level, LOG_LEVEL_INFO);
	assert_false(f->config.insecure);
	assert_int_equal(f->config.join.count, 0);
	assert_true(config_check(&f->config, &f->error));
	assert_string_equal(f->config.advertise, "127.0.0.1:8099");
	assert_int_equal(f->config.replicas, 1);
	assert_true(strlen(f->config.name) > 0);
}

static void a_file_sets_keys_and_join_may_repeat(void **state)
{
	struct fixture *f = *state;
	assert_true(read_text(f, "# a comment\n\n[dunlin]\nname = n1\nvalue_bytes_max = 64k\n"
	                         "join = a:1, b:2\njoin = [::1]:3\nriak_defaults = ON\n"));
	assert_string_equal(f->config.name, "n1");
	assert_int_equal(f->config.value_bytes_max, 65536);
	assert_int_equal(f->config.join.count, 3);
	assert_string_equal(f->config.join.items[2], "[::1]:3");
	assert_true(f->config.riak_defaults);
}

static void a_flag_beats_the_environment_which_beats_the_file(void **state)
{
	struct fixture *f = *state;
	char *environment[] = {(char *)"DUNLIN_ZONE=env", (char *)"DUNLIN_WEIGHT=7",
	                       (char *)"DUNLIN_JOIN=e:1,e:2", (char *)"DUNLIN_ZONES=not ours", NULL};
	assert_true(read_text(f, "zone = file\nweight = 5\nname = file\njoin = f:1\njoin = f:2\n"
	                         "join = f:3\n"));
	assert_true(config_environment(&f->config, environment, &f->error));
	assert_int_equal(f->config.join.count, 2);
	assert_true(flag(f, "zone", "flag"));
	assert_string_equal(f->config.zone, "flag");
	assert_int_equal(f->config.weight, 7);
	assert_string_equal(f->config.name, "file");
	assert_string_equal(f->config.join.items[0], "e:1");
	assert_true(flag(f, "join", "g:1"));
	assert_int_equal(f->config.join.count, 1);
}

static void an_unknown_key_names_its_line_and_the_nearest(void **state)
{
	struct fixture *f = *state;
	assert_string_equal(refusal(f, "name = a\nzonne = b\n"),
	                    ":2: unknown key `zonne`; did you mean `zone`?");
	assert_string_equal(refusal(f, "flux_capacitor = 1\n"),
	                    ":1: unknown key `flux_capacitor`; `dunlin help start` lists the keys");
}

static void a_bad_value_says_what_was_expected(void **state)
{
	static const struct {
		const char *text, *refusal;
	} cases[] = {
		{"weight = 0\n", ":1: weight = `0`: expected a whole number from 1 to 1000"},
		{"weight = 1001\n", ":1: weight = `1001`: expected a whole number from 1 to 1000"},
		{"weight = 1x\n", ":1: weight = `1x`: expected a whole number from 1 to 1000"},
		{"weight = -1\n", ":1: weight = `-1`: expected a whole number from 1 to 1000"},
		{"weight =\n", ":1: weight = ``: expected a whole number from 1 to 1000"},
		{"\n\nweight = 99999999999999999999\n",
	     ":3: weight = `99999999999999999999`: expected a whole number from 1 to 1000"},
		{"value_bytes_max = 9m\n", ":1: value_bytes_max = `9m`: expected a number of bytes, as "
	                               "4096, 64k, 8m or 1g from 1 to 8388608"},
		{"insecure = maybe\n", ":1: insecure = `maybe`: expected yes or no"},
		{"log_level = loud\n", ":1: log_level = `loud`: expected error, warn, info or debug"},
		{"http = 8098\n", ":1: http = `8098`: expected address:port, as 127.0.0.1:8098 or "
	                      "[::1]:8098"},
		{"http = example.org:80\n", ":1: http = `example.org:80`: expected address:port, as "
	                                "127.0.0.1:8098 or [::1]:8098"},
		{"http = 127.0.0.1:65536\n", ":1: http = `127.0.0.1:65536`: expected address:port, as "
	                                 "127.0.0.1:8098 or [::1]:8098"},
		{"join = a:1, b\n", ":1: join = `a:1, b`: expected host:port, host:port, ..."},
		{"dir =\n", ":1: dir = ``: expected text of 1 to 960 bytes"},
		{"just words\n", ":1: expected `key = value`, a comment (#) or an empty line"},
		{"[other]\nname = x\n", ":2: section [other]: expected no section, or [dunlin]"},
		{"name = a\n  zone = b\n", ":2: an indented line; expected `key = value` at its start"},
	};
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(refusal(*state, cases[i].text), cases[i].refusal);
}

static void a_line_longer_than_the_limit_is_refused_not_split(void **state)
{
	struct fixture *f = *state;
	char text[512] = "name = a\njoin = ";
	for (unsigned i = 0; i < 30; i++) strcat(text, "host:8099,");
	assert_non_null(strstr(refusal(f, strcat(text, "\n")), ":2: a line of more than "));
}

static void a_line_just_under_the_limit_is_taken(void **state)
{
	struct fixture *f = *state;
	char text[512] = "zone = ";
	memset(text + 7, ' ', 191 - 7);
	assert_true(read_text(f, strcat(text, "zz\nname = b\n")));
	assert_string_equal(f->config.zone, "zz");
	assert_string_equal(f->config.name, "b");
}

static void a_missing_file_says_why(void **state)
{
	struct fixture *f = *state;
	assert_false(config_file(&f->config, "/nonexistent/x.conf", &f->error));
	assert_string_equal(f->error.text,
	                    "/nonexistent/x.conf: cannot be read: No such file or directory");
}

static const char *check_refusal(struct fixture *f)
{
	assert_false(config_check(&f->config, &f->error));
	return f->error.text;
}

static void serving_the_network_without_insecure_is_refused_with_a_sentence(void **state)
{
	struct fixture *f = *state;
	assert_true(flag(f, "http", "0.0.0.0:8098"));
	assert_non_null(strstr(check_refusal(f), "insecure = yes"));
	assert_true(flag(f, "insecure", "yes"));
	assert_true(config_check(&f->config, &f->error));
}

static void join_wants_expect_and_a_key_file(void **state)
{
	struct fixture *f = *state;
	assert_true(flag(f, "join", "a:1,b:2"));
	assert_non_null(strstr(check_refusal(f), "join is set without expect"));
	assert_true(flag(f, "expect", "3"));
	assert_non_null(strstr(check_refusal(f), "join is set without key_file"));
	assert_true(flag(f, "key-file", "k"));
	assert_true(config_check(&f->config, &f->error));
	assert_int_equal(f->config.replicas, 3);
	assert_true(flag(f, "expect", "4"));
	assert_non_null(strstr(check_refusal(f), "expect is more than"));
}

static void the_rules_between_keys_are_checked(void **state)
{
	struct fixture *f = *state;
	assert_true(flag(f, "partitions", "100"));
	assert_non_null(strstr(check_refusal(f), "power of two"));
	assert_true(flag(f, "partitions", "64"));
	assert_true(flag(f, "expect", "3"));
	assert_non_null(strstr(check_refusal(f), "expect is set without join"));
	assert_true(flag(f, "expect", "0"));
	assert_true(flag(f, "replicas", "2"));
	assert_non_null(strstr(check_refusal(f), "cluster of one"));
}

static void addresses_split_and_loopback_is_known(void **state)
{
	char host[64];
	uint16_t port;
	(void)state;
	assert_true(config_split_address("[::1]:80", host, sizeof host, &port));
	assert_string_equal(host, "::1");
	assert_int_equal(port, 80);
	assert_false(config_split_address("::1:80", host, sizeof host, &port));
	assert_false(config_split_address("a:", host, sizeof host, &port));
	assert_false(config_split_address(":80", host, sizeof host, &port));
	assert_false(config_split_address("a:0", host, sizeof host, &port));
	assert_true(config_is_loopback("127.3.2.1:80"));
	assert_true(config_is_loopback("[::1]:80"));
	assert_false(config_is_loopback("10.0.0.1:80"));
	assert_false(config_is_loopback("[::]:80"));
}

static void log_lines_are_logfmt_and_quote_what_needs_it(void **state)
{
	char line[256];
	struct log_field fields[] = {LOG_S("plain", "a:1"), LOG_S("odd", "a \"b\"\n\x01"),
	                             LOG_U("n", 7), LOG_S("empty", ""), LOG_S("space", "a b")};
	(void)state;
	log_format(line, sizeof line, LOG_LEVEL_WARN, "it \"is\"", fields, 5);
	assert_string_equal(line, "level=warn msg=\"it \\\"is\\\"\" plain=a:1 "
	                          "odd=\"a \\\"b\\\"\\n\\x01\" n=7 empty=\"\" space=\"a b\"");
	assert_int_equal(log_format(line, 12, LOG_LEVEL_INFO, "cut", NULL, 0), 11);
}

/* The example file holds every key with its default, commented out or not, and nothing else. */
static void the_example_file_lists_every_key(void **state)
{
	FILE *file = fopen("docs/dunlin.conf.example", "r");
	char line[512], key[64], value[128];
	unsigned seen = 0;
	(void)state;
	if (file == NULL) skip();
	while (fgets(line, sizeof line, file) != NULL) {
		value[0] = '\0';
		if (sscanf(line, "#%63[a-z_] = %127[^\n]", key, value) < 1) continue;
		int index = config_key_find(key);
		if (index < 0) fail_msg("docs/dunlin.conf.example names unknown key %s", key);
		assert_string_equal(value, config_key_at((unsigned)index).value);
		seen++;
	}
	fclose(file);
	assert_int_equal(seen, config_key_count());
}

static void a_refused_property_of_a_type_leaves_nothing_behind(void **state)
{
	struct fixture *f = *state;
	assert_false(flag(f, "bucket_type", "carts ttl=60 n_val=99"));
	assert_false(flag(f, "bucket_type", "logs nothing=1"));
	assert_int_equal(f->config.bucket_type.count, 2);
	assert_int_equal(f->config.bucket_type.items[0].change_count, 1);
	assert_int_equal(f->config.bucket_type.items[0].changes[0].value, 60);
	assert_int_equal(f->config.bucket_type.items[1].change_count, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(defaults_are_those_of_the_table),
		T(a_file_sets_keys_and_join_may_repeat),
		T(a_flag_beats_the_environment_which_beats_the_file),
		T(an_unknown_key_names_its_line_and_the_nearest),
		T(a_bad_value_says_what_was_expected),
		T(a_line_longer_than_the_limit_is_refused_not_split),
		T(a_line_just_under_the_limit_is_taken),
		T(a_missing_file_says_why),
		T(serving_the_network_without_insecure_is_refused_with_a_sentence),
		T(join_wants_expect_and_a_key_file),
		T(the_rules_between_keys_are_checked),
		T(addresses_split_and_loopback_is_known),
		T(log_lines_are_logfmt_and_quote_what_needs_it),
		T(a_refused_property_of_a_type_leaves_nothing_behind),
		T(the_example_file_lists_every_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
