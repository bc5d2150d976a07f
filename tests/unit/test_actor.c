/* test_actor.c - the clock that never shows a value twice: by hand, and over generated lives with
 * restarts at every point of the reservation protocol. */
#include <setjmp.h>
#include <stdarg.h>

#include "base/panic.h"
#include "core/actor.h"
#include "dunlin/limits.h"

#include <cmocka.h>

enum { NOON_MS = 1000000 };

static struct wall at_ms(uint64_t ms)
{
	return (struct wall){ms};
}

static struct hlc ms(uint64_t v)
{
	return hlc_at_ms(v);
}

/* A clock at noon whose first reservation is durable. */
static struct clock ready_clock(struct prng *random)
{
	struct clock c;
	struct hlc until;
	prng_seed(random, 7);
	clock_start(&c, random, (struct hlc){0});
	assert_true(clock_wants_reservation(&c, at_ms(NOON_MS), &until));
	clock_reserved(&c, true);
	return c;
}

static struct dot mint(struct clock *c, uint64_t wall_ms, struct hlc above)
{
	struct dot d = {0};
	assert_int_equal(clock_mint(c, at_ms(wall_ms), above, &d), CLOCK_OK);
	assert_int_equal(d.actor.v, c->actor.v);
	return d;
}

/* ---- minting ----------------------------------------------------------------------------------- */

static void each_dot_is_later_than_the_one_before_though_the_wall_stands_still(void **state)
{
	(void)state;
	struct prng random;
	struct clock c = ready_clock(&random);
	struct hlc last = {0};
	for (unsigned i = 0; i < 1000; i++) {
		struct dot d = mint(&c, NOON_MS, (struct hlc){0});
		assert_true(d.at.v > last.v);
		last = d.at;
	}
	assert_int_equal(hlc_ms(last), NOON_MS);
}

static void a_dot_is_later_than_all_that_its_writer_had_seen(void **state)
{
	(void)state;
	struct prng random;
	struct clock c = ready_clock(&random);
	struct dot d = mint(&c, NOON_MS, ms(NOON_MS + 100));
	assert_true(d.at.v > ms(NOON_MS + 100).v);
	assert_true(mint(&c, NOON_MS, (struct hlc){0}).at.v > d.at.v);
}

static void a_jump_of_the_wall_back_does_not_move_the_clock_back(void **state)
{
	(void)state;
	struct prng random;
	struct clock c = ready_clock(&random);
	struct dot before = mint(&c, NOON_MS, (struct hlc){0});
	struct dot after = mint(&c, NOON_MS - 60000, (struct hlc){0});
	assert_true(after.at.v > before.at.v);
	assert_int_equal(hlc_ms(after.at), NOON_MS);
}

static void a_jump_of_the_wall_ahead_waits_for_a_reservation(void **state)
{
	(void)state;
	struct prng random;
	struct clock c = ready_clock(&random);
	struct hlc until;
	struct dot d;
	struct wall later = at_ms(NOON_MS + 60000);
	assert_int_equal(clock_mint(&c, later, (struct hlc){0}, &d), CLOCK_WAIT);
	assert_true(clock_wants_reservation(&c, later, &until));
	assert_int_equal(until.v, ms(NOON_MS + 60000 + HLC_RESERVE_MS).v + 1);
	assert_int_equal(clock_mint(&c, later, (struct hlc){0}, &d), CLOCK_WAIT);
	clock_reserved(&c, true);
	assert_int_equal(hlc_ms(mint(&c, NOON_MS + 60000, (struct hlc){0}).at), NOON_MS + 60000);
}

static void a_dot_from_far_ahead_raises_one_mint_and_not_the_clock(void **state)
{
	(void)state;
	struct prng random;
	struct clock c = ready_clock(&random);
	struct hlc far = ms(NOON_MS + CLOCK_SKEW_MAX_MS + 1);
	struct dot d = mint(&c, NOON_MS, far);
	assert_int_equal(d.at.v, far.v + 1);
	assert_int_equal(hlc_ms(mint(&c, NOON_MS, (struct hlc){0}).at), NOON_MS);
	assert_int_equal(hlc_ms(clock_now(&c, at_ms(NOON_MS))), NOON_MS);
}

static void above_the_end_of_time_nothing_is_minted(void **state)
{
	(void)state;
	struct prng random;
	struct clock c = ready_clock(&random);
	struct dot d;
	assert_int_equal(clock_mint(&c, at_ms(NOON_MS), (struct hlc){UINT64_MAX}, &d), CLOCK_SPENT);
	assert_int_equal(clock_mint(&c, at_ms(NOON_MS), (struct hlc){UINT64_MAX - 1}, &d), CLOCK_SPENT);
	assert_int_equal(mint(&c, NOON_MS, (struct hlc){UINT64_MAX - 2}).at.v, UINT64_MAX - 1);
}

/* ---- following --------------------------------------------------------------------------------- */

static void a_received_time_is_never_fallen_behind(void **state)
{
	(void)state;
	struct prng random;
	struct clock c = ready_clock(&random);
	clock_follow(&c, at_ms(NOON_MS), ms(NOON_MS + 300));
	assert_true(mint(&c, NOON_MS, (struct hlc){0}).at.v > ms(NOON_MS + 300).v);
	clock_follow(&c, at_ms(NOON_MS), ms(NOON_MS + 200));
	assert_true(clock_now(&c, at_ms(NOON_MS)).v > ms(NOON_MS + 300).v);
}

static void a_received_time_too_far_ahead_is_not_followed(void **state)
{
	(void)state;
	struct prng random;
	struct clock c = ready_clock(&random);
	clock_follow(&c, at_ms(NOON_MS), (struct hlc){ms(NOON_MS + CLOCK_SKEW_MAX_MS).v + 1});
	assert_int_equal(clock_now(&c, at_ms(NOON_MS)).v, ms(NOON_MS).v);
	clock_follow(&c, at_ms(NOON_MS), ms(NOON_MS + CLOCK_SKEW_MAX_MS));
	assert_int_equal(clock_now(&c, at_ms(NOON_MS)).v, ms(NOON_MS + CLOCK_SKEW_MAX_MS).v);
}

/* ---- reserving ---------------------------------------------------------------------------------- */

static void nothing_is_minted_before_the_first_reservation_is_durable(void **state)
{
	(void)state;
	struct prng random;
	struct clock c;
	struct hlc until;
	struct dot d;
	prng_seed(&random, 7);
	clock_start(&c, &random, (struct hlc){0});
	assert_int_equal(clock_mint(&c, at_ms(NOON_MS), (struct hlc){0}, &d), CLOCK_WAIT);
	assert_true(clock_wants_reservation(&c, at_ms(NOON_MS), &until));
	assert_false(clock_wants_reservation(&c, at_ms(NOON_MS), &until)); /* one at a time */
	clock_reserved(&c, false);
	assert_int_equal(clock_mint(&c, at_ms(NOON_MS), (struct hlc){0}, &d), CLOCK_WAIT);
	assert_true(clock_wants_reservation(&c, at_ms(NOON_MS), &until));
	clock_reserved(&c, true);
	assert_int_equal(clock_mint(&c, at_ms(NOON_MS), (struct hlc){0}, &d), CLOCK_OK);
}

static void a_reservation_is_asked_for_before_the_last_one_is_used_up(void **state)
{
	(void)state;
	struct prng random;
	struct clock c = ready_clock(&random);
	struct hlc until;
	uint64_t half = NOON_MS + HLC_RESERVE_MS - HLC_RESERVE_AGAIN_MS;
	assert_false(clock_wants_reservation(&c, at_ms(half), &until));
	assert_true(clock_wants_reservation(&c, at_ms(half + 1), &until));
	mint(&c, half + 1, (struct hlc){0}); /* it does not wait */
	clock_reserved(&c, true);
}

static void a_mint_above_a_dot_ahead_of_the_clock_gets_a_reservation_that_reaches_it(void **state)
{
	(void)state;
	struct prng random;
	struct clock c = ready_clock(&random);
	struct hlc ahead = ms(NOON_MS + CLOCK_SKEW_MAX_MS - 1), until;
	struct dot d;
	assert_int_equal(clock_mint(&c, at_ms(NOON_MS), ahead, &d), CLOCK_WAIT);
	assert_true(clock_wants_reservation(&c, at_ms(NOON_MS), &until));
	assert_true(until.v > ahead.v);
	clock_reserved(&c, true);
	assert_true(mint(&c, NOON_MS, ahead).at.v > ahead.v);
}

static void after_a_restart_the_clock_begins_above_all_that_was_reserved(void **state)
{
	(void)state;
	struct prng random;
	struct clock c = ready_clock(&random), again;
	struct hlc until;
	struct actor_id before = c.actor;
	clock_start(&again, &random, c.reserved);
	assert_true(again.actor.v != before.v && again.actor.v != 0);
	struct dot d;
	assert_int_equal(clock_mint(&again, at_ms(NOON_MS), (struct hlc){0}, &d), CLOCK_WAIT);
	assert_true(clock_wants_reservation(&again, at_ms(NOON_MS), &until));
	clock_reserved(&again, true);
	assert_true(mint(&again, NOON_MS, (struct hlc){0}).at.v > c.reserved.v);
}

/* ---- generated lives ------------------------------------------------------------------------------ */

struct life {
	struct prng prng;
	struct clock clock;
	uint64_t wall_ms;
	struct hlc disk;     /* what a restart finds */
	struct hlc pending;  /* being written */
	struct hlc greatest; /* of all minted, but for those above a dot from far ahead */
	uint64_t minted, waited, restarts;
};

static void life_restart(struct life *l)
{
	/* What was being written may have reached the disk, or not. */
	if (l->pending.v != 0 && prng_one_in(&l->prng, 2)) l->disk = l->pending;
	l->pending.v = 0;
	clock_start(&l->clock, &l->prng, l->disk);
	l->restarts++;
}

static void life_mint(struct life *l)
{
	struct dot d;
	struct hlc above = {0};
	if (prng_one_in(&l->prng, 3))
		above = ms(l->wall_ms - 20000 + prng_below(&l->prng, 2 * 20000 + CLOCK_SKEW_MAX_MS));
	enum clock_verdict v = clock_mint(&l->clock, at_ms(l->wall_ms), above, &d);
	if (v == CLOCK_WAIT) {
		l->waited++;
		return;
	}
	assert_int_equal(v, CLOCK_OK);
	assert_true(d.at.v > above.v);
	if (d.at.v > ms(l->wall_ms + CLOCK_SKEW_MAX_MS).v && above.v + 1 == d.at.v) return;
	if (d.at.v <= l->greatest.v || d.at.v > l->disk.v)
		fail_msg("minted %llx after %llx with %llx on disk", (unsigned long long)d.at.v,
		         (unsigned long long)l->greatest.v, (unsigned long long)l->disk.v);
	l->greatest = d.at;
	l->minted++;
}

static void life_reserve(struct life *l)
{
	struct hlc until;
	if (l->pending.v != 0) {
		bool durable = !prng_one_in(&l->prng, 4);
		if (durable) l->disk = l->pending;
		l->pending.v = 0;
		clock_reserved(&l->clock, durable);
	} else if (clock_wants_reservation(&l->clock, at_ms(l->wall_ms), &until)) {
		l->pending = until;
	}
}

static void life_step(struct life *l)
{
	switch (prng_below(&l->prng, 12)) {
	case 0: life_restart(l); break;
	case 1: l->wall_ms += prng_below(&l->prng, 20000); break;
	case 2: l->wall_ms -= prng_below(&l->prng, 15000); break; /* it is set back */
	case 3:
		clock_follow(&l->clock, at_ms(l->wall_ms), ms(l->wall_ms + prng_below(&l->prng, 30000)));
		break;
	case 4:
	case 5:
	case 6: life_reserve(l); break;
	default:
		l->wall_ms += prng_below(&l->prng, 3);
		life_mint(l);
		break;
	}
}

static void no_value_is_used_twice_whatever_happens(void **state)
{
	(void)state;
	uint64_t minted = 0, waited = 0, restarts = 0;
	for (uint64_t seed = 1; seed <= 500; seed++) {
		struct life l = {.wall_ms = 50000000};
		prng_seed(&l.prng, seed);
		clock_start(&l.clock, &l.prng, l.disk);
		for (unsigned i = 0; i < 600; i++) life_step(&l);
		minted += l.minted;
		waited += l.waited;
		restarts += l.restarts;
	}
	assert_true(minted > 10000 && waited > 10000 && restarts > 10000);
}

/* Whoever waits gets on: one reservation that becomes durable is enough. */
static void after_one_durable_reservation_a_mint_that_waited_goes_on(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 500; seed++) {
		struct life l = {.wall_ms = 50000000};
		struct dot d;
		struct hlc until;
		prng_seed(&l.prng, seed);
		clock_start(&l.clock, &l.prng, l.disk);
		for (unsigned i = 0; i < 100; i++) life_step(&l);
		struct hlc above = ms(l.wall_ms + prng_below(&l.prng, CLOCK_SKEW_MAX_MS));
		if (l.clock.reserving.v != 0) clock_reserved(&l.clock, true);
		if (clock_mint(&l.clock, at_ms(l.wall_ms), above, &d) == CLOCK_OK) continue;
		assert_true(clock_wants_reservation(&l.clock, at_ms(l.wall_ms), &until));
		clock_reserved(&l.clock, true);
		assert_int_equal(clock_mint(&l.clock, at_ms(l.wall_ms), above, &d), CLOCK_OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_dot_is_later_than_the_one_before_though_the_wall_stands_still),
		cmocka_unit_test(a_dot_is_later_than_all_that_its_writer_had_seen),
		cmocka_unit_test(a_jump_of_the_wall_back_does_not_move_the_clock_back),
		cmocka_unit_test(a_jump_of_the_wall_ahead_waits_for_a_reservation),
		cmocka_unit_test(a_dot_from_far_ahead_raises_one_mint_and_not_the_clock),
		cmocka_unit_test(above_the_end_of_time_nothing_is_minted),
		cmocka_unit_test(a_received_time_is_never_fallen_behind),
		cmocka_unit_test(a_received_time_too_far_ahead_is_not_followed),
		cmocka_unit_test(nothing_is_minted_before_the_first_reservation_is_durable),
		cmocka_unit_test(a_reservation_is_asked_for_before_the_last_one_is_used_up),
		cmocka_unit_test(a_mint_above_a_dot_ahead_of_the_clock_gets_a_reservation_that_reaches_it),
		cmocka_unit_test(after_a_restart_the_clock_begins_above_all_that_was_reserved),
		cmocka_unit_test(no_value_is_used_twice_whatever_happens),
		cmocka_unit_test(after_one_durable_reservation_a_mint_that_waited_goes_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
