/* fault.c - see fault.h.
 *
 * Each kind that may strike does so on its own: the first time in the first third of the trouble,
 * then again and again at exponential intervals. Strikes of a kind are numbered; one that is left out
 * (--strikes) leaves the others when and what they are. */
#include "tests/sim/fault.h"

#include <stdlib.h>

#include "base/panic.h"
#include "store/store_mem.h"
#include "tests/sim/fault_parts.h"
#include "tests/sim/proc.h"
#include "tests/sim/trace.h"

enum room { ROOM_NET, ROOM_PROC, ROOM_DISK, ROOM_NONE };

static enum room room_of(enum fault_kind kind)
{
	switch (kind) {
	case FAULT_DELAY:
	case FAULT_LOSS:
	case FAULT_DUP:
	case FAULT_REORDER:
	case FAULT_PARTITION:
	case FAULT_PARTIAL:
	case FAULT_ONEWAY:
	case FAULT_SLOWLINK:
	case FAULT_FLAP: return ROOM_NET;
	case FAULT_CRASH:
	case FAULT_CRASHALL:
	case FAULT_GONE:
	case FAULT_PAUSE:
	case FAULT_DRAIN:
	case FAULT_SKEW:
	case FAULT_JUMP:
	case FAULT_DRIFT:
	case FAULT_STOP: return ROOM_PROC;
	case FAULT_SYNCERR:
	case FAULT_FULL:
	case FAULT_SLOWDISK:
	case FAULT_READERR:
	case FAULT_MISREAD:
	case FAULT_ROT:
	case FAULT_OLDCOPY: return ROOM_DISK;
	case FAULT_TORN:   /* a way to crash: disk.c */
	case FAULT_NOROOM: /* proc.c: so from the start, and counted by the nodes */
	case FAULT_KINDS: return ROOM_NONE;
	}
	unreachable();
}

/* ---- parts ---------------------------------------------------------------------------------- */

void fault_until(struct world *w, struct trouble t, uint64_t for_us)
{
	struct trouble *copy = malloc(sizeof *copy);
	assert(copy != NULL);
	*copy = t;
	copy->chance = *w->prng;
	world_at(w, w->now_us + for_us, AGENDA_FAULT_END)->p = copy;
}

uint16_t fault_any_proc(struct world *w)
{
	return (uint16_t)prng_below(w->prng, w->options.nodes);
}

int64_t fault_either_way(struct world *w, uint64_t max_us)
{
	return (int64_t)world_between(w, 0, 2 * max_us) - (int64_t)max_us;
}

bool fault_spoils_a_disk(const struct world *w)
{
	return (w->options.faults & FAULTS_OF_ONE_DISK) != 0;
}

/* ---- striking and ending -------------------------------------------------------------------- */

static bool trouble_is_on(const struct world *w)
{
	return w->stage == STAGE_FORMING || w->stage == STAGE_TROUBLE;
}

static void strike(struct world *w, enum fault_kind kind)
{
	switch (room_of(kind)) {
	case ROOM_NET: fault_net_strike(w, kind); break;
	case ROOM_PROC: fault_proc_strike(w, kind); break;
	case ROOM_DISK: fault_disk_strike(w, kind); break;
	case ROOM_NONE: break;
	}
}

static void schedule(struct world *w, enum fault_kind kind, uint64_t at_us)
{
	if (w->strikes[kind] == SIM_STRIKES_MAX) return;
	struct agenda_item *item = world_at(w, at_us, AGENDA_FAULT);
	item->x = (uint64_t)kind;
}

void fault_on_strike(struct world *w, const struct agenda_item *item)
{
	enum fault_kind kind = (enum fault_kind)item->x;
	uint32_t number = w->strikes[kind];
	if (!trouble_is_on(w)) return;
	w->strikes[kind]++;
	uint64_t mean = kind == FAULT_CRASHALL ? 3 * w->fault_mean_us : w->fault_mean_us;
	world_draw_from(w, &w->schedule[kind]);
	schedule(w, kind, w->now_us + world_about(w, mean));
	if (!numbers_have(&w->options.strikes[kind], number)) return;
	struct prng chance = chance_of(w->options.seed, CHANCE_STRIKE, (uint64_t)kind, number);
	world_draw_from(w, &chance);
	w->strike = number;
	strike(w, kind);
}

void fault_on_end(struct world *w, const struct agenda_item *item)
{
	struct trouble *t = item->p;
	world_draw_from(w, &t->chance);
	if (t->kind == FAULT_DRAIN)
		fault_end_drain(w, t->a);
	else if (!trouble_is_on(w)) /* fault_heal has undone it */
		return;
	else if (room_of(t->kind) == ROOM_NET)
		fault_net_end(w, t);
	else if (room_of(t->kind) == ROOM_DISK)
		fault_disk_end(w, t);
	else
		fault_proc_end(w, t);
}

void fault_init(struct world *w)
{
	uint64_t time = w->options.time_us;
	w->fault_mean_us = time / world_between(w, 3, 20) + 1;
	w->bad_disk = fault_any_proc(w);
	w->gone = SIM_NODES_MAX;
	w->early = w->options.faults != 0 && prng_below(w->prng, 2) == 0;
	for (uint16_t i = 0; i < w->options.nodes; i++) {
		uint64_t off =
			world_may(w, FAULT_SKEW) && prng_below(w->prng, 2) == 0 ? SECONDS(5) : MS(20);
		int64_t off_us = fault_either_way(w, off);
		proc_set_clock(w, i, off_us, world_may(w, FAULT_SKEW) ? fault_either_way(w, 200) : 0);
	}
	for (unsigned k = 0; k < FAULT_KINDS; k++) {
		if (!world_may(w, (enum fault_kind)k)) continue;
		w->schedule[k] = chance_of(w->options.seed, CHANCE_SCHEDULE, k, 0);
		world_draw_from(w, &w->schedule[k]);
		schedule(w, (enum fault_kind)k, w->now_us + world_between(w, 0, time / 3));
	}
	world_draw_from(w, &w->chance);
}

void fault_watch(struct world *w)
{
	for (uint16_t i = 0; i < w->options.nodes; i++) {
		const struct proc *p = &w->procs[i];
		if (p->state == PROC_UP && node_cannot_start(p->node)) proc_crash(w, i, SECONDS(1));
	}
}

void fault_check_memory(struct world *w, uint16_t proc)
{
	struct node_metrics m;
	if (w->failed || w->procs[proc].node == NULL) return;
	node_metrics(w->procs[proc].node, &m);
	if (m.old_copies == 0 || (proc == w->bad_disk && w->fault_count[FAULT_OLDCOPY] > 0)) return;
	world_fail(w, "memory", HIST_NOBODY, HIST_NOBODY, "%s takes its own disk for an older copy",
	           w->procs[proc].name);
}

void fault_heal(struct world *w)
{
	trace_world(w, "all trouble ends");
	w->net.delay_ppm = w->net.loss_ppm = w->net.dup_ppm = w->net.reorder_ppm = 0;
	for (uint16_t i = 0; i < w->options.nodes; i++) {
		struct proc *p = &w->procs[i];
		for (uint16_t j = 0; j < w->options.nodes; j++)
			w->net.link[i][j] = (struct link){.last_us = w->net.link[i][j].last_us};
		fault_disk_heal(w, i);
		proc_set_clock(w, i, fault_either_way(w, MS(20)), 0);
		p->effects_left = -1;
		if (world_may(w, FAULT_DRAIN)) fault_end_drain(w, i);
		if (p->state == PROC_DOWN)
			world_at(w, w->now_us + world_between(w, 0, SECONDS(1)), AGENDA_RESTART)->a = i;
	}
}
