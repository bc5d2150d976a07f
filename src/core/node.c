/* node.c - the door: one switch from what happened to who handles it, and the memory of a node.
 *
 *   BOOTING --identity durable, hints counted--> FORMING --a layout stands--> SERVING
 *
 * A step: release what the last one ended; hand the event to its owner; go on with what found no room
 * for its effects. Nothing waits, nothing calls back. */
#include "core/core.h"
#include "core/trace.h"

static size_t align64(size_t bytes)
{
	return (bytes + 63) & ~(size_t)63;
}

static uint32_t chains_for(uint32_t entries)
{
	uint32_t chains = 64;
	while (chains < entries) chains *= 2;
	return chains;
}

static uint32_t coord_slots(const struct node_config *c)
{
	return c->coord_slots == 0 ? COORD_SLOTS_MAX : c->coord_slots;
}

static uint32_t replica_slots(const struct node_config *c)
{
	return c->replica_slots == 0 ? REPLICA_SLOTS_MAX : c->replica_slots;
}

/* The pieces of a node's memory, handed out in one order for both measuring and placing. */
struct layout_of_memory {
	uint8_t *base;
	size_t at;
};

static void *place(struct layout_of_memory *m, size_t bytes)
{
	void *p = m->base == NULL ? NULL : m->base + m->at;
	m->at += align64(bytes);
	return p;
}

enum { CHORE_SLOTS = 16 };

static uint32_t slots_total(const struct node_config *c)
{
	return coord_slots(c) + replica_slots(c) + HINT_SLOTS_MAX + CHORE_SLOTS;
}

struct pieces {
	struct node *node;
	void *pool_state, *coords, *replicas, *hints, *keys, *chores, *timers, *doomed, *chains, *peers,
		*forwards, *props, *lanes;
};

static size_t place_all(const struct node_config *c, size_t pool_bytes, uint8_t *base,
                        struct pieces *out)
{
	struct layout_of_memory m = {base, 0};
	uint32_t total = slots_total(c);
	out->node = place(&m, sizeof(struct node));
	out->pool_state = place(&m, pool_state_bytes(pool_bytes));
	out->coords = place(&m, slots_bytes(coord_slots(c), sizeof(struct coord)));
	out->replicas = place(&m, slots_bytes(replica_slots(c), sizeof(struct replica)));
	out->hints = place(&m, slots_bytes(HINT_SLOTS_MAX, sizeof(struct hint_slot)));
	out->keys = place(&m, slots_bytes(total, key_entry_bytes()));
	out->chores = place(&m, slots_bytes(CHORE_SLOTS, sizeof(struct chore)));
	out->timers = place(&m, (total + 1) * sizeof(struct timer *));
	out->doomed = place(&m, total * sizeof(struct ticket));
	out->chains = place(&m, chains_for(total) * sizeof(uint32_t));
	out->peers = place(&m, MEMBERS_MAX * sizeof(struct peer));
	out->forwards = place(&m, FORWARDS_REMEMBERED * sizeof(struct forward_seen));
	out->lanes = place(&m, LANE_COUNT * sizeof(struct lane));
	out->props = place(&m, PROPS_BUCKETS_MAX * sizeof(struct props_entry *));
	return m.at;
}

size_t node_memory(const struct node_config *config)
{
	struct pieces p;
	return place_all(config, POOL_BYTES_MAX, NULL, &p);
}

/* The configuration outlives the caller's strings. */
static void keep_config(struct node *n, const struct node_config *c)
{
	bool ok = true;
	n->config = *c;
	n->config.name = arena_copy(&n->arena, c->name, &ok);
	n->config.address = arena_copy(&n->arena, c->address, &ok);
	n->config.zone = arena_copy(&n->arena, c->zone, &ok);
	n->config.http = arena_copy(&n->arena, c->http, &ok);
	n->list_size = c->join_count;
	bool listed = false;
	for (uint32_t i = 0; i < c->join_count; i++) listed |= bytes_equal(c->join[i], c->address);
	if (c->join_count > 0 && !listed) n->list_size++;
	n->config.join = NULL; /* the outside dials; only their number matters here */
	if (n->config.weight == 0) n->config.weight = 100;
	if (n->config.expect == 0) n->config.expect = 1;
	if (n->config.partitions == 0) n->config.partitions = PARTITIONS_DEFAULT;
	if (n->config.replicas == 0) n->config.replicas = REPLICAS_DEFAULT;
	if (n->config.replicas > n->config.expect) n->config.replicas = n->config.expect;
	if (n->config.siblings_max == 0) n->config.siblings_max = SIBLINGS_MAX;
	if (n->config.reap_period_us == 0) n->config.reap_period_us = REAP_PERIOD_US;
	if (n->config.hint_after_us == 0) n->config.hint_after_us = HINT_AFTER_US;
	if (n->config.hints_max == 0) n->config.hints_max = EXTRA_HINTS_MAX;
	if (n->config.hint_bytes_max == 0) n->config.hint_bytes_max = HINT_BYTES_MAX;
	if (n->config.hint_window_ms == 0) n->config.hint_window_ms = HINT_WINDOW_MS;
	if (n->config.stand_ins_max == 0) n->config.stand_ins_max = STAND_INS_MAX;
	if (n->config.stand_in_bytes_max == 0) n->config.stand_in_bytes_max = STAND_IN_BYTES_MAX;
	if (n->config.read_all_one_in == 0) n->config.read_all_one_in = READ_ALL_ONE_IN;
	if (n->config.read_whole_bytes == 0) n->config.read_whole_bytes = READ_WHOLE_BYTES;
	assert(ok);
}

struct node *node_init(void *memory, const struct node_config *config, void *pool,
                       size_t pool_bytes)
{
	assert(pool_bytes >= MIB(1) && pool_bytes <= POOL_BYTES_MAX);
	assert(config->name.len <= MEMBER_NAME_BYTES_MAX && config->zone.len <= MEMBER_ZONE_BYTES_MAX);
	assert(config->address.len <= MEMBER_ADDRESS_BYTES_MAX);
	assert(config->http.len <= MEMBER_ADDRESS_BYTES_MAX);
	struct pieces p;
	place_all(config, POOL_BYTES_MAX, memory, &p);
	struct node *n = p.node;
	uint32_t total = slots_total(config);
	pool_init(&n->pool, pool, pool_bytes, p.pool_state);
	arena_init(&n->arena, &n->pool);
	keep_config(n, config);
	n->props.list = p.props;
	props_init(n, config);
	uint64_t seed;
	memcpy(&seed, config->entropy, sizeof seed);
	prng_seed(&n->prng, seed);
	uint64_t generation = prng_next(&n->prng) >> 21;
	slots_init(&n->coords, p.coords, coord_slots(config), sizeof(struct coord), SLOT_COORD,
	           generation);
	slots_init(&n->replicas, p.replicas, replica_slots(config), sizeof(struct replica),
	           SLOT_REPLICA, generation);
	slots_init(&n->hints, p.hints, HINT_SLOTS_MAX, sizeof(struct hint_slot), SLOT_HINT, generation);
	slots_init(&n->keys, p.keys, total, key_entry_bytes(), SLOT_KEY, generation);
	slots_init(&n->chores, p.chores, CHORE_SLOTS, sizeof(struct chore), SLOT_CHORE, generation);
	heap_init(&n->timers, p.timers, total);
	n->doomed = p.doomed;
	n->key_chains = p.chains;
	n->key_chain_count = chains_for(total);
	n->peers = p.peers;
	n->forwards = p.forwards;
	n->sweep_at = UINT32_MAX;
	budget_set(&n->background, BACKGROUND_BYTES_PER_S, BACKGROUND_BURST_BYTES);
	courier_init(n, p.lanes);
	arena_init(&n->verify.page, &n->pool);
	arena_init(&n->verify.cursor, &n->pool);
	arena_init(&n->verify.own, &n->pool);
	return n;
}

void node_draw_actor(struct node *n)
{
	clock_draw_actor(&n->clock, &n->prng);
}

/* ---- dispatch ------------------------------------------------------------------------------------ */

struct key_op *key_op_of(struct node *n, struct ticket t)
{
	switch (ticket_pool(t)) {
	case SLOT_COORD: return &((struct coord *)slots_find(&n->coords, t))->op;
	case SLOT_REPLICA: return &((struct replica *)slots_find(&n->replicas, t))->op;
	case SLOT_HINT: return &((struct hint_slot *)slots_find(&n->hints, t))->op;
	default: unreachable();
	}
}

enum key_verdict key_apply(struct node *n, struct key_op *op, const struct key_state *state,
                           struct bytes *object, struct effects *fx)
{
	struct ticket t = op->slot;
	switch (ticket_pool(t)) {
	case SLOT_COORD: return put_apply(n, slots_find(&n->coords, t), state, object, fx);
	case SLOT_REPLICA: return merge_apply(n, slots_find(&n->replicas, t), state, object, fx);
	case SLOT_HINT: return drop_apply(n, slots_find(&n->hints, t), state, object, fx);
	default: unreachable();
	}
}

void key_finished(struct node *n, struct key_op *op, enum err e, struct effects *fx)
{
	struct ticket t = op->slot;
	switch (ticket_pool(t)) {
	case SLOT_COORD: put_on_stored(n, slots_find(&n->coords, t), e, fx); break;
	case SLOT_REPLICA: merge_on_stored(n, slots_find(&n->replicas, t), e, fx); break;
	case SLOT_HINT: hint_on_stored(n, slots_find(&n->hints, t), e, fx); break;
	default: unreachable();
	}
}

/* The slot that a store effect was asked for by; it is there, since open effects keep it. */
static struct slot *store_answer(struct node *n, struct ticket t)
{
	struct slots *pools[] = {[SLOT_COORD] = &n->coords,
	                         [SLOT_REPLICA] = &n->replicas,
	                         [SLOT_HINT] = &n->hints,
	                         [SLOT_CHORE] = &n->chores};
	assert(ticket_pool(t) != SLOT_KEY && ticket_pool(t) >= 1 && ticket_pool(t) <= SLOT_CHORE);
	struct slot *s = slots_find(pools[ticket_pool(t)], t);
	assert(s != NULL && s->store_open > 0);
	s->store_open--;
	return s;
}

static void on_read(struct node *n, const struct event *ev, struct effects *fx)
{
	if (ticket_pool(ev->read.ticket) == SLOT_KEY) {
		key_on_read(n, ev, fx);
		return;
	}
	struct slot *s = store_answer(n, ev->read.ticket);
	if (s->ended) return;
	switch (ticket_pool(s->self)) {
	case SLOT_COORD: {
		struct msg_get_reply own = {.err = ev->read.err, .object = ev->read.value};
		struct coord *c = (struct coord *)s;
		own.vouched = partition_vouched(n, c->partition);
		if (own.err == ERR_CORRUPT) suspect_partition(n, c->partition, fx);
		get_on_answer(n, c, n->self_member, &own, fx);
		break;
	}
	case SLOT_REPLICA: replica_on_read(n, (struct replica *)s, ev, fx); break;
	case SLOT_HINT: hint_on_read(n, (struct hint_slot *)s, ev, fx); break;
	default: unreachable();
	}
}

/* Not all that is held may have been counted yet, and of records that an older version wrote the bytes
 * are not known: it ends at nothing. */
static void change(uint64_t *held, int64_t by)
{
	*held = by < 0 && (uint64_t)-by > *held ? 0 : *held + (uint64_t)by;
}

/* The write that was answered: what it changed in the numbers of hints and copies held. What builds on
 * a failed write may count wrongly, so after one the courier counts again. */
static void account(struct node *n, struct slot *s, enum err e)
{
	const struct write *w = s->writes;
	assert(w != NULL);
	s->writes = w->next;
	n->courier.changes += hint_changes(w);
	if (e != ERR_OK) {
		n->counters.store_failures++;
		courier_recount(n);
		if (e == ERR_FULL) n->full_until = instant_after(n->now, STORE_FULL_PAUSE_US);
		return;
	}
	change(&n->counters.hints, w->hints);
	change(&n->counters.stand_ins, w->stand_ins);
	change(&n->counters.hint_bytes, w->hint_bytes);
	change(&n->counters.stand_in_bytes, w->stand_in_bytes);
	if (w->hints > 0) n->counters.hints_kept += (uint64_t)w->hints;
	lag_on_written(n, w);
	if (ticket_pool(s->self) != SLOT_CHORE) n->memory.dirty = true;
}

static void on_written(struct node *n, const struct event *ev, struct effects *fx)
{
	struct slot *s = store_answer(n, ev->written.ticket);
	enum err e = ev->written.err;
	account(n, s, e);
	if (ticket_pool(s->self) == SLOT_CHORE) {
		chore_on_written(n, (struct chore *)s, e, fx);
		return;
	}
	struct key_op *op = key_op_of(n, s->self);
	bool of_key = op->state == KEY_OP_WRITING;
	/* Peers may hold a dot of ours that we do not: what we mint next must not cover it. */
	bool own = of_key && ticket_pool(s->self) == SLOT_COORD;
	if (own && e != ERR_OK) node_draw_actor(n);
	if (of_key) key_on_written(n, op, e, fx);
	if (s->ended) return;
	switch (ticket_pool(s->self)) {
	case SLOT_COORD: put_on_stored(n, (struct coord *)s, e, fx); break;
	case SLOT_REPLICA: merge_on_stored(n, (struct replica *)s, e, fx); break;
	case SLOT_HINT: hint_on_stored(n, (struct hint_slot *)s, e, fx); break;
	default: unreachable();
	}
}

static void on_scanned(struct node *n, const struct event *ev, struct effects *fx)
{
	struct slot *s = store_answer(n, ev->scanned.ticket);
	int64_t bytes = 0;
	for (uint32_t i = 0; i < ev->scanned.count; i++)
		bytes += (int64_t)(ev->scanned.records[i].key.len + ev->scanned.records[i].value.len);
	budget_pay(&n->background, bytes);
	if (s->ended) return;
	switch (ticket_pool(s->self)) {
	case SLOT_COORD: compare_on_scanned(n, (struct coord *)s, ev, fx); break;
	case SLOT_REPLICA: replica_on_scanned(n, (struct replica *)s, ev, fx); break;
	case SLOT_CHORE: chore_on_scanned(n, (struct chore *)s, ev, fx); break;
	default: unreachable();
	}
}

/* An answer to something we asked: find the asker by the ticket. */
static void on_answer(struct node *n, struct node_id from, const struct msg *m, struct effects *fx)
{
	int member = n->formed ? layout_find(&n->layout, from) : -1;
	struct coord *c = ticket_pool(m->id) == SLOT_COORD ? slots_find(&n->coords, m->id) : NULL;
	struct hint_slot *h = ticket_pool(m->id) == SLOT_HINT ? slots_find(&n->hints, m->id) : NULL;
	bool late = (c == NULL || c->slot.ended) && (h == NULL || h->slot.ended);
	if (m->type == MSG_SCAN_REPLY && member >= 0 && m->id.v == n->verify.ask.v && m->id.v != 0) {
		verify_on_page(n, (uint16_t)member, m, fx);
		return;
	}
	if (late || member < 0) {
		n->counters.late_answers++;
		return;
	}
	switch (m->type) {
	case MSG_PUT_ACK:
		if (h != NULL)
			hint_on_ack(n, h, (uint16_t)member, m->put_ack.err, fx);
		else if (c->phase == GET_REPAIRING)
			trace_on_repaired(n, c, (uint16_t)member, m->put_ack.err);
		else
			put_on_ack(n, c, (uint16_t)member, m->put_ack.err, fx);
		break;
	case MSG_GET_REPLY:
		if (c != NULL) get_on_answer(n, c, (uint16_t)member, &m->get_reply, fx);
		break;
	case MSG_FORWARD_REPLY:
		if (c != NULL) forward_on_reply(n, c, (uint16_t)member, m, fx);
		break;
	case MSG_SCAN_REPLY:
		if (c != NULL) compare_on_page(n, c, (uint16_t)member, &m->scan_reply, fx);
		break;
	case MSG_LIST_REPLY:
		if (c != NULL) list_on_page(n, c, (uint16_t)member, &m->list_reply, fx);
		break;
	case MSG_HELD:
		if (c != NULL) props_on_held(n, c, (uint16_t)member, &m->held, fx);
		break;
	default: unreachable();
	}
}

static void on_message(struct node *n, struct node_id from, const struct msg *m, struct effects *fx)
{
	if (from.v == n->self.v) return; /* somebody bears our name; the heartbeat's nonce tells whom */
	struct peer *p = member_heard(n, from, m);
	if (p == NULL) return;
	clock_follow(&n->clock, n->wall, m->hlc);
	switch (m->type) {
	case MSG_HEARTBEAT: member_on_heartbeat(n, p, m, fx); break;
	case MSG_PUT:
	case MSG_GET:
	case MSG_SCAN:
	case MSG_LIST:
	case MSG_HELD_ASK: replica_on_message(n, from, m, fx); break;
	case MSG_FORWARD: coord_on_forward(n, from, m, fx); break;
	case MSG_PUT_ACK:
	case MSG_GET_REPLY:
	case MSG_FORWARD_REPLY:
	case MSG_SCAN_REPLY:
	case MSG_LIST_REPLY:
	case MSG_HELD: on_answer(n, from, m, fx); break;
	case MSG_PROPS_ASK: props_on_ask(n, from, m, fx); break;
	case MSG_PROPS: props_on_page(n, from, m, fx); break;
	case MSG_REAP: reap_on_ask(n, from, m, fx); break;
	case MSG_REAP_DONE: reap_on_done(n, from, m); break;
	case MSG_PROPOSE: form_on_propose(n, from, m, fx); break;
	case MSG_VOTE: form_on_vote(n, from, m, fx); break;
	case MSG_LAYOUT: form_on_layout(n, from, m, fx); break;
	case MSG_TYPE_END: unreachable();
	}
}

/* ---- time ------------------------------------------------------------------------------------------ */

static void on_timer(struct node *n, struct timer *t, struct effects *fx)
{
	struct ticket ticket = t->ticket;
	heap_remove(&n->timers, t);
	switch (ticket_pool(ticket)) {
	case SLOT_COORD: coord_on_timer(n, slots_find(&n->coords, ticket), fx); break;
	case SLOT_HINT: hint_on_timer(n, slots_find(&n->hints, ticket), fx); break;
	case SLOT_REPLICA: replica_on_timer(n, slots_find(&n->replicas, ticket), fx); break;
	case SLOT_CHORE: verify_on_timer(n, slots_find(&n->chores, ticket), fx); break;
	default: unreachable();
	}
}

static void on_tick(struct node *n, struct effects *fx)
{
	struct timer *t;
	while ((t = heap_first(&n->timers)) != NULL && t->at.us <= n->now.us && effects_have_room(fx))
		on_timer(n, t, fx);
	member_tick(n, fx);
	n->background.rate = foreground_rate(&n->foreground, n->now, n->background.rate);
	if (n->phase == NODE_FORMING && n->form_due && effects_have_room(fx)) form_tick(n, fx);
	if (n->phase != NODE_SERVING) return;
	if (effects_have_room(fx)) hint_tick(n, fx);
	if (effects_have_room(fx)) memory_tick(n, fx);
	if (effects_have_room(fx)) reap_tick(n, fx);
	if (effects_have_room(fx)) verify_tick(n, fx);
}

/* Requests in flight look at the peers again after one went down or came up. */
static void sweep(struct node *n, struct effects *fx)
{
	for (; n->sweep_at < n->coords.count && effects_have_room(fx); n->sweep_at++) {
		struct coord *c = slots_at(&n->coords, n->sweep_at);
		if (c != NULL && !c->slot.ended) coord_on_peers_changed(n, c, fx);
	}
	if (n->sweep_at >= n->coords.count) n->sweep_at = UINT32_MAX;
}

struct instant node_deadline(const struct node *n)
{
	if (key_is_ready(n) || n->sweep_at != UINT32_MAX) return n->now;
	if (n->phase == NODE_BOOTING) return INSTANT_NEVER; /* the store's answers drive it */
	struct instant at = n->next_heartbeat;
	const struct timer *t = heap_first(&n->timers);
	if (t != NULL && t->at.us < at.us) at = t->at;
	struct instant courier = courier_deadline(n);
	return courier.us < at.us ? courier : at;
}

static void on_drain(struct node *n, bool on, struct effects *fx)
{
	n->draining = on;
	hint_wake(n);
	courier_go_on(n, fx);
}

void node_step(struct node *n, const struct event *ev, struct effects *fx)
{
	fx->count = 0;
	slots_release_doomed(n);
	n->now = ev->now;
	n->wall = ev->wall;
	n->step_effects = fx;
	member_watch_clock(n);
	member_forgive_own_pause(n);
	switch (ev->type) {
	case EV_TICK: on_tick(n, fx); break;
	case EV_CLIENT_REQUEST: coord_on_request(n, ev, fx); break;
	case EV_CLIENT_COMPARE: compare_begin(n, ev, fx); break;
	case EV_CLIENT_PROPS: props_on_request(n, ev, fx); break;
	case EV_CLIENT_LIST: list_on_request(n, ev, fx); break;
	case EV_CLIENT_LIST_MORE: list_on_more(n, ev, fx); break;
	case EV_PEER_UP: member_on_up(n, ev->peer.node, fx); break;
	case EV_PEER_DOWN: member_on_down(n, ev->peer.node, fx); break;
	case EV_PEER_MESSAGE: on_message(n, ev->message.from, &ev->message.msg, fx); break;
	case EV_STORE_READ: on_read(n, ev, fx); break;
	case EV_STORE_WRITTEN: on_written(n, ev, fx); break;
	case EV_STORE_SCANNED: on_scanned(n, ev, fx); break;
	case EV_DRAIN: on_drain(n, ev->drain.on, fx); break;
	default: unreachable();
	}
	key_run_ready(n, fx);
	sweep(n, fx);
	n->last_step = n->now;
}

/* ---- looking in -------------------------------------------------------------------------------------- */

bool node_cannot_start(const struct node *n)
{
	return n->boot_failed;
}

struct node_id node_self(const struct node *n)
{
	return n->self;
}

bool node_is_ready(const struct node *n)
{
	return n->phase == NODE_SERVING && n->settled && !n->draining;
}

bool node_is_draining(const struct node *n)
{
	return n->draining;
}

bool node_is_idle(const struct node *n)
{
	for (uint32_t i = 0; i < n->coords.count && n->coords.used > 0; i++) {
		const struct coord *c = slots_at(&n->coords, i);
		if (c != NULL && !c->slot.ended) return false;
	}
	return true;
}

const struct layout *node_layout(const struct node *n)
{
	return n->formed ? &n->layout : NULL;
}

bool node_believes_up(const struct node *n, struct node_id id)
{
	const struct peer *p = member_find(n, id);
	return id.v == n->self.v || (p != NULL && p->up);
}

uint64_t node_lag_ms(const struct node *n, struct node_id peer)
{
	int member = n->formed ? layout_find(&n->layout, peer) : -1;
	return member < 0 ? 0 : lag_ms(n, (uint32_t)member);
}

const char *node_trouble(const struct node *n)
{
	if (n->boot_failed) return "this start could not be written to the store: is the disk full?";
	if (n->phase == NODE_BOOTING) return "starting: the store is being read";
	if (n->phase == NODE_FORMING) return form_trouble(n);
	if (!n->settled) return "starting: listening for the other members, and catching up with them";
	if (n->draining) return err_text(ERR_DRAINING);
	if (n->clock_off) return "this node's clock is too far from its peers': it takes no writes";
	if (!n->memory.confirmed)
		return "waiting for other members to confirm that this disk is no old copy";
	if (suspect_count(n) > 0)
		return "some partitions are being verified: a record was damaged, or the disk is an old "
			   "copy";
	return "";
}

void node_metrics(const struct node *n, struct node_metrics *out)
{
	*out = n->counters;
	out->peers_up = 0;
	for (uint32_t i = 0; i < n->peer_count; i++)
		if (n->peers[i].up && n->peers[i].id.v != n->self.v) out->peers_up++;
	hint_metrics(n, out);
	out->background_bytes_per_s = n->background.rate;
	out->foreground_p99_us = n->foreground.p99_us;
	out->draining = n->draining;
	out->actors_drawn = n->clock.actors_drawn;
	out->suspect_partitions = suspect_count(n);
	out->memory_confirmed = n->memory.confirmed;
	reap_metrics(n, out);
	out->coord_slots_used = n->coords.used;
	out->replica_slots_used = n->replicas.used;
	out->keys_in_flight = n->keys.used;
	out->props_buckets = n->props.count;
	out->pool_bytes_used = n->pool.used;
}
