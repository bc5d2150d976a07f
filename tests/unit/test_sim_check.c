/* test_sim_check.c - the simulator's checkers, each on histories that it must accept and refuse.
 *
 * A story is written as a few calls: who wrote having been shown what, who read what. Times are in
 * order of the calls. Replicas of a key: 3. */
#include "base/bytes.h"
#include "tests/sim/check.c"
#include "tests/sim/history.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define KEY 1

struct story {
	struct history h;
	uint64_t now;
	uint64_t next_dot;
};

static int setup(void **state)
{
	struct story *s = calloc(1, sizeof *s);
	history_init(&s->h, 4, 3);
	s->now = 1000;
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct story *s = *state;
	history_free(&s->h);
	free(s);
	return 0;
}

static struct dot dot_of(uint32_t write)
{
	return (struct dot){{7}, {write + 100}};
}

/* A shown set of up to three writes; HIST_NOBODY ends it early. */
static uint32_t showing(struct story *s, uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t shown = history_shown_new(&s->h, KEY);
	uint32_t list[3] = {a, b, c};
	for (int i = 0; i < 3 && list[i] != HIST_NOBODY; i++) {
		if (s->h.writes[list[i]].op == HIST_DELETE)
			history_shown_tombstone(&s->h, dot_of(list[i]));
		else
			history_shown_value(&s->h, list[i], dot_of(list[i]));
	}
	return shown;
}

static uint32_t just(struct story *s, uint32_t a)
{
	return showing(s, a, HIST_NOBODY, HIST_NOBODY);
}

static uint32_t write_it(struct story *s, enum hist_op op, uint32_t shown,
                         enum hist_outcome outcome)
{
	uint32_t id = history_write(&s->h, KEY, op, shown, s->now += 10);
	struct dot dot = outcome == HIST_ACKED ? dot_of(id) : (struct dot){{0}, {0}};
	if (outcome != HIST_OPEN) history_answer(&s->h, id, outcome, dot, s->now += 10);
	return id;
}

static uint32_t put(struct story *s, uint32_t shown)
{
	return write_it(s, HIST_PUT, shown, HIST_ACKED);
}

static void view(struct story *s, enum hist_view kind, uint32_t shown, uint8_t pr)
{
	struct hist_read read = {
		.view = kind, .key = KEY, .shown = shown, .pr = pr, .began_us = s->now + 10};
	read.ended_us = s->now += 20;
	history_read(&s->h, &read);
}

static void stored(struct story *s, uint32_t replica, uint32_t shown, uint64_t digest)
{
	struct hist_stored it = {
		.key = KEY, .replica = replica, .shown = shown, .digest = digest, .at_us = s->now};
	history_stored(&s->h, &it);
}

typedef bool check_function(const struct history *h, struct check_failure *out);

static void holds(struct story *s, check_function *check)
{
	struct check_failure failure = {0};
	history_settle(&s->h);
	if (!check(&s->h, &failure)) fail_msg("refused: %s %s", failure.promise, failure.text);
}

static void refuses(struct story *s, check_function *check, const char *promise, uint32_t write)
{
	struct check_failure failure = {0};
	history_settle(&s->h);
	assert_false(check(&s->h, &failure));
	assert_string_equal(failure.promise, promise);
	assert_int_equal(failure.write, write);
}

/* ---- P1 ------------------------------------------------------------------------------------- */

static void on_disks(struct story *s, uint32_t write, uint8_t durable, uint8_t promised)
{
	s->h.writes[write].durable = durable;
	s->h.writes[write].promised = promised;
}

static void a_write_that_is_on_as_many_disks_as_it_promises_is_durable(void **state)
{
	struct story *s = *state;
	on_disks(s, put(s, HIST_NOTHING), 2, 2);
	holds(s, check_durable);
}

static void a_write_acknowledged_before_it_is_on_enough_disks_is_refused(void **state)
{
	struct story *s = *state;
	put(s, HIST_NOTHING);
	uint32_t a = put(s, HIST_NOTHING);
	on_disks(s, a, 1, 2);
	refuses(s, check_durable, "P1", a);
}

static void a_write_that_was_not_acknowledged_may_be_on_none(void **state)
{
	struct story *s = *state;
	on_disks(s, write_it(s, HIST_PUT, HIST_NOTHING, HIST_UNKNOWN), 0, 2);
	holds(s, check_durable);
}

/* ---- P2 ------------------------------------------------------------------------------------- */

static void a_value_that_is_there_at_the_end_is_not_lost(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING), b = put(s, HIST_NOTHING);
	view(s, HIST_FINAL, showing(s, a, b, HIST_NOBODY), 3);
	holds(s, check_all);
}

static void an_acknowledged_value_that_is_gone_is_lost(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING), b = put(s, HIST_NOTHING);
	view(s, HIST_FINAL, just(s, b), 0);
	refuses(s, check_no_loss, "P2", a);
}

static void a_value_covered_by_one_who_saw_it_is_not_lost(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	uint32_t b = put(s, just(s, a));
	view(s, HIST_FINAL, just(s, b), 3);
	holds(s, check_all);
}

static void what_was_shown_is_handed_on_through_later_writes(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	uint32_t b = put(s, just(s, a));
	uint32_t c = put(s, just(s, b));
	view(s, HIST_FINAL, just(s, c), 3);
	holds(s, check_all);
}

static void a_value_covered_by_one_who_never_saw_it_is_lost(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING), b = put(s, HIST_NOTHING);
	uint32_t c = put(s, just(s, b)); /* c's client saw b, and the store took a for covered too */
	view(s, HIST_FINAL, just(s, c), 0);
	refuses(s, check_no_loss, "P2", a);
}

static void a_value_may_go_for_a_write_whose_outcome_is_unknown(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	uint32_t b = write_it(s, HIST_PUT, just(s, a), HIST_UNKNOWN);
	view(s, HIST_FINAL, just(s, b), 3);
	holds(s, check_all);
}

static void a_value_gone_for_an_unknown_write_that_is_gone_too_is_lost(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	write_it(s, HIST_PUT, just(s, a), HIST_UNKNOWN);
	view(s, HIST_FINAL, just(s, HIST_NOBODY), 0);
	refuses(s, check_no_loss, "P2", a);
}

static void an_unknown_write_may_be_there_or_not(void **state)
{
	struct story *s = *state;
	write_it(s, HIST_PUT, HIST_NOTHING, HIST_UNKNOWN);
	uint32_t b = write_it(s, HIST_PUT, HIST_NOTHING, HIST_OPEN);
	view(s, HIST_FINAL, just(s, b), 3);
	holds(s, check_all);
}

static void a_blind_delete_covers_what_began_before_its_end(void **state)
{
	struct story *s = *state;
	put(s, HIST_NOTHING);
	uint32_t d = write_it(s, HIST_DELETE, HIST_NOTHING, HIST_ACKED);
	s->h.writes[d].blind_delete = true;
	view(s, HIST_FINAL, just(s, d), 3);
	holds(s, check_all);
}

static void a_blind_delete_does_not_cover_what_began_after_its_end(void **state)
{
	struct story *s = *state;
	uint32_t d = write_it(s, HIST_DELETE, HIST_NOTHING, HIST_ACKED);
	s->h.writes[d].blind_delete = true;
	uint32_t a = put(s, HIST_NOTHING);
	view(s, HIST_FINAL, just(s, d), 0);
	refuses(s, check_no_loss, "P2", a);
}

static void a_delete_with_a_context_covers_only_what_was_shown(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING), b = put(s, HIST_NOTHING);
	uint32_t d = write_it(s, HIST_DELETE, just(s, a), HIST_ACKED);
	view(s, HIST_FINAL, just(s, d), 0);
	refuses(s, check_no_loss, "P2", b);
}

static void a_fragile_value_may_be_lost(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	s->h.writes[a].fragile = true;
	view(s, HIST_FINAL, just(s, HIST_NOBODY), 0);
	holds(s, check_all);
}

/* ---- wrong coverage ------------------------------------------------------------------------- */

static void a_value_beside_its_successor_is_refused(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	uint32_t b = put(s, just(s, a));
	view(s, HIST_READ, showing(s, a, b, HIST_NOBODY), 0);
	refuses(s, check_causality, "P2", a);
}

static void a_value_shown_twice_is_refused(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	view(s, HIST_READ, showing(s, a, a, HIST_NOBODY), 0);
	refuses(s, check_causality, "P2", a);
}

static void two_writes_with_one_dot_are_refused(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING), b = history_write(&s->h, KEY, HIST_PUT, 0, s->now += 10);
	history_answer(&s->h, b, HIST_ACKED, dot_of(a), s->now += 10);
	refuses(s, check_causality, "P2", b);
}

static void one_write_with_two_dots_is_refused(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	uint32_t shown = history_shown_new(&s->h, KEY);
	history_shown_value(&s->h, a, (struct dot){{9}, {9}});
	view(s, HIST_READ, shown, 0);
	refuses(s, check_causality, "P2", a);
}

static void the_same_dot_under_two_keys_is_no_clash(void **state)
{
	struct story *s = *state;
	uint32_t a = history_write(&s->h, 0, HIST_PUT, 0, s->now += 10);
	uint32_t b = history_write(&s->h, 2, HIST_PUT, 0, s->now += 10);
	history_answer(&s->h, a, HIST_ACKED, dot_of(5), s->now += 10);
	history_answer(&s->h, b, HIST_ACKED, dot_of(5), s->now += 10);
	holds(s, check_causality);
}

/* ---- P3 ------------------------------------------------------------------------------------- */

static void a_covered_value_that_is_there_at_the_end_came_back(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	put(s, just(s, a));
	view(s, HIST_FINAL, just(s, a), 0);
	refuses(s, check_no_resurrection, "P3", a);
}

static void a_deleted_value_that_is_there_at_the_end_came_back(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	write_it(s, HIST_DELETE, just(s, a), HIST_ACKED);
	view(s, HIST_FINAL, just(s, a), 0);
	refuses(s, check_no_resurrection, "P3", a);
}

static void a_value_covered_through_a_tombstone_that_was_shown_came_back(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	uint32_t d = write_it(s, HIST_DELETE, just(s, a), HIST_OPEN);
	uint32_t c = put(s, just(s, d)); /* shown the tombstone before its own client had an answer */
	history_answer(&s->h, d, HIST_UNKNOWN, dot_of(d), s->now += 10);
	view(s, HIST_FINAL, showing(s, a, c, HIST_NOBODY), 0);
	refuses(s, check_no_resurrection, "P3", a);
}

static void a_value_that_goes_and_comes_again_is_refused(void **state)
{
	struct story *s = *state;
	uint32_t a = write_it(s, HIST_PUT, HIST_NOTHING, HIST_UNKNOWN);
	view(s, HIST_FINAL, just(s, HIST_NOBODY), 0);
	view(s, HIST_FINAL_AGAIN, just(s, a), 0);
	refuses(s, check_no_resurrection, "P3", a);
}

static void a_value_that_a_store_still_holds_came_back(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	uint32_t b = put(s, just(s, a));
	view(s, HIST_FINAL, just(s, b), 3);
	stored(s, 2, just(s, a), 17);
	refuses(s, check_no_resurrection, "P3", a);
}

static void a_value_covered_by_a_write_of_unknown_outcome_may_stay(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	write_it(s, HIST_DELETE, just(s, a), HIST_UNKNOWN);
	view(s, HIST_FINAL, just(s, a), 3);
	view(s, HIST_FINAL_AGAIN, just(s, a), 3);
	holds(s, check_all);
}

static void a_value_whose_own_time_is_up_may_be_gone_for_one_and_there_for_another(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	struct hist_write *w = &s->h.writes[a];
	w->ttl_us = 3600000000;
	w->dies_us = s->now + 20;
	view(s, HIST_FINAL, just(s, HIST_NOBODY), 0);
	stored(s, 2, just(s, a), 17);
	holds(s, check_no_resurrection);
	w->dies_us = s->now + 3600000000;
	refuses(s, check_no_resurrection, "P3", a);
}

static void a_value_that_is_shown_long_after_its_time_came_back(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	s->h.writes[a].ttl_us = SECONDS(5);
	s->h.writes[a].dies_us = s->now + SECONDS(5);
	s->now += SECONDS(5) + CLOCKS_APART_US;
	view(s, HIST_FINAL, just(s, a), 3);
	refuses(s, check_no_resurrection, "P3", a);
}

static void a_value_may_be_shown_as_long_as_clocks_may_differ_on_its_time(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	s->h.writes[a].ttl_us = SECONDS(5);
	s->h.writes[a].dies_us = s->now + SECONDS(5);
	view(s, HIST_FINAL, just(s, a), 3);
	holds(s, check_no_resurrection);
}

/* ---- P4 ------------------------------------------------------------------------------------- */

static void replicas_with_the_same_siblings_have_converged(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	stored(s, 0, just(s, a), 17);
	stored(s, 1, just(s, a), 17);
	stored(s, 2, just(s, a), 17);
	holds(s, check_all);
}

static void a_replica_that_lacks_a_sibling_has_not_converged(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	stored(s, 0, just(s, a), 17);
	stored(s, 1, just(s, HIST_NOBODY), 0);
	refuses(s, check_convergence, "P4", HIST_NOBODY);
}

static void stored_before(struct story *s, uint32_t replica, uint32_t shown)
{
	stored(s, replica, shown, 0);
	s->h.stored[s->h.stored_count - 1].before_reads = true;
}

static void a_value_that_half_of_the_replicas_never_got_is_refused(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING), b = put(s, HIST_NOTHING);
	stored_before(s, 0, showing(s, a, b, HIST_NOBODY));
	stored_before(s, 1, just(s, b));
	stored_before(s, 2, just(s, b));
	refuses(s, check_delivered, "P4", a);
}

static void a_value_that_one_of_three_never_got_is_refused(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING), b = put(s, HIST_NOTHING);
	stored_before(s, 0, showing(s, a, b, HIST_NOBODY));
	stored_before(s, 1, showing(s, a, b, HIST_NOBODY));
	stored_before(s, 2, just(s, b));
	refuses(s, check_delivered, "P4", a);
}

static void before_the_reads_replicas_may_differ_in_what_was_not_acknowledged(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	uint32_t b = write_it(s, HIST_PUT, just(s, a), HIST_UNKNOWN);
	stored_before(s, 0, just(s, a));
	stored_before(s, 1, just(s, b));
	holds(s, check_all);
}

/* ---- P5 ------------------------------------------------------------------------------------- */

static void a_quorum_read_that_misses_an_acknowledged_write_is_refused(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	s->h.writes[a].pw = 2;
	view(s, HIST_READ, just(s, HIST_NOBODY), 2);
	refuses(s, check_quorum, "P5", a);
}

static void a_quorum_read_may_show_a_successor_instead(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	s->h.writes[a].pw = 2;
	uint32_t b = write_it(s, HIST_PUT, just(s, a), HIST_UNKNOWN);
	view(s, HIST_READ, just(s, b), 2);
	holds(s, check_quorum);
}

static void a_read_without_enough_primaries_may_miss_it(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	s->h.writes[a].pw = 2;
	view(s, HIST_READ, just(s, HIST_NOBODY), 1);
	holds(s, check_quorum);
}

static void a_read_that_began_before_the_answer_may_miss_it(void **state)
{
	struct story *s = *state;
	uint32_t a = history_write(&s->h, KEY, HIST_PUT, HIST_NOTHING, s->now += 10);
	s->h.writes[a].pw = 2;
	view(s, HIST_READ, just(s, HIST_NOBODY), 2);
	history_answer(&s->h, a, HIST_ACKED, dot_of(a), s->now += 10);
	holds(s, check_quorum);
}

static void a_quorum_read_may_miss_what_was_deleted(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	s->h.writes[a].pw = 2;
	uint32_t d = write_it(s, HIST_DELETE, just(s, a), HIST_ACKED);
	view(s, HIST_READ, just(s, d), 2);
	holds(s, check_quorum);
}

/* ---- sessions ------------------------------------------------------------------------------- */

static void session_view(struct story *s, uint32_t shown, uint32_t at_least)
{
	struct hist_read read = {
		.key = KEY, .shown = shown, .at_least = at_least, .began_us = s->now + 10};
	read.ended_us = s->now += 20;
	history_read(&s->h, &read);
}

static void a_session_that_goes_back_is_refused(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING), b = put(s, just(s, a));
	session_view(s, just(s, a), just(s, b));
	refuses(s, check_sessions, "session", b);
}

static void a_session_may_show_a_successor_or_what_was_deleted(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING), b = put(s, just(s, a));
	session_view(s, just(s, b), just(s, a));
	write_it(s, HIST_DELETE, just(s, b), HIST_UNKNOWN);
	session_view(s, just(s, HIST_NOBODY), just(s, b));
	holds(s, check_sessions);
}

static void a_read_without_a_session_may_go_back(void **state)
{
	struct story *s = *state;
	uint32_t a = put(s, HIST_NOTHING);
	put(s, just(s, a));
	session_view(s, just(s, a), HIST_NOTHING);
	holds(s, check_sessions);
}

/* ---- P7 ------------------------------------------------------------------------------------- */

static void a_write_of_which_nothing_was_stored_must_not_appear(void **state)
{
	struct story *s = *state;
	uint32_t a = write_it(s, HIST_PUT, HIST_NOTHING, HIST_NONE);
	view(s, HIST_READ, just(s, a), 0);
	refuses(s, check_honest, "P7", a);
}

static void it_must_not_appear_before_the_answer_either(void **state)
{
	struct story *s = *state;
	uint32_t a = history_write(&s->h, KEY, HIST_PUT, HIST_NOTHING, s->now += 10);
	view(s, HIST_READ, just(s, a), 0);
	history_answer(&s->h, a, HIST_NONE, (struct dot){{0}, {0}}, s->now += 10);
	refuses(s, check_honest, "P7", a);
}

static void a_value_must_not_appear_before_it_is_written(void **state)
{
	struct story *s = *state;
	uint64_t before = s->now;
	uint32_t a = put(s, HIST_NOTHING);
	struct hist_read read = {
		.key = KEY, .shown = just(s, a), .began_us = before, .ended_us = before + 1};
	history_read(&s->h, &read);
	refuses(s, check_honest, "P7", a);
}

/* ---- the history itself --------------------------------------------------------------------- */

static void pasts_reach_over_many_words(void **state)
{
	struct story *s = *state;
	uint32_t first = put(s, HIST_NOTHING), last = first;
	for (int i = 0; i < 500; i++) last = put(s, just(s, last));
	history_settle(&s->h);
	assert_true(history_is_before(&s->h, first, last));
	assert_true(history_is_before(&s->h, last - 1, last));
	assert_false(history_is_before(&s->h, last, first));
	assert_int_equal(history_find_dot(&s->h, KEY, dot_of(last)), last);
	assert_int_equal(history_find_dot(&s->h, KEY, dot_of(last + 1)), HIST_NOBODY);
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_write_that_is_on_as_many_disks_as_it_promises_is_durable),
		STORY(a_write_acknowledged_before_it_is_on_enough_disks_is_refused),
		STORY(a_write_that_was_not_acknowledged_may_be_on_none),
		STORY(a_value_that_is_there_at_the_end_is_not_lost),
		STORY(an_acknowledged_value_that_is_gone_is_lost),
		STORY(a_value_covered_by_one_who_saw_it_is_not_lost),
		STORY(what_was_shown_is_handed_on_through_later_writes),
		STORY(a_value_covered_by_one_who_never_saw_it_is_lost),
		STORY(a_value_may_go_for_a_write_whose_outcome_is_unknown),
		STORY(a_value_gone_for_an_unknown_write_that_is_gone_too_is_lost),
		STORY(an_unknown_write_may_be_there_or_not),
		STORY(a_blind_delete_covers_what_began_before_its_end),
		STORY(a_blind_delete_does_not_cover_what_began_after_its_end),
		STORY(a_delete_with_a_context_covers_only_what_was_shown),
		STORY(a_fragile_value_may_be_lost),
		STORY(a_value_beside_its_successor_is_refused),
		STORY(a_value_shown_twice_is_refused),
		STORY(two_writes_with_one_dot_are_refused),
		STORY(one_write_with_two_dots_is_refused),
		STORY(the_same_dot_under_two_keys_is_no_clash),
		STORY(a_covered_value_that_is_there_at_the_end_came_back),
		STORY(a_deleted_value_that_is_there_at_the_end_came_back),
		STORY(a_value_covered_through_a_tombstone_that_was_shown_came_back),
		STORY(a_value_that_goes_and_comes_again_is_refused),
		STORY(a_value_that_a_store_still_holds_came_back),
		STORY(a_value_covered_by_a_write_of_unknown_outcome_may_stay),
		STORY(a_value_whose_own_time_is_up_may_be_gone_for_one_and_there_for_another),
		STORY(a_value_that_is_shown_long_after_its_time_came_back),
		STORY(a_value_may_be_shown_as_long_as_clocks_may_differ_on_its_time),
		STORY(replicas_with_the_same_siblings_have_converged),
		STORY(a_replica_that_lacks_a_sibling_has_not_converged),
		STORY(a_value_that_half_of_the_replicas_never_got_is_refused),
		STORY(a_value_that_one_of_three_never_got_is_refused),
		STORY(before_the_reads_replicas_may_differ_in_what_was_not_acknowledged),
		STORY(a_quorum_read_that_misses_an_acknowledged_write_is_refused),
		STORY(a_quorum_read_may_show_a_successor_instead),
		STORY(a_read_without_enough_primaries_may_miss_it),
		STORY(a_read_that_began_before_the_answer_may_miss_it),
		STORY(a_quorum_read_may_miss_what_was_deleted),
		STORY(a_session_that_goes_back_is_refused),
		STORY(a_session_may_show_a_successor_or_what_was_deleted),
		STORY(a_read_without_a_session_may_go_back),
		STORY(a_write_of_which_nothing_was_stored_must_not_appear),
		STORY(it_must_not_appear_before_the_answer_either),
		STORY(a_value_must_not_appear_before_it_is_written),
		STORY(pasts_reach_over_many_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
