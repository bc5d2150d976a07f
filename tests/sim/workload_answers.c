/* workload_answers.c - what is answered to clients, and what is noted of it. */
#include <string.h>

#include "base/bytes.h"
#include "base/etag.h"
#include "base/panic.h"
#include "tests/sim/excuse.h"
#include "tests/sim/look.h"
#include "tests/sim/operator.h"
#include "tests/sim/trace.h"
#include "tests/sim/tracing.h"
#include "tests/sim/workload_parts.h"

#define READ_TRIES 3

static uint32_t note_shown(struct world *w, uint32_t key, const struct reply *reply)
{
	struct workload_figures *f = &w->workload->figures;
	uint32_t shown = history_shown_new(&w->history, key);
	for (uint32_t i = 0; i < reply->sibling_count; i++)
		if (!workload_note_sibling(w, key, &reply->siblings[i])) break;
	if (reply->sibling_count > f->siblings_max) f->siblings_max = reply->sibling_count;
	if (w->options.forbid_siblings && reply->sibling_count > 1)
		world_fail(w, "siblings", key, HIST_NOBODY, "a client is shown %u values at once",
		           reply->sibling_count);
	return shown;
}

/* P1, at the moment of the answer: how many disks have it? */
static void note_durable(struct world *w, const struct op *op, struct dot dot)
{
	struct hist_write *write = &w->history.writes[op->write];
	write->durable = look_for_durable(w, workload_key(w, op->key), dot, write->promised);
	if (write->durable < write->promised)
		world_fail(w, "P1", op->key, op->write,
		           "acknowledged, and on %u disks of %u that it promises", write->durable,
		           write->promised);
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
	struct dot dot = reply->written ? reply->dot : (struct dot){{0}, {0}};
	if (outcome == HIST_ACKED && reply->written) note_durable(w, op, dot);
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
	again = again && client_reads(w, op->client, op->key); /* `op` may have moved */
	if (!again && succeeded && c->then != INTENT_NONE)
		client_soon(w, client, TURN_GOES_ON, client_think_us(w));
	else if (!again)
		client_turn_ends(w, client);
	world_draw_from(w, before);
}

/* With notfound_ok=false a replica that has not got the key yet has failed. So it is with a new key, and with
 * one whose tombstone was reaped, while a write of it is on its way to the replicas. */
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

/* The final reads may be the first to meet a record that rotted. */
static bool is_excused(const struct world *w, const struct op *op, enum err err)
{
	if (op->view != HIST_READ) return true;
	if (op->began_us < w->asks.calm_from_us) return false;
	if (err == ERR_R_UNMET && is_on_its_way(w, op)) return true;
	return excuse_holds(w, workload_key(w, op->key), &op->options, err);
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
		tracing_on_reply(w, proc, workload_trace((uint32_t)client.v - 1), reply);
	struct check_failure failure;
	if (!check_reply_bounds(reply, &failure)) world_failed(w, &failure);
	asks_answered(&w->asks, op->ask, reply->err, w->now_us);
	asks_outcome(&w->asks, op->ask, reply->outcome, reply->written && reply->dot.at.v != 0);
	w->asks.list[op->ask].excused = is_excused(w, op, reply->err);
	world_ask_ended(w, op->ask);
	if (op->op != REQUEST_GET) write_answered(w, op, reply, op->closed);
	if (op->closed) return;
	bool ok = op->op != REQUEST_GET ? reply->err == ERR_OK : read_succeeded(w, op, reply);
	op_close(w, op, ok);
}

/* No answer will come any more. */
static void op_abandon(struct world *w, struct op *op, bool owed)
{
	w->asks.list[op->ask].excused = is_excused(w, op, ERR_TIMEOUT);
	asks_given_up(&w->asks, op->ask, owed, w->now_us);
	world_ask_ended(w, op->ask);
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
	bool lived = p->start == op->proc_start && p->pauses == op->proc_pauses;
	op_abandon(w, op, p->state == PROC_UP && lived);
}

void workload_on_crash(struct world *w, uint16_t proc)
{
	operator_on_crash(w, proc);
	struct workload *l = w->workload;
	for (uint32_t c = 0; c <= l->clients; c++) {
		uint32_t id = l->client[c].op;
		if (id != NO_OP && l->ops[id].proc == proc) op_abandon(w, &l->ops[id], false);
	}
}
