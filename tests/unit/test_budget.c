/* test_budget.c - the byte budget of background work, and the small pure parts of listings, properties
 * and conditions: ETags, dates, JSON texts, the table of properties, the figures of the last minute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/etag.h"
#include "base/panic.h"
#include "core/budget.h"
#include "drive/config.h"
#include "drive/stats.h"
#include "wire/http_conditions.h"
#include "wire/http_json.h"

#include <cmocka.h>

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

/* ---- the budget ---------------------------------------------------------------------------------- */

static struct budget background(void)
{
	struct budget b = {0};
	budget_set(&b, BACKGROUND_BYTES_PER_S, BACKGROUND_BURST_BYTES);
	return b;
}

/* However often it is asked in between: nothing is lost to rounding. */
static void a_slow_rate_that_is_asked_often_is_the_rate(void **state)
{
	(void)state;
	struct budget b = {0};
	budget_set(&b, KIB(1), 10);
	budget_ready(&b, (struct instant){SECONDS(1)});
	budget_pay(&b, KIB(1) + 10);
	uint64_t us = SECONDS(1), first = 0;
	for (; first == 0; us += 7)
		if (budget_ready(&b, (struct instant){us}).us <= us) first = us;
	assert_in_range(first, 2 * SECONDS(1) - 1000, 2 * SECONDS(1) + 1000);
}

static void what_was_paid_too_much_is_given_back(void **state)
{
	(void)state;
	struct budget b = background();
	struct instant now = {SECONDS(100)};
	budget_ready(&b, now);
	budget_pay(&b, MIB(64));
	assert_true(budget_ready(&b, now).us > now.us);
	budget_pay(&b, 100 - (int64_t)MIB(64));
	assert_int_equal(budget_ready(&b, now).us, now.us);
}

static void a_burst_is_read_at_once_and_then_at_the_rate(void **state)
{
	(void)state;
	struct budget b = background();
	struct instant now = {SECONDS(100)};
	uint64_t read = 0, page = KIB(256);
	while (now.us < SECONDS(110)) {
		struct instant at = budget_ready(&b, now);
		if (at.us > now.us) {
			now = at;
			continue;
		}
		budget_pay(&b, (int64_t)page);
		read += page;
	}
	uint64_t fair = BACKGROUND_BURST_BYTES + 10 * BACKGROUND_BYTES_PER_S;
	assert_in_range(read, fair - MIB(1), fair + MIB(1));
}

static void a_page_larger_than_the_burst_is_owed(void **state)
{
	(void)state;
	struct budget b = background();
	struct instant now = {SECONDS(100)};
	assert_int_equal(budget_ready(&b, now).us, now.us);
	budget_pay(&b, BACKGROUND_BURST_BYTES + BACKGROUND_BYTES_PER_S);
	struct instant at = budget_ready(&b, now);
	assert_in_range(at.us, now.us + SECONDS(1) - 1000, now.us + SECONDS(1) + 1000);
	assert_true(budget_ready(&b, (struct instant){at.us + 1000}).us <= at.us + 1000);
}

static void rest_is_not_saved_up_past_the_burst(void **state)
{
	(void)state;
	struct budget b = background();
	budget_ready(&b, (struct instant){SECONDS(1)});
	budget_pay(&b, BACKGROUND_BURST_BYTES);
	budget_ready(&b, (struct instant){SECONDS(100000)});
	assert_int_equal(b.left, BACKGROUND_BURST_BYTES);
}

/* ---- ETags ------------------------------------------------------------------------------------------ */

static void an_etag_names_one_sibling_by_its_dot_and_several_by_all(void **state)
{
	(void)state;
	struct sibling two[2] = {{.dot = {{1}, {10}}}, {.dot = {{2}, {20}}}};
	struct sibling turned[2] = {two[1], two[0]};
	uint64_t one[2], both[2], again[2], other[2];
	etag_of(two, 1, one);
	assert_true(one[0] == 1 && one[1] == 10);
	etag_of(two, 2, both);
	etag_of(turned, 2, again);
	assert_memory_equal(both, again, sizeof both);
	two[1].dot.at.v++;
	etag_of(two, 2, other);
	assert_memory_not_equal(both, other, sizeof both);
	uint8_t tags[32] = {[7] = 9, [15] = 9, [23] = 1, [31] = 10};
	assert_true(etag_in(bytes_of(tags, sizeof tags), one));
	assert_false(etag_in(bytes_of(tags, 16), one));
	assert_false(etag_in(BYTES_EMPTY, one));
}

/* ---- dates ------------------------------------------------------------------------------------------- */

static void dates_are_read_in_all_three_forms(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t unix_s; /* 0: none */
	} rows[] = {
		{"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
		{"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
		{"Sun Nov  6 08:49:37 1994", 784111777},
		{"Thu, 29 Feb 2024 23:59:60 GMT", 1709251200},
		{"Fri, 01 Jan 2100 00:00:00 GMT", 4102444800},
		{"Sat, 01 Jan 2000 00:00:00 GMT", 946684800},
		{"Sun, 06 Nov 1994 08:49 GMT    ", 0},
		{"Sun, 06 Nix 1994 08:49:37 GMT", 0},
		{"Sun, 32 Nov 1994 08:49:37 GMT", 0},
		{"Sun, 06 Nov 1994 24:49:37 GMT", 0},
		{"yesterday", 0},
		{"", 0},
		{"784111777", 0},
		{"Sun, 06 Nov 99999 08:49:37 GMT", 0},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t s = 0;
		bool read = http_date_read(bytes_of_string(rows[i].text), &s);
		if (read != (rows[i].unix_s != 0) || (read && s != rows[i].unix_s))
			fail_msg("%s: %d, %llu", rows[i].text, read, (unsigned long long)s);
	}
}

/* ---- JSON texts ----------------------------------------------------------------------------------------- */

static void only_utf_8_is_text(void **state)
{
	(void)state;
	static const struct {
		struct bytes bytes;
		bool text;
	} rows[] = {
		{{(const uint8_t *)"", 0}, true},
		{{(const uint8_t *)"a\0b", 3}, true},
		{{(const uint8_t *)"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa6", 9}, true},
		{{(const uint8_t *)"\xf4\x8f\xbf\xbf", 4}, true},
		{{(const uint8_t *)"\xf4\x90\x80\x80", 4}, false}, /* past U+10FFFF */
		{{(const uint8_t *)"\xed\xa0\x80", 3}, false},     /* a surrogate */
		{{(const uint8_t *)"\xc0\xaf", 2}, false},         /* overlong */
		{{(const uint8_t *)"\xe0\x80\xaf", 3}, false},
		{{(const uint8_t *)"\xf0\x80\x80\xaf", 4}, false},
		{{(const uint8_t *)"\xc3", 1}, false}, /* cut */
		{{(const uint8_t *)"\xf0\x9f\x90", 3}, false},
		{{(const uint8_t *)"\x80", 1}, false},
		{{(const uint8_t *)"\xff", 1}, false},
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(http_json_is_text(rows[i].bytes), rows[i].text);
}

static void texts_are_escaped_and_other_bytes_are_percent_encoded(void **state)
{
	(void)state;
	uint8_t room[128];
	struct http_out out = {room, sizeof room, 0};
	http_json_any(&out, BYTES("a\"b\\c\n\x01\x7f\xc3\xa4"));
	assert_true(
		bytes_equal(bytes_of(room, out.len), BYTES("\"a\\\"b\\\\c\\n\\u0001\\u007f\xc3\xa4\"")));
	out.len = 0;
	http_json_any(&out, BYTES("a/\xff"));
	assert_true(bytes_equal(bytes_of(room, out.len), BYTES("\"a%2F%FF\"")));
}

/* ---- the table of properties ------------------------------------------------------------------------------ */

static void each_property_is_found_and_takes_its_default(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PROP_COUNT; i++) {
		struct prop_row r = prop_row(i);
		assert_int_equal(prop_find(bytes_of_string(r.name)), i);
		assert_true(i == PROP_n_val || prop_fits(i, r.value));
	}
	assert_int_equal(prop_find(BYTES("")), PROP_COUNT);
	assert_int_equal(prop_find(BYTES("r ")), PROP_COUNT);
	assert_false(prop_fits(PROP_r, 0) || prop_fits(PROP_r, QUORUM_DEFAULT) || prop_fits(99, 1));
	assert_true(prop_fits(PROP_r, QUORUM_ALL) && prop_fits(PROP_dw, 0));
}

static void types_are_read_from_one_line_or_several(void **state)
{
	(void)state;
	struct config_types t = {0};
	assert_true(config_types_set(&t, CONFIG_FILE, "carts n_val=2 allow_mult=false, plain"));
	assert_true(config_types_set(&t, CONFIG_FILE, " sessions ttl=3600 r=one "));
	assert_int_equal(t.count, 3);
	assert_true(bytes_equal(t.items[0].name, BYTES("carts")) && t.items[0].change_count == 2);
	assert_true(t.items[0].changes[0].prop == PROP_n_val && t.items[0].changes[0].value == 2);
	assert_true(bytes_equal(t.items[1].name, BYTES("plain")) && t.items[1].change_count == 0);
	assert_true(t.items[2].changes[1].value == QUORUM_ONE);
	assert_true(config_types_set(&t, CONFIG_FLAG, "only")); /* a flag replaces the file */
	assert_int_equal(t.count, 1);
	static const char *const bad[] = {"carts n_val",       "carts n_val=0", "carts n_val=x",
	                                  "carts colour=red",  "n_val=3",       "carts allow_mult=yes",
	                                  "carts r=0 n_val=3", "carts ttl=-1"};
	for (size_t i = 0; i < COUNT(bad); i++)
		if (config_types_set(&t, CONFIG_FLAG, bad[i])) fail_msg("%s", bad[i]);
	config_types_free(&t);
}

/* ---- the last minute ---------------------------------------------------------------------------------------- */

static void quantiles_are_true_to_a_tenth(void **state)
{
	(void)state;
	struct stats *s = calloc(1, sizeof *s);
	assert_non_null(s);
	assert_int_equal(stats_quantile(&s->windows[STATS_GET_US], 990), 0);
	assert_int_equal(stats_mean(&s->windows[STATS_GET_US]), 0);
	for (uint64_t v = 1; v <= 100000; v++) stats_note(s, STATS_GET_US, v);
	const struct stats_window *w = &s->windows[STATS_GET_US];
	assert_int_equal(stats_mean(w), 50000);
	assert_in_range(stats_quantile(w, 500), 45000, 55000);
	assert_in_range(stats_quantile(w, 990), 90000, 100000);
	assert_int_equal(stats_quantile(w, 1000), 100000);
	stats_note(s, STATS_GET_BYTES, UINT64_MAX);
	stats_note(s, STATS_GET_BYTES, 0);
	assert_int_equal(stats_quantile(&s->windows[STATS_GET_BYTES], 500), 0);
	free(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_is_read_at_once_and_then_at_the_rate),
		cmocka_unit_test(a_page_larger_than_the_burst_is_owed),
		cmocka_unit_test(rest_is_not_saved_up_past_the_burst),
		cmocka_unit_test(a_slow_rate_that_is_asked_often_is_the_rate),
		cmocka_unit_test(what_was_paid_too_much_is_given_back),
		cmocka_unit_test(an_etag_names_one_sibling_by_its_dot_and_several_by_all),
		cmocka_unit_test(dates_are_read_in_all_three_forms),
		cmocka_unit_test(only_utf_8_is_text),
		cmocka_unit_test(texts_are_escaped_and_other_bytes_are_percent_encoded),
		cmocka_unit_test(each_property_is_found_and_takes_its_default),
		cmocka_unit_test(types_are_read_from_one_line_or_several),
		cmocka_unit_test(quantiles_are_true_to_a_tenth),
	};
	return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
