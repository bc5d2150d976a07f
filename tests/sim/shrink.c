/* shrink.c - see shrink.h.
 *
 *   kinds, company, keys, time --> strikes --> turns --> once more, while that made it smaller
 *
 * A list of parts is thinned out in pieces: half of it, then a quarter, down to single ones (delta
 * debugging: Zeller and Hildebrandt, 2002, without the complements). */
#include "tests/sim/shrink.h"

#include <stdlib.h>
#include <string.h>

#include "base/panic.h"

/* Rounds over all kinds of parts. */
#define ROUNDS_MAX 4

struct shrink {
	struct sim_options best;
	struct run_result result; /* of the best */
	uint32_t runs;
	bool smaller; /* in this round */
	shrink_run *run;
};

/* A run without these parts: does it break the same promise? Then it is the best one. */
static bool still_fails(struct shrink *s, const struct sim_options *tried)
{
	static struct run_result result; /* 8 KiB of turns; one run at a time */
	if (s->runs >= SHRINK_RUNS_MAX) return false;
	s->runs++;
	s->run(tried, &result);
	if (result.held || strcmp(result.promise, s->result.promise) != 0) return false;
	s->best = *tried;
	s->result = result;
	s->smaller = true;
	return true;
}

/* ---- lists of parts ------------------------------------------------------------------------- */

/* How one part, by its number in the list, is taken out of a run. */
typedef void leave_out(struct sim_options *o, uint32_t part);

static bool fails_without(struct shrink *s, const uint32_t *parts, uint32_t count, leave_out *leave)
{
	struct sim_options tried = s->best;
	for (uint32_t i = 0; i < count; i++) leave(&tried, parts[i]);
	return still_fails(s, &tried);
}

/* Returns how many are left. */
static uint32_t thin_out(struct shrink *s, uint32_t *parts, uint32_t count, leave_out *leave)
{
	for (uint32_t piece = count; piece > 0; piece = piece == 1 ? 0 : (piece + 1) / 2) {
		for (uint32_t at = 0; at < count;) {
			uint32_t some = piece < count - at ? piece : count - at;
			if (fails_without(s, parts + at, some, leave)) {
				memmove(parts + at, parts + at + some, (count - at - some) * sizeof *parts);
				count -= some;
			} else {
				at += some;
			}
		}
	}
	return count;
}

/* ---- kinds of faults ------------------------------------------------------------------------ */

static void leave_kind(struct sim_options *o, uint32_t kind)
{
	o->faults &= ~FAULT_BIT(kind);
}

static void shrink_kinds(struct shrink *s)
{
	uint32_t kinds[FAULT_KINDS], count = 0;
	for (uint32_t k = 0; k < FAULT_KINDS; k++)
		if ((s->best.faults & FAULT_BIT(k)) != 0) kinds[count++] = k;
	thin_out(s, kinds, count, leave_kind);
}

/* ---- strikes -------------------------------------------------------------------------------- */

static void leave_strike(struct sim_options *o, uint32_t strike)
{
	numbers_set(&o->strikes[strike / SIM_STRIKES_MAX], strike % SIM_STRIKES_MAX, false);
}

static void shrink_strikes(struct shrink *s)
{
	uint32_t parts[FAULT_KINDS * SIM_STRIKES_MAX], count = 0;
	for (uint32_t k = 0; k < FAULT_KINDS; k++) {
		if ((s->best.faults & FAULT_BIT(k)) == 0) continue;
		for (uint32_t n = 0; n < SIM_STRIKES_MAX; n++) {
			if (n >= s->result.strikes[k]) /* it was not due */
				numbers_set(&s->best.strikes[k], n, false);
			else if (numbers_have(&s->best.strikes[k], n))
				parts[count++] = k * SIM_STRIKES_MAX + n;
		}
	}
	thin_out(s, parts, count, leave_strike);
}

/* ---- clients -------------------------------------------------------------------------------- */

static void shrink_company(struct shrink *s)
{
	struct sim_options tried = s->best;
	tried.counters = tried.operators = 0;
	if (s->best.counters + s->best.operators == 0 || still_fails(s, &tried)) return;
	tried = s->best;
	tried.operators = 0;
	if (s->best.operators > 0) still_fails(s, &tried);
	while (s->best.counters > 0) {
		tried = s->best;
		tried.counters = tried.counters > 1 ? tried.counters / 2 : 0;
		if (!still_fails(s, &tried)) break;
	}
}

static void leave_key(struct sim_options *o, uint32_t key)
{
	numbers_set(&o->keys, key, false);
}

/* All but the key that failed, if one did; else one after the other. */
static void shrink_keys(struct shrink *s)
{
	uint32_t keys[SIM_KEYS], count = 0;
	struct sim_options tried = s->best;
	for (uint32_t k = 0; k < SIM_KEYS; k++)
		if (numbers_have(&s->best.keys, k)) keys[count++] = k;
	tried.keys = s->result.key < SIM_KEYS ? 1ULL << s->result.key : 0;
	if (count < 2 || still_fails(s, &tried)) return;
	thin_out(s, keys, count, leave_key);
}

static void leave_turn(struct sim_options *o, uint32_t turn)
{
	numbers_set(o->turns, turn, false);
}

static void shrink_turns(struct shrink *s)
{
	uint32_t *turns = malloc(SIM_TURNS_MAX * sizeof *turns), count = 0;
	assert(turns != NULL);
	for (uint32_t t = 0; t < SIM_TURNS_MAX; t++) {
		if (numbers_have(s->result.turns, t))
			turns[count++] = t;
		else
			numbers_set(s->best.turns, t, false); /* it was not taken */
	}
	thin_out(s, turns, count, leave_turn);
	free(turns);
}

/* ---- time ----------------------------------------------------------------------------------- */

static void shrink_time(struct shrink *s)
{
	uint64_t until = s->best.until_us > 0 ? s->best.until_us : s->best.time_us;
	for (uint64_t less = until / 2; less >= MS(100);) {
		struct sim_options tried = s->best;
		tried.until_us = (until - less) / MS(1) * MS(1);
		if (less < until && still_fails(s, &tried))
			until = tried.until_us;
		else
			less /= 2;
	}
}

/* ---- all of it ------------------------------------------------------------------------------ */

void shrink(const struct sim_options *o, const struct run_result *result, shrink_run *run,
            struct shrunk *out)
{
	struct shrink s = {.best = *o, .result = *result, .run = run};
	assert(!result->held);
	s.best.twice = s.best.trace = false;
	s.smaller = true;
	for (uint32_t round = 0; round < ROUNDS_MAX && s.smaller; round++) {
		s.smaller = false;
		shrink_kinds(&s);
		shrink_company(&s);
		shrink_keys(&s);
		shrink_time(&s);
		shrink_strikes(&s);
		shrink_turns(&s);
	}
	*out = (struct shrunk){.options = s.best, .result = s.result, .runs = s.runs};
}
