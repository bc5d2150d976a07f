/* workload_turns.c - whose turn it is, and what it does with it.
 *
 * Turns are due at times that are chosen beforehand, whatever becomes of the ones before: of those that
 * come due while a client waits for an answer it takes the last one. So one that is left out (--turns)
 * leaves the others as they are. */
#include <stdlib.h>

#include "base/panic.h"
#include "tests/sim/workload_parts.h"

void client_soon(struct world *w, uint16_t client, enum next next, uint64_t after_us)
{
	struct agenda_item *item = world_at(w, w->now_us + after_us, AGENDA_CLIENT);
	item->a = client;
	item->x = next;
}

uint64_t client_think_us(struct world *w)
{
	return prng_below(w->prng, 4) == 0 ? world_between(w, 0, MS(2)) : world_about(w, MS(250));
}

/* ---- acting --------------------------------------------------------------------------------- */

/* What to do with a key that is read first; what to do at once. */
static bool act_on(struct world *w, uint16_t client, uint32_t key)
{
	struct client *c = &w->workload->client[client];
	enum key_kind kind = workload_kind(key);
	uint64_t dice = prng_below(w->prng, 100);
	bool deletes = kind == KEY_DELETES || kind == KEY_BLIND_DELETES;
	if (!numbers_have(&w->options.keys, key)) return false;
	if (dice < 30) return client_reads(w, client, key);
	if (dice < 40) return client_writes(w, client, key, REQUEST_PUT, false);
	if (dice < 52) return client_writes(w, client, key, REQUEST_PUT, true);
	if (kind == KEY_BLIND_DELETES && dice < 60)
		return client_writes(w, client, key, REQUEST_DELETE, false);
	if (deletes && dice < 66 && c->held[key].has)
		return client_writes(w, client, key, REQUEST_DELETE, true);
	c->then = deletes && dice < 75 ? INTENT_DELETE : INTENT_PUT;
	c->then_key = key;
	return client_reads(w, client, key);
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
	if (then == INTENT_PUT) return client_writes(w, client, c->then_key, REQUEST_PUT, true);
	return c->held[c->then_key].has && client_writes(w, client, c->then_key, REQUEST_DELETE, true);
}

/* ---- turns ---------------------------------------------------------------------------------- */

void client_turn_ends(struct world *w, uint16_t client)
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
	client_soon(w, client, TURN_DUE, client_think_us(w));
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
	if (!act_on(w, client, any_key(w))) client_turn_ends(w, client);
}

static void turn_goes_on(struct world *w, uint16_t client)
{
	struct client *c = &w->workload->client[client];
	assert(c->acting && c->op == NO_OP);
	world_draw_from(w, &c->chance);
	if (!w->workload->running || !act_then(w, client)) client_turn_ends(w, client);
}

/* The client behind them reads all keys, one after the other. */
static void read_on(struct world *w)
{
	struct workload *l = w->workload;
	uint16_t reader = (uint16_t)l->clients;
	if (l->client[reader].op != NO_OP || l->reads_left == 0) return;
	world_draw_from(w, &l->client[reader].chance);
	if (!client_reads(w, reader, l->read_next)) client_soon(w, reader, TURN_GOES_ON, MS(100));
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
	for (uint16_t c = 0; c < w->workload->clients; c++)
		client_soon(w, c, TURN_DUE, client_think_us(w));
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
