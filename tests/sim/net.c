/* net.c - see net.h.
 *
 * One connection for each pair of nodes, as TCP would have it: both ends learn when it stands; when
 * a process dies the other end learns it soon (a reset), or not at all (its machine died with it);
 * a cut link shows as silence, and perhaps, later, as a broken connection. In one respect it is
 * worse than TCP: with the faults that say so, single messages vanish, come twice, come late or in
 * another order, and may cross a restart of either end.
 *
 * One mercy: a doubled MSG_FORWARD does not cross a restart of its receiver. What a process
 * remembers of requests dies with it, and a connection's messages do so too. */
#include "tests/sim/net.h"

#include <stdlib.h>
#include <string.h>

#include "base/panic.h"
#include "tests/sim/trace.h"
#include "wire/msg.h"

struct packet {
	struct node_id from, to;
	uint16_t from_proc;
	uint32_t from_start, to_start;
	uint64_t sent_us;
	bool doubled, forward;
	uint32_t len;
	uint8_t bytes[];
};

void net_packet_free(void *packet)
{
	free(packet);
}

/* ---- sending -------------------------------------------------------------------------------- */

static uint64_t delay_us(struct world *w, const struct link *l)
{
	uint64_t us = world_between(w, 80, 400) + l->slow_us;
	if (world_chance(w, w->net.delay_ppm)) us += world_about(w, MS(300));
	return us;
}

static struct packet *packet_new(const struct msg *m)
{
	struct packer count = {NULL, 0, 0};
	msg_pack(&count, m);
	struct packet *p = malloc(sizeof *p + count.len);
	assert(p != NULL);
	*p = (struct packet){.len = (uint32_t)count.len, .forward = m->type == MSG_FORWARD};
	struct packer write = {p->bytes, count.len, 0};
	msg_pack(&write, m);
	assert(write.len == count.len);
	return p;
}

static void packet_post(struct world *w, uint16_t to, struct packet *p)
{
	struct link *l = &w->net.link[p->from_proc][to];
	uint64_t at = w->now_us + delay_us(w, l);
	if (!world_chance(w, w->net.reorder_ppm)) {
		if (at <= l->last_us) at = l->last_us + 1;
		l->last_us = at;
	} else {
		w->fault_count[FAULT_REORDER]++;
		at += world_between(w, 0, MS(20));
	}
	struct agenda_item *item = world_at(w, at, AGENDA_PACKET);
	item->a = to;
	item->p = p;
}

void net_send(struct world *w, uint16_t from, struct node_id to, const struct msg *m)
{
	int found = world_find(w, to);
	w->net.sent++;
	trace_msg(w, from, "->", found < 0 ? from : (uint16_t)found, m);
	uint16_t lo = from < found ? from : (uint16_t)found, hi = from < found ? (uint16_t)found : from;
	if (found < 0 || found == from || !w->net.connected[lo][hi] ||
	    world_chance(w, w->net.loss_ppm)) {
		if (found >= 0 && found != from && w->net.connected[lo][hi]) w->fault_count[FAULT_LOSS]++;
		w->net.dropped++;
		return;
	}
	struct packet *p = packet_new(m);
	p->from = w->procs[from].id;
	p->to = to;
	p->from_proc = from;
	p->from_start = w->procs[from].start;
	p->to_start = w->procs[found].start;
	p->sent_us = w->now_us;
	if (world_chance(w, w->net.dup_ppm)) {
		w->fault_count[FAULT_DUP]++;
		p->doubled = true;
		struct packet *twin = malloc(sizeof *twin + p->len);
		assert(twin != NULL);
		memcpy(twin, p, sizeof *twin + p->len);
		packet_post(w, (uint16_t)found, twin);
	}
	packet_post(w, (uint16_t)found, p);
}

/* ---- arriving ------------------------------------------------------------------------------- */

/* A cut link loses most packets; some wait in a socket buffer and come when it heals. */
static bool packet_is_held(struct world *w, const struct agenda_item *item)
{
	struct packet *p = item->p;
	if (w->net.link[p->from_proc][item->a].cuts == 0) return false;
	w->net.dropped++;
	if (w->now_us - p->sent_us < SECONDS(20) && !world_chance(w, 300000)) {
		struct packet *copy = malloc(sizeof *copy + p->len);
		assert(copy != NULL);
		memcpy(copy, p, sizeof *copy + p->len);
		struct agenda_item *again =
			world_at(w, w->now_us + world_between(w, MS(200), SECONDS(3)), AGENDA_PACKET);
		again->a = item->a;
		again->p = copy;
	}
	return true;
}

/* Packets may cross a restart, but only where the network is that bad. */
static bool packet_is_stale(struct world *w, const struct agenda_item *item)
{
	const struct packet *p = item->p;
	const struct proc *to = &w->procs[item->a];
	if (to->id.v != p->to.v) return true;
	bool crossed = to->start != p->to_start || w->procs[p->from_proc].start != p->from_start;
	if (!crossed) return false;
	if (p->forward && p->doubled) return true;
	if (!world_may(w, FAULT_DELAY) && !world_may(w, FAULT_DUP)) return true;
	return world_chance(w, 500000);
}

void net_on_packet(struct world *w, const struct agenda_item *item)
{
	struct packet *p = item->p;
	if (packet_is_held(w, item) || packet_is_stale(w, item)) return;
	struct event ev = {.type = EV_PEER_MESSAGE, .message = {.from = p->from}};
	/* A copy of its own length, so that a sanitizer sees a view that outlives the call. */
	enum err err = msg_unpack((struct bytes){p->bytes, p->len}, &ev.message.msg, w->scan_entries);
	if (err != ERR_OK) {
		world_fail(w, "wire", HIST_NOBODY, HIST_NOBODY,
		           "%s sent a message of %u bytes that its peer refuses (type byte 0x%02x)",
		           w->procs[p->from_proc].name, p->len, p->len > 1 ? p->bytes[1] : 0);
		return;
	}
	trace_msg(w, item->a, "<-", p->from_proc, &ev.message.msg);
	world_step(w, item->a, &ev);
}

/* ---- connections ---------------------------------------------------------------------------- */

static bool can_talk(const struct world *w, uint16_t a, uint16_t b)
{
	return w->net.link[a][b].cuts == 0 && w->net.link[b][a].cuts == 0;
}

static void tell_up(struct world *w, uint16_t to, uint16_t of)
{
	struct agenda_item *item = world_at(w, w->now_us + world_between(w, 200, 2000), AGENDA_PEER_UP);
	item->a = to;
	item->b = of;
	item->start = w->procs[to].start;
	item->x = w->procs[of].start;
}

static void tell_down(struct world *w, uint16_t to, uint16_t of, uint64_t after_us)
{
	if (!w->net.told_up[to][of]) return;
	w->net.told_up[to][of] = false;
	struct agenda_item *item = world_at(w, w->now_us + after_us, AGENDA_PEER_DOWN);
	item->a = to;
	item->b = of;
	item->start = w->procs[to].start;
	w->net.broke[to][of] = w->procs[of].id;
}

static void connect_soon(struct world *w, uint16_t a, uint16_t b, uint64_t min_us, uint64_t max_us)
{
	struct agenda_item *item =
		world_at(w, w->now_us + world_between(w, min_us, max_us), AGENDA_CONNECT);
	item->a = a < b ? a : b;
	item->b = a < b ? b : a;
}

void net_connect_all(struct world *w, uint16_t proc)
{
	for (uint16_t i = 0; i < w->options.nodes; i++)
		if (i != proc) connect_soon(w, proc, i, 100, MS(20));
}

void net_on_connect(struct world *w, const struct agenda_item *item)
{
	uint16_t a = item->a, b = item->b;
	assert(a < b && b < w->options.nodes);
	if (w->net.connected[a][b]) return;
	bool a_runs = w->procs[a].state != PROC_DOWN, b_runs = w->procs[b].state != PROC_DOWN;
	if (!a_runs && !b_runs) return; /* whoever starts first tries again */
	if (!can_talk(w, a, b)) {
		connect_soon(w, a, b, RECONNECT_US_MAX / 2, RECONNECT_US_MAX);
	} else if (a_runs && b_runs) {
		w->net.connected[a][b] = true;
		/* An end that was never told of the old one's death learns it now. */
		tell_down(w, a, b, 0);
		tell_down(w, b, a, 0);
		tell_up(w, a, b);
		tell_up(w, b, a);
	} else {
		/* Refused: nobody listens there. */
		tell_down(w, a_runs ? a : b, a_runs ? b : a, world_between(w, 100, MS(1)));
		connect_soon(w, a, b, RECONNECT_US_MIN, RECONNECT_US_MAX);
	}
}

/* The end of a connection is always told before its successor's beginning. */
static void say_broke(struct world *w, uint16_t to, uint16_t of)
{
	struct node_id id = w->net.broke[to][of];
	w->net.broke[to][of] = (struct node_id){0};
	if (id.v == 0 || w->procs[to].state != PROC_UP) return;
	trace_world(w, "%s: connection to %s broke", w->procs[to].name, w->procs[of].name);
	struct event ev = {.type = EV_PEER_DOWN, .peer = {.node = id}};
	world_step(w, to, &ev);
}

void net_on_peer_up(struct world *w, const struct agenda_item *item)
{
	uint16_t a = item->a, b = item->b, lo = a < b ? a : b, hi = a < b ? b : a;
	if (!w->net.connected[lo][hi] || w->procs[b].start != item->x) return;
	say_broke(w, a, b);
	if (w->procs[a].state != PROC_UP || w->procs[a].start != item->start) return;
	w->net.told_up[a][b] = true;
	trace_world(w, "%s: connection to %s stands", w->procs[a].name, w->procs[b].name);
	struct event ev = {.type = EV_PEER_UP, .peer = {.node = w->procs[b].id}};
	world_step(w, a, &ev);
}

void net_on_peer_down(struct world *w, const struct agenda_item *item)
{
	say_broke(w, item->a, item->b);
}

void net_died(struct world *w, uint16_t proc)
{
	for (uint16_t i = 0; i < w->options.nodes; i++) {
		if (i == proc) continue;
		uint16_t lo = i < proc ? i : proc, hi = i < proc ? proc : i;
		w->net.told_up[proc][i] = false;
		w->net.broke[proc][i] = (struct node_id){0};
		if (!w->net.connected[lo][hi]) continue;
		w->net.connected[lo][hi] = false;
		bool reset = can_talk(w, i, proc) && prng_below(w->prng, 4) != 0;
		if (reset) tell_down(w, i, proc, world_between(w, 100, MS(5)));
		connect_soon(w, i, proc, RECONNECT_US_MIN, RECONNECT_US_MAX);
	}
}

void net_on_break(struct world *w, const struct agenda_item *item)
{
	uint16_t a = item->a, b = item->b;
	if (!w->net.connected[a][b] || can_talk(w, a, b)) return;
	w->net.connected[a][b] = false;
	tell_down(w, a, b, 0);
	tell_down(w, b, a, world_between(w, 0, SECONDS(2)));
	connect_soon(w, a, b, RECONNECT_US_MIN, RECONNECT_US_MAX);
}

/* ---- cuts ----------------------------------------------------------------------------------- */

void net_cut(struct world *w, uint16_t from, uint16_t to)
{
	assert(from != to);
	w->net.link[from][to].cuts++;
	if (prng_below(w->prng, 2) == 0) return;
	struct agenda_item *item =
		world_at(w, w->now_us + world_between(w, SECONDS(1), SECONDS(12)), AGENDA_BREAK);
	item->a = from < to ? from : to;
	item->b = from < to ? to : from;
}

void net_mend(struct world *w, uint16_t from, uint16_t to)
{
	assert(w->net.link[from][to].cuts > 0);
	w->net.link[from][to].cuts--;
}
