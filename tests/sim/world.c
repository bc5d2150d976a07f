/* world.c - see world.h: the agenda, the one place where a node steps, chance and clocks.
 *
 * Always true: an item for a process that stands still waits for it, in order; an item for an
 * earlier start of a process does not happen (packets decide for themselves); effects of one step
 * are performed before anything else happens; the agenda never goes back in time. */
#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/panic.h"
#include "ring/ring.h"
#include "tests/sim/counting.h"
#include "tests/sim/disk.h"
#include "tests/sim/fault.h"
#include "tests/sim/final.h"
#include "tests/sim/letter.h"
#include "tests/sim/look.h"
#include "tests/sim/net.h"
#include "tests/sim/proc.h"
#include "tests/sim/trace.h"
#include "tests/sim/operator.h"
#include "tests/sim/tracing.h"
#include "tests/sim/workload.h"

/* Unix time of virtual time 0, ms. */
#define SIM_EPOCH_MS 1700000000000

/* ---- chance --------------------------------------------------------------------------------- */

struct prng *world_draw_from(struct world *w, struct prng *stream)
{
	struct prng *before = w->prng;
	w->prng = stream;
	return before;
}

uint64_t world_between(struct world *w, uint64_t min, uint64_t max)
{
	assert(min <= max);
	return min + prng_below(w->prng, max - min + 1);
}

/* An exponential by halves: linear inside each factor of two; no floating point. */
uint64_t world_about(struct world *w, uint64_t mean)
{
	uint64_t tenths = 0;
	for (int i = 0; i < 80 && prng_below(w->prng, 10) != 0; i++) tenths++;
	return 1 + mean * tenths / 10 + prng_below(w->prng, mean / 10 + 1);
}

bool world_chance(struct world *w, uint32_t ppm)
{
	return ppm > 0 && prng_below(w->prng, 1000000) < ppm;
}

bool world_may(const struct world *w, enum fault_kind kind)
{
	return (w->options.faults & FAULT_BIT(kind)) != 0;
}

void world_note(struct world *w, uint64_t value)
{
	w->hash = (w->hash ^ value) * 0x9e3779b97f4a7c15U;
	w->hash ^= w->hash >> 29;
}

void world_fail(struct world *w, const char *promise, uint32_t key, uint32_t write,
                const char *format, ...)
{
	if (w->failed) return;
	w->failed = true;
	w->failure = (struct check_failure){.promise = promise, .key = key, .write = write};
	va_list args;
	va_start(args, format);
	vsnprintf(w->failure.text, sizeof w->failure.text, format, args);
	va_end(args);
}

void world_failed(struct world *w, const struct check_failure *f)
{
	world_fail(w, f->promise, f->key, f->write, "%s", f->text);
}

void world_ask_ended(struct world *w, uint32_t ask)
{
	struct check_failure f;
	if (!ask_is_answered(&w->asks, ask, &f) || !ask_is_served(&w->asks, ask, &f))
		world_failed(w, &f);
}

/* ---- the agenda: a binary heap by (time, order) ---------------------------------------------- */

static bool item_before(const struct agenda_item *a, const struct agenda_item *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

struct agenda_item *world_at(struct world *w, uint64_t at_us, enum agenda_kind kind)
{
	assert(kind < AGENDA_KINDS);
	if (w->agenda_count == w->agenda_room) {
		w->agenda_room = w->agenda_room == 0 ? 1024 : w->agenda_room * 2;
		w->agenda = realloc(w->agenda, w->agenda_room * sizeof *w->agenda);
		assert(w->agenda != NULL);
	}
	if (at_us < w->now_us) at_us = w->now_us;
	struct agenda_item item = {.at_us = at_us, .order = w->order++, .kind = kind};
	uint32_t at = w->agenda_count++;
	while (at > 0 && item_before(&item, &w->agenda[(at - 1) / 2])) {
		w->agenda[at] = w->agenda[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	w->agenda[at] = item;
	return &w->agenda[at];
}

static struct agenda_item agenda_pop(struct world *w)
{
	assert(w->agenda_count > 0);
	struct agenda_item first = w->agenda[0], last = w->agenda[--w->agenda_count];
	uint32_t at = 0;
	for (;;) {
		uint32_t child = 2 * at + 1;
		if (child >= w->agenda_count) break;
		if (child + 1 < w->agenda_count && item_before(&w->agenda[child + 1], &w->agenda[child]))
			child++;
		if (!item_before(&w->agenda[child], &last)) break;
		w->agenda[at] = w->agenda[child];
		at = child;
	}
	if (w->agenda_count > 0) w->agenda[at] = last;
	return first;
}

static void item_free(const struct agenda_item *item)
{
	switch (item->kind) {
	case AGENDA_PACKET: net_packet_free(item->p); break;
	case AGENDA_READ:
	case AGENDA_SCAN: disk_item_free(item->kind, item->p); break;
	case AGENDA_REQUEST: letter_free(item->p); break;
	case AGENDA_FAULT_END: free(item->p); break;
	default: break;
	}
}

/* Does it happen inside process a? */
static bool item_is_in_process(enum agenda_kind kind)
{
	switch (kind) {
	case AGENDA_PACKET:
	case AGENDA_PEER_UP:
	case AGENDA_PEER_DOWN:
	case AGENDA_READ:
	case AGENDA_SCAN:
	case AGENDA_COMMIT:
	case AGENDA_TICK:
	case AGENDA_REQUEST:
	case AGENDA_OPERATOR_MORE: return true;
	default: return false;
	}
}

static void item_wait_for(struct world *w, struct agenda_item item, uint64_t until_us)
{
	struct agenda_item *again = world_at(w, until_us, item.kind);
	item.at_us = again->at_us;
	item.order = again->order;
	*again = item;
}

static void item_happens(struct world *w, const struct agenda_item *item)
{
	switch (item->kind) {
	case AGENDA_PACKET: net_on_packet(w, item); break;
	case AGENDA_CONNECT: net_on_connect(w, item); break;
	case AGENDA_PEER_UP: net_on_peer_up(w, item); break;
	case AGENDA_PEER_DOWN: net_on_peer_down(w, item); break;
	case AGENDA_BREAK: net_on_break(w, item); break;
	case AGENDA_READ: disk_on_read(w, item); break;
	case AGENDA_SCAN: disk_on_scan(w, item); break;
	case AGENDA_COMMIT: disk_on_commit(w, item); break;
	case AGENDA_TICK: proc_on_tick(w, item); break;
	case AGENDA_RESTART: proc_start(w, item->a); break;
	case AGENDA_RESUME: proc_on_resume(w, item); break;
	case AGENDA_FAULT: fault_on_strike(w, item); break;
	case AGENDA_FAULT_END: fault_on_end(w, item); break;
	case AGENDA_REQUEST: workload_on_request(w, item); break;
	case AGENDA_CLIENT: workload_on_client(w, item); break;
	case AGENDA_CLIENT_END: workload_on_give_up(w, item); break;
	case AGENDA_COUNT: counting_on_client(w, item); break;
	case AGENDA_COUNT_END: counting_on_give_up(w, item); break;
	case AGENDA_OPERATOR: operator_act(w); break;
	case AGENDA_OPERATOR_MORE: operator_more(w, item); break;
	case AGENDA_FINAL: final_on_stage(w, item); break;
	case AGENDA_KINDS: unreachable();
	}
}

/* Inside a process that is gone it does not happen; inside one that stands still, later. */
static bool item_may_happen(struct world *w, const struct agenda_item *item)
{
	const struct proc *p = &w->procs[item->a];
	bool stale = item->start != 0 && item->start != p->start;
	if (p->state == PROC_PAUSED && !stale) {
		item_wait_for(w, *item, p->resume_us);
		return false;
	}
	if (p->state == PROC_UP && !stale) return true;
	item_free(item);
	return false;
}

static void agenda_next(struct world *w)
{
	struct agenda_item item = agenda_pop(w);
	assert(item.at_us >= w->now_us);
	w->items_at_once = item.at_us == w->last_item_us ? w->items_at_once + 1 : 0;
	w->last_item_us = w->now_us = item.at_us;
	if (w->items_at_once > SIM_ITEMS_AT_ONCE_MAX)
		world_fail(w, "progress", HIST_NOBODY, HIST_NOBODY, "time stands still: livelock");
	world_note(w, item.at_us ^ (uint64_t)item.kind << 56 ^ (uint64_t)item.a << 48);
	bool inside = item_is_in_process(item.kind);
	world_draw_from(w, inside ? &w->proc_chance[item.a] : &w->chance);
	if (inside && !item_may_happen(w, &item)) return;
	item_happens(w, &item);
	world_draw_from(w, &w->chance);
	item_free(&item);
}

bool world_is_gone(const struct world *w, uint16_t proc)
{
	return proc == w->gone;
}

uint16_t world_anyone(const struct world *w)
{
	return w->gone == 0 ? 1 : 0;
}

uint32_t world_replicas_gone(const struct world *w, struct bytes full_key)
{
	if (w->gone == SIM_NODES_MAX || w->procs[world_anyone(w)].node == NULL) return 0;
	const struct layout *l = node_layout(w->procs[world_anyone(w)].node);
	int member = l == NULL ? -1 : layout_find(l, w->procs[w->gone].id);
	if (member < 0) return 0;
	struct partition_id p = partition_of(l, key_hash_of(full_key));
	return ring_is_primary(l, p, l->replicas, (uint32_t)member) ? 1 : 0;
}

/* ---- clocks --------------------------------------------------------------------------------- */

struct instant world_instant(const struct world *w, uint16_t proc)
{
	return (struct instant){w->now_us + w->procs[proc].clock_base_us};
}

struct wall world_wall(const struct world *w, uint16_t proc)
{
	const struct proc *p = &w->procs[proc];
	int64_t since_us = (int64_t)(w->now_us - p->set_us);
	int64_t us = (int64_t)w->now_us + p->off_us + since_us * p->drift_ppm / 1000000;
	return (struct wall){(uint64_t)(SIM_EPOCH_MS + us / 1000)};
}

uint64_t world_us_of(uint64_t unix_ms)
{
	return unix_ms <= SIM_EPOCH_MS ? 1 : (unix_ms - SIM_EPOCH_MS) * 1000;
}

/* ---- stepping ------------------------------------------------------------------------------- */

int world_find(const struct world *w, struct node_id id)
{
	for (uint32_t i = 0; i < w->options.nodes; i++)
		if (w->procs[i].start > 0 && w->procs[i].id.v == id.v) return (int)i;
	return -1;
}

static void perform_one(struct world *w, uint16_t proc, const struct effect *fx)
{
	switch (fx->type) {
	case FX_SEND: net_send(w, proc, fx->send.to, &fx->send.msg); break;
	case FX_STORE_READ: disk_read(w, proc, fx); break;
	case FX_STORE_WRITE: disk_write(w, proc, fx); break;
	case FX_STORE_SCAN: disk_scan(w, proc, fx); break;
	case FX_REPLY:
		if (fx->reply.client.v >= COUNTING_REF)
			counting_on_reply(w, proc, fx->reply.client, &fx->reply.reply);
		else
			workload_on_reply(w, proc, fx->reply.client, &fx->reply.reply);
		break;
	case FX_REPLY_COMPARE: final_on_compare(w, &fx->compare.result); break;
	case FX_REPLY_PROPS: operator_on_props(w, proc, fx->props.client, &fx->props.result); break;
	case FX_REPLY_LIST: operator_on_list(w, proc, fx->list.client, &fx->list.page); break;
	case FX_TRACE: unreachable();
	}
}

/* No effect depends on another in its list, but store writes keep their order: now and then the
 * others are performed first, or last, or backwards. */
static uint32_t effect_at(uint32_t i, uint32_t count, bool backwards)
{
	return backwards ? count - 1 - i : i;
}

static void perform_all(struct world *w, uint16_t proc, bool writes, bool others, bool backwards)
{
	struct proc *p = &w->procs[proc];
	for (uint32_t i = 0; i < w->fx->count && p->state != PROC_DOWN; i++) {
		const struct effect *fx = &w->fx->list[effect_at(i, w->fx->count, backwards)];
		bool is_write = fx->type == FX_STORE_WRITE;
		if (is_write ? !writes : !others) continue;
		if (p->effects_left == 0) {
			proc_crash(w, proc, p->restart_us);
			return;
		}
		if (p->effects_left > 0) p->effects_left--;
		perform_one(w, proc, fx);
	}
}

/* Steps of traces are told in their order, before the rest, and change nothing for it. */
static void take_traces(struct world *w, uint16_t proc)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < w->fx->count; i++) {
		if (w->fx->list[i].type == FX_TRACE)
			tracing_on_step(w, proc, &w->fx->list[i].trace);
		else if (kept++ != i)
			w->fx->list[kept - 1] = w->fx->list[i];
	}
	w->fx->count = kept;
}

void world_perform(struct world *w, uint16_t proc)
{
	assert(w->fx->count <= EFFECTS_PER_STEP_MAX);
	struct prng *before = world_draw_from(w, &w->proc_chance[proc]);
	take_traces(w, proc);
	world_note(w, w->fx->count);
	unsigned order = w->fx->count > 1 ? (unsigned)prng_below(w->prng, 4) : 0;
	if (order < 2) {
		perform_all(w, proc, true, true, false);
	} else {
		perform_all(w, proc, order == 2, order == 3, order == 3);
		perform_all(w, proc, order == 3, order == 2, order == 2);
	}
	world_draw_from(w, before);
}

void world_step(struct world *w, uint16_t proc, struct event *ev)
{
	struct proc *p = &w->procs[proc];
	assert(p->state == PROC_UP && p->node != NULL);
	w->steps++;
	world_note(w, (uint64_t)ev->type << 32 | proc);
	ev->now = world_instant(w, proc);
	ev->wall = world_wall(w, proc);
	w->fx->count = 0;
	node_step(p->node, ev, w->fx);
	world_perform(w, proc);
	if (p->state == PROC_UP) proc_arm(w, proc);
}

/* ---- a run ---------------------------------------------------------------------------------- */

void world_init(struct world *w, const struct sim_options *options)
{
	assert(options->nodes > 0 && options->nodes <= SIM_NODES_MAX);
	*w = (struct world){.options = *options, .now_us = SIM_BEGIN_US};
	w->prng = &w->chance;
	w->chance = chance_of(options->seed, CHANCE_WORLD, 0, 0);
	for (uint16_t i = 0; i < options->nodes; i++)
		w->proc_chance[i] = chance_of(options->seed, CHANCE_PROC, i, 0);
	w->fx = calloc(1, sizeof *w->fx);
	w->scan_entries = calloc(SCAN_PAGE_ENTRIES_MAX, sizeof *w->scan_entries);
	assert(w->fx != NULL && w->scan_entries != NULL);
	uint32_t n = options->nodes < REPLICAS_DEFAULT ? options->nodes : REPLICAS_DEFAULT;
	history_init(&w->history, SIM_KEYS, n);
	w->history.disks_fail = fault_spoils_a_disk(w);
	asks_init(&w->asks);
	for (uint16_t i = 0; i < options->nodes; i++) proc_init(w, i);
	workload_init(w);
	counting_init(w);
	tracing_init(w);
	look_init(w);
	operator_init(w);
	fault_init(w);
	final_begin(w);
}

void world_run(struct world *w)
{
	while (!w->failed && w->stage != STAGE_OVER && w->agenda_count > 0) agenda_next(w);
	if (w->failed) return;
	assert(w->stage == STAGE_OVER);
	for (uint16_t i = 0; i < w->options.nodes; i++) fault_check_memory(w, i);
	tracing_check(w);
	counting_check(w);
	history_settle(&w->history);
	struct check_failure failure;
	if (!check_asks(&w->asks, &failure) || !check_all(&w->history, &failure))
		world_failed(w, &failure);
}

void world_free(struct world *w)
{
	for (uint32_t i = 0; i < w->agenda_count; i++) item_free(&w->agenda[i]);
	for (uint16_t i = 0; i < w->options.nodes; i++) proc_free(w, i);
	if (w->old_copy != NULL) store_close(w->old_copy);
	workload_free(w);
	counting_free(w);
	tracing_free(w);
	look_free(w);
	operator_free(w);
	history_free(&w->history);
	asks_free(&w->asks);
	free(w->agenda);
	free(w->scan_entries);
	free(w->fx);
}
