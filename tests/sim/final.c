/* final.c - see final.h.
 *
 *   FORMING --all ready--> TROUBLE --time is up, heal--> CALM --all asked for is demanded-->
 *   CHECKING: drain, read every key (r=all), look into the stores, compare, read again, list --> OVER
 *
 * Each wait has a bound; past it the promise that it waits for is broken. "Drained" is: all nodes
 * ready, no hints, no stand-in copies, nothing suspect, no request in flight. (Where a node is gone for
 * ever, but for what waits for it.) */
#include "tests/sim/final.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "core/core.h"
#include "ring/ring.h"
#include "tests/sim/counting.h"
#include "tests/sim/fault.h"
#include "tests/sim/look.h"
#include "tests/sim/operator.h"
#include "tests/sim/proc.h"
#include "tests/sim/trace.h"
#include "tests/sim/workload.h"

#define POLL_US MS(200)
#define FORM_US_MAX SECONDS(60)
#define READY_US_MAX SECONDS(90)
#define SETTLE_US SECONDS(15) /* from "all ready" until every request must succeed */
#define CALM_US SECONDS(15)   /* and this long it is demanded */
#define IDLE_US_MAX SECONDS(20)
#define DRAIN_US_MAX SECONDS(240)
#define READS_US_MAX SECONDS(60)
#define REPAIR_US SECONDS(5)
#define COMPARE_US_MAX SECONDS(60)
/* client_ref of a compare: this and the partition. */
#define COMPARE_REF (1ULL << 62)

enum round {
	ROUND_IDLE,
	ROUND_DRAIN,
	ROUND_READ,
	ROUND_REPAIR,
	ROUND_COMPARE,
	ROUND_AGAIN,
	ROUND_OPERATOR
};

static void stage_set(struct world *w, enum stage stage)
{
	w->stage = stage;
	w->stage_us = w->now_us;
	w->stage_round = 0;
}

static void round_next(struct world *w)
{
	assert(w->stage == STAGE_CHECKING);
	w->stage_round++;
	w->stage_us = w->now_us;
}

static bool waited(const struct world *w, uint64_t us)
{
	return w->now_us - w->stage_us >= us;
}

void final_begin(struct world *w)
{
	for (uint16_t i = 0; i < w->options.nodes; i++)
		world_at(w, w->now_us + world_between(w, 0, SECONDS(2)), AGENDA_RESTART)->a = i;
	stage_set(w, STAGE_FORMING);
	world_at(w, w->now_us + POLL_US, AGENDA_FINAL);
}

/* ---- what is waited for --------------------------------------------------------------------- */

/* The first node that is not up and ready, though it should be, or -1. */
static int unready(const struct world *w)
{
	for (uint16_t i = 0; i < w->options.nodes; i++) {
		if (world_is_gone(w, i)) continue;
		if (w->procs[i].state != PROC_UP || !node_is_ready(w->procs[i].node)) return (int)i;
	}
	return -1;
}

static void fail_unready(struct world *w, const char *promise, const char *when)
{
	int at = unready(w);
	assert(at >= 0);
	const struct proc *p = &w->procs[at];
	world_fail(w, promise, HIST_NOBODY, HIST_NOBODY, "%s is not ready %s: %s", p->name, when,
	           p->state != PROC_UP ? "not running" : node_trouble(p->node));
}

struct kept {
	const struct world *w;
	uint32_t records, for_ever; /* for_ever: for who is gone, as long as the hint window is */
};

static bool is_for_who_is_gone(const struct world *w, struct bytes record)
{
	if (w->gone == SIM_NODES_MAX || record.len < 9) return false;
	if (record.data[0] == HINT_EXTRA) return get_u64be(record.data + 1) == w->procs[w->gone].id.v;
	return world_replicas_gone(w, bytes_of(record.data + 9, record.len - 9)) > 0;
}

static bool count_record(void *context, const struct store_record *record)
{
	struct kept *k = context;
	k->records++;
	k->for_ever += is_for_who_is_gone(k->w, record->key);
	return true;
}

/* Of the hints family: docs/WIRE.md has its records. */
static struct kept hint_records(const struct world *w, uint16_t proc)
{
	struct kept k = {.w = w};
	bool done = false;
	enum err err = store_scan(w->procs[proc].disk.store, STORE_HINTS, BYTES_EMPTY, BYTES_EMPTY,
	                          count_record, &k, &done);
	assert(err == ERR_OK);
	return k;
}

/* What nobody kept a hint of, for want of room, hints do not deliver. */
static bool hints_were_dropped(const struct world *w)
{
	struct node_metrics m;
	for (uint16_t i = 0; i < w->options.nodes; i++) {
		if (world_is_gone(w, i)) continue;
		node_metrics(w->procs[i].node, &m);
		if (m.hints_dropped > 0) return true;
	}
	return false;
}

static bool drained(struct world *w, uint16_t proc)
{
	struct node_metrics m;
	struct kept k = hint_records(w, proc);
	node_metrics(w->procs[proc].node, &m);
	/* A member that is gone for ever keeps reaping from its rounds. */
	return m.hints + m.stand_ins == k.for_ever && k.records == k.for_ever &&
	       m.suspect_partitions == 0 && m.coord_slots_used == 0 && m.replica_slots_used == 0 &&
	       m.keys_in_flight == 0 && (w->gone < SIM_NODES_MAX || look_for_dead(w, proc) == 0);
}

static void fail_undrained(struct world *w, uint16_t proc)
{
	struct node_metrics m;
	node_metrics(w->procs[proc].node, &m);
	for (uint16_t i = 0; i < w->options.nodes; i++) {
		struct node_reaping r;
		struct node_metrics its;
		if (world_is_gone(w, i)) continue;
		node_reaping(w->procs[i].node, &r);
		node_metrics(w->procs[i].node, &its);
		trace_world(w, "%s: horizon %llx%s; round %llx, step %u waits for %llx; %llu stand-ins",
		            w->procs[i].name, (unsigned long long)r.horizon.v,
		            r.mortal ? ", holds mortals" : "", (unsigned long long)r.round.v, r.step,
		            (unsigned long long)r.waits_for.v, (unsigned long long)its.stand_ins);
	}
	world_fail(
		w, "P4", HIST_NOBODY, HIST_NOBODY,
		"%s has not come to rest: %llu hints, %llu stand-in copies, %u hint records, %llu "
		"suspect partitions, %llu + %llu requests, %llu keys in flight, %u with something dead",
		w->procs[proc].name, (unsigned long long)m.hints, (unsigned long long)m.stand_ins,
		hint_records(w, proc).records, (unsigned long long)m.suspect_partitions,
		(unsigned long long)m.coord_slots_used, (unsigned long long)m.replica_slots_used,
		(unsigned long long)m.keys_in_flight, look_for_dead(w, proc));
}

/* ---- compare, as an operator would --------------------------------------------------------- */

/* The next partition, asked of one node after another; a pool that is full gets another chance. */
static void compare_next(struct world *w)
{
	uint32_t partitions = node_layout(w->procs[world_anyone(w)].node)->partitions;
	assert(w->compares_left > 0 && w->compares_left <= partitions);
	uint32_t p = partitions - w->compares_left;
	uint16_t asked = (uint16_t)(p % w->options.nodes);
	struct event ev = {.type = EV_CLIENT_COMPARE,
	                   .compare = {.client = {COMPARE_REF + p}, .partition = {p}}};
	w->compare_open = true;
	world_step(w, world_is_gone(w, asked) ? world_anyone(w) : asked, &ev);
}

/* The replicas of a partition of which one is gone cannot all be held against each other. */
static bool misses_who_is_gone(const struct world *w, const struct compare_result *r)
{
	return w->gone < SIM_NODES_MAX && r->err == ERR_UNREACHABLE &&
	       r->silent.v == w->procs[w->gone].id.v;
}

void final_on_compare(struct world *w, const struct compare_result *result)
{
	uint32_t key = HIST_NOBODY;
	assert(w->compare_open && w->compares_left > 0);
	w->compare_open = false;
	if (result->err == ERR_BUSY) return;
	w->compares_left--;
	if (misses_who_is_gone(w, result)) return;
	if (result->example_count > 0) {
		int found = workload_find_key(w, result->examples[0]);
		if (found >= 0) key = (uint32_t)found;
	}
	if (result->err != ERR_OK || result->different > 0 || result->replicas != w->history.replicas_n)
		world_fail(w, "P4", key, HIST_NOBODY,
		           "compare says %s: %llu of %llu keys differ over %u replicas",
		           err_name(result->err), (unsigned long long)result->different,
		           (unsigned long long)result->keys, result->replicas);
}

/* ---- stages --------------------------------------------------------------------------------- */

static void forming(struct world *w)
{
	if (unready(w) < 0 || w->early) {
		trace_world(w, w->early ? "trouble begins before it is formed" : "formed");
		stage_set(w, STAGE_TROUBLE);
		if (w->options.faults == 0) w->asks.calm_from_us = w->now_us + SECONDS(3);
		workload_start(w);
		counting_start(w);
	} else if (waited(w, FORM_US_MAX) && w->options.faults == 0) {
		fail_unready(w, "forming", "60 s after the start");
	} else if (waited(w, FORM_US_MAX)) {
		w->early = true; /* trouble struck all the same: the heal will show */
	}
}

static void trouble(struct world *w)
{
	uint64_t until_us = w->options.until_us;
	if (!waited(w, until_us > 0 ? until_us : w->options.time_us)) return;
	fault_heal(w);
	stage_set(w, STAGE_CALM);
}

static void calm(struct world *w)
{
	if (w->asks.calm_from_us == UINT64_MAX && unready(w) < 0)
		w->asks.calm_from_us = w->now_us + SETTLE_US;
	if (w->asks.calm_from_us == UINT64_MAX && waited(w, READY_US_MAX))
		fail_unready(w, "forming", "90 s after all trouble ended");
	if (w->asks.calm_from_us == UINT64_MAX || w->now_us < w->asks.calm_from_us + CALM_US) return;
	workload_stop(w);
	counting_stop(w);
	stage_set(w, STAGE_CHECKING);
}

/* Has everything come to rest? False, and a failure if it takes too long. */
static bool at_rest(struct world *w)
{
	for (uint16_t i = 0; i < w->options.nodes; i++) {
		if (world_is_gone(w, i)) continue;
		assert(w->procs[i].state == PROC_UP);
		if (drained(w, i)) continue;
		if (waited(w, DRAIN_US_MAX)) fail_undrained(w, i);
		return false;
	}
	return true;
}

static void read_all(struct world *w, enum hist_view view)
{
	workload_read_all(w, view);
	counting_read_all(w, view);
}

static void reading(struct world *w)
{
	if (workload_reads_left(w) + counting_reads_left(w) > 0) {
		if (waited(w, READS_US_MAX))
			world_fail(w, "P6", HIST_NOBODY, HIST_NOBODY, "not every key can be read with r=all");
		return;
	}
	round_next(w);
	if (w->stage_round == ROUND_OPERATOR) operator_list_finally(w);
}

static void comparing(struct world *w)
{
	if (w->compares_left == 0) {
		round_next(w);
		read_all(w, HIST_FINAL_AGAIN);
	} else if (waited(w, COMPARE_US_MAX)) {
		world_fail(w, "P4", HIST_NOBODY, HIST_NOBODY, "%u compares never ended", w->compares_left);
	} else if (!w->compare_open) {
		compare_next(w);
	}
}

static void checking(struct world *w)
{
	switch ((enum round)w->stage_round) {
	case ROUND_IDLE:
		if (workload_is_idle(w) && counting_is_idle(w))
			round_next(w);
		else if (waited(w, IDLE_US_MAX))
			world_fail(w, "P7", HIST_NOBODY, HIST_NOBODY, "a client still waits for its answer");
		break;
	case ROUND_DRAIN:
		if (!at_rest(w)) break;
		if ((w->options.faults & FAULTS_FATAL) == 0 && !hints_were_dropped(w))
			look_into_all(w, w->stage_round == ROUND_DRAIN);
		round_next(w);
		read_all(w, HIST_FINAL);
		break;
	case ROUND_READ:
	case ROUND_AGAIN: reading(w); break;
	case ROUND_REPAIR:
		if (!waited(w, REPAIR_US) || !at_rest(w)) break;
		look_into_all(w, w->stage_round == ROUND_DRAIN);
		round_next(w);
		w->compares_left = node_layout(w->procs[world_anyone(w)].node)->partitions;
		break;
	case ROUND_COMPARE: comparing(w); break;
	case ROUND_OPERATOR:
		if (operator_is_content(w)) stage_set(w, STAGE_OVER);
		break;
	}
}

void final_on_stage(struct world *w, const struct agenda_item *item)
{
	(void)item;
	fault_watch(w);
	for (uint16_t i = 0; i < w->options.nodes; i++) proc_check_bounds(w, i);
	switch (w->stage) {
	case STAGE_FORMING: forming(w); break;
	case STAGE_TROUBLE: trouble(w); break;
	case STAGE_CALM: calm(w); break;
	case STAGE_CHECKING: checking(w); break;
	case STAGE_OVER: break;
	}
	if (w->stage != STAGE_OVER) world_at(w, w->now_us + POLL_US, AGENDA_FINAL);
}
