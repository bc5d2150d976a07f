/* hint.c - what was not delivered, and its delivery.
 *
 * Records of the hints family:
 *   'S' key hash, full key               stand-in copy: the object beside it belongs to others. It may
 *                                        be the only copy. The value says which primaries have
 *                                        confirmed that they hold just this state: mask, epoch. It
 *                                        goes when all of them have; past HINT_WINDOW_MS, W are
 *                                        enough.
 *   'E' node id, key hash, full key, dot extra hint: that primary missed the write of that dot (hlc,
 *                                        actor); the object is ours anyway. It goes when the
 *                                        primary confirms.
 *
 * A courier walks over them in rounds:
 *
 *   resting --something is kept--> page asked for --records--> up to HINT_SLOTS_MAX in delivery
 *      ^                               ^                               |
 *      +---end of the family-----------+-------all of the page done----+
 *   one delivery:  READING -> SENT --confirmed--> DELETING (extra) or DROPPING (stand-in) -> gone
 *                               \--not, or not in time--> gone; the record stays for the next round
 *
 * Always true: a record is deleted only as read, so a newer write's hint is another record; a stand-in
 * copy and its marker come and go in one batch, in their turn on the key, and they go only while the
 * copy is still what was delivered. */
#include "core/core.h"

/* ---- records ----------------------------------------------------------------------------------------- */

bool extra_hint_key(struct arena *a, struct node_id target, struct bytes full_key, struct dot dot,
                    struct bytes *out)
{
	uint8_t *to = arena_take(a, 17 + full_key.len + 16);
	if (to == NULL) return false;
	to[0] = HINT_EXTRA;
	put_u64be(to + 1, target.v);
	put_u64be(to + 9, key_hash_of(full_key).v);
	memcpy(to + 17, full_key.data, full_key.len);
	put_u64be(to + 17 + full_key.len, dot.at.v);
	put_u64be(to + 25 + full_key.len, dot.actor.v);
	*out = bytes_of(to, 33 + full_key.len);
	return true;
}

static bool stand_in_key(struct arena *a, struct bytes full_key, struct bytes *out)
{
	uint8_t *to = arena_take(a, 9 + full_key.len);
	if (to == NULL) return false;
	to[0] = HINT_STAND_IN;
	put_u64be(to + 1, key_hash_of(full_key).v);
	memcpy(to + 9, full_key.data, full_key.len);
	*out = bytes_of(to, 9 + full_key.len);
	return true;
}

bool add_stand_in_marker(struct node *n, struct slot *s, struct bytes full_key, bool existed,
                         struct write *w)
{
	struct bytes key;
	if (!stand_in_key(&s->arena, full_key, &key)) return false;
	write_add(w, STORE_HINTS, key, WRITE_MARK); /* a new state: nobody has confirmed it */
	if (existed) return true;
	w->stand_ins++;
	n->counters.stand_ins_taken++;
	return true;
}

bool remove_stand_in_marker(struct slot *s, struct bytes full_key, struct write *w)
{
	struct bytes key;
	if (!stand_in_key(&s->arena, full_key, &key)) return false;
	write_add(w, STORE_HINTS, key, BYTES_EMPTY);
	w->stand_ins--;
	return true;
}

struct hint_record {
	bool stand_in;
	struct node_id target; /* extra */
	struct hlc at;
	uint8_t confirmed; /* stand-in: places */
	struct bytes key;  /* full */
};

/* The value of a stand-in marker: the places that confirmed, under that epoch's primaries, and the
 * age of what they confirmed. */
enum { CONFIRMED_BYTES = 17 };

static void write_confirmed(const struct node *n, const struct hint_slot *h, struct hlc at,
                            uint8_t to[CONFIRMED_BYTES])
{
	to[0] = h->confirmed;
	put_u64be(to + 1, n->layout.epoch.v);
	put_u64be(to + 9, at.v);
}

static void read_confirmed(const struct node *n, struct bytes value, struct hint_record *r)
{
	if (value.len != CONFIRMED_BYTES || get_u64be(value.data + 1) != n->layout.epoch.v) return;
	r->confirmed = value.data[0];
	r->at.v = get_u64be(value.data + 9);
}

/* May a stand-in copy go? All primaries hold it; or it is old, and W of them do. */
static bool is_delivered(const struct node *n, const struct hint_record *r)
{
	uint32_t of_key = props_n_of(n, r->key), got = (uint32_t)__builtin_popcount(r->confirmed);
	bool old = r->at.v != 0 && hlc_ms(r->at) + HINT_WINDOW_MS < n->wall.ms;
	return got >= of_key || (old && got >= of_key / 2U + 1);
}

static bool parse(struct bytes record, struct hint_record *out)
{
	struct bytes type, bucket, name;
	*out = (struct hint_record){0};
	if (record.len > 9 && record.data[0] == HINT_STAND_IN) {
		out->stand_in = true;
		out->key = bytes_of(record.data + 9, record.len - 9);
	} else if (record.len > 33 && record.data[0] == HINT_EXTRA) {
		out->target.v = get_u64be(record.data + 1);
		out->key = bytes_of(record.data + 17, record.len - 33);
		out->at.v = get_u64be(record.data + record.len - 16);
	} else {
		return false;
	}
	return full_key_split(out->key, &type, &bucket, &name);
}

bool hint_count_page(struct node *n, struct chore *ch, const struct event *ev, struct effects *fx)
{
	struct hint_record r;
	for (uint32_t i = 0; i < ev->scanned.count; i++) {
		if (!parse(ev->scanned.records[i].key, &r)) continue;
		if (r.stand_in)
			n->counters.stand_ins++;
		else
			n->counters.hints++;
	}
	if (ev->scanned.done || ev->scanned.err != ERR_OK || ev->scanned.count == 0) return true;
	bool ok = true;
	arena_free(&ch->slot.arena);
	struct bytes last = ev->scanned.records[ev->scanned.count - 1].key;
	struct bytes after = arena_copy(&ch->slot.arena, last, &ok);
	if (!ok) return true;
	emit_scan(fx, &ch->slot, STORE_HINTS, after, BYTES_EMPTY, UINT32_MAX, HINT_PAGE_BYTES);
	return false;
}

/* ---- the courier's rounds ------------------------------------------------------------------------------ */

void hint_wake(struct node *n)
{
	n->courier.next = n->now;
	n->courier.pause_us = HINT_PERIOD_US;
}

/* A whole round in which nothing was written has counted what is held. */
static void count_again(struct node *n)
{
	struct courier *c = &n->courier;
	if (!c->uncertain || !c->whole || c->changes != c->changes_at_start) return;
	n->counters.hints = c->seen_hints;
	n->counters.stand_ins = c->seen_stand_ins;
	c->uncertain = false;
}

static void rest(struct node *n)
{
	struct courier *c = &n->courier;
	if (c->running && c->page_done) count_again(n);
	uint64_t longer = c->pause_us * 2 > HINT_PERIOD_US_MAX ? HINT_PERIOD_US_MAX : c->pause_us * 2;
	c->pause_us = c->delivered > 0 || c->pause_us == 0 ? HINT_PERIOD_US : longer;
	c->running = false;
	c->next = instant_after(n->now, c->pause_us);
	arena_free(&c->arena);
	c->after = BYTES_EMPTY;
}

static void ask_page(struct node *n, struct effects *fx)
{
	struct courier *c = &n->courier;
	struct chore *ch = chore_take(n, CHORE_HINT_PAGE);
	bool ok = true;
	struct bytes after = BYTES_EMPTY;
	if (ch != NULL) after = arena_copy(&ch->slot.arena, c->after, &ok);
	if (ch == NULL || !ok) {
		if (ch != NULL) slot_end(n, &ch->slot);
		rest(n);
		return;
	}
	emit_scan(fx, &ch->slot, STORE_HINTS, after, BYTES_EMPTY, HINT_SLOTS_MAX, HINT_PAGE_BYTES);
}

void hint_tick(struct node *n, struct effects *fx)
{
	struct courier *c = &n->courier;
	if (c->running || n->now.us < c->next.us) return;
	if (n->counters.hints == 0 && n->counters.stand_ins == 0 && !c->uncertain) {
		c->next = instant_after(n->now, HINT_PERIOD_US);
		return;
	}
	c->running = c->whole = true;
	c->delivered = 0;
	c->seen_hints = c->seen_stand_ins = 0;
	c->changes_at_start = c->changes;
	ask_page(n, fx);
}

/* The page's deliveries have all ended: the next page, or the end of the round. */
static void page_ended(struct node *n, struct effects *fx)
{
	assert(n->courier.in_flight == 0);
	if (n->courier.page_done)
		rest(n);
	else
		ask_page(n, fx);
}

static void delivery_end(struct node *n, struct hint_slot *h, struct effects *fx)
{
	slot_end(n, &h->slot);
	assert(n->courier.in_flight > 0);
	if (--n->courier.in_flight == 0 && !n->courier.in_page) page_ended(n, fx);
}

/* ---- beginning a delivery -------------------------------------------------------------------------------- */

/* Whom to send to; false if nothing can be gained now. */
static bool choose_targets(struct node *n, struct hint_slot *h, const struct hint_record *r)
{
	struct partition_id p = partition_of(&n->layout, key_hash_of(r->key));
	const uint16_t *primaries = n->layout.primaries + p.v * n->layout.replicas;
	uint8_t of_key = props_n_of(n, r->key);
	for (uint32_t i = 0; i < of_key; i++) {
		bool wanted = r->stand_in ? (r->confirmed & 1U << i) == 0
		                          : n->layout.members[primaries[i]].id.v == r->target.v;
		if (!wanted || primaries[i] == n->self_member) continue;
		if (!member_set_has(&n->up, primaries[i])) continue;
		h->targets[h->target_count] = (struct target){.member = primaries[i], .place = (uint8_t)i};
		quorum_ask(&h->quorum, h->target_count++, true);
	}
	h->confirmed = r->confirmed;
	if (r->stand_in && is_delivered(n, r)) return true; /* it only has to go */
	return h->target_count > 0;
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
	if (ok) h->records[h->record_count++] = kept;
	return ok;
}

static bool begin(struct node *n, struct bytes record, const struct hint_record *r,
                  struct effects *fx)
{
	if (join_delivery(n, record, r)) return true;
	struct hint_slot *h = slot_take(n, &n->hints);
	if (h == NULL) return false;
	bool ok = true;
	n->courier.newest = h->slot.self;
	h->target = r->target;
	struct bytes store_key;
	h->stand_in = r->stand_in;
	h->op.slot = h->slot.self;
	h->key = arena_copy(&h->slot.arena, r->key, &ok);
	h->records[h->record_count++] = arena_copy(&h->slot.arena, record, &ok);
	if (!ok || !choose_targets(n, h, r) ||
	    !store_key_make(&h->slot.arena, key_hash_of(r->key), h->key, &store_key)) {
		slot_end(n, &h->slot);
		return ok;
	}
	n->courier.in_flight++;
	h->phase = HINT_READING;
	emit_read(fx, &h->slot, STORE_OBJECTS, store_key);
	return true;
}

static bool delete_records(struct hint_slot *h, struct effects *fx)
{
	struct write *w = write_new(&h->slot, h->record_count);
	if (w == NULL) return false;
	for (uint32_t i = 0; i < h->record_count; i++)
		write_add(w, STORE_HINTS, h->records[i], BYTES_EMPTY);
	w->hints -= (int32_t)h->record_count;
	h->phase = HINT_DELETING;
	emit_write(fx, &h->slot, w);
	return true;
}

/* Nobody needs this record any more (its time is over, or its target is no member). */
static void discard(struct node *n, struct bytes record, struct effects *fx)
{
	struct hint_slot *h = slot_take(n, &n->hints);
	if (h == NULL) return;
	bool ok = true;
	h->records[h->record_count++] = arena_copy(&h->slot.arena, record, &ok);
	if (!ok || !delete_records(h, fx)) {
		slot_end(n, &h->slot);
		return;
	}
	n->courier.in_flight++;
	n->counters.hints_dropped++;
}

static bool is_over(const struct node *n, const struct hint_record *r)
{
	return hlc_ms(r->at) + HINT_WINDOW_MS < n->wall.ms || layout_find(&n->layout, r->target) < 0;
}

/* Records of one target that is down are passed over in one jump, to the next target's. */
static bool jump_over_target(struct node *n, const struct hint_record *r)
{
	int member = r->stand_in ? -1 : layout_find(&n->layout, r->target);
	if (member < 0 || member_set_has(&n->up, (uint32_t)member)) return false;
	uint8_t next[9] = {HINT_EXTRA};
	bool ok = true;
	if (r->target.v == UINT64_MAX) return false;
	put_u64be(next + 1, r->target.v + 1);
	arena_free(&n->courier.arena);
	n->courier.after = arena_copy(&n->courier.arena, bytes_of(next, sizeof next), &ok);
	n->courier.page_done = !ok;
	n->courier.whole = false;
	return true;
}

static void begin_page(struct node *n, const struct event *ev, struct effects *fx)
{
	struct courier *c = &n->courier;
	for (uint32_t i = 0; i < ev->scanned.count; i++) {
		struct bytes record = ev->scanned.records[i].key;
		struct hint_record r;
		bool ok = true;
		if (!effects_have_room(fx)) {
			c->page_done = false;
			return;
		}
		if (parse(record, &r)) {
			if (r.stand_in) read_confirmed(n, ev->scanned.records[i].value, &r);
			if (!r.stand_in && is_over(n, &r))
				discard(n, record, fx);
			else if (jump_over_target(n, &r))
				return;
			else if (!begin(n, record, &r, fx)) {
				c->page_done = false;
				return;
			}
		}
		if (r.stand_in)
			c->seen_stand_ins++;
		else
			c->seen_hints++;
		arena_free(&c->arena);
		c->after = arena_copy(&c->arena, record, &ok);
		if (!ok) c->page_done = true, c->whole = false;
	}
}

void hint_on_page(struct node *n, const struct event *ev, struct effects *fx)
{
	struct courier *c = &n->courier;
	assert(c->running && c->in_flight == 0);
	c->page_done = ev->scanned.done || ev->scanned.count == 0 || ev->scanned.err != ERR_OK;
	if (ev->scanned.err != ERR_OK) c->whole = false;
	c->in_page = true;
	begin_page(n, ev, fx);
	c->in_page = false;
	if (c->in_flight == 0) page_ended(n, fx);
}

/* ---- a delivery ---------------------------------------------------------------------------------------------- */

/* The record may go: an extra hint at once, a stand-in copy in its turn on the key. */
static void finish(struct node *n, struct hint_slot *h, struct effects *fx)
{
	h->phase = HINT_DROPPING;
	bool begun = h->stand_in ? key_begin(n, &h->op, h->key, fx) : delete_records(h, fx);
	if (!begun) delivery_end(n, h, fx);
}

void hint_on_read(struct node *n, struct hint_slot *h, const struct event *ev, struct effects *fx)
{
	assert(h->phase == HINT_READING);
	bool ok = ev->read.err == ERR_OK;
	if (ev->read.err == ERR_NOT_FOUND) {
		/* Nothing is left to deliver: the copy went, and the record goes after it. */
		finish(n, h, fx);
		return;
	}
	if (ev->read.err == ERR_CORRUPT)
		verify_suspect(n, partition_of(&n->layout, key_hash_of(h->key)), fx);
	if (ok) h->object = arena_copy(&h->slot.arena, ev->read.value, &ok);
	if (!ok) {
		delivery_end(n, h, fx);
		return;
	}
	if (h->target_count == 0) {
		finish(n, h, fx);
		return;
	}
	h->phase = HINT_SENT;
	slot_set_timer(n, &h->slot, instant_after(n->now, HINT_DELIVERY_US));
	for (uint32_t i = 0; i < h->target_count; i++) {
		struct node_id to = n->layout.members[h->targets[i].member].id;
		struct msg *m = emit_msg(n, fx, to, MSG_PUT, h->slot.self);
		m->put.key = h->key;
		m->put.object = h->object;
	}
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
		delivery_end(n, h, fx);
}

void hint_on_ack(struct node *n, struct hint_slot *h, uint16_t member, enum err e,
                 struct effects *fx)
{
	if (h->phase != HINT_SENT) return;
	for (uint32_t i = 0; i < h->target_count; i++)
		if (h->targets[i].member == member) quorum_note(&h->quorum, i, e == ERR_OK);
	if (quorum_open(&h->quorum) > 0) return;
	heap_remove(&n->timers, &h->slot.timer);
	settle(n, h, fx);
}

void hint_on_timer(struct node *n, struct hint_slot *h, struct effects *fx)
{
	assert(h->phase == HINT_SENT);
	settle(n, h, fx);
}

/* What we forget of our own actor's dots it must not cover later: then another actor takes over. */
static void drop_copy(struct node *n, struct hint_slot *h, struct bytes key, struct write *w,
                      const struct object *held)
{
	if (dvv_names(&held->seen, n->clock.actor)) node_draw_actor(n);
	write_add(w, STORE_OBJECTS, key, BYTES_EMPTY);
	write_add(w, STORE_HINTS, h->records[0], BYTES_EMPTY);
	if (held->sibling_count > 0) w->stand_ins--; /* else the marker went with the copy already */
}

/* The copy's turn on its key, if it is still what the primaries confirmed: it and its marker go, or
 * the marker remembers who has it. */
enum key_verdict drop_apply(struct node *n, struct hint_slot *h, const struct key_state *state,
                            struct bytes *object, struct effects *fx)
{
	struct arena *a = &h->slot.arena;
	struct write *w = write_new(&h->slot, 2);
	uint8_t *confirmed = arena_take(a, CONFIRMED_BYTES);
	struct object held;
	struct bytes key;
	if (!bytes_equal(state->object, h->object) || state->damaged || w == NULL ||
	    confirmed == NULL || !store_key_make(a, key_hash_of(h->key), h->key, &key) ||
	    object_decode(a, h->object, &held) != ERR_OK) {
		delivery_end(n, h, fx);
		return KEY_ENDED;
	}
	struct hlc at = dvv_greatest(&held.seen).at;
	struct hint_record delivered = {.key = h->key, .confirmed = h->confirmed, .at = at};
	h->dropped = held.sibling_count == 0 || is_delivered(n, &delivered);
	if (h->dropped) {
		drop_copy(n, h, key, w, &held);
	} else {
		write_confirmed(n, h, at, confirmed);
		write_add(w, STORE_HINTS, h->records[0], bytes_of(confirmed, CONFIRMED_BYTES));
	}
	h->phase = HINT_DELETING;
	emit_write(fx, &h->slot, w);
	*object = h->dropped ? BYTES_EMPTY : h->object;
	return KEY_WRITE;
}

void hint_on_stored(struct node *n, struct hint_slot *h, enum err e, struct effects *fx)
{
	if (e == ERR_OK && h->phase == HINT_DELETING) {
		if (h->stand_in)
			n->counters.stand_ins_delivered += h->dropped;
		else if (h->quorum.ok != 0)
			n->counters.hints_delivered += h->record_count;
		n->courier.delivered++;
	}
	delivery_end(n, h, fx);
}
