/* workload.c - see workload.h.
 *
 *   client:  its turn is due --> ask a node --> answered, or gave up, or its node died --> its next turn
 *                                 read of a read-modify-write: the write is of the same turn
 *
 * Turns are due at times that are chosen beforehand, whatever becomes of the ones before: of those that
 * come due while a client waits for an answer it takes the last one. So one that is left out (--turns)
 * leaves the others as they are. Each client has one operation under way and keeps, for each key, the last context that it was
 * given, with what it was shown beside it. A context is opaque here. A write is told to the history
 * before it is sent, and its answer when it comes; a write whose node died is unknown. */
#include "tests/sim/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "ring/ring.h"
#include "tests/sim/choose.h"
#include "tests/sim/fault.h"
#include "tests/sim/letter.h"
#include "tests/sim/operator.h"
#include "tests/sim/trace.h"
#include "tests/sim/tracing.h"

#define KEY_BYTES 32
#define NO_OP UINT32_MAX
#define READ_TRIES 3
/* Of so many requests one is traced (tracing.c). */
#define TRACED_ONE_IN 4
/* A node answers this long after a request's timeout at the latest, whatever its disk does. */
#define ANSWER_SLACK_US SECONDS(3)
/* So long after its answer a write may still be on its way to some replicas. */
#define ON_ITS_WAY_US SECONDS(2)

enum intent { INTENT_NONE, INTENT_PUT, INTENT_DELETE };

enum next { TURN_DUE, TURN_BEGINS, TURN_GOES_ON };

struct client {
	uint32_t turns; /* that were due */
	bool acting;
	struct prng chance;  /* of this turn */
	bool has_next;       /* one more came due meanwhile: */
	struct prng next;
	uint32_t op; /* under way, or NO_OP */
	uint32_t tries;
	enum intent then; /* what follows the read that is under way, or was just answered */
	uint32_t then_key;
	struct held held[SIM_KEYS];
};

struct op {
	enum request_op op;
	enum hist_view view;
	uint16_t client, proc;
	uint32_t key, write, shown;       /* shown: of the context sent, by a read as at_least */
	uint32_t proc_start, proc_pauses; /* UINT32_MAX: it stood still when it was asked */
	uint8_t pr;
	uint32_t ttl_s;
	uint8_t condition; /* one IF_ bit, of a conditional write */
	bool replied, closed;
	uint64_t began_us, timeout_us;
	struct request_options options;
};

struct workload {
	uint32_t clients; /* the one behind them makes the final reads */
	bool running;
	uint64_t taken[NUMBERS_WORDS(SIM_TURNS_MAX)]; /* turns */
	struct client client[SIM_CLIENTS_MAX + 1];
	struct op *ops;
	uint32_t op_count, op_room;
	uint8_t keys[SIM_KEYS][KEY_BYTES];
	size_t key_len[SIM_KEYS];
	enum hist_view view;
	uint32_t reads_left, read_next;
	struct workload_figures figures;
};

static enum key_kind kind_of(uint32_t key)
{
	return (enum key_kind)(key % 4);
}

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
	uint32_t write = value_write(h, key, kind_of(key) == KEY_SET, s->value, s->meta);
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

static void client_soon(struct world *w, uint16_t client, enum next next, uint64_t after_us)
{
	struct agenda_item *item = world_at(w, w->now_us + after_us, AGENDA_CLIENT);
	item->a = client;
	item->x = next;
}

static uint64_t think_us(struct world *w)
{
	return prng_below(w->prng, 4) == 0 ? world_between(w, 0, MS(2)) : world_about(w, MS(250));
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

static struct trace_id trace_of(uint32_t op)
{
	return (struct trace_id){op / TRACED_ONE_IN + 1};
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
	uint32_t id = op_new(l, op);
	c->op = id;
	l->figures.ops++;
	struct request r = {.op = op.op,
	                    .key = workload_key(w, op.key),
	                    .options = op.options,
	                    .ttl_s = op.ttl_s};
	/* Chosen by number, not by chance: a seed is the same run whoever is traced. */
	if (id % TRACED_ONE_IN == 0) r.trace = trace_of(id);
	struct letter *letter = letter_new((struct client_ref){id + 1}, &r, held, op.condition);
	if (op.op == REQUEST_PUT)
		letter_value(letter, &w->history, op.write, kind_of(op.key) == KEY_SET);
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

static bool send_read(struct world *w, uint16_t client, uint32_t key)
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

static bool send_write(struct world *w, uint16_t client, uint32_t key, enum request_op what,
                       bool with_context)
{
	struct workload *l = w->workload;
	struct held *held = &l->client[client].held[key];
	int proc = any_running(w);
	if (proc < 0) return false;
	with_context = with_context && held->has;
	assert(implies(what == REQUEST_DELETE && !with_context, kind_of(key) == KEY_BLIND_DELETES));
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
	write->blind_delete = what == REQUEST_DELETE && !with_context;
	write->fragile = fault_spoils_a_disk(w) && choose_quorum(w, op.options.w, 2) < 2;
	l->figures.writes++;
	l->figures.conditional += op.condition != 0;
	op_send(w, op, with_context ? held : NULL);
	return true;
}

/* ---- acting --------------------------------------------------------------------------------- */

/* What to do with a key that is read first; what to do at once. */
static bool act_on(struct world *w, uint16_t client, uint32_t key)
{
	struct client *c = &w->workload->client[client];
	enum key_kind kind = kind_of(key);
	uint64_t dice = prng_below(w->prng, 100);
	bool deletes = kind == KEY_DELETES || kind == KEY_BLIND_DELETES;
	if (!numbers_have(&w->options.keys, key)) return false;
	if (dice < 30) return send_read(w, client, key);
	if (dice < 40) return send_write(w, client, key, REQUEST_PUT, false);
	if (dice < 52) return send_write(w, client, key, REQUEST_PUT, true);
	if (kind == KEY_BLIND_DELETES && dice < 60)
		return send_write(w, client, key, REQUEST_DELETE, false);
	if (deletes && dice < 66 && c->held[key].has)
		return send_write(w, client, key, REQUEST_DELETE, true);
	c->then = deletes && dice < 75 ? INTENT_DELETE : INTENT_PUT;
	c->then_key = key;
	return send_read(w, client, key);
}

/* A hot key; or the one whose slice of the trouble it is. What the trouble left of those is not
 * touched again before the final reads, which must find, and repair, whatever differs. */
static uint32_t any_key(struct world *w)
{
	uint64_t hot = prng_below(w->prng, SIM_HOT_KEYS);
	if (w->stage != STAGE_TROUBLE || prng_below(w->prng, 3) != 0) return (uint32_t)hot;
	uint64_t slice = (w->now_us - w->stage_us) * (SIM_KEYS - SIM_HOT_KEYS) / w->options.time_us;
	uint64_t key = SIM_HOT_KEYS + slice;
	return key < SIM_KEYS ? (uint32_t)key : (uint32_t)hot;
}

/* The write that a read was for. */
static bool act_then(struct world *w, uint16_t client)
{
	struct client *c = &w->workload->client[client];
	enum intent then = c->then;
	c->then = INTENT_NONE;
	if (c->then_key >= SIM_HOT_KEYS && w->stage != STAGE_TROUBLE) return false;
	if (then == INTENT_PUT) return send_write(w, client, c->then_key, REQUEST_PUT, true);
	return c->held[c->then_key].has &&
	       send_write(w, client, c->then_key, REQUEST_DELETE, true);
}

/* ---- turns ---------------------------------------------------------------------------------- */

static void turn_end(struct world *w, uint16_t client)
{
	struct client *c = &w->workload->client[client];
	c->acting = false;
	c->then = INTENT_NONE;
	if (c->has_next) client_soon(w, client, TURN_BEGINS, 0);
}

static bool is_left_out(const struct world *w, uint32_t number)
{
	return number < SIM_TURNS_MAX && !numbers_have(w->options.turns, number);
}

static void turn_due(struct world *w, uint16_t client)
{
	struct workload *l = w->workload;
	struct client *c = &l->client[client];
	uint32_t number = client + c->turns * l->clients;
	struct prng chance = chance_of(w->options.seed, CHANCE_TURN, client, c->turns++);
	world_draw_from(w, &chance);
	client_soon(w, client, TURN_DUE, think_us(w));
	if (is_left_out(w, number)) return;
	if (number < SIM_TURNS_MAX) numbers_set(l->taken, number, true);
	c->next = chance;
	c->has_next = true;
	if (!c->acting) client_soon(w, client, TURN_BEGINS, 0);
}

static void turn_begins(struct world *w, uint16_t client)
{
	struct client *c = &w->workload->client[client];
	if (c->acting || !c->has_next) return;
	c->acting = true;
	c->has_next = false;
	c->chance = c->next;
	world_draw_from(w, &c->chance);
	if (!act_on(w, client, any_key(w))) turn_end(w, client);
}

static void turn_goes_on(struct world *w, uint16_t client)
{
	struct client *c = &w->workload->client[client];
	assert(c->acting && c->op == NO_OP);
	world_draw_from(w, &c->chance);
	if (!w->workload->running || !act_then(w, client)) turn_end(w, client);
}

/* The client behind them reads all keys, one after the other. */
static void read_on(struct world *w)
{
	struct workload *l = w->workload;
	uint16_t reader = (uint16_t)l->clients;
	if (l->client[reader].op != NO_OP || l->reads_left == 0) return;
	world_draw_from(w, &l->client[reader].chance);
	if (!send_read(w, reader, l->read_next)) client_soon(w, reader, TURN_GOES_ON, MS(100));
}

void workload_on_client(struct world *w, const struct agenda_item *item)
{
	struct workload *l = w->workload;
	if (item->a == l->clients) {
		read_on(w);
		return;
	}
	switch ((enum next)item->x) {
	case TURN_DUE:
		if (l->running) turn_due(w, item->a);
		break;
	case TURN_BEGINS:
		if (l->running) turn_begins(w, item->a);
		break;
	case TURN_GOES_ON: turn_goes_on(w, item->a); break;
	}
}

void workload_start(struct world *w)
{
	struct prng first = chance_of(w->options.seed, CHANCE_TURN, SIM_CLIENTS_MAX, 0);
	w->workload->running = true;
	world_draw_from(w, &first);
	for (uint16_t c = 0; c < w->workload->clients; c++) client_soon(w, c, TURN_DUE, think_us(w));
}

void workload_stop(struct world *w)
{
	w->workload->running = false;
}

bool workload_is_idle(const struct world *w)
{
	const struct workload *l = w->workload;
	for (uint32_t c = 0; c <= l->clients; c++)
		if (l->client[c].op != NO_OP) return false;
	return true;
}

void workload_read_all(struct world *w, enum hist_view view)
{
	struct workload *l = w->workload;
	assert(l->reads_left == 0 && view != HIST_READ);
	l->view = view;
	l->reads_left = SIM_KEYS;
	l->read_next = 0;
	client_soon(w, (uint16_t)l->clients, TURN_GOES_ON, 0);
}

uint32_t workload_reads_left(const struct world *w)
{
	return w->workload->reads_left;
}

/* ---- answers -------------------------------------------------------------------------------- */

static uint32_t note_shown(struct world *w, uint32_t key, const struct reply *reply)
{
	struct workload_figures *f = &w->workload->figures;
	uint32_t shown = history_shown_new(&w->history, key);
	for (uint32_t i = 0; i < reply->sibling_count; i++)
		if (!workload_note_sibling(w, key, &reply->siblings[i])) break;
	if (reply->sibling_count > f->siblings_max) f->siblings_max = reply->sibling_count;
	return shown;
}

static void write_answered(struct world *w, const struct op *op, const struct reply *reply,
                           bool late)
{
	struct workload *l = w->workload;
	bool ok = reply->err == ERR_OK && reply->outcome == OUTCOME_DONE;
	enum hist_outcome outcome = ok ? HIST_ACKED : HIST_UNKNOWN;
	if (reply->outcome == OUTCOME_NONE) outcome = HIST_NONE;
	if (op->op == REQUEST_DELETE && reply->outcome == OUTCOME_DONE && !reply->written)
		outcome = HIST_NONE;
	if (reply->outcome == OUTCOME_DONE && !ok && reply->err != ERR_NOT_FOUND)
		world_fail(w, "P7", op->key, op->write, "answered %s, yet done", err_name(reply->err));
	if (ok && op->op == REQUEST_PUT && (!reply->written || reply->dot.at.v == 0))
		world_fail(w, "P7", op->key, op->write, "acknowledged, and yet nothing was minted");
	struct dot dot = reply->written ? reply->dot : (struct dot){{0}, {0}};
	history_answer(&w->history, op->write, outcome, dot, w->now_us);
	if (late) return;
	l->figures.refused += reply->err == ERR_PRECONDITION || reply->err == ERR_MODIFIED;
	l->figures.acked += outcome == HIST_ACKED;
	l->figures.none += outcome == HIST_NONE;
	l->figures.unknown += outcome == HIST_UNKNOWN;
	if (outcome != HIST_ACKED || reply->context.len == 0) return;
	/* One in five goes on with the context it had: a client that is behind. */
	if (prng_below(&l->client[op->client].chance, 5) == 0) return;
	uint32_t shown = note_shown(w, op->key, reply);
	if (op->op == REQUEST_PUT)
		history_shown_value(&w->history, op->write, reply->dot);
	else
		history_shown_tombstone(&w->history, reply->dot);
	held_take(&l->client[op->client].held[op->key], reply->context, shown);
}

static bool read_succeeded(struct world *w, const struct op *op, const struct reply *reply)
{
	struct workload *l = w->workload;
	l->figures.not_seen += reply->err == ERR_NOT_SEEN;
	if (reply->err != ERR_OK && reply->err != ERR_NOT_FOUND) return false;
	uint32_t shown = note_shown(w, op->key, reply);
	if ((reply->err == ERR_OK) != (w->history.shown[shown].count > 0) && !reply->deleted)
		world_fail(w, "P7", op->key, HIST_NOBODY, "a read answered %s shows %u siblings",
		           err_name(reply->err), w->history.shown[shown].count);
	struct hist_read read = {.view = op->view,
	                         .key = op->key,
	                         .shown = shown,
	                         .at_least = op->shown,
	                         .pr = op->pr,
	                         .began_us = op->began_us,
	                         .ended_us = w->now_us};
	history_read(&w->history, &read);
	if (op->view == HIST_FINAL_AGAIN) operator_note_final(w, op->key, reply->err == ERR_OK);
	struct held *held = &l->client[op->client].held[op->key];
	held_take(held, reply->context, shown);
	held->has_etag = reply->sibling_count > 0;
	if (!held->has_etag) return true;
	uint64_t etag[2];
	etag_of(reply->siblings, reply->sibling_count, etag);
	put_u64be(held->etag, etag[0]);
	put_u64be(held->etag + 8, etag[1]);
	return true;
}

/* The client is free again. */
static void op_close(struct world *w, struct op *op, bool succeeded)
{
	struct workload *l = w->workload;
	uint16_t client = op->client;
	struct client *c = &l->client[client];
	assert(!op->closed && &l->ops[c->op] == op);
	op->closed = true;
	c->op = NO_OP;
	if (op->client == l->clients) {
		if (succeeded) {
			l->reads_left--;
			l->read_next++;
		}
		client_soon(w, op->client, TURN_GOES_ON, succeeded ? 0 : MS(300));
		return;
	}
	struct prng *before = world_draw_from(w, &c->chance);
	bool again = op->op == REQUEST_GET && !succeeded && c->tries + 1 < READ_TRIES;
	c->tries = again ? c->tries + 1 : 0;
	again = again && send_read(w, op->client, op->key); /* `op` may have moved */
	if (!again && succeeded && c->then != INTENT_NONE)
		client_soon(w, client, TURN_GOES_ON, think_us(w));
	else if (!again)
		turn_end(w, client);
	world_draw_from(w, before);
}

/* Rot is met when it is read: until the partition is verified, who met it counts towards no pr. */
static bool rot_was_met(const struct world *w)
{
	for (uint32_t i = 0; i < w->options.nodes; i++) {
		struct node_metrics m;
		if (w->procs[i].state != PROC_UP) continue;
		node_metrics(w->procs[i].node, &m);
		if (m.suspect_partitions > 0) return true;
	}
	return false;
}

/* With notfound_ok=false a replica that has not got the key yet has failed. So it is with a new key, and with one
 * whose tombstone was reaped, while a write of it is on its way to the replicas. */
static bool is_on_its_way(const struct world *w, const struct op *op)
{
	const struct history *h = &w->history;
	bool strict = op->op == REQUEST_GET && op->options.notfound_ok == 0;
	for (uint32_t i = 0; strict && i < h->by_key_count[op->key]; i++) {
		const struct hist_write *x = &h->writes[h->by_key[op->key][i]];
		if (x->outcome == HIST_OPEN || x->ended_us + ON_ITS_WAY_US > op->began_us) return true;
	}
	return false;
}

/* All primaries, or as many of all nodes as a key has replicas, are not there any more. */
static bool wants_who_is_gone(const struct world *w, const struct op *op, enum err err)
{
	const struct history *h = &w->history;
	uint32_t primaries = h->replicas_n - world_replicas_gone(w, workload_key(w, op->key));
	bool unmet = err == ERR_PR_UNMET || err == ERR_PW_UNMET || err == ERR_TIMEOUT;
	uint8_t pr = choose_quorum(w, op->options.pr, 0), pw = choose_quorum(w, op->options.pw, 0);
	if (w->gone == SIM_NODES_MAX) return false;
	if (unmet && (pr > primaries || pw > primaries)) return true;
	uint8_t r = choose_quorum(w, op->options.r, 0), want = choose_quorum(w, op->options.w, 0);
	return (err == ERR_R_UNMET || err == ERR_W_UNMET) &&
	       (r > w->options.nodes - 1 || want > w->options.nodes - 1);
}

/* With nothing wrong for a while every request must succeed (P6); what the workload itself can
 * cause by asking too much is allowed. */
static void demand_success(struct world *w, const struct op *op, enum err err)
{
	if (op->began_us < w->strict_from_us || w->failed) return;
	if (op->view != HIST_READ) return; /* it may be the first to meet a record that rotted */
	if (err == ERR_OK || err == ERR_NOT_FOUND || err == ERR_SIBLINGS || err == ERR_BUSY) return;
	if (op->condition != 0 && (err == ERR_PRECONDITION || err == ERR_MODIFIED)) return;
	if ((err == ERR_PR_UNMET || err == ERR_R_UNMET || err == ERR_LATE) && rot_was_met(w)) return;
	if (err == ERR_R_UNMET && is_on_its_way(w, op)) return;
	if (wants_who_is_gone(w, op, err)) return;
	/* A session may have been shown what was on one disk only, and was lost there. */
	if (err == ERR_NOT_SEEN && fault_spoils_a_disk(w)) return;
	w->workload->figures.failed_calm++;
	world_fail(w, "P6", op->key, op->write,
	           "%s asked of %s at %.6f s, when nothing was wrong, was answered %s",
	           op->op == REQUEST_GET ? "a read" : "a write", w->procs[op->proc].name,
	           (double)op->began_us / 1e6, err_name(err));
}

void workload_on_reply(struct world *w, uint16_t proc, struct client_ref client,
                       const struct reply *reply)
{
	struct workload *l = w->workload;
	assert(client.v > 0 && client.v <= l->op_count);
	struct op *op = &l->ops[client.v - 1];
	assert(op->proc == proc && op->proc_start == w->procs[proc].start);
	trace_key(w, workload_key(w, op->key), "%s answers client %u: %s, write %d, %u siblings",
	          w->procs[proc].name, op->client, err_name(reply->err),
	          op->op == REQUEST_GET ? -1 : (int)op->write, reply->sibling_count);
	world_note(w, (uint64_t)reply->err << 32 ^ reply->dot.at.v ^ reply->sibling_count);
	if ((client.v - 1) % TRACED_ONE_IN == 0)
		tracing_on_reply(w, proc, trace_of((uint32_t)client.v - 1), reply);
	if (op->replied)
		world_fail(w, "P7", op->key, op->write, "%s answered one request twice",
		           w->procs[proc].name);
	op->replied = true;
	if (op->op != REQUEST_GET) write_answered(w, op, reply, op->closed);
	if (op->closed) return;
	demand_success(w, op, reply->err);
	bool ok = op->op != REQUEST_GET ? reply->err == ERR_OK : read_succeeded(w, op, reply);
	op_close(w, op, ok);
}

/* No answer will come any more. */
static void op_abandon(struct world *w, struct op *op)
{
	if (op->op != REQUEST_GET) {
		history_answer(&w->history, op->write, HIST_UNKNOWN, (struct dot){{0}, {0}}, w->now_us);
		w->workload->figures.unknown++;
	}
	op_close(w, op, false);
}

void workload_on_give_up(struct world *w, const struct agenda_item *item)
{
	struct op *op = &w->workload->ops[item->x];
	const struct proc *p = &w->procs[op->proc];
	if (op->closed) return;
	if (p->state == PROC_UP && p->start == op->proc_start && p->pauses == op->proc_pauses)
		world_fail(w, "P7", op->key, op->write, "%s never answered a request that it got at %.6f s",
		           p->name, (double)op->began_us / 1e6);
	demand_success(w, op, ERR_TIMEOUT);
	op_abandon(w, op);
}

void workload_on_crash(struct world *w, uint16_t proc)
{
	operator_on_crash(w, proc);
	struct workload *l = w->workload;
	for (uint32_t c = 0; c <= l->clients; c++) {
		uint32_t id = l->client[c].op;
		if (id != NO_OP && l->ops[id].proc == proc) op_abandon(w, &l->ops[id]);
	}
}
