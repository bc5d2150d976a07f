/* test_latency.c - what a node knows of how long its replicas take to answer reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/prng.h"
#include "core/latency.h"
#include "dunlin/limits.h"

#include <cmocka.h>

/* Exponential with that mean, from eight halvings: good enough for a quantile. */
static uint64_t some_us(struct prng *p, uint64_t mean_us)
{
	uint64_t us = 0;
	while (prng_below(p, 100) < 93 && us < 100 * mean_us) us += mean_us * 7 / 93 + 1;
	return us + 1;
}

static void the_p95_is_exceeded_by_one_read_in_twenty(void **state)
{
	(void)state;
	static const uint64_t means[] = {80, 1000, 20000};
	for (int m = 0; m < 3; m++) {
		struct latency l = {0};
		struct prng p;
		uint32_t above = 0;
		prng_seed(&p, (uint64_t)m);
		for (int i = 0; i < 2000; i++) latency_note(&l, some_us(&p, means[m]));
		for (int i = 0; i < 20000; i++) {
			uint64_t us = some_us(&p, means[m]);
			above += us > l.p95_us;
			latency_note(&l, us);
		}
		assert_in_range(above, 20000 / 20 - 250, 20000 / 20 + 250);
	}
}

static void what_became_slow_is_known_after_a_few_reads_and_forgiven_after_more(void **state)
{
	(void)state;
	struct latency l = {0};
	for (int i = 0; i < 1000; i++) latency_note(&l, 400);
	assert_false(latency_is_slow(&l, 400));
	int reads = 0;
	for (; !latency_is_slow(&l, 400); reads++) latency_note(&l, 400 * 50);
	assert_in_range(reads, 1, 3);
	for (int i = 0; i < 20; i++) latency_note(&l, 400 * 50);
	for (reads = 0; latency_is_slow(&l, 400); reads++) latency_note(&l, 400);
	assert_in_range(reads, 5, 40);
}

static void patience_has_bounds(void **state)
{
	(void)state;
	struct latency l = {0};
	assert_int_equal(latency_patience_us(&l), HEDGE_US_MAX); /* nothing is known */
	for (int i = 0; i < 1000; i++) latency_note(&l, 1);
	assert_int_equal(latency_patience_us(&l), HEDGE_US_MIN);
	for (int i = 0; i < 1000; i++) latency_note(&l, UINT64_MAX);
	assert_int_equal(latency_patience_us(&l), HEDGE_US_MAX);
	assert_true(l.mean_us <= LATENCY_US_MAX);
	for (int i = 0; i < 10000; i++) latency_note(&l, 0);
	assert_int_equal(latency_patience_us(&l), HEDGE_US_MIN);
}

static void equals_have_one_class(void **state)
{
	(void)state;
	struct latency a = {130, 1}, b = {250, 1}, c = {260, 1}, unknown = {0};
	assert_int_equal(latency_class(&a), latency_class(&b));
	assert_true(latency_class(&b) < latency_class(&c));
	assert_int_equal(latency_class(&unknown), 0); /* so it is asked, and measured */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_p95_is_exceeded_by_one_read_in_twenty),
		cmocka_unit_test(what_became_slow_is_known_after_a_few_reads_and_forgiven_after_more),
		cmocka_unit_test(patience_has_bounds),
		cmocka_unit_test(equals_have_one_class),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
