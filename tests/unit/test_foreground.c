/* test_foreground.c - the p99 of a node's own client requests, and what it does to the byte budget of
 * background work: halved while clients wait longer than usual, never nothing, and back again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/panic.h"
#include "core/foreground.h"
#include "dunlin/limits.h"

#include <cmocka.h>

struct feed {
	struct foreground f;
	struct instant now;
	uint64_t rate;
};

static struct feed feed_new(void)
{
	struct feed d = {.now = {SECONDS(100)}, .rate = BACKGROUND_BYTES_PER_S};
	foreground_rate(&d.f, d.now, d.rate);
	return d;
}

/* One window of `count` requests that took so long, one in twenty of them `slow_us`. */
static void window(struct feed *d, uint32_t count, uint64_t us, uint64_t slow_us)
{
	for (uint32_t i = 0; i < count; i++) foreground_note(&d->f, i % 20 == 7 ? slow_us : us);
	d->now.us += FOREGROUND_WINDOW_US;
	d->rate = foreground_rate(&d->f, d->now, d->rate);
}

static void usual(struct feed *d)
{
	for (int i = 0; i < 20; i++) window(d, 1000, 1000, 8000);
	assert_int_equal(d->rate, BACKGROUND_BYTES_PER_S);
}

static void the_p99_is_true_to_a_quarter(void **state)
{
	(void)state;
	static const uint64_t times[] = {1, 63, 64, 100, 127, 128, 999, 10000, 123456, 5000000};
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
		struct feed d = feed_new();
		window(&d, 1000, times[i] / 10, times[i]);
		assert_in_range(d.f.p99_us, times[i] < 64 ? 64 : times[i], times[i] + times[i] / 4 + 64);
	}
	struct feed d = feed_new();
	window(&d, 1000, UINT64_MAX, UINT64_MAX); /* of any size */
	assert_true(d.f.p99_us > SECONDS(10));
}

static void while_clients_wait_longer_it_is_halved_and_never_nothing(void **state)
{
	(void)state;
	struct feed d = feed_new();
	usual(&d);
	window(&d, 1000, 1000, 50000);
	assert_int_equal(d.rate, BACKGROUND_BYTES_PER_S / 2);
	window(&d, 1000, 1000, 200000);
	assert_int_equal(d.rate, BACKGROUND_BYTES_PER_S / 4);
	uint64_t least = d.rate;
	for (int i = 0; i < 1000; i++) { /* worse and worse */
		window(&d, 1000, 1000, 200000 + (uint64_t)i * 100000);
		if (d.rate < least) least = d.rate;
	}
	assert_int_equal(least, BACKGROUND_BYTES_PER_S_MIN);
}

static void it_grows_again_by_a_step_a_window(void **state)
{
	(void)state;
	struct feed d = feed_new();
	usual(&d);
	for (int i = 0; i < 6; i++) window(&d, 1000, 1000, 500000);
	uint64_t low = d.rate;
	assert_true(low <= BACKGROUND_BYTES_PER_S / 16);
	window(&d, 1000, 1000, 8000);
	assert_int_equal(d.rate, low + BACKGROUND_BYTES_PER_S / BACKGROUND_STEPS);
	for (int i = 0; i < BACKGROUND_STEPS; i++) window(&d, 1000, 1000, 8000);
	assert_int_equal(d.rate, BACKGROUND_BYTES_PER_S);
}

/* A load that stays is no reason to leave the background undone for good. */
static void what_lasts_becomes_the_usual(void **state)
{
	(void)state;
	struct feed d = feed_new();
	usual(&d);
	window(&d, 1000, 1000, 80000);
	assert_true(d.rate < BACKGROUND_BYTES_PER_S);
	for (int i = 0; i < 120; i++) window(&d, 1000, 1000, 80000);
	assert_int_equal(d.rate, BACKGROUND_BYTES_PER_S);
}

static void short_waits_and_few_requests_do_not_matter(void **state)
{
	(void)state;
	struct feed d = feed_new();
	for (int i = 0; i < 20; i++) window(&d, 1000, 100, 200);
	window(&d, 1000, 1000, FOREGROUND_P99_US / 2); /* twenty-five times as long, and still short */
	assert_int_equal(d.rate, BACKGROUND_BYTES_PER_S);
	for (int i = 0; i < 60; i++) window(&d, FOREGROUND_REQUESTS / 20, SECONDS(5), SECONDS(5));
	assert_int_equal(d.rate, BACKGROUND_BYTES_PER_S);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_p99_is_true_to_a_quarter),
		cmocka_unit_test(while_clients_wait_longer_it_is_halved_and_never_nothing),
		cmocka_unit_test(it_grows_again_by_a_step_a_window),
		cmocka_unit_test(what_lasts_becomes_the_usual),
		cmocka_unit_test(short_waits_and_few_requests_do_not_matter),
	};
	return cmocka_run_group_tests_name("foreground", tests, NULL, NULL);
}
