/* operator.c - see operator.h.
 *
 *   idle --now and then--> a change of a property, or a listing --answered, or its node died--> idle
 *
 * What must hold:
 *   O1  at the end all nodes have the same properties, and they are some change's that was made, if one
 *       was acknowledged (a change is answered when it is on one disk, so not where one is spoiled);
 *   O2  a change that was acknowledged while nothing was wrong is in force at the end, or a later one is;
 *   O3  a listing names keys of its bucket, each once;
 *   O4  once every key was read from all replicas, it names just those that have a value;
 *   O5  each question is answered in time, and while nothing is wrong, well. */
#include "tests/sim/operator.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "ring/ring.h"
#include "tests/sim/fault.h"
#include "tests/sim/workload.h"

#define EVERY_US MS(1500)
#define TIMEOUT_US SECONDS(4)
#define ANSWER_SLACK_US SECONDS(4)
#define AGREE_US_MAX SECONDS(60)
#define OPERATOR_REF (1ULL << 61)
#define TYPE BYTES("default")
#define BUCKET BYTES("operator")

enum asked { ASKED_NOTHING, ASKED_CHANGE, ASKED_LIST, ASKED_LAST_LIST };

struct change {
	uint64_t began_us;
	bool acked, calm; /* calm: nothing was wrong when it was asked for */
};

struct operator
{
	struct prng chance;
	enum asked asked;
	uint16_t proc;
	uint32_t start, pauses;
	uint64_t id, began_us;
	uint32_t ask;           /* its number among all that was asked */
	struct change *changes; /* the i'th set the property to i + 1 */
	uint32_t change_count, change_room;
	uint64_t lists;
	bool named[SIM_KEYS], live[SIM_KEYS], brief[SIM_KEYS];
	bool last_list_wanted, last_list_done;
	uint64_t content_since_us;
};

static bool nothing_is_wrong(const struct world *w)
{
	return w->now_us >= w->asks.calm_from_us;
}

static void soon(struct world *w, uint64_t after_us)
{
	world_at(w, w->now_us + after_us, AGENDA_OPERATOR);
}

void operator_init(struct world *w)
{
	w->operator= calloc(1, sizeof *w->operator);
	assert(w->operator!= NULL);
	w->operator->chance = chance_of(w->options.seed, CHANCE_OPERATOR, 0, 0);
	soon(w, EVERY_US);
}

void operator_free(struct world *w)
{
	free(w->operator->changes);
	free(w->operator);
}

uint64_t operator_changes(const struct world *w)
{
	return w->operator->change_count;
}

uint64_t operator_lists(const struct world *w)
{
	return w->operator->lists;
}

/* ---- asking --------------------------------------------------------------------------------- */

static void ask(struct world *w, enum asked what, struct event *ev)
{
	struct operator* o = w->operator;
	const struct proc *p = &w->procs[o->proc];
	o->asked = what;
	o->start = p->start;
	o->pauses = p->pauses;
	o->began_us = w->now_us;
	struct ask a = {.what = what == ASKED_CHANGE ? "a change of properties" : "a listing",
	                .of = p->name,
	                .key = HIST_NOBODY,
	                .write = HIST_NOBODY,
	                .began_us = w->now_us};
	o->ask = asks_add(&w->asks, &a);
	world_step(w, o->proc, ev);
}

static void change(struct world *w)
{
	struct operator* o = w->operator;
	if (o->change_count == o->change_room) {
		o->change_room = o->change_room == 0 ? 64 : 2 * o->change_room;
		o->changes = realloc(o->changes, o->change_room * sizeof *o->changes);
		assert(o->changes != NULL);
	}
	o->changes[o->change_count++] = (struct change){w->now_us, false, nothing_is_wrong(w)};
	struct prop_change to = {.prop = PROP_ttl, .value = o->change_count};
	struct event ev = {.type = EV_CLIENT_PROPS,
	                   .props = {.client = {OPERATOR_REF + ++o->id},
	                             .type = TYPE,
	                             .bucket = BUCKET,
	                             .change_count = 1,
	                             .changes = &to,
	                             .timeout_us = TIMEOUT_US}};
	ask(w, ASKED_CHANGE, &ev);
}

static void list(struct world *w, enum asked what)
{
	struct operator* o = w->operator;
	o->lists++;
	memset(o->named, 0, sizeof o->named);
	struct event ev = {.type = EV_CLIENT_LIST,
	                   .list = {.client = {OPERATOR_REF + ++o->id},
	                            .type = TYPE,
	                            .bucket = BYTES("sim"),
	                            .timeout_us = TIMEOUT_US}};
	ask(w, what, &ev);
}

static void given_up(struct world *w, bool owed)
{
	struct operator* o = w->operator;
	o->asked = ASKED_NOTHING;
	asks_given_up(&w->asks, o->ask, owed, w->now_us);
	world_ask_ended(w, o->ask);
}

/* The question is lost with its node, or overdue. */
static void look_at_open(struct world *w)
{
	struct operator* o = w->operator;
	const struct proc *p = &w->procs[o->proc];
	bool same = p->state == PROC_UP && p->start == o->start && p->pauses == o->pauses;
	if (same && w->now_us < o->began_us + TIMEOUT_US + ANSWER_SLACK_US) return;
	if (!same && p->state == PROC_PAUSED) return; /* it may answer yet */
	given_up(w, same);
}

/* In every other run nothing is changed once the trouble is over: who missed a change then hears of it by
 * no other. */
static bool may_change(const struct world *w)
{
	return w->stage == STAGE_TROUBLE || w->options.seed % 2 == 0;
}

void operator_act(struct world *w)
{
	struct operator* o = w->operator;
	world_draw_from(w, &o->chance);
	soon(w, o->last_list_wanted ? MS(200) : world_about(w, EVERY_US));
	if (o->asked != ASKED_NOTHING) look_at_open(w);
	if (o->asked != ASKED_NOTHING || w->failed) return;
	o->proc = (uint16_t)prng_below(w->prng, w->options.nodes);
	if (w->procs[o->proc].state != PROC_UP) return;
	if (o->last_list_wanted && !o->last_list_done)
		list(w, ASKED_LAST_LIST);
	else if (w->options.operators == 0 || (w->stage != STAGE_TROUBLE && w->stage != STAGE_CALM))
		return;
	else if (prng_below(w->prng, 3) == 0 || !may_change(w))
		list(w, ASKED_LIST);
	else
		change(w);
}

void operator_on_crash(struct world *w, uint16_t proc)
{
	if (w->operator->proc == proc && w->operator->asked != ASKED_NOTHING) given_up(w, false);
}

/* ---- answers -------------------------------------------------------------------------------- */

static bool is_open(const struct world *w, uint16_t proc, struct client_ref client)
{
	const struct operator* o = w->operator;
	return o->asked != ASKED_NOTHING && o->proc == proc && client.v == OPERATOR_REF + o->id;
}

static void answered(struct world *w, enum err e)
{
	struct operator* o = w->operator;
	o->asked = ASKED_NOTHING;
	asks_answered(&w->asks, o->ask, e, w->now_us);
	world_ask_ended(w, o->ask);
}

void operator_on_props(struct world *w, uint16_t proc, struct client_ref client,
                       const struct props_result *result)
{
	struct operator* o = w->operator;
	if (!is_open(w, proc, client)) return;
	assert(o->asked == ASKED_CHANGE);
	o->changes[o->change_count - 1].acked = result->err == ERR_OK;
	answered(w, result->err);
}

static void name(struct world *w, struct bytes key)
{
	struct operator* o = w->operator;
	uint8_t full[64];
	struct bytes bucket = BYTES("sim");
	assert(full_key_len(TYPE, bucket, key) <= sizeof full);
	full_key_write(full, TYPE, bucket, key);
	int at = workload_find_key(w, bytes_of(full, full_key_len(TYPE, bucket, key)));
	if (at < 0)
		world_fail(w, "list", HIST_NOBODY, HIST_NOBODY, "it names a key that nobody wrote");
	else if (o->named[at])
		world_fail(w, "list", (uint32_t)at, HIST_NOBODY, "a key is named twice");
	else
		o->named[at] = true;
}

static void last_list_ended(struct world *w)
{
	struct operator* o = w->operator;
	for (uint32_t k = 0; k < SIM_KEYS; k++)
		if (o->named[k] != o->live[k] && !o->brief[k])
			world_fail(w, "list", k, HIST_NOBODY, "all replicas %s a value, and a listing %s it",
			           o->live[k] ? "have" : "are without", o->named[k] ? "names" : "misses");
	o->last_list_done = true;
}

void operator_on_list(struct world *w, uint16_t proc, struct client_ref client,
                      const struct list_page *page)
{
	struct operator* o = w->operator;
	if (!is_open(w, proc, client)) return;
	for (uint32_t i = 0; i < page->count; i++) name(w, page->names[i]);
	if (page->err == ERR_OK && !page->done) {
		struct agenda_item *item =
			world_at(w, w->now_us + world_between(w, 0, MS(20)), AGENDA_OPERATOR_MORE);
		item->a = proc;
		item->start = w->procs[proc].start;
		item->x = page->ticket.v;
		return;
	}
	if (o->asked == ASKED_LAST_LIST && page->err == ERR_OK) last_list_ended(w);
	answered(w, page->err);
}

void operator_more(struct world *w, const struct agenda_item *item)
{
	struct event ev = {.type = EV_CLIENT_LIST_MORE,
	                   .list_more = {.ticket = {item->x}, .stop = prng_below(w->prng, 50) == 0}};
	if (ev.list_more.stop && w->operator->asked == ASKED_LAST_LIST) ev.list_more.stop = false;
	if (ev.list_more.stop) { /* that is all that it wanted to know */
		asks_answered(&w->asks, w->operator->ask, ERR_OK, w->now_us);
		w->operator->asked = ASKED_NOTHING;
	}
	world_step(w, item->a, &ev);
}

/* ---- the end -------------------------------------------------------------------------------- */

/* What may expire between the read and the listing is not looked at. */
static bool may_expire_soon(const struct world *w, uint32_t key)
{
	const struct history *h = &w->history;
	for (uint32_t i = 0; i < h->by_key_count[key]; i++) {
		uint64_t ttl_us = h->writes[h->by_key[key][i]].ttl_us;
		if (ttl_us > 0 && ttl_us < SECONDS(3600)) return true;
	}
	return false;
}

void operator_note_final(struct world *w, uint32_t key, bool live)
{
	assert(key < SIM_KEYS);
	w->operator->live[key] = live;
	w->operator->brief[key] = may_expire_soon(w, key);
}

void operator_list_finally(struct world *w)
{
	w->operator->last_list_wanted = true;
	w->operator->content_since_us = w->now_us;
}

static int64_t value_at(const struct world *w, uint16_t proc)
{
	struct props p;
	enum err e = node_props(w->procs[proc].node, TYPE, BUCKET, &p);
	assert(e == ERR_OK);
	return p.v[PROP_ttl];
}

/* O1, O2 */
static void check_value(struct world *w, int64_t value)
{
	const struct operator* o = w->operator;
	uint32_t last_calm = 0;
	bool acked = false;
	for (uint32_t i = 0; i < o->change_count; i++) {
		acked |= o->changes[i].acked;
		if (o->changes[i].acked && o->changes[i].calm) last_calm = i + 1;
	}
	bool lost = value == 0 && acked && !fault_spoils_a_disk(w);
	if (value < 0 || value > o->change_count || lost)
		world_fail(w, "props", HIST_NOBODY, HIST_NOBODY, "in force is %lld, of %u changes",
		           (long long)value, o->change_count);
	else if (value < last_calm)
		world_fail(
			w, "props", HIST_NOBODY, HIST_NOBODY,
			"change %u was acknowledged while nothing was wrong, and change %lld is in force",
			last_calm, (long long)value);
}

bool operator_is_content(struct world *w)
{
	struct operator* o = w->operator;
	uint16_t first = world_anyone(w);
	int64_t value = value_at(w, first);
	bool late = w->now_us > o->content_since_us + AGREE_US_MAX;
	for (uint16_t i = 0; i < w->options.nodes; i++) {
		if (world_is_gone(w, i) || value_at(w, i) == value) continue;
		if (late)
			world_fail(w, "props", HIST_NOBODY, HIST_NOBODY, "%s has change %lld in force, %s %lld",
			           w->procs[i].name, (long long)value_at(w, i), w->procs[first].name,
			           (long long)value);
		return false;
	}
	if (!o->last_list_done) {
		if (late) world_fail(w, "P6", HIST_NOBODY, HIST_NOBODY, "the last listing never succeeds");
		return false;
	}
	check_value(w, value);
	return true;
}
