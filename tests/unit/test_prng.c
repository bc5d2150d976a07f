/* test_prng.c - the published sequence of xoshiro256**, and numbers below a bound that are even. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/prng.h"

#include <cmocka.h>

#include "panic_as_failure.h"

/* From the state {1, 2, 3, 4}, as the authors' reference code gives it. */
static void the_sequence_is_the_published_one(void **state)
{
	(void)state;
	static const uint64_t expected[] = {
		11520,
		0,
		1509978240,
		1215971899390074240,
		1216172134540287360,
		607988272756665600,
		16172922978634559625U,
		8476171486693032832,
		10595114339597558777U,
		2904607092377533576,
	};
	struct prng p = {{1, 2, 3, 4}};
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
		assert_int_equal(prng_next(&p), expected[i]);
}

/* splitmix64 from 0: the first four of its published sequence. */
static void a_seed_is_spread_over_the_state_by_splitmix64(void **state)
{
	(void)state;
	struct prng p;
	prng_seed(&p, 0);
	assert_int_equal(p.s[0], 0xe220a8397b1dcdaf);
	assert_int_equal(p.s[1], 0x6e789e6aa1b965f4);
	assert_int_equal(p.s[2], 0x06c45d188009454f);
	assert_int_equal(p.s[3], 0xf88bb8a8724c81ec);
}

static void equal_seeds_give_equal_sequences_and_others_differ_at_once(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 1000; seed++) {
		struct prng a, b, c;
		prng_seed(&a, seed);
		prng_seed(&b, seed);
		prng_seed(&c, seed + 1);
		assert_int_not_equal(prng_next(&c), prng_next(&a));
		(void)prng_next(&b);
		for (int i = 0; i < 10; i++) assert_int_equal(prng_next(&a), prng_next(&b));
	}
}

static void a_number_is_below_its_bound_for_every_size_of_bound(void **state)
{
	(void)state;
	struct prng p;
	prng_seed(&p, 3);
	for (unsigned bits = 0; bits < 64; bits++)
		for (unsigned i = 0; i < 200; i++) {
			uint64_t bound = (1UL << bits) + (prng_next(&p) & ((1UL << bits) - 1));
			assert_true(prng_below(&p, bound) < bound);
		}
	assert_int_equal(prng_below(&p, 1), 0);
	assert_true(prng_below(&p, UINT64_MAX) < UINT64_MAX);
}

/* Bounds that do not divide 2^64 evenly: a plain remainder would make the lower numbers likelier, and
 * for 3/4 of 2^64 the lowest third twice as likely. */
static void a_number_is_even_also_where_a_plain_remainder_is_not(void **state)
{
	(void)state;
	struct prng p;
	prng_seed(&p, 4);
	const uint64_t bound = 3UL << 62;
	unsigned third[3] = {0};
	for (unsigned i = 0; i < 30000; i++) third[prng_below(&p, bound) / (1UL << 62)]++;
	for (int i = 0; i < 3; i++) assert_in_range(third[i], 9600, 10400); /* 5 sigma is 408 */
}

static void small_bounds_are_even(void **state)
{
	(void)state;
	struct prng p;
	prng_seed(&p, 5);
	unsigned seen[10] = {0};
	for (unsigned i = 0; i < 100000; i++) seen[prng_below(&p, 10)]++;
	for (int i = 0; i < 10; i++) assert_in_range(seen[i], 9500, 10500); /* 5 sigma is 474 */
}

static void one_in_n_is_true_that_often_and_one_in_one_always(void **state)
{
	(void)state;
	struct prng p;
	prng_seed(&p, 6);
	unsigned count = 0;
	for (unsigned i = 0; i < 80000; i++) count += prng_one_in(&p, 8);
	assert_in_range(count, 9500, 10500);
	for (unsigned i = 0; i < 100; i++) assert_true(prng_one_in(&p, 1));
}

static void a_bound_of_zero_is_a_crash(void **state)
{
	(void)state;
	struct prng p;
	prng_seed(&p, 1);
	expect_assert_failure(prng_below(&p, 0));
	expect_assert_failure(prng_one_in(&p, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sequence_is_the_published_one),
		cmocka_unit_test(a_seed_is_spread_over_the_state_by_splitmix64),
		cmocka_unit_test(equal_seeds_give_equal_sequences_and_others_differ_at_once),
		cmocka_unit_test(a_number_is_below_its_bound_for_every_size_of_bound),
		cmocka_unit_test(a_number_is_even_also_where_a_plain_remainder_is_not),
		cmocka_unit_test(small_bounds_are_even),
		cmocka_unit_test(one_in_n_is_true_that_often_and_one_in_one_always),
		cmocka_unit_test(a_bound_of_zero_is_a_crash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
