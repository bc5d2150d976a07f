/* workload.c - see workload.h: the keys, and requests as they are sent.
 *
 *   client:  its turn is due --> ask a node --> answered, or gave up, or its node died --> its next turn
 *                                 read of a read-modify-write: the write is of the same turn
 *
 * Each client has one operation under way and keeps, for each key, the last context that it was given,
 * with what it was shown beside it. A context is opaque here. A write is told to the history before it is
 * sent, and its answer when it comes; a write whose node died is unknown. */
#include "tests/sim/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "ring/ring.h"
#include "tests/sim/choose.h"
#include "tests/sim/fault.h"
#include "tests/sim/trace.h"
#include "tests/sim/workload_parts.h"

/* A node answers this long after a request's timeout at the latest, whatever its disk does. */
#define ANSWER_SLACK_US SECONDS(3)

/* ---- keys ----------------------------------------------------------------------------------- */

void workload_init(struct world *w)
{
	struct workload *l = calloc(1, sizeof *l);
	assert(l != NULL);
	w->workload = l;
	l->clients = w->options.clients;
	for (uint32_t c = 0; c <= l->clients; c++) l->client[c].op = NO_OP;
	l->client[l->clients].chance = chance_of(w->options.seed, CHANCE_FINAL, 0, 0);
	for (uint32_t k = 0; k < SIM_KEYS; k++) {
		char name[8];
		snprintf(name, sizeof name, "k%02u", k);
		l->key_len[k] = full_key_len(BYTES("default"), BYTES("sim"), bytes_of_string(name));
		assert(l->key_len[k] <= KEY_BYTES);
		full_key_write(l->keys[k], BYTES("default"), BYTES("sim"), bytes_of_string(name));
	}
}

void workload_free(struct world *w)
{
	struct workload *l = w->workload;
	for (uint32_t c = 0; c <= l->clients; c++)
		for (uint32_t k = 0; k < SIM_KEYS; k++) held_free(&l->client[c].held[k]);
	free(l->ops);
	free(l);
}

void workload_figures(const struct world *w, struct workload_figures *out)
{
	*out = w->workload->figures;
}

const uint64_t *workload_turns(const struct world *w)
{
	return w->workload->taken;
}

struct bytes workload_key(const struct world *w, uint32_t key)
{
	assert(key < SIM_KEYS);
	return bytes_of(w->workload->keys[key], w->workload->key_len[key]);
}

int workload_find_key(const struct world *w, struct bytes full)
{
	for (uint32_t k = 0; k < SIM_KEYS; k++)
		if (bytes_equal(workload_key(w, k), full)) return (int)k;
	return -1;
}

bool workload_note_sibling(struct world *w, uint32_t key, const struct sibling *s)
{
	struct history *h = &w->history;
	if (s->tombstone) {
		history_shown_tombstone(h, s->dot);
		return true;
	}
	uint32_t write = value_write(h, key, workload_kind(key) == KEY_SET, s->value, s->meta);
	if (write == HIST_NOBODY) {
		world_fail(w, "P2", key, HIST_NOBODY, "%zu bytes are shown that no write of this key wrote",
		           s->value.len);
		return false;
	}
	history_shown_value(h, write, s->dot);
	if (s->expires_ms > 0) h->writes[write].dies_us = world_us_of(s->expires_ms);
	return true;
}

/* ---- asking --------------------------------------------------------------------------------- */

/* A node that takes connections, or -1. One that stands still does: its kernel answers. */
static int any_running(struct world *w)
{
	uint32_t first = (uint32_t)prng_below(w->prng, w->options.nodes);
	for (uint32_t i = 0; i < w->options.nodes; i++) {
		uint32_t at = (first + i) % w->options.nodes;
		if (w->procs[at].state != PROC_DOWN) return (int)at;
	}
	return -1;
}

static uint32_t op_new(struct workload *l, struct op op)
{
	if (l->op_count == l->op_room) {
		l->op_room = l->op_room == 0 ? 1024 : l->op_room * 2;
		l->ops = realloc(l->ops, l->op_room * sizeof *l->ops);
		assert(l->ops != NULL);
	}
	l->ops[l->op_count] = op;
	return l->op_count++;
}

/* Send the operation; the caller has found a node. */
static void op_send(struct world *w, struct op op, const struct held *held)
{
	struct workload *l = w->workload;
	struct client *c = &l->client[op.client];
	assert(c->op == NO_OP && w->procs[op.proc].state != PROC_DOWN);
	op.began_us = w->now_us;
	op.proc_start = w->procs[op.proc].start;
	bool paused = w->procs[op.proc].state == PROC_PAUSED;
	op.proc_pauses = paused ? UINT32_MAX : w->procs[op.proc].pauses;
	struct ask ask = {.what = op.op == REQUEST_GET ? "a read" : "a write",
	                  .of = w->procs[op.proc].name,
	                  .key = op.key,
	                  .write = op.write,
	                  .writes = op.op != REQUEST_GET,
	                  .puts = op.op == REQUEST_PUT,
	                  .conditional = op.condition != 0,
	                  .began_us = w->now_us};
	op.ask = asks_add(&w->asks, &ask);
	uint32_t id = op_new(l, op);
	c->op = id;
	l->figures.ops++;
	struct request r = {
		.op = op.op, .key = workload_key(w, op.key), .options = op.options, .ttl_s = op.ttl_s};
	/* Chosen by number, not by chance: a seed is the same run whoever is traced. */
	if (id % TRACED_ONE_IN == 0) r.trace = workload_trace(id);
	struct letter *letter = letter_new((struct client_ref){id + 1}, &r, held, op.condition);
	if (op.op == REQUEST_PUT)
		letter_value(letter, &w->history, op.write, workload_kind(op.key) == KEY_SET);
	uint64_t after = world_between(w, 50, 500);
	struct agenda_item *item = world_at(w, w->now_us + after, AGENDA_REQUEST);
	item->a = op.proc;
	item->start = op.proc_start;
	item->p = letter;
	item = world_at(w, w->now_us + op.options.timeout_us + ANSWER_SLACK_US, AGENDA_CLIENT_END);
	item->a = op.client;
	item->x = id;
}

void workload_on_request(struct world *w, const struct agenda_item *item)
{
	const struct letter *r = item->p;
	static const char *const verbs[REQUEST_OP_COUNT] = {"get", "put", "delete"};
	const struct op *op = &w->workload->ops[r->client.v - 1];
	trace_key(w, r->request.key, "%s is asked: %s by client %u, write %d, context of %u bytes%s",
	          w->procs[item->a].name, verbs[op->op], op->client,
	          op->op == REQUEST_GET ? -1 : (int)op->write, (unsigned)r->request.context.len,
	          op->view == HIST_READ ? "" : " (final)");
	struct event ev = {.type = EV_CLIENT_REQUEST,
	                   .request = {.client = r->client, .request = r->request}};
	world_step(w, item->a, &ev);
}

bool client_reads(struct world *w, uint16_t client, uint32_t key)
{
	struct workload *l = w->workload;
	int proc = any_running(w);
	if (proc < 0) return false;
	struct op op = {.op = REQUEST_GET,
	                .client = client,
	                .proc = (uint16_t)proc,
	                .key = key,
	                .write = HIST_NOBODY,
	                .options = choose_options(w)};
	if (client == l->clients) {
		op.view = l->view;
		uint32_t gone = world_replicas_gone(w, workload_key(w, key));
		op.options = REQUEST_OPTIONS_DEFAULT;
		op.options.r = op.options.pr = (int16_t)(w->history.replicas_n - gone);
		op.options.timeout_us = SECONDS(5);
	}
	op.options.return_body = false;
	const struct held *held = &l->client[client].held[key];
	bool session = op.view == HIST_READ && held->len > 0 && prng_below(w->prng, 3) == 0;
	if (session) {
		op.shown = held->shown;
		op.options.r = prng_below(w->prng, 2) == 0 ? 1 : op.options.r;
	}
	op.pr = choose_quorum(w, op.options.pr, 0);
	l->figures.reads++;
	l->figures.session_reads += session;
	op_send(w, op, session ? held : NULL);
	return true;
}

static uint8_t promised_disks(const struct world *w, const struct request_options *o)
{
	uint8_t quorum = (uint8_t)(w->history.replicas_n / 2 + 1);
	uint8_t want = choose_quorum(w, o->w, quorum), primaries = choose_quorum(w, o->pw, 0);
	return want > primaries ? want : primaries;
}

bool client_writes(struct world *w, uint16_t client, uint32_t key, enum request_op what,
                   bool with_context)
{
	struct workload *l = w->workload;
	struct held *held = &l->client[client].held[key];
	int proc = any_running(w);
	if (proc < 0) return false;
	with_context = with_context && held->has;
	assert(
		implies(what == REQUEST_DELETE && !with_context, workload_kind(key) == KEY_BLIND_DELETES));
	struct op op = {.op = what,
	                .client = client,
	                .proc = (uint16_t)proc,
	                .key = key,
	                .options = choose_options(w)};
	if (what == REQUEST_PUT)
		op.condition = choose_condition(w, with_context, held->has_etag, held->len > 0);
	op.shown = with_context ? held->shown : HIST_NOTHING;
	op.write = history_write(&w->history, key, what == REQUEST_PUT ? HIST_PUT : HIST_DELETE,
	                         op.shown, w->now_us);
	struct hist_write *write = &w->history.writes[op.write];
	op.ttl_s = what == REQUEST_PUT ? choose_ttl_s(w, key) : 0;
	write->ttl_us = SECONDS(op.ttl_s);
	l->figures.brief += op.ttl_s > 0;
	write->pw = choose_quorum(w, op.options.pw, 0);
	write->promised = promised_disks(w, &op.options);
	write->blind_delete = what == REQUEST_DELETE && !with_context;
	write->fragile = fault_spoils_a_disk(w) && choose_quorum(w, op.options.w, 2) < 2;
	l->figures.writes++;
	l->figures.conditional += op.condition != 0;
	op_send(w, op, with_context ? held : NULL);
	return true;
}
