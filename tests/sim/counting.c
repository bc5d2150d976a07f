/* counting.c - see counting.h.
 *
 *   client:  think --> ask a node --> answered, or gave up, or its node died --> think
 *
 * A few counters are counted at a time; one that has all its increments is left alone, and the next takes
 * its place. An increment whose node died, or that was not answered, may be counted or not: it is asked
 * for no more, as it would be another one. */
#include "tests/sim/counting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "ring/ring.h"
#include "tests/sim/choose.h"
#include "tests/sim/counts.h"
#include "tests/sim/excuse.h"
#include "tests/sim/fault.h"
#include "tests/sim/trace.h"

#define CLIENTS SIM_COUNTERS_MAX
#define AT_A_TIME 3
#define KEY_BYTES 32
#define THINK_US MS(500)
#define ANSWER_SLACK_US SECONDS(3)

struct client {
	struct prng chance;
	bool busy, adds;
	uint32_t id;  /* of the increment */
	uint32_t ask; /* among all that was asked */
	uint16_t proc;
	uint32_t start, pauses;
	uint64_t serial;
	struct request_options options;
	struct count_read read; /* as it will be, also of an increment's answer */
};

struct counting {
	bool running;
	struct client client[CLIENTS + 1]; /* the last makes the final reads */
	uint32_t keys[AT_A_TIME], keys_begun;
	uint64_t serial;
	struct counts counts;
	enum hist_view view;
	uint32_t reads_left, read_next;
};

void counting_init(struct world *w)
{
	struct counting *g = calloc(1, sizeof *g);
	assert(g != NULL);
	w->counting = g;
	g->counts.replicas_n = w->history.replicas_n;
	for (uint32_t i = 0; i < AT_A_TIME; i++) g->keys[i] = g->keys_begun++;
	for (uint32_t i = 0; i <= CLIENTS; i++)
		g->client[i].chance = chance_of(w->options.seed, CHANCE_COUNTING, i, 0);
}

void counting_free(struct world *w)
{
	counts_free(&w->counting->counts);
	free(w->counting);
}

static struct bytes key_of(uint32_t key, uint8_t to[KEY_BYTES])
{
	char name[16];
	snprintf(name, sizeof name, "c%03u", key);
	size_t len = full_key_len(BYTES("default"), BYTES("count"), bytes_of_string(name));
	assert(len <= KEY_BYTES);
	full_key_write(to, BYTES("default"), BYTES("count"), bytes_of_string(name));
	return bytes_of(to, len);
}

static void soon(struct world *w, uint16_t client, uint64_t after_us)
{
	world_at(w, w->now_us + after_us, AGENDA_COUNT)->a = client;
}

/* ---- asking --------------------------------------------------------------------------------- */

static void ask(struct world *w, uint16_t client, struct request *r)
{
	struct counting *g = w->counting;
	struct client *c = &g->client[client];
	uint8_t key[KEY_BYTES];
	c->busy = true;
	c->serial = ++g->serial;
	c->start = w->procs[c->proc].start;
	c->pauses = w->procs[c->proc].pauses;
	c->read.began_us = w->now_us;
	c->options = r->options;
	r->key = key_of(c->read.key, key);
	struct ask a = {.what = c->adds ? "an increment" : "a read of a counter",
	                .of = w->procs[c->proc].name,
	                .key = HIST_NOBODY,
	                .write = HIST_NOBODY,
	                .writes = c->adds,
	                .puts = c->adds,
	                .excused = c->read.view != HIST_READ,
	                .began_us = w->now_us};
	c->ask = asks_add(&w->asks, &a);
	uint64_t serial = c->serial, until = w->now_us + r->options.timeout_us + ANSWER_SLACK_US;
	struct agenda_item *item = world_at(w, until, AGENDA_COUNT_END);
	item->a = client;
	item->x = serial;
	struct event ev = {.type = EV_CLIENT_REQUEST,
	                   .request = {.client = {COUNTING_REF + serial}, .request = *r}};
	trace_key(w, r->key, "%s is asked to %s by counting client %u", w->procs[c->proc].name,
	          c->adds ? "count" : "say the number", client);
	world_step(w, c->proc, &ev); /* it may be answered in this step, and the client be free again */
}

static void ask_number(struct world *w, uint16_t client, uint32_t key)
{
	struct client *c = &w->counting->client[client];
	struct request r = {.op = REQUEST_GET, .as_counter = true, .options = choose_options(w)};
	enum hist_view view = HIST_READ;
	if (client == CLIENTS) {
		uint8_t full[KEY_BYTES];
		uint32_t gone = world_replicas_gone(w, key_of(key, full));
		view = w->counting->view;
		r.options = REQUEST_OPTIONS_DEFAULT;
		r.options.r = r.options.pr = (int16_t)(w->history.replicas_n - gone);
		r.options.timeout_us = SECONDS(5);
	}
	c->adds = false;
	c->read = (struct count_read){.view = view, .key = key, .of = COUNTS_NOBODY};
	c->read.pr = choose_quorum(w, r.options.pr, 0);
	ask(w, client, &r);
}

static void ask_increment(struct world *w, uint16_t client, uint32_t key)
{
	struct counts *counts = &w->counting->counts;
	struct client *c = &w->counting->client[client];
	struct request r = {.op = REQUEST_INCREMENT, .options = choose_options(w)};
	uint8_t value[INCREMENT_BYTES];
	c->adds = true;
	c->id = counts_add(counts, key, w->now_us);
	counts->ops[c->id].pw = choose_quorum(w, r.options.pw, 0);
	counts->ops[c->id].fragile = fault_spoils_a_disk(w) && choose_quorum(w, r.options.w, 2) < 2;
	c->read = (struct count_read){.view = HIST_READ, .key = key, .of = c->id};
	put_u64be(value, (uint64_t)counts_delta(counts, c->id));
	r.value = bytes_of(value, sizeof value);
	ask(w, client, &r);
}

static void act(struct world *w, uint16_t client)
{
	struct counting *g = w->counting;
	if (client == CLIENTS) {
		ask_number(w, client, g->read_next);
		return;
	}
	uint32_t place = (uint32_t)prng_below(w->prng, AT_A_TIME);
	bool full = g->counts.in_key[g->keys[place]] == COUNTS_PER_KEY;
	if (full && g->keys_begun < COUNTS_KEYS) {
		g->keys[place] = g->keys_begun++;
		full = false;
	}
	if (full || prng_below(w->prng, 2) == 0)
		ask_number(w, client, g->keys[place]);
	else
		ask_increment(w, client, g->keys[place]);
}

void counting_on_client(struct world *w, const struct agenda_item *item)
{
	struct counting *g = w->counting;
	struct client *c = &g->client[item->a];
	if (c->busy) return;
	if (item->a < CLIENTS ? !g->running : g->reads_left == 0) return;
	world_draw_from(w, &c->chance);
	c->proc = (uint16_t)prng_below(w->prng, w->options.nodes);
	if (w->procs[c->proc].state == PROC_UP)
		act(w, item->a);
	else
		soon(w, item->a, MS(100));
}

void counting_start(struct world *w)
{
	w->counting->running = true;
	for (uint16_t i = 0; i < w->options.counters; i++) {
		world_draw_from(w, &w->counting->client[i].chance);
		soon(w, i, world_about(w, THINK_US));
	}
}

void counting_stop(struct world *w)
{
	w->counting->running = false;
}

bool counting_is_idle(const struct world *w)
{
	for (uint32_t i = 0; i <= CLIENTS; i++)
		if (w->counting->client[i].busy) return false;
	return true;
}

void counting_read_all(struct world *w, enum hist_view view)
{
	struct counting *g = w->counting;
	assert(g->reads_left == 0 && view != HIST_READ);
	g->view = view;
	g->reads_left = g->keys_begun;
	g->read_next = 0;
	soon(w, CLIENTS, 0);
}

uint32_t counting_reads_left(const struct world *w)
{
	return w->counting->reads_left;
}

/* ---- answers -------------------------------------------------------------------------------- */

static void close_client(struct world *w, struct client *c, bool succeeded)
{
	struct counting *g = w->counting;
	uint16_t client = (uint16_t)(c - g->client);
	assert(c->busy);
	c->busy = false;
	if (client < CLIENTS) {
		struct prng *before = world_draw_from(w, &c->chance);
		soon(w, client, world_about(w, THINK_US));
		world_draw_from(w, before);
		return;
	}
	g->reads_left -= succeeded;
	g->read_next += succeeded;
	soon(w, client, succeeded ? 0 : MS(300));
}

/* As of other keys (workload_answers.c): with notfound_ok=false a replica that has not got it yet has failed. */
static bool is_on_its_way(const struct world *w, const struct client *c)
{
	const struct counts *counts = &w->counting->counts;
	bool strict = !c->adds && c->options.notfound_ok == 0;
	for (uint32_t i = 0; strict && i < counts->in_key[c->read.key]; i++) {
		const struct count_op *x = &counts->ops[counts->of_key[c->read.key][i]];
		if (x->outcome == HIST_OPEN || x->ended_us + ON_ITS_WAY_US > c->read.began_us) return true;
	}
	return false;
}

static void note_number(struct world *w, struct client *c, const struct reply *reply)
{
	c->read.ended_us = w->now_us;
	memcpy(c->read.number, reply->number, sizeof c->read.number);
	counts_read(&w->counting->counts, &c->read);
}

static void increment_answered(struct world *w, struct client *c, const struct reply *reply)
{
	bool ok = reply->err == ERR_OK && reply->outcome == OUTCOME_DONE;
	enum hist_outcome outcome = ok ? HIST_ACKED : HIST_UNKNOWN;
	if (reply->outcome == OUTCOME_NONE) outcome = HIST_NONE;
	counts_answer(&w->counting->counts, c->id, outcome, w->now_us);
	if (ok && reply->number[0] != '\0') note_number(w, c, reply);
}

void counting_on_reply(struct world *w, uint16_t proc, struct client_ref client,
                       const struct reply *reply)
{
	struct client *c = NULL;
	for (uint32_t i = 0; i <= CLIENTS && c == NULL; i++) {
		struct client *one = &w->counting->client[i];
		if (one->busy && COUNTING_REF + one->serial == client.v) c = one;
	}
	world_note(w, (uint64_t)reply->err << 32 ^ reply->dot.at.v);
	if (c == NULL) return; /* it came after the client gave up */
	assert(c->proc == proc && c->start == w->procs[proc].start);
	uint8_t key[KEY_BYTES];
	trace_key(w, key_of(c->read.key, key), "%s answers a counting client: %s %s",
	          w->procs[proc].name, err_name(reply->err), reply->number);
	if (c->read.began_us >= w->asks.calm_from_us)
		w->asks.list[c->ask].excused |=
			(reply->err == ERR_R_UNMET && is_on_its_way(w, c)) ||
			excuse_holds(w, key_of(c->read.key, key), &c->options, reply->err);
	asks_answered(&w->asks, c->ask, reply->err, w->now_us);
	asks_outcome(&w->asks, c->ask, reply->outcome, reply->written);
	world_ask_ended(w, c->ask);
	bool read_ok = !c->adds && (reply->err == ERR_OK || reply->err == ERR_NOT_FOUND);
	if (c->adds)
		increment_answered(w, c, reply);
	else if (read_ok)
		note_number(w, c, reply);
	close_client(w, c, read_ok);
}

/* No answer will come any more. */
static void abandon(struct world *w, struct client *c, bool owed)
{
	asks_given_up(&w->asks, c->ask, owed, w->now_us);
	world_ask_ended(w, c->ask);
	if (c->adds) counts_answer(&w->counting->counts, c->id, HIST_UNKNOWN, w->now_us);
	close_client(w, c, false);
}

void counting_on_give_up(struct world *w, const struct agenda_item *item)
{
	struct client *c = &w->counting->client[item->a];
	const struct proc *p = &w->procs[c->proc];
	if (!c->busy || c->serial != item->x) return;
	abandon(w, c, p->state == PROC_UP && p->start == c->start && p->pauses == c->pauses);
}

void counting_on_crash(struct world *w, uint16_t proc)
{
	for (uint32_t i = 0; i <= CLIENTS; i++) {
		struct client *c = &w->counting->client[i];
		if (c->busy && c->proc == proc) abandon(w, c, false);
	}
}

uint64_t counting_acked(const struct world *w)
{
	const struct counts *c = &w->counting->counts;
	uint64_t acked = 0;
	for (uint32_t i = 0; i < c->op_count; i++) acked += c->ops[i].outcome == HIST_ACKED;
	return acked;
}

void counting_check(struct world *w)
{
	struct check_failure failure;
	if (!check_counts(&w->counting->counts, &failure)) world_failed(w, &failure);
}
