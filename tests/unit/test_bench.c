/* test_bench.c - the parts of the load generator that compute: times, keys, flags, answers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "drive/bench.h"

#undef assert
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- the histogram -------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* Over many magnitudes, as latencies are. */
static uint64_t some_time(struct prng *p)
{
	return prng_next(p) >> (24 + prng_below(p, 40));
}

static void percentiles_are_within_a_128th_of_the_sorted_truth(void **state)
{
	static const double shares[] = {0, 0.001, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};
	enum { N = 19999 };
	uint64_t *times = malloc(N * sizeof *times);
	struct bench_hist *h = calloc(1, sizeof *h);
	struct prng p;
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		prng_seed(&p, seed);
		bench_hist_clear(h);
		for (unsigned i = 0; i < N; i++) bench_hist_add(h, times[i] = some_time(&p));
		qsort(times, N, sizeof *times, by_size);
		for (unsigned i = 0; i < COUNT(shares); i++) {
			double rank = ceil(shares[i] * N);
			uint64_t truth = times[rank < 1 ? 0 : (size_t)rank - 1];
			uint64_t told = bench_hist_at(h, shares[i]);
			assert_true(told >= truth);
			assert_true(told - truth <= truth / 128);
		}
		assert_int_equal(bench_hist_at(h, 1), times[N - 1]);
		assert_int_equal(h->max_ns, times[N - 1]);
	}
	free(times);
	free(h);
}

static void every_time_has_a_bucket_and_the_far_end_is_held(void **state)
{
	static const uint64_t times[] = {0,
	                                 1,
	                                 127,
	                                 128,
	                                 255,
	                                 256,
	                                 257,
	                                 511,
	                                 512,
	                                 BENCH_HIST_NS_MAX - 1,
	                                 BENCH_HIST_NS_MAX,
	                                 BENCH_HIST_NS_MAX + 1,
	                                 UINT64_MAX};
	struct bench_hist *h = calloc(1, sizeof *h);
	(void)state;
	assert_int_equal(bench_hist_at(h, 0.5), 0);
	assert_int_equal(bench_hist_mean(h), 0);
	for (unsigned i = 0; i < COUNT(times); i++) {
		uint64_t held = times[i] < BENCH_HIST_NS_MAX ? times[i] : BENCH_HIST_NS_MAX;
		bench_hist_clear(h);
		bench_hist_add(h, times[i]);
		assert_int_equal(bench_hist_at(h, 0.5), held);
		assert_int_equal(bench_hist_mean(h), held);
	}
	free(h);
}

static void merged_histograms_are_as_if_all_had_gone_into_one(void **state)
{
	struct bench_hist *h = calloc(3, sizeof *h);
	struct prng p;
	(void)state;
	prng_seed(&p, 9);
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t ns = some_time(&p);
		bench_hist_add(&h[i % 2], ns);
		bench_hist_add(&h[2], ns);
	}
	bench_hist_merge(&h[0], &h[1]);
	assert_memory_equal(&h[0], &h[2], sizeof *h);
	free(h);
}

static void the_rows_for_people_are_decades_and_hold_everything_once(void **state)
{
	struct bench_hist *h = calloc(1, sizeof *h);
	struct prng p;
	uint64_t sum = 0;
	(void)state;
	assert_int_equal(bench_hist_row_bound(0), 1000);
	assert_int_equal(bench_hist_row_bound(4), 20000);
	assert_int_equal(bench_hist_row_bound(11), 5000000);
	prng_seed(&p, 3);
	for (unsigned i = 0; i < 5000; i++) bench_hist_add(h, some_time(&p));
	bench_hist_add(h, UINT64_MAX);
	for (unsigned i = 0; i < BENCH_HIST_ROWS; i++) sum += bench_hist_row_count(h, i);
	assert_int_equal(sum, 5001);
	bench_hist_clear(h);
	bench_hist_add(h, 1500000); /* 1.5 ms: over 1 ms, at most 2 ms */
	assert_int_equal(bench_hist_row_count(h, 10), 1);
	free(h);
}

/* ---- keys ----------------------------------------------------------------------------------- */

static void draw(enum bench_dist dist, double exponent, uint64_t keys, unsigned draws,
                 uint64_t *counts)
{
	struct bench_keys k;
	struct prng p;
	prng_seed(&p, 42);
	memset(counts, 0, keys * sizeof *counts);
	bench_keys_init(&k, dist, keys, exponent);
	for (unsigned i = 0; i < draws; i++) {
		uint64_t key = bench_keys_next(&k, &p);
		assert_true(key < keys);
		counts[key]++;
	}
}

/* Five standard deviations of a binomial count, and one for rounding. */
static void expect_share(uint64_t count, double share, unsigned draws)
{
	double expected = share * draws, sigma = sqrt(expected * (1 - share));
	if (fabs((double)count - expected) > 5 * sigma + 1)
		fail_msg("counted %lu, expected %.0f", (unsigned long)count, expected);
}

static void zipf_draws_each_key_as_often_as_its_law_says(void **state)
{
	static const double exponents[] = {0.01, 0.5, 0.99, 1, 1.01, 2, 5, 8};
	static const uint64_t sizes[] = {1, 2, 3, 10, 1000};
	enum { DRAWS = 200000 };
	uint64_t counts[1000];
	(void)state;
	for (unsigned e = 0; e < COUNT(exponents); e++) {
		for (unsigned s = 0; s < COUNT(sizes); s++) {
			double sum = 0;
			for (uint64_t i = 1; i <= sizes[s]; i++) sum += pow((double)i, -exponents[e]);
			draw(BENCH_ZIPF, exponents[e], sizes[s], DRAWS, counts);
			for (uint64_t i = 0; i < sizes[s]; i++)
				expect_share(counts[i], pow((double)i + 1, -exponents[e]) / sum, DRAWS);
		}
	}
}

static void zipf_over_many_keys_stays_inside_and_reaches_far(void **state)
{
	struct bench_keys k;
	struct prng p;
	uint64_t far = 0;
	(void)state;
	prng_seed(&p, 1);
	bench_keys_init(&k, BENCH_ZIPF, BENCH_KEYS_MAX, 0.99);
	for (unsigned i = 0; i < 100000; i++) {
		uint64_t key = bench_keys_next(&k, &p);
		assert_true(key < BENCH_KEYS_MAX);
		if (key > far) far = key;
	}
	assert_true(far > BENCH_KEYS_MAX / 2);
}

static void uniform_draws_are_even_and_sequential_ones_in_order(void **state)
{
	struct bench_keys k;
	uint64_t counts[7];
	(void)state;
	draw(BENCH_UNIFORM, 0, 7, 70000, counts);
	for (unsigned i = 0; i < 7; i++) expect_share(counts[i], 1.0 / 7, 70000);
	bench_keys_init(&k, BENCH_SEQUENTIAL, 3, 0);
	for (unsigned i = 0; i < 9; i++) assert_int_equal(bench_keys_next(&k, NULL), i % 3);
}

/* ---- flags ---------------------------------------------------------------------------------- */

/* Parse a line of flags, split at spaces. Words of `line` are kept by the options. */
static bool parse(const char *line, struct bench_options *o)
{
	static char text[1024];
	char *argv[64], *save = NULL;
	struct cmd_args args;
	int argc = 0, exit_code;
	snprintf(text, sizeof text, "%s", line);
	for (char *word = strtok_r(text, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	return cmd_parse(&cmd_bench, argc, argv, &args, &exit_code) &&
	       bench_options_parse(&cmd_bench, &args, o);
}

static void without_flags_it_loads_the_local_node(void **state)
{
	struct bench_options o;
	(void)state;
	unsetenv("DUNLIN_URL");
	assert_true(parse("", &o));
	assert_int_equal(o.target_count, 1);
	assert_string_equal(o.targets[0].host, "127.0.0.1");
	assert_int_equal(o.targets[0].port, 8098);
	assert_int_equal(o.rate, 0);
	assert_true(o.load && o.contexts && !o.json);
	assert_string_equal(o.query, "");
}

static void every_flag_arrives(void **state)
{
	struct bench_options o;
	(void)state;
	assert_true(
		parse("--url http://a:1,b:2/,http://[::1]:3 --connections 5 --pipeline 6 --keys 7 "
	          "--dist zipf:1.5 --value-bytes 8 --read 9 --duration 10 --warm-up 0 --rate 11 "
	          "--count 12 --timeout 13 --seed 14 --bucket x --blind --no-load --json "
	          "--r 1 --w quorum --dw all --pr 0 --pw one --pids 15,16",
	          &o));
	assert_int_equal(o.target_count, 3);
	assert_string_equal(o.targets[1].host, "b");
	assert_string_equal(o.targets[2].host, "::1");
	assert_int_equal(o.targets[2].port, 3);
	assert_int_equal(o.connections, 5);
	assert_int_equal(o.pipeline, 6);
	assert_int_equal(o.keys, 7);
	assert_int_equal(o.dist, BENCH_ZIPF);
	assert_true(fabs(o.exponent - 1.5) < 1e-12);
	assert_int_equal(o.value_bytes, 8);
	assert_int_equal(o.read_percent, 9);
	assert_int_equal(o.duration_s, 10);
	assert_int_equal(o.warm_up_s, 0);
	assert_int_equal(o.rate, 11);
	assert_int_equal(o.count, 12);
	assert_int_equal(o.timeout_s, 13);
	assert_int_equal(o.seed, 14);
	assert_string_equal(o.bucket, "x");
	assert_true(!o.contexts && !o.load && o.json);
	assert_string_equal(o.query, "?r=1&w=quorum&dw=all&pr=0&pw=one");
	assert_int_equal(o.pid_count, 2);
	assert_int_equal(o.pids[1], 16);
}

static void what_is_wrong_is_refused(void **state)
{
	static const char *const lines[] = {"--url http://a",
	                                    "--url a:1,",
	                                    "--url ,a:1",
	                                    "--url http://a:0",
	                                    "--url http://a:1/x",
	                                    "--connections 0",
	                                    "--connections 4097",
	                                    "--pipeline 65",
	                                    "--keys 0",
	                                    "--keys -1",
	                                    "--dist zipfy",
	                                    "--dist zipf:",
	                                    "--dist zipf:0",
	                                    "--dist zipf:9",
	                                    "--dist zipf:1x",
	                                    "--dist zipf:nan",
	                                    "--read 101",
	                                    "--read half",
	                                    "--duration 0",
	                                    "--duration 1.5",
	                                    "--rate 0",
	                                    "--value-bytes 8388609",
	                                    "--r 10",
	                                    "--w two",
	                                    "--w 1&x",
	                                    "--pids 0",
	                                    "--pids 1,",
	                                    "--pids x",
	                                    "--bucket=",
	                                    "--conections 1",
	                                    "word"};
	struct bench_options o;
	(void)state;
	for (unsigned i = 0; i < COUNT(lines); i++)
		if (parse(lines[i], &o)) fail_msg("taken: %s", lines[i]);
}

/* ---- requests and answers ------------------------------------------------------------------- */

static void expect_request(const struct bench_options *o, enum bench_kind kind,
                           const struct bench_key *k, const char *expected)
{
	struct bench_node n;
	struct buffer to = {0};
	struct bench_op op = {.kind = kind, .key = 123};
	const char *why;
	assert_true(bench_node_init(&n, &o->targets[0], o, &why));
	assert_true(bench_node_request(&n, &to, &op, k, BYTES("abc")));
	assert_int_equal(to.len, strlen(expected));
	assert_memory_equal(buffer_head(&to), expected, to.len);
	buffer_free(&to);
	bench_node_free(&n);
}

static void requests_are_what_a_client_would_send(void **state)
{
	struct bench_options o;
	struct bench_key k = {.context_chars = 4, .context = "a1b="};
	(void)state;
	assert_true(parse("--url 127.0.0.1:9 --value-bytes 3 --bucket a/b --w 2", &o));
	expect_request(
		&o, BENCH_GET, &k,
		"GET /buckets/a%2Fb/keys/key-00000123?w=2 HTTP/1.1\r\nHost: 127.0.0.1:9\r\n\r\n");
	expect_request(&o, BENCH_PUT, &k,
	               "PUT /buckets/a%2Fb/keys/key-00000123?w=2 HTTP/1.1\r\nHost: 127.0.0.1:9\r\n"
	               "Content-Type: application/octet-stream\r\nContent-Length: 3\r\n"
	               "X-Riak-Vclock: a1b=\r\n\r\nabc");
	assert_true(parse("--url [::1]:9 --value-bytes 3", &o));
	expect_request(&o, BENCH_PUT, NULL,
	               "PUT /buckets/bench/keys/key-00000123 HTTP/1.1\r\nHost: [::1]:9\r\n"
	               "Content-Type: application/octet-stream\r\nContent-Length: 3\r\n\r\nabc");
}

static void an_answer_is_whole_at_its_last_byte_and_not_before(void **state)
{
	struct bytes head = BYTES("HTTP/1.1 200 OK\r\nServer: x\r\ncontent-LENGTH:  42 \r\n"
	                          "X-Riak-Vclock: abc=\r\nConnection: keep-alive\r\n\r\n");
	struct bench_answer a;
	bool bad;
	(void)state;
	for (size_t len = 0; len <= head.len; len++) {
		uint8_t *copy = malloc(len + 1); /* for the sanitizer to see past its end */
		memcpy(copy, head.data, len);
		uint8_t *exact = realloc(copy, len > 0 ? len : 1);
		assert_int_equal(bench_answer_parse(bytes_of(exact, len), &a, &bad),
		                 len == head.len ? len : 0);
		assert_false(bad);
		free(exact);
	}
	assert_int_equal(bench_answer_parse(head, &a, &bad), head.len);
	assert_int_equal(a.status, 200);
	assert_int_equal(a.body_bytes, 42);
	assert_true(bytes_equal(a.context, BYTES("abc=")));
	assert_false(a.close);
}

static void answers_without_a_body_have_none_and_a_closing_one_says_so(void **state)
{
	struct bench_answer a;
	bool bad;
	(void)state;
	struct bytes none = BYTES("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n");
	assert_int_equal(bench_answer_parse(none, &a, &bad), none.len);
	assert_int_equal(a.body_bytes, 0);
	struct bytes last =
		BYTES("HTTP/1.1 503 Busy\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(bench_answer_parse(last, &a, &bad), last.len);
	assert_true(a.close);
	assert_int_equal(a.status, 503);
}

static void what_is_no_answer_is_bad(void **state)
{
	static const char *const heads[] = {
		"HTTP/1.1 20x OK\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n",
		"HTTP/2 200 OK\r\n\r\n",
		"HTTP/1.1 600 X\r\n\r\n",
		"\r\n\r\n",
		"HTTP/1.1 200\rOK\r\n\r\nX",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1111111111111111\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n"};
	struct bench_answer a;
	bool bad;
	(void)state;
	for (unsigned i = 0; i < COUNT(heads); i++) {
		size_t head = bench_answer_parse(bytes_of_string(heads[i]), &a, &bad);
		if (i != 5 && (head != 0 || !bad)) fail_msg("taken: %s", heads[i]);
	}
	uint8_t *endless = calloc(1, BENCH_HEAD_BYTES_MAX + 1);
	bench_answer_parse(bytes_of(endless, BENCH_HEAD_BYTES_MAX), &a, &bad);
	assert_false(bad);
	bench_answer_parse(bytes_of(endless, BENCH_HEAD_BYTES_MAX + 1), &a, &bad);
	assert_true(bad);
	free(endless);
}

/* ---- contexts ------------------------------------------------------------------------------- */

/* A generator in its measurement, with one key and no sockets. */
struct fixture {
	struct bench b;
	struct bench_options o;
	struct bench_key key;
	struct bench_tally tally;
	struct bench_hist second;
};

static struct fixture *fixture_open(void)
{
	struct fixture *f = calloc(1, sizeof *f);
	assert_true(parse("--keys 1 --read 0", &f->o));
	f->b =
		(struct bench){.options = &f->o, .keys = &f->key, .tally = &f->tally, .second = &f->second};
	f->b.phase = BENCH_MEASURE;
	bench_keys_init(&f->b.draw, BENCH_UNIFORM, 1, 0);
	prng_seed(&f->b.prng, 1);
	return f;
}

static void answer(struct fixture *f, struct bench_op op, unsigned status, const char *context)
{
	struct bench_answer a = {.status = status, .context = bytes_of_string(context)};
	bench_op_learn(&f->b, &op, &a);
	bench_op_answered(&f->b, &op, status, op.start_ns + 1000);
}

static void a_key_is_read_before_its_first_write(void **state)
{
	struct fixture *f = fixture_open();
	(void)state;
	struct bench_op op = bench_op_draw(&f->b, 1);
	assert_int_equal(op.kind, BENCH_GET);
	answer(f, op, 404, "");
	op = bench_op_draw(&f->b, 2);
	assert_int_equal(op.kind, BENCH_PUT);
	answer(f, op, 204, "c1");
	assert_int_equal(f->key.context_chars, 2);
	op = bench_op_draw(&f->b, 3);
	assert_int_equal(op.kind, BENCH_PUT);
	assert_int_equal(f->tally.not_found, 1);
	assert_int_equal(f->tally.completed[BENCH_PUT], 1);
	free(f);
}

static void writes_that_pass_each_other_are_followed_by_a_read(void **state)
{
	struct fixture *f = fixture_open();
	(void)state;
	answer(f, bench_op_draw(&f->b, 1), 404, "");
	struct bench_op one = bench_op_draw(&f->b, 2), two = bench_op_draw(&f->b, 3);
	assert_int_equal(one.kind, BENCH_PUT);
	assert_int_equal(two.kind, BENCH_PUT);
	answer(f, one, 204, "c1");
	struct bench_op early = bench_op_draw(&f->b, 4);
	assert_int_equal(early.kind, BENCH_GET);
	answer(f, early, 200, "c1"); /* it may have missed the second write */
	answer(f, two, 204, "c2");
	struct bench_op late = bench_op_draw(&f->b, 5);
	assert_int_equal(late.kind, BENCH_GET);
	answer(f, late, 300, "c12");
	assert_int_equal(bench_op_draw(&f->b, 6).kind, BENCH_PUT);
	assert_memory_equal(f->key.context, "c12", 3);
	free(f);
}

static void a_write_of_unknown_outcome_is_followed_by_a_read(void **state)
{
	struct fixture *f = fixture_open();
	(void)state;
	answer(f, bench_op_draw(&f->b, 1), 404, "");
	struct bench_op op = bench_op_draw(&f->b, 2);
	bench_op_failed(&f->b, &op, BENCH_TIMEOUT);
	assert_int_equal(f->tally.errors[BENCH_TIMEOUT], 1);
	assert_int_equal(bench_op_draw(&f->b, 3).kind, BENCH_GET);
	free(f);
}

static void a_refused_operation_is_an_error_and_no_latency(void **state)
{
	struct fixture *f = fixture_open();
	(void)state;
	answer(f, bench_op_draw(&f->b, 1), 503, "");
	assert_int_equal(f->tally.statuses[503], 1);
	assert_int_equal(f->tally.hist[BENCH_GET].total, 0);
	assert_int_equal(f->tally.completed[BENCH_GET], 0);
	assert_int_equal(f->tally.answered, 1);
	assert_int_equal(bench_report_errors(&f->tally), 1);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percentiles_are_within_a_128th_of_the_sorted_truth),
		cmocka_unit_test(every_time_has_a_bucket_and_the_far_end_is_held),
		cmocka_unit_test(merged_histograms_are_as_if_all_had_gone_into_one),
		cmocka_unit_test(the_rows_for_people_are_decades_and_hold_everything_once),
		cmocka_unit_test(zipf_draws_each_key_as_often_as_its_law_says),
		cmocka_unit_test(zipf_over_many_keys_stays_inside_and_reaches_far),
		cmocka_unit_test(uniform_draws_are_even_and_sequential_ones_in_order),
		cmocka_unit_test(without_flags_it_loads_the_local_node),
		cmocka_unit_test(every_flag_arrives),
		cmocka_unit_test(what_is_wrong_is_refused),
		cmocka_unit_test(requests_are_what_a_client_would_send),
		cmocka_unit_test(an_answer_is_whole_at_its_last_byte_and_not_before),
		cmocka_unit_test(answers_without_a_body_have_none_and_a_closing_one_says_so),
		cmocka_unit_test(what_is_no_answer_is_bad),
		cmocka_unit_test(a_key_is_read_before_its_first_write),
		cmocka_unit_test(writes_that_pass_each_other_are_followed_by_a_read),
		cmocka_unit_test(a_write_of_unknown_outcome_is_followed_by_a_read),
		cmocka_unit_test(a_refused_operation_is_an_error_and_no_latency),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
