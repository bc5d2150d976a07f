/* proc.c - see proc.h.
 *
 *            start                pause
 *   DOWN -----------> UP ---------------------> PAUSED
 *     ^                |  <---------------------  |
 *     |     crash      |         resume           |
 *     +----------------+--------------------------+
 *
 * Memory of the node is fresh and zeroed at each start; the pool behind it keeps the garbage of the
 * last life, as mmap'd memory of a real process need not be zero either. Both are mapped, so that what a
 * node never touches costs nothing: a start would be dearer than a virtual second else. */
#include "tests/sim/proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "tests/sim/counting.h"
#include "tests/sim/disk.h"
#include "tests/sim/fault.h"
#include "tests/sim/net.h"
#include "tests/sim/trace.h"
#include "tests/sim/workload.h"

/* Where a node may be lost: in every other such run what is kept for it is kept no longer. */
#define LOST_HINT_WINDOW_MS 30000

/* ---- memory --------------------------------------------------------------------------------- */

static void *map(size_t bytes, int file)
{
	int flags = MAP_PRIVATE | (file < 0 ? MAP_ANONYMOUS : 0);
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, file, 0);
	assert(at != MAP_FAILED);
	return at;
}

/* One file of garbage for all pools of all runs; each has its own copy of the pages that it writes. */
static int garbage(void)
{
	static int file = -1;
	static const size_t page = KIB(64);
	if (file >= 0) return file;
	file = memfd_create("garbage", 0);
	uint8_t *bytes = malloc(page);
	assert(file >= 0 && bytes != NULL);
	memset(bytes, 0xa5, page);
	for (size_t at = 0; at < SIM_POOL_BYTES; at += page) {
		ssize_t wrote = write(file, bytes, page);
		assert(wrote == (ssize_t)page);
	}
	free(bytes);
	return file;
}

static void memory_free(struct proc *p)
{
	if (p->memory != NULL) munmap(p->memory, p->memory_bytes);
	p->memory = NULL;
}

void proc_init(struct world *w, uint16_t proc)
{
	struct proc *p = &w->procs[proc];
	*p = (struct proc){.state = PROC_DOWN, .tick_us = UINT64_MAX, .effects_left = -1};
	snprintf(p->name, sizeof p->name, "n%u", (unsigned)proc + 1);
	snprintf(p->address, sizeof p->address, "10.0.0.%u:8099", (unsigned)proc + 1);
	p->pool = map(SIM_POOL_BYTES, garbage());
	disk_init(w, proc);
}

void proc_free(struct world *w, uint16_t proc)
{
	struct proc *p = &w->procs[proc];
	memory_free(p);
	munmap(p->pool, SIM_POOL_BYTES);
	disk_free(w, proc);
}

/* ---- boot ----------------------------------------------------------------------------------- */

static void config_fill(struct world *w, uint16_t proc, struct node_config *c,
                        struct bytes join[SIM_NODES_MAX])
{
	const struct proc *p = &w->procs[proc];
	static const uint32_t reads_all[3] = {1, READ_ALL_ONE_IN, 1000};
	bool tight = w->options.faults != 0 && w->options.seed % 8 == 7;
	for (uint32_t i = 0; i < w->options.nodes; i++) join[i] = bytes_of_string(w->procs[i].address);
	*c =
		(struct node_config){.name = bytes_of_string(p->name),
	                         .address = bytes_of_string(p->address),
	                         .join = join,
	                         .join_count = w->options.nodes,
	                         .expect = w->options.nodes,
	                         .partitions = SIM_PARTITIONS,
	                         .replicas = w->history.replicas_n,
	                         .hint_after_us = tight ? MS(20) : 0,
	                         .reap_period_us = SECONDS(2) + SECONDS(4) * (w->options.seed / 48 % 3),
	                         .read_all_one_in = reads_all[w->options.seed / 8 % 3],
	                         .read_whole_bytes = w->options.seed / 24 % 2 == 0 ? 1 : 64,
	                         .siblings_max = tight ? 3 : 0,
	                         .coord_slots = tight ? 8 : 64,
	                         .replica_slots = tight ? 8 : 128};
	if (world_may(w, FAULT_NOROOM) && w->options.seed % 4 == 1) {
		bool hints_too = w->options.seed % 8 == 1;
		c->stand_ins_max = 4;
		c->stand_in_bytes_max = KIB(2);
		c->hints_max = hints_too ? 8 : 0;
		c->hint_bytes_max = hints_too ? 400 : 0;
		/* What is on its way to the disk comes on top (P8), so little is. */
		if (hints_too) c->coord_slots = c->replica_slots = 4;
		if (hints_too) c->stand_ins_max = 1;
	}
	if (proc_may_be_lost(w) && w->options.seed % 8 == 2) c->hint_window_ms = LOST_HINT_WINDOW_MS;
	if (w->options.nodes == 1) c->join_count = 0;
	for (size_t i = 0; i < sizeof c->entropy; i += sizeof(uint64_t)) {
		uint64_t v = prng_next(w->prng);
		memcpy(c->entropy + i, &v, sizeof v);
	}
}

bool proc_may_be_lost(const struct world *w)
{
	return world_may(w, FAULT_GONE) && w->options.seed % 4 == 2 && w->options.nodes >= 3;
}

struct boot {
	struct world *w;
	struct node *node;
	enum err err;
};

static bool boot_record(void *context, const struct store_record *record)
{
	struct boot *b = context;
	if (record->damaged) b->err = ERR_CORRUPT;
	if (b->err == ERR_OK) b->err = node_boot_record(b->node, record->key, record->value);
	return b->err == ERR_OK;
}

static void read_records(struct world *w, uint16_t proc)
{
	const struct proc *p = &w->procs[proc];
	struct boot boot = {w, p->node, ERR_OK};
	bool done = false;
	enum err err =
		store_scan(p->disk.store, STORE_META, BYTES_EMPTY, BYTES_EMPTY, boot_record, &boot, &done);
	if (err != ERR_OK || boot.err != ERR_OK)
		world_fail(w, "boot", HIST_NOBODY, HIST_NOBODY, "%s does not start on its own disk: %s",
		           p->name, err_name(err != ERR_OK ? err : boot.err));
}

/* Whoever draws in here draws from the stream of this life, so that a node is the same one whatever
 * happened before. */
static void start(struct world *w, uint16_t proc)
{
	struct proc *p = &w->procs[proc];
	struct node_config config;
	struct bytes join[SIM_NODES_MAX];
	config_fill(w, proc, &config, join);
	p->bounds = bounds_of(&config, SIM_POOL_BYTES);
	p->memory_bytes = node_memory(&config);
	p->memory = map(p->memory_bytes, -1);
	p->node = node_init(p->memory, &config, p->pool, SIM_POOL_BYTES);
	p->state = PROC_UP;
	p->start++;
	p->clock_base_us = world_between(w, 0, SECONDS(100000));
	p->tick_us = UINT64_MAX;
	p->effects_left = -1;
	read_records(w, proc);
	if (w->failed) return;
	trace_world(w, "%s starts (%u)", p->name, p->start);
	w->fx->count = 0;
	node_start(p->node, world_instant(w, proc), world_wall(w, proc), w->fx);
	p->id = node_self(p->node);
	world_perform(w, proc);
	if (p->state != PROC_UP) return;
	proc_arm(w, proc);
	net_connect_all(w, proc);
}

void proc_start(struct world *w, uint16_t proc)
{
	struct proc *p = &w->procs[proc];
	if (p->state != PROC_DOWN || world_is_gone(w, proc)) return;
	if (disk_boot_fails(w, proc)) {
		trace_world(w, "%s cannot read its disk, and does not start", p->name);
		world_at(w, w->now_us + SECONDS(1), AGENDA_RESTART)->a = proc;
		return;
	}
	struct prng life = chance_of(w->options.seed, CHANCE_ENTROPY, proc, p->start);
	struct prng *before = world_draw_from(w, &life);
	start(w, proc);
	world_draw_from(w, before);
}

/* ---- death and sleep ------------------------------------------------------------------------ */

uint64_t proc_refused(const struct world *w, uint16_t proc)
{
	struct node_metrics m = {0};
	if (w->procs[proc].node == NULL) return 0;
	node_metrics(w->procs[proc].node, &m);
	return m.stand_ins_refused + m.hints_dropped;
}

void proc_check_bounds(struct world *w, uint16_t proc)
{
	struct node_metrics m;
	struct check_failure failure;
	const struct proc *p = &w->procs[proc];
	if (p->node == NULL) return;
	node_metrics(p->node, &m);
	if (!check_bounds(&p->bounds, p->name, &m, &failure)) world_failed(w, &failure);
}

void proc_crash(struct world *w, uint16_t proc, uint64_t restart_us)
{
	struct proc *p = &w->procs[proc];
	assert(p->state != PROC_DOWN);
	trace_world(w, "%s dies", p->name);
	fault_check_memory(w, proc);
	proc_check_bounds(w, proc);
	p->state = PROC_DOWN;
	if (world_may(w, FAULT_NOROOM)) w->fault_count[FAULT_NOROOM] += proc_refused(w, proc);
	disk_crash(w, proc);
	p->node = NULL;
	memory_free(p);
	p->effects_left = -1;
	net_died(w, proc);
	workload_on_crash(w, proc);
	counting_on_crash(w, proc);
	world_at(w, w->now_us + restart_us, AGENDA_RESTART)->a = proc;
}

void proc_pause(struct world *w, uint16_t proc, uint64_t for_us)
{
	struct proc *p = &w->procs[proc];
	if (p->state != PROC_UP) return;
	trace_world(w, "%s stands still for %.3f s", p->name, (double)for_us / 1e6);
	p->state = PROC_PAUSED;
	p->pauses++;
	p->resume_us = w->now_us + for_us;
	struct agenda_item *item = world_at(w, p->resume_us, AGENDA_RESUME);
	item->a = proc;
	item->start = p->start;
}

/* What waited for it is on the agenda behind this. */
void proc_on_resume(struct world *w, const struct agenda_item *item)
{
	struct proc *p = &w->procs[item->a];
	if (p->start == item->start && p->state == PROC_PAUSED) p->state = PROC_UP;
}

/* ---- ticks and clocks ----------------------------------------------------------------------- */

static uint64_t deadline_us(const struct world *w, uint16_t proc)
{
	const struct proc *p = &w->procs[proc];
	struct instant at = node_deadline(p->node);
	if (at.us == UINT64_MAX) return UINT64_MAX;
	uint64_t us = at.us > p->clock_base_us ? at.us - p->clock_base_us : 0;
	return us > w->now_us ? us : w->now_us;
}

void proc_arm(struct world *w, uint16_t proc)
{
	struct proc *p = &w->procs[proc];
	uint64_t at = deadline_us(w, proc);
	if (at >= p->tick_us) return;
	p->tick_us = at;
	struct agenda_item *item = world_at(w, at, AGENDA_TICK);
	item->a = proc;
	item->start = p->start;
	item->x = at;
}

void proc_on_tick(struct world *w, const struct agenda_item *item)
{
	struct proc *p = &w->procs[item->a];
	if (item->x != p->tick_us) return; /* an earlier one took its place */
	p->tick_us = UINT64_MAX;
	if (deadline_us(w, item->a) > w->now_us) {
		proc_arm(w, item->a);
		return;
	}
	struct event ev = {.type = EV_TICK};
	world_step(w, item->a, &ev);
}

void proc_set_clock(struct world *w, uint16_t proc, int64_t off_us, int64_t drift_ppm)
{
	struct proc *p = &w->procs[proc];
	p->off_us = off_us;
	p->drift_ppm = drift_ppm;
	p->set_us = w->now_us;
}
