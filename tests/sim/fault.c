/* fault.c - see fault.h.
 *
 * Each kind that may strike does so on its own: the first time in the first third of the trouble,
 * then again and again at exponential intervals. What lasts is a `struct trouble` on the agenda,
 * whose end undoes it. Rot, and going back to an older copy, are faults of one disk in a run: a second
 * copy must be left. */
#include "tests/sim/fault.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cursor.h"
#include "base/panic.h"
#include "store/store_mem.h"
#include "tests/sim/net.h"
#include "tests/sim/proc.h"
#include "tests/sim/trace.h"

struct trouble {
	enum fault_kind kind;
	uint16_t a, b;
	uint32_t side; /* bit per node on the one side of a split */
	uint32_t left; /* of a flapping link: turns to go; even: it is cut now */
	uint64_t slow_us;
};

static uint16_t any_proc(struct world *w)
{
	return (uint16_t)prng_below(&w->prng, w->options.nodes);
}

static bool any_pair(struct world *w, uint16_t *a, uint16_t *b)
{
	if (w->options.nodes < 2) return false;
	*a = any_proc(w);
	*b = (uint16_t)((*a + 1 + prng_below(&w->prng, w->options.nodes - 1)) % w->options.nodes);
	return true;
}

static struct trouble *trouble_until(struct world *w, struct trouble t, uint64_t for_us)
{
	struct trouble *copy = malloc(sizeof *copy);
	assert(copy != NULL);
	*copy = t;
	world_at(w, w->now_us + for_us, AGENDA_FAULT_END)->p = copy;
	return copy;
}

/* ---- network -------------------------------------------------------------------------------- */

static void strike_rate(struct world *w, enum fault_kind kind, uint32_t *ppm, uint32_t min,
                        uint32_t max)
{
	*ppm = (uint32_t)world_between(w, min, max);
	trouble_until(w, (struct trouble){.kind = kind}, world_about(w, SECONDS(6)));
	if (kind == FAULT_DELAY) w->fault_count[kind]++;
}

static void split(struct world *w, uint32_t side, void (*act)(struct world *, uint16_t, uint16_t))
{
	for (uint16_t i = 0; i < w->options.nodes; i++)
		for (uint16_t j = 0; j < w->options.nodes; j++)
			if ((side >> i & 1) != (side >> j & 1)) act(w, i, j);
}

static void strike_partition(struct world *w)
{
	uint32_t n = w->options.nodes, everyone = (1U << n) - 1;
	uint32_t side = (uint32_t)prng_below(&w->prng, everyone + 1);
	switch (prng_below(&w->prng, 3)) {
	case 0: side = 1U << any_proc(w); break;
	case 1: side = everyone >> n / 2; break;
	default: break;
	}
	if (side == 0 || side == everyone) return;
	trace_world(w, "the network splits: 0x%x against the others", side);
	split(w, side, net_cut);
	trouble_until(w, (struct trouble){.kind = FAULT_PARTITION, .side = side},
	              world_about(w, SECONDS(8)));
	w->fault_count[FAULT_PARTITION]++;
}

static void strike_link(struct world *w, enum fault_kind kind)
{
	struct trouble t = {.kind = kind};
	if (!any_pair(w, &t.a, &t.b)) return;
	uint64_t for_us = world_about(w, SECONDS(8));
	if (kind == FAULT_ONEWAY) {
		net_cut(w, t.a, t.b);
	} else if (kind == FAULT_SLOWLINK) {
		t.slow_us = world_between(w, MS(5), MS(900));
		w->net.link[t.a][t.b].slow_us += t.slow_us;
		w->net.link[t.b][t.a].slow_us += t.slow_us;
	} else {
		assert(kind == FAULT_FLAP);
		t.left = 2 * (uint32_t)world_between(w, 2, 8);
		net_cut(w, t.a, t.b);
		net_cut(w, t.b, t.a);
		for_us = world_about(w, MS(700));
	}
	trace_world(w, "%s: %s - %s", options_fault_word(kind), w->procs[t.a].name, w->procs[t.b].name);
	trouble_until(w, t, for_us);
	w->fault_count[kind]++;
}

static void flap_on(struct world *w, struct trouble t)
{
	bool was_cut = t.left % 2 == 0;
	if (was_cut) {
		net_mend(w, t.a, t.b);
		net_mend(w, t.b, t.a);
	} else {
		net_cut(w, t.a, t.b);
		net_cut(w, t.b, t.a);
	}
	if (--t.left == 0) {
		assert(!was_cut);
		net_mend(w, t.a, t.b);
		net_mend(w, t.b, t.a);
		return;
	}
	trouble_until(w, t, world_about(w, MS(700)));
}

/* ---- processes, disks, clocks --------------------------------------------------------------- */

static void strike_crash(struct world *w)
{
	struct proc *p = &w->procs[any_proc(w)];
	if (p->state != PROC_UP) return;
	p->effects_left = (int64_t)prng_below(&w->prng, 40);
	p->restart_us = prng_below(&w->prng, 4) == 0 ? MS(1) : world_about(w, SECONDS(4));
	w->fault_count[FAULT_CRASH]++;
}

static void strike_crashall(struct world *w)
{
	trace_world(w, "all die");
	for (uint16_t i = 0; i < w->options.nodes; i++)
		if (w->procs[i].state != PROC_DOWN) proc_crash(w, i, world_between(w, MS(1), SECONDS(5)));
	w->fault_count[FAULT_CRASHALL]++;
}

static void strike_pause(struct world *w)
{
	uint16_t proc = any_proc(w);
	if (w->procs[proc].state != PROC_UP) return;
	proc_pause(w, proc, world_between(w, MS(50), SECONDS(6)));
	w->fault_count[FAULT_PAUSE]++;
}

/* Whoever is down ends it by its restart; who stands still is told when it goes on. */
static void drain(struct world *w, uint16_t proc, bool on)
{
	const struct proc *p = &w->procs[proc];
	struct event ev = {.type = EV_DRAIN, .drain = {on}};
	if (p->state == PROC_UP) world_step(w, proc, &ev);
	if (p->state == PROC_PAUSED && !on)
		trouble_until(w, (struct trouble){.kind = FAULT_DRAIN, .a = proc}, SECONDS(1));
}

static void strike_drain(struct world *w)
{
	uint16_t proc = any_proc(w);
	if (w->procs[proc].state != PROC_UP) return;
	trace_world(w, "%s is drained", w->procs[proc].name);
	w->fault_count[FAULT_DRAIN]++;
	trouble_until(w, (struct trouble){.kind = FAULT_DRAIN, .a = proc}, world_about(w, SECONDS(5)));
	drain(w, proc, true);
}

static int64_t either_way(struct world *w, uint64_t max_us)
{
	return (int64_t)world_between(w, 0, 2 * max_us) - (int64_t)max_us;
}

static void strike_clock(struct world *w, enum fault_kind kind)
{
	uint16_t proc = any_proc(w);
	uint64_t far = kind == FAULT_JUMP && prng_below(&w->prng, 3) == 0 ? SECONDS(3600) : SECONDS(30);
	if (prng_below(&w->prng, 2) == 0) far = SECONDS(4);
	int64_t skew = either_way(w, far);
	int64_t drift = kind == FAULT_SKEW ? either_way(w, 2000) : 0;
	trace_world(w, "%s: the clock of %s is off by %.3f s", options_fault_word(kind),
	            w->procs[proc].name, (double)skew / 1e6);
	proc_set_clock(w, proc, skew, drift);
	if (kind == FAULT_JUMP)
		trouble_until(w, (struct trouble){.kind = kind, .a = proc}, world_about(w, SECONDS(10)));
	w->fault_count[kind]++;
}

static void strike_disk(struct world *w, enum fault_kind kind)
{
	uint16_t proc = any_proc(w);
	struct disk *d = &w->procs[proc].disk;
	trace_world(w, "%s: %s", options_fault_word(kind), w->procs[proc].name);
	if (kind == FAULT_FULL) {
		d->full++;
		store_mem_set_full(d->store, true);
	} else {
		assert(kind == FAULT_SLOWDISK);
		d->slow_factor = (uint32_t)world_between(w, 10, 400);
		w->fault_count[kind]++;
	}
	trouble_until(w, (struct trouble){.kind = kind, .a = proc}, world_about(w, SECONDS(6)));
}

static void strike_rot(struct world *w)
{
	struct bytes key = {NULL, 0};
	if (!store_mem_rot(w->procs[w->bad_disk].disk.store, STORE_OBJECTS, prng_next(&w->prng), &key))
		return;
	if (key.len > 8)
		trace_key(w, (struct bytes){key.data + 8, key.len - 8}, "%s: the record rots",
		          w->procs[w->bad_disk].name);
	w->fault_count[FAULT_ROT]++;
}

/* What `proc` remembers, durably, of a disk's beats: the record `memory` of docs/WIRE.md. */
static uint64_t beat_of(struct store *s, struct node_id whose)
{
	struct bytes value;
	void *handle;
	if (store_read(s, STORE_META, BYTES("memory"), false, &value, &handle) != ERR_OK) return 0;
	struct cursor c = cursor_of(value);
	uint32_t fields = cursor_array(&c, UINT32_MAX);
	uint64_t own = cursor_uint(&c, UINT64_MAX), found = whose.v == 0 ? own : 0;
	for (uint32_t i = 1; i + 1 < fields; i += 2) {
		bool its = cursor_uint(&c, UINT64_MAX) == whose.v;
		uint64_t beat = cursor_uint(&c, UINT64_MAX);
		if (its) found = beat;
	}
	store_release(handle);
	return found;
}

/* Would so many of the others find the copy out that the rest cannot confirm it? That is the model: a
 * copy so fresh that nobody has heard more of the node since is as good as its disk. */
static bool copy_is_known_as_old(struct world *w)
{
	struct node_id id = w->procs[w->bad_disk].id;
	uint64_t beat = beat_of(w->old_copy, (struct node_id){0});
	uint32_t ignorant = 0;
	if (id.v == 0) return false;
	for (uint16_t i = 0; i < w->options.nodes; i++)
		if (i != w->bad_disk) ignorant += beat_of(w->procs[i].disk.store, id) <= beat;
	return 2 * (1 + ignorant) <= w->options.nodes;
}

/* Without one it would be another node that starts. */
static bool has_identity(struct store *s)
{
	struct bytes value;
	void *handle;
	if (store_read(s, STORE_META, BYTES("identity"), false, &value, &handle) != ERR_OK)
		return false;
	store_release(handle);
	return true;
}

static void strike_old_copy(struct world *w)
{
	struct proc *p = &w->procs[w->bad_disk];
	if (w->old_copy == NULL) {
		if (!has_identity(p->disk.store)) return;
		w->old_copy = store_mem_clone(p->disk.store);
		assert(w->old_copy != NULL);
		return;
	}
	if (!copy_is_known_as_old(w)) return;
	if (p->state != PROC_DOWN) proc_crash(w, w->bad_disk, world_between(w, MS(1), SECONDS(5)));
	trace_world(w, "the disk of %s is an old copy now", p->name);
	store_mem_restore(p->disk.store, w->old_copy);
	w->fault_count[FAULT_OLDCOPY]++;
	if (prng_below(&w->prng, 2) == 0) return; /* it may come back once more */
	store_close(w->old_copy);
	w->old_copy = NULL;
}

/* ---- striking and ending -------------------------------------------------------------------- */

static void strike(struct world *w, enum fault_kind kind)
{
	struct net *net = &w->net;
	switch (kind) {
	case FAULT_DELAY: strike_rate(w, kind, &net->delay_ppm, 10000, 200000); break;
	case FAULT_LOSS: strike_rate(w, kind, &net->loss_ppm, 10000, 250000); break;
	case FAULT_DUP: strike_rate(w, kind, &net->dup_ppm, 10000, 150000); break;
	case FAULT_REORDER: strike_rate(w, kind, &net->reorder_ppm, 50000, 500000); break;
	case FAULT_PARTITION: strike_partition(w); break;
	case FAULT_ONEWAY:
	case FAULT_SLOWLINK:
	case FAULT_FLAP: strike_link(w, kind); break;
	case FAULT_CRASH: strike_crash(w); break;
	case FAULT_CRASHALL: strike_crashall(w); break;
	case FAULT_TORN: break; /* a way to crash: disk.c */
	case FAULT_PAUSE: strike_pause(w); break;
	case FAULT_SKEW:
	case FAULT_JUMP: strike_clock(w, kind); break;
	case FAULT_FULL:
	case FAULT_SLOWDISK: strike_disk(w, kind); break;
	case FAULT_ROT: strike_rot(w); break;
	case FAULT_OLDCOPY: strike_old_copy(w); break;
	case FAULT_NOROOM: break; /* proc.c: so from the start, and counted by the nodes */
	case FAULT_DRAIN: strike_drain(w); break;
	case FAULT_KINDS: unreachable();
	}
}

static bool trouble_is_on(const struct world *w)
{
	return w->stage == STAGE_FORMING || w->stage == STAGE_TROUBLE;
}

void fault_on_strike(struct world *w, const struct agenda_item *item)
{
	if (!trouble_is_on(w)) return;
	enum fault_kind kind = (enum fault_kind)item->x;
	strike(w, kind);
	uint64_t mean = kind == FAULT_CRASHALL ? 3 * w->fault_mean_us : w->fault_mean_us;
	world_at(w, w->now_us + world_about(w, mean), AGENDA_FAULT)->x = (uint64_t)kind;
}

void fault_on_end(struct world *w, const struct agenda_item *item)
{
	const struct trouble *t = item->p;
	if (t->kind == FAULT_DRAIN) {
		drain(w, t->a, false);
		return;
	}
	if (!trouble_is_on(w)) return; /* fault_heal has undone it */
	struct disk *d = &w->procs[t->a].disk;
	switch (t->kind) {
	case FAULT_DELAY: w->net.delay_ppm = 0; break;
	case FAULT_LOSS: w->net.loss_ppm = 0; break;
	case FAULT_DUP: w->net.dup_ppm = 0; break;
	case FAULT_REORDER: w->net.reorder_ppm = 0; break;
	case FAULT_PARTITION:
		trace_world(w, "the split 0x%x ends", t->side);
		split(w, t->side, net_mend);
		break;
	case FAULT_ONEWAY: net_mend(w, t->a, t->b); break;
	case FAULT_SLOWLINK:
		w->net.link[t->a][t->b].slow_us -= t->slow_us;
		w->net.link[t->b][t->a].slow_us -= t->slow_us;
		break;
	case FAULT_FLAP: flap_on(w, *t); break;
	case FAULT_JUMP: proc_set_clock(w, t->a, either_way(w, MS(50)), 0); break;
	case FAULT_FULL:
		if (--d->full == 0) store_mem_set_full(d->store, false);
		break;
	case FAULT_SLOWDISK: d->slow_factor = 1; break;
	default: unreachable();
	}
}

void fault_init(struct world *w)
{
	uint64_t time = w->options.time_us;
	w->fault_mean_us = time / world_between(w, 3, 20) + 1;
	w->bad_disk = any_proc(w);
	w->early = w->options.faults != 0 && prng_below(&w->prng, 2) == 0;
	for (uint16_t i = 0; i < w->options.nodes; i++) {
		uint64_t off =
			world_may(w, FAULT_SKEW) && prng_below(&w->prng, 2) == 0 ? SECONDS(5) : MS(20);
		proc_set_clock(w, i, either_way(w, off), world_may(w, FAULT_SKEW) ? either_way(w, 200) : 0);
	}
	for (unsigned k = 0; k < FAULT_KINDS; k++)
		if (world_may(w, (enum fault_kind)k))
			world_at(w, w->now_us + world_between(w, 0, time / 3), AGENDA_FAULT)->x = k;
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
		p->disk.full = 0;
		p->disk.slow_factor = 1;
		store_mem_set_full(p->disk.store, false);
		proc_set_clock(w, i, either_way(w, MS(20)), 0);
		p->effects_left = -1;
		if (world_may(w, FAULT_DRAIN)) drain(w, i, false);
		if (p->state == PROC_DOWN)
			world_at(w, w->now_us + world_between(w, 0, SECONDS(1)), AGENDA_RESTART)->a = i;
	}
}
