/* hint.c - one delivery of what was not delivered: an extra hint to its node, a stand-in copy to all
 * primaries that have not confirmed it yet.
 *
 *   READING -> SENT --confirmed--> DELETING (extra) or DROPPING (stand-in) -> gone
 *                \--not, or not in time--> gone; the record stays for the lane's next way
 *
 * Always true: a record is deleted only as read, so a newer write's hint is another record; a stand-in
 * copy and its marker go in one batch, in their turn on the key, and only while the copy is still what
 * was delivered. Not here: whose turn it is (courier.c), what the records say (hint_record.c). */
#include "core/core.h"

static void delivery_end(struct node *n, struct hint_slot *h, bool delivered, struct effects *fx)
{
	for (uint32_t i = 0; i < h->target_count; i++)
		if ((h->waiting & 1U << i) != 0) courier_close(n, h->targets[i].member, COURIER_UNTOLD);
	h->waiting = 0;
	slot_end(n, &h->slot);
	courier_delivery_ended(n, h->lane, delivered, fx);
}

/* ---- beginning ------------------------------------------------------------------------------------------- */

/* Whom to send to. LATER: one of them has no room now and soon will. Without a target nothing can be gained
 * now, unless the copy only has to go. */
static enum hint_verdict choose_targets(struct node *n, struct hint_slot *h,
                                        const struct hint_record *r)
{
	struct partition_id p = partition_of(&n->layout, key_hash_of(r->key));
	const uint16_t *primaries = n->layout.primaries + p.v * n->layout.replicas;
	uint8_t of_key = props_n_of(n, r->key);
	for (uint32_t i = 0; i < of_key; i++) {
		bool wanted = r->stand_in ? (r->confirmed & 1U << i) == 0
		                          : n->layout.members[primaries[i]].id.v == r->target.v;
		if (!wanted || primaries[i] == n->self_member) continue;
		enum courier_room room = courier_room(n, primaries[i]);
		if (room == COURIER_LATER && r->stand_in) n->courier.blocked_on = primaries[i];
		if (room == COURIER_LATER || (room == COURIER_AWAY && !r->stand_in)) return HINT_LATER;
		if (room == COURIER_AWAY) continue;
		h->targets[h->target_count] = (struct target){.member = primaries[i], .place = (uint8_t)i};
		quorum_ask(&h->quorum, h->target_count++, true);
	}
	h->confirmed = r->confirmed;
	return HINT_TAKEN;
}

/* More hints of the same target for the same key are one delivery: what is sent is what we hold now. */
static bool join_delivery(struct node *n, struct bytes record, const struct hint_record *r)
{
	struct hint_slot *h = slots_find(&n->hints, n->courier.newest);
	bool ok = true;
	if (h == NULL || h->slot.ended || h->phase != HINT_READING || h->stand_in || r->stand_in)
		return false;
	if (h->record_count == HINT_RECORDS_MAX || h->target.v != r->target.v) return false;
	if (!bytes_equal(h->key, r->key)) return false;
	struct bytes kept = arena_copy(&h->slot.arena, record, &ok);
	if (!ok) return false;
	h->records[h->record_count++] = kept;
	h->record_bytes += kept.len;
	return true;
}

static struct hint_slot *slot_for(struct node *n, uint32_t lane, struct bytes record,
                                  const struct hint_record *r)
{
	struct hint_slot *h = slot_take(n, &n->hints);
	if (h == NULL) return NULL;
	bool ok = true;
	h->lane = lane;
	h->target = r->target;
	h->stand_in = r->stand_in;
	h->op.slot = h->slot.self;
	h->key = arena_copy(&h->slot.arena, r->key, &ok);
	h->records[h->record_count++] = arena_copy(&h->slot.arena, record, &ok);
	h->record_bytes = record.len;
	if (ok) return h;
	slot_end(n, &h->slot);
	return NULL;
}

enum hint_verdict hint_deliver(struct node *n, uint32_t lane, struct bytes record,
                               const struct hint_record *r, struct effects *fx)
{
	if (join_delivery(n, record, r)) return HINT_TAKEN;
	if (n->hints.used == n->hints.count) return HINT_LATER;
	struct hint_slot *h = slot_for(n, lane, record, r);
	if (h == NULL) return HINT_NO_MEMORY;
	struct bytes store_key;
	enum hint_verdict v = choose_targets(n, h, r);
	bool only_goes = r->stand_in && hint_is_delivered(n, r);
	if (v == HINT_TAKEN && !store_key_make(&h->slot.arena, key_hash_of(r->key), h->key, &store_key))
		v = HINT_NO_MEMORY;
	if (v != HINT_TAKEN || (h->target_count == 0 && !only_goes)) {
		slot_end(n, &h->slot);
		return v;
	}
	n->courier.newest = h->slot.self;
	n->courier.lanes[lane].pending++;
	h->estimate = n->courier.mean_bytes;
	for (uint32_t i = 0; i < h->target_count; i++) {
		courier_open(n, h->targets[i].member, h->estimate);
		h->waiting |= 1U << i;
	}
	h->phase = HINT_READING;
	emit_read(fx, &h->slot, STORE_OBJECTS, store_key);
	return HINT_TAKEN;
}

static bool delete_records(struct hint_slot *h, struct effects *fx)
{
	struct write *w = write_new(&h->slot, h->record_count);
	if (w == NULL) return false;
	for (uint32_t i = 0; i < h->record_count; i++)
		write_add(w, STORE_HINTS, h->records[i], BYTES_EMPTY);
	w->hints -= (int32_t)h->record_count;
	w->hint_bytes -= (int64_t)h->record_bytes;
	h->phase = HINT_DELETING;
	emit_write(fx, &h->slot, w);
	return true;
}

enum hint_verdict hint_discard(struct node *n, uint32_t lane, struct bytes record,
                               const struct hint_record *r, struct effects *fx)
{
	assert(!r->stand_in); /* it may be the only copy */
	if (n->hints.used == n->hints.count) return HINT_LATER;
	struct hint_slot *h = slot_for(n, lane, record, r);
	if (h == NULL) return HINT_NO_MEMORY;
	if (!delete_records(h, fx)) {
		slot_end(n, &h->slot);
		return HINT_NO_MEMORY;
	}
	n->courier.lanes[lane].pending++;
	n->counters.hints_dropped++;
	return HINT_TAKEN;
}

/* ---- on its way -------------------------------------------------------------------------------------------- */

/* The record may go: an extra hint at once, a stand-in copy in its turn on the key. */
static void finish(struct node *n, struct hint_slot *h, struct effects *fx)
{
	h->phase = HINT_DROPPING;
	bool begun = h->stand_in ? key_begin(n, &h->op, h->key, fx) : delete_records(h, fx);
	if (!begun) delivery_end(n, h, false, fx);
}

/* Its size is known now: what was paid for it is put right. */
static void pay(struct node *n, struct hint_slot *h)
{
	uint64_t *mean = &n->courier.mean_bytes;
	for (uint32_t i = 0; i < h->target_count; i++)
		courier_correct(n, h->targets[i].member, h->estimate, h->object.len);
	*mean = *mean - *mean / 8 + h->object.len / 8 + 1;
}

static void send(struct node *n, struct hint_slot *h, struct effects *fx)
{
	h->phase = HINT_SENT;
	slot_set_timer(n, &h->slot, instant_after(n->now, HINT_DELIVERY_US));
	for (uint32_t i = 0; i < h->target_count; i++) {
		struct node_id to = n->layout.members[h->targets[i].member].id;
		struct msg *m = emit_msg(n, fx, to, MSG_PUT, h->slot.self);
		m->put.key = h->key;
		m->put.object = h->object;
		m->put.fence = reap_hint_fence(n);
	}
}

void hint_on_read(struct node *n, struct hint_slot *h, const struct event *ev, struct effects *fx)
{
	assert(h->phase == HINT_READING);
	bool ok = ev->read.err == ERR_OK;
	if (ev->read.err == ERR_CORRUPT)
		suspect_partition(n, partition_of(&n->layout, key_hash_of(h->key)), fx);
	if (ok) h->object = arena_copy(&h->slot.arena, ev->read.value, &ok);
	pay(n, h);
	if (ev->read.err ==
	    ERR_NOT_FOUND) /* nothing is left to deliver: the copy went, the record goes after it */
		finish(n, h, fx);
	else if (!ok)
		delivery_end(n, h, false, fx);
	else if (h->target_count == 0)
		finish(n, h, fx);
	else
		send(n, h, fx);
}

/* All targets have answered, or will not. What was newly confirmed is worth a turn on the key: the
 * copy goes, or the marker remembers who has it. */
static void settle(struct node *n, struct hint_slot *h, struct effects *fx)
{
	for (uint32_t i = 0; i < h->target_count; i++)
		if ((h->quorum.ok & 1U << i) != 0) h->confirmed |= (uint8_t)(1U << h->targets[i].place);
	if (quorum_got(&h->quorum) > 0)
		finish(n, h, fx);
	else
		delivery_end(n, h, false, fx);
}

static void close_target(struct node *n, struct hint_slot *h, uint32_t i, bool confirmed)
{
	if ((h->waiting & 1U << i) == 0) return;
	h->waiting &= ~(1U << i);
	courier_close(n, h->targets[i].member, confirmed ? COURIER_CONFIRMED : COURIER_FAILED);
}

void hint_on_ack(struct node *n, struct hint_slot *h, uint16_t member, enum err e,
                 struct effects *fx)
{
	if (h->phase != HINT_SENT) return;
	for (uint32_t i = 0; i < h->target_count; i++) {
		if (h->targets[i].member != member) continue;
		quorum_note(&h->quorum, i, e == ERR_OK);
		close_target(n, h, i, e == ERR_OK);
	}
	if (quorum_open(&h->quorum) > 0) return;
	heap_remove(&n->timers, &h->slot.timer);
	settle(n, h, fx);
}

void hint_on_timer(struct node *n, struct hint_slot *h, struct effects *fx)
{
	assert(h->phase == HINT_SENT);
	for (uint32_t i = 0; i < h->target_count; i++) close_target(n, h, i, false);
	settle(n, h, fx);
}

/* ---- the end -------------------------------------------------------------------------------------------------- */

/* What we forget of our own actor's dots it must not cover later: then another actor takes over. */
static void drop_copy(struct node *n, struct hint_slot *h, struct bytes key, struct write *w,
                      const struct object *held)
{
	if (dvv_names(&held->seen, n->clock.actor)) node_draw_actor(n);
	write_add(w, STORE_OBJECTS, key, BYTES_EMPTY);
	write_add(w, STORE_HINTS, h->records[0], BYTES_EMPTY);
	if (held->sibling_count == 0) return; /* the marker went with the copy already */
	w->stand_ins--;
	w->stand_in_bytes -= (int64_t)h->object.len;
}

/* The copy's turn on its key, if it is still what the primaries confirmed: it and its marker go, or
 * the marker remembers who has it. */
enum key_verdict drop_apply(struct node *n, struct hint_slot *h, const struct key_state *state,
                            struct bytes *object, struct effects *fx)
{
	struct arena *a = &h->slot.arena;
	struct write *w = write_new(&h->slot, 2);
	struct object held;
	struct bytes key, mark;
	if (!bytes_equal(state->object, h->object) || state->damaged || w == NULL ||
	    !store_key_make(a, key_hash_of(h->key), h->key, &key) ||
	    object_decode(a, h->object, &held) != ERR_OK) {
		delivery_end(n, h, false, fx);
		return KEY_ENDED;
	}
	struct hlc at = dvv_greatest(&held.seen).at;
	struct hint_record delivered = {.key = h->key, .confirmed = h->confirmed, .at = at};
	h->dropped = held.sibling_count == 0 || hint_is_delivered(n, &delivered);
	if (h->dropped) {
		drop_copy(n, h, key, w, &held);
	} else if (stand_in_mark(n, a, h->confirmed, at, h->object, &mark)) {
		write_add(w, STORE_HINTS, h->records[0], mark);
	} else {
		delivery_end(n, h, false, fx);
		return KEY_ENDED;
	}
	h->phase = HINT_DELETING;
	emit_write(fx, &h->slot, w);
	*object = h->dropped ? BYTES_EMPTY : h->object;
	return KEY_WRITE;
}

void hint_on_stored(struct node *n, struct hint_slot *h, enum err e, struct effects *fx)
{
	bool done = e == ERR_OK && h->phase == HINT_DELETING;
	if (done && h->stand_in)
		n->counters.stand_ins_delivered += h->dropped;
	else if (done && h->quorum.ok != 0)
		n->counters.hints_delivered += h->record_count;
	/* A copy that stays has got nowhere: its lane need not hurry. */
	delivery_end(n, h, done && (h->dropped || !h->stand_in), fx);
}
