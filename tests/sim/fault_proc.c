/* fault_proc.c - faults of processes and their clocks: see fault_parts.h.
 *
 * A clock is off by what it was set to, and runs at a rate of its own from then on; a clock that stops
 * runs at none. None is more than CLOCK_OFF_US_MAX off for long, but for jumps, so that what the checkers
 * say of expiry holds (CLOCKS_APART_US). */
#include "tests/sim/fault_parts.h"

#include "base/bytes.h"
#include "base/panic.h"
#include "tests/sim/proc.h"
#include "tests/sim/trace.h"

#define CLOCK_OFF_US_MAX SECONDS(30)

static void strike_crash(struct world *w)
{
	struct proc *p = &w->procs[fault_any_proc(w)];
	int64_t effects = (int64_t)prng_below(w->prng, 40);
	uint64_t restart_us = prng_below(w->prng, 4) == 0 ? MS(1) : world_about(w, SECONDS(4));
	if (p->state != PROC_UP) return;
	trace_strike(w, FAULT_CRASH, "%s, in %lld effects", p->name, (long long)effects);
	p->effects_left = effects;
	p->restart_us = restart_us;
	w->fault_count[FAULT_CRASH]++;
}

static void strike_crashall(struct world *w)
{
	trace_strike(w, FAULT_CRASHALL, "all die");
	for (uint16_t i = 0; i < w->options.nodes; i++) {
		uint64_t restart_us = world_between(w, MS(1), SECONDS(5));
		if (w->procs[i].state != PROC_DOWN) proc_crash(w, i, restart_us);
	}
	w->fault_count[FAULT_CRASHALL]++;
}

/* Is the layout on every disk? Until it is, a cluster waits for all that are to be its members. */
static bool all_are_members(const struct world *w)
{
	for (uint16_t i = 0; i < w->options.nodes; i++) {
		struct bytes value;
		void *handle;
		if (store_read(w->procs[i].disk.store, STORE_META, BYTES("layout"), false, &value,
		               &handle) != ERR_OK)
			return false;
		store_release(handle);
	}
	return true;
}

/* The one node whose disk is lost with it: what is on two disks survives. */
static void strike_gone(struct world *w)
{
	if (!proc_may_be_lost(w) || w->gone < SIM_NODES_MAX || !all_are_members(w)) return;
	w->gone = w->bad_disk;
	struct proc *p = &w->procs[w->gone];
	trace_strike(w, FAULT_GONE, "%s is lost for ever", p->name);
	if (p->state != PROC_DOWN) proc_crash(w, w->gone, SECONDS(1));
	w->fault_count[FAULT_GONE]++;
}

static void strike_pause(struct world *w)
{
	uint16_t proc = fault_any_proc(w);
	uint64_t for_us = world_between(w, MS(50), SECONDS(6));
	if (w->procs[proc].state != PROC_UP) return;
	trace_strike(w, FAULT_PAUSE, "%s", w->procs[proc].name);
	proc_pause(w, proc, for_us);
	w->fault_count[FAULT_PAUSE]++;
}

/* Whoever is down ends it by its restart; who stands still is told when it goes on. */
static void drain(struct world *w, uint16_t proc, bool on)
{
	const struct proc *p = &w->procs[proc];
	struct event ev = {.type = EV_DRAIN, .drain = {on}};
	if (p->state == PROC_UP) world_step(w, proc, &ev);
	if (p->state == PROC_PAUSED && !on)
		fault_until(w, (struct trouble){.kind = FAULT_DRAIN, .a = proc}, SECONDS(1));
}

void fault_end_drain(struct world *w, uint16_t proc)
{
	drain(w, proc, false);
}

static void strike_drain(struct world *w)
{
	uint16_t proc = fault_any_proc(w);
	if (w->procs[proc].state != PROC_UP) return;
	trace_strike(w, FAULT_DRAIN, "%s is drained", w->procs[proc].name);
	w->fault_count[FAULT_DRAIN]++;
	fault_until(w, (struct trouble){.kind = FAULT_DRAIN, .a = proc}, world_about(w, SECONDS(5)));
	drain(w, proc, true);
}

/* ---- clocks --------------------------------------------------------------------------------- */

static void set_clock(struct world *w, enum fault_kind kind, uint16_t proc, int64_t off_us,
                      int64_t drift_ppm)
{
	trace_strike(w, kind, "the clock of %s is off by %.3f s, and by %lld us more each second",
	             w->procs[proc].name, (double)off_us / 1e6, (long long)drift_ppm);
	proc_set_clock(w, proc, off_us, drift_ppm);
	w->fault_count[kind]++;
}

/* Until the next one. */
static void strike_skew(struct world *w)
{
	uint16_t proc = fault_any_proc(w);
	uint64_t far = prng_below(w->prng, 2) == 0 ? SECONDS(4) : CLOCK_OFF_US_MAX;
	int64_t off_us = fault_either_way(w, far);
	set_clock(w, FAULT_SKEW, proc, off_us, fault_either_way(w, 2000));
}

static void strike_jump(struct world *w)
{
	uint16_t proc = fault_any_proc(w);
	uint64_t far = prng_below(w->prng, 3) == 0 ? SECONDS(3600) : CLOCK_OFF_US_MAX;
	if (prng_below(w->prng, 2) == 0) far = SECONDS(4);
	set_clock(w, FAULT_JUMP, proc, fault_either_way(w, far), 0);
	fault_until(w, (struct trouble){.kind = FAULT_JUMP, .a = proc}, world_about(w, SECONDS(10)));
}

/* So fast or slow that it is some seconds off before it is set right, or not at all any more. */
static void strike_rate(struct world *w, enum fault_kind kind)
{
	uint16_t proc = fault_any_proc(w);
	int64_t ppm = -1000000;
	if (kind == FAULT_DRIFT) {
		ppm = fault_either_way(w, 1000000);
		ppm /= (int64_t)world_between(w, 1, 50);
	}
	uint64_t rate = ppm < 0 ? (uint64_t)-ppm : (uint64_t)ppm;
	uint64_t for_us = world_about(w, SECONDS(10));
	uint64_t most_us = CLOCK_OFF_US_MAX * 1000000 / (rate + 1);
	set_clock(w, kind, proc, fault_either_way(w, MS(50)), ppm);
	fault_until(w, (struct trouble){.kind = kind, .a = proc}, for_us < most_us ? for_us : most_us);
}

/* ---- striking and ending -------------------------------------------------------------------- */

void fault_proc_strike(struct world *w, enum fault_kind kind)
{
	switch (kind) {
	case FAULT_CRASH: strike_crash(w); break;
	case FAULT_CRASHALL: strike_crashall(w); break;
	case FAULT_GONE: strike_gone(w); break;
	case FAULT_PAUSE: strike_pause(w); break;
	case FAULT_DRAIN: strike_drain(w); break;
	case FAULT_SKEW: strike_skew(w); break;
	case FAULT_JUMP: strike_jump(w); break;
	case FAULT_DRIFT:
	case FAULT_STOP: strike_rate(w, kind); break;
	default: unreachable();
	}
}

/* Somebody sets the clock. */
void fault_proc_end(struct world *w, const struct trouble *t)
{
	assert(t->kind == FAULT_JUMP || t->kind == FAULT_DRIFT || t->kind == FAULT_STOP);
	proc_set_clock(w, t->a, fault_either_way(w, MS(50)), 0);
}
