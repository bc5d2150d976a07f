/* test_quorum.c - counting answers: every state of up to five places against all that can still
 * happen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "base/panic.h"
#include "core/quorum.h"

#include <cmocka.h>

enum { PLACES_MAX = 5 };

static uint32_t bits(uint32_t mask)
{
	return (uint32_t)__builtin_popcount(mask);
}

static bool is_met(uint32_t ok, uint32_t primary, uint32_t need, uint32_t need_primary)
{
	return bits(ok) >= need && bits(ok & primary) >= need_primary;
}

/* Could the places that are open still answer so that it is met? Try every way. */
static bool can_be_met(uint32_t ok, uint32_t open, uint32_t primary, uint32_t need,
                       uint32_t need_primary)
{
	for (uint32_t more = 0; more < 1U << PLACES_MAX; more++)
		if ((more & ~open) == 0 && is_met(ok | more, primary, need, need_primary)) return true;
	return false;
}

static struct quorum quorum_of(uint32_t places, uint32_t primary, uint32_t ok, uint32_t bad)
{
	struct quorum q = {0};
	for (uint32_t i = 0; i < places; i++) quorum_ask(&q, i, (primary & 1U << i) != 0);
	for (uint32_t i = 0; i < places; i++) {
		if ((ok & 1U << i) != 0) quorum_note(&q, i, true);
		if ((bad & 1U << i) != 0) quorum_note(&q, i, false);
	}
	return q;
}

static void check_state(uint32_t places, uint32_t primary, uint32_t ok, uint32_t bad)
{
	struct quorum q = quorum_of(places, primary, ok, bad);
	uint32_t all = (1U << places) - 1, open = all & ~ok & ~bad;
	assert_int_equal(quorum_got(&q), bits(ok));
	assert_int_equal(quorum_got_primary(&q), bits(ok & primary));
	assert_int_equal(quorum_open(&q), bits(open));
	for (uint32_t need = 0; need <= places + 1; need++)
		for (uint32_t need_primary = 0; need_primary <= places + 1; need_primary++) {
			enum quorum_verdict expected = is_met(ok, primary, need, need_primary) ? QUORUM_MET
			                               : can_be_met(ok, open, primary, need, need_primary)
			                                   ? QUORUM_WAIT
			                                   : QUORUM_LOST;
			enum quorum_verdict v = quorum_verdict(&q, need, need_primary);
			if (v != expected)
				fail_msg("%u %x %x %x: %u, %u", places, primary, ok, bad, need, need_primary);
		}
}

static void the_verdict_is_lost_exactly_when_no_answer_can_help_any_more(void **state)
{
	(void)state;
	for (uint32_t places = 1; places <= PLACES_MAX; places++)
		for (uint32_t primary = 0; primary < 1U << places; primary++)
			for (uint32_t ok = 0; ok < 1U << places; ok++)
				for (uint32_t bad = 0; bad < 1U << places; bad++)
					if ((ok & bad) == 0) check_state(places, primary, ok, bad);
}

static void a_second_answer_from_the_same_place_changes_nothing(void **state)
{
	(void)state;
	struct quorum q = quorum_of(3, 7, 1, 2);
	quorum_note(&q, 0, true);
	quorum_note(&q, 0, false);
	quorum_note(&q, 1, true);
	assert_int_equal(quorum_got(&q), 1);
	assert_int_equal(quorum_open(&q), 1);
	assert_int_equal(quorum_verdict(&q, 2, 0), QUORUM_WAIT);
}

static void an_answer_from_a_place_that_was_not_asked_counts_for_nothing(void **state)
{
	(void)state;
	struct quorum q = quorum_of(2, 3, 0, 0);
	quorum_note(&q, 7, true);
	assert_int_equal(quorum_got(&q), 0);
	assert_false(quorum_is_open(&q, 7));
}

static void a_place_asked_later_can_save_a_quorum(void **state)
{
	(void)state;
	struct quorum q = quorum_of(3, 7, 1, 6);
	assert_int_equal(quorum_verdict(&q, 2, 0), QUORUM_LOST);
	quorum_ask(&q, 3, false);
	assert_int_equal(quorum_verdict(&q, 2, 0), QUORUM_WAIT);
	assert_int_equal(quorum_verdict(&q, 2, 2), QUORUM_LOST); /* it is no primary */
	quorum_note(&q, 3, true);
	assert_int_equal(quorum_verdict(&q, 2, 1), QUORUM_MET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_verdict_is_lost_exactly_when_no_answer_can_help_any_more),
		cmocka_unit_test(a_second_answer_from_the_same_place_changes_nothing),
		cmocka_unit_test(an_answer_from_a_place_that_was_not_asked_counts_for_nothing),
		cmocka_unit_test(a_place_asked_later_can_save_a_quorum),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
