/* replica.c - what a node does for its peers: read an object, merge one, page through a partition.
 *
 *   MSG_GET   read -> answer                 MSG_SCAN   scan -> answer
 *   MSG_PUT   turn on the key -> merge -> written -> ack; nothing new: ack once what is there is durable
 *
 * Always true: an ack of ERR_OK is sent only in the step that learns that the object is durable here.
 * A node that is no primary of the key stores it as a stand-in copy, with a marker beside it. */
#include "core/core.h"

static void answer_put(struct node *n, struct replica *r, enum err e, struct effects *fx)
{
	if (r->from.v != 0 && r->id.v != 0)
		emit_msg(n, fx, r->from, MSG_PUT_ACK, r->id)->put_ack.err = e;
}

static void end(struct node *n, struct replica *r, enum err e, struct effects *fx)
{
	bool verifying = r->verifying;
	slot_end(n, &r->slot);
	if (verifying) verify_on_step_done(n, e == ERR_OK, fx);
}

/* A page waits for the byte budget. True: its timer will tell. */
bool replica_must_wait(struct node *n, struct replica *r)
{
	struct instant at = budget_ready(&n->background, n->now);
	if (at.us <= n->now.us) return false;
	n->counters.background_waits++;
	slot_set_timer(n, &r->slot, at);
	return true;
}

/* ---- questions -------------------------------------------------------------------------------------- */

static void refuse(struct node *n, struct node_id from, const struct msg *m, enum err e,
                   struct effects *fx)
{
	if (m->id.v == 0) return;
	switch (m->type) {
	case MSG_PUT: emit_msg(n, fx, from, MSG_PUT_ACK, m->id)->put_ack.err = e; break;
	case MSG_GET: emit_msg(n, fx, from, MSG_GET_REPLY, m->id)->get_reply.err = e; break;
	case MSG_SCAN: emit_msg(n, fx, from, MSG_SCAN_REPLY, m->id)->scan_reply.err = e; break;
	case MSG_LIST: {
		struct msg_list_reply *r = &emit_msg(n, fx, from, MSG_LIST_REPLY, m->id)->list_reply;
		*r = (struct msg_list_reply){.err = e, .partition = m->list.partition};
		break;
	}
	case MSG_HELD_ASK: emit_msg(n, fx, from, MSG_HELD, m->id)->held.err = e; break;
	default: unreachable();
	}
}

static enum err begin_read(struct replica *r, struct bytes full_key, struct effects *fx)
{
	struct bytes key;
	if (!store_key_make(&r->slot.arena, key_hash_of(full_key), full_key, &key)) return ERR_BUSY;
	r->key = store_key_full(key);
	emit_read(fx, &r->slot, STORE_OBJECTS, key);
	return ERR_OK;
}

static enum err begin_merge(struct node *n, struct replica *r, struct bytes key,
                            struct bytes object, struct effects *fx)
{
	bool ok = true;
	r->key = arena_copy(&r->slot.arena, key, &ok);
	r->incoming = arena_copy(&r->slot.arena, object, &ok);
	r->op.slot = r->slot.self;
	return ok && key_begin(n, &r->op, r->key, fx) ? ERR_OK : ERR_BUSY;
}

static enum err begin_page(struct node *n, struct replica *r, struct effects *fx)
{
	if (replica_must_wait(n, r)) return ERR_OK;
	return scan_begin(n, &r->slot, r->partition, r->after, fx) ? ERR_OK : ERR_BUSY;
}

static enum err begin_scan(struct node *n, struct replica *r, const struct msg_scan *m,
                           struct effects *fx)
{
	bool ok = true;
	r->kind = REPLICA_SCAN;
	r->partition = m->partition;
	r->scan = *m;
	if (r->partition.v >= n->layout.partitions) return ERR_BAD_BYTES;
	r->scan.after = r->after = arena_copy(&r->slot.arena, m->after, &ok);
	return ok ? begin_page(n, r, fx) : ERR_BUSY;
}

static enum err begin(struct node *n, struct replica *r, const struct msg *m, struct effects *fx)
{
	switch (m->type) {
	case MSG_GET:
		r->kind = REPLICA_READ;
		n->counters.replica_gets++;
		r->partition = partition_of(&n->layout, key_hash_of(m->get.key));
		r->whole = m->get.whole;
		return begin_read(r, m->get.key, fx);
	case MSG_PUT:
		r->kind = REPLICA_MERGE;
		n->counters.replica_puts++;
		return begin_merge(n, r, m->put.key, m->put.object, fx);
	case MSG_SCAN: return begin_scan(n, r, &m->scan, fx);
	case MSG_LIST:
	case MSG_HELD_ASK: return browse_begin(n, r, m, fx);
	default: unreachable();
	}
}

void replica_on_message(struct node *n, struct node_id from, const struct msg *m,
                        struct effects *fx)
{
	if (m->type == MSG_HELD_ASK && m->held_ask.open) {
		props_open(n, m->held_ask.prefix);
		return;
	}
	enum err e = !n->formed                          ? ERR_NOT_READY
	             : m->epoch.v != n->layout.epoch.v   ? ERR_OLD_EPOCH
	             : layout_find(&n->layout, from) < 0 ? ERR_NOT_MEMBER
	                                                 : ERR_OK;
	if (e == ERR_OK && m->type == MSG_PUT && reap_is_late(n, m->put.fence)) {
		n->counters.writes_too_late++;
		e = ERR_LATE; /* who sent it has forgotten it, or promised since and sends it again */
	}
	if (e == ERR_OK && m->type == MSG_SCAN && m->scan.round.v != 0 &&
	    !reap_may_be_matched(n, m->scan.round))
		e = ERR_BUSY;
	struct replica *r = e == ERR_OK ? slot_take(n, &n->replicas) : NULL;
	if (e == ERR_OK && r == NULL) e = ERR_BUSY;
	if (r != NULL) {
		r->from = from;
		r->id = m->id;
		e = begin(n, r, m, fx);
		if (e != ERR_OK) slot_end(n, &r->slot);
	}
	if (e != ERR_OK) refuse(n, from, m, e, fx);
}

void replica_on_timer(struct node *n, struct replica *r, struct effects *fx)
{
	if (r->kind != REPLICA_SCAN) {
		browse_on_timer(n, r, fx);
		return;
	}
	enum err e = begin_page(n, r, fx);
	if (e == ERR_OK) return;
	emit_msg(n, fx, r->from, MSG_SCAN_REPLY, r->id)->scan_reply.err = e;
	slot_end(n, &r->slot);
}

bool replica_merge_own(struct node *n, struct bytes key, struct bytes object, bool complete,
                       bool verifying, struct effects *fx)
{
	struct replica *r = slot_take(n, &n->replicas);
	if (r == NULL) return false;
	r->kind = REPLICA_MERGE;
	r->complete = complete;
	r->verifying = verifying;
	bool begun = begin_merge(n, r, key, object, fx) == ERR_OK;
	if (!begun) slot_end(n, &r->slot); /* not `end`: it was not counted */
	return begun;
}

bool replica_reap_own(struct node *n, struct bytes key, bool forget, struct effects *fx)
{
	struct replica *r = slot_take(n, &n->replicas);
	if (r == NULL) return false;
	r->kind = REPLICA_REAP;
	r->verifying = true;
	r->complete = forget;
	bool begun = begin_merge(n, r, key, BYTES_EMPTY, fx) == ERR_OK;
	if (!begun) slot_end(n, &r->slot);
	return begun;
}

bool replica_purge_own(struct node *n, struct bytes key, struct effects *fx)
{
	struct replica *r = slot_take(n, &n->replicas);
	if (r == NULL) return false;
	r->kind = REPLICA_PURGE;
	r->verifying = true;
	bool begun = begin_merge(n, r, key, BYTES_EMPTY, fx) == ERR_OK;
	if (!begun) slot_end(n, &r->slot);
	return begun;
}

/* ---- merging ------------------------------------------------------------------------------------------ */

static bool is_stand_in(const struct node *n, struct bytes full_key)
{
	struct partition_id p = partition_of(&n->layout, key_hash_of(full_key));
	return !ring_is_primary(&n->layout, p, props_n_of(n, full_key), n->self_member);
}

/* A node that has no room to stand in refuses, and the coordinator goes on to the next. */
static enum err write_merged(struct node *n, struct replica *r, const struct key_state *state,
                             struct bytes object, struct hlc newest, struct effects *fx)
{
	struct write *w = write_new(&r->slot, 2);
	struct bytes key;
	if (w == NULL || !store_key_make(&r->slot.arena, key_hash_of(r->key), r->key, &key))
		return ERR_BUSY;
	write_add(w, STORE_OBJECTS, key, object);
	struct stand_in x = {r->key, state->object, object, newest, state->damaged};
	enum err e = is_stand_in(n, r->key) ? stand_in_add(n, &r->slot, &x, w) : ERR_OK;
	if (e == ERR_OK) emit_write(fx, &r->slot, w);
	return e;
}

/* Does what we hold of the key count as having seen everything up to the horizon? */
static bool may_assume_horizon(const struct node *n, const struct replica *r)
{
	struct partition_id p = partition_of(&n->layout, key_hash_of(r->key));
	return !is_stand_in(n, r->key) && partition_vouched(n, p);
}

/* Who vouches has seen everything up to the horizon: what it does not hold of that is gone for good. Of what
 * comes, and, where a replica that vouches sent all that it holds of the key, of our own. */
static bool forget_covered(struct node *n, struct replica *r, struct object *ours,
                           struct object *theirs)
{
	struct arena *a = &r->slot.arena;
	struct hlc h = n->reap.horizon;
	if (h.v == 0 || is_stand_in(n, r->key)) return true;
	if (may_assume_horizon(n, r)) return object_without_covered(a, theirs, ours, h, theirs);
	return !r->complete || object_without_covered(a, ours, theirs, h, ours);
}

/* What our state becomes, and its newest dot. ERR_OK with *changed false: it holds the incoming object
 * already. */
static enum err merge(struct node *n, struct replica *r, const struct key_state *state,
                      struct bytes *result, struct hlc *newest, bool *changed)
{
	struct arena *a = &r->slot.arena;
	struct object ours, theirs, merged;
	enum err e = object_decode(a, r->incoming, &theirs);
	if (e == ERR_OK && theirs.sibling_count == 0) e = ERR_BAD_BYTES;
	if (e != ERR_OK) return e;
	*newest = dvv_greatest(&theirs.seen).at;
	n->reap.mortal |= object_is_mortal(&theirs);
	e = object_decode(a, state->object, &ours);
	if (e != ERR_OK) return e == ERR_BAD_BYTES ? ERR_CORRUPT : e;
	struct object held = ours;
	if (!forget_covered(n, r, &ours, &theirs)) return ERR_BUSY;
	*changed = false;
	if (theirs.sibling_count == 0 && ours.sibling_count == held.sibling_count) return ERR_OK;
	if (!object_merge(a, &ours, &theirs, &merged)) return ERR_BUSY;
	bool mult = props_keep_siblings(props_of(n, r->key));
	if (!mult) n->counters.siblings_dropped_lww += object_keep_newest(&merged);
	*newest = dvv_greatest(&merged.seen).at;
	struct hlc seen_to = may_assume_horizon(n, r) ? n->reap.horizon : (struct hlc){0};
	*changed = !object_same_siblings(&merged, &held) ||
	           !dvv_includes_above(&ours.seen, &theirs.seen, seen_to);
	return object_encode(a, &merged, result) ? ERR_OK : ERR_BUSY;
}

static enum key_verdict purge_apply(struct node *n, struct replica *r,
                                    const struct key_state *state, struct bytes *object,
                                    struct effects *fx)
{
	struct write *w = write_new(&r->slot, 2);
	struct bytes key;
	if (!state->damaged || w == NULL ||
	    !store_key_make(&r->slot.arena, key_hash_of(r->key), r->key, &key) ||
	    (is_stand_in(n, r->key) && !stand_in_remove(n, &r->slot, r->key, w))) {
		end(n, r, ERR_OK, fx);
		return KEY_ENDED;
	}
	write_add(w, STORE_OBJECTS, key, BYTES_EMPTY);
	n->counters.corrupt_purged++;
	emit_write(fx, &r->slot, w);
	*object = BYTES_EMPTY;
	return KEY_WRITE;
}

/* What stays of our object when what is dead goes, and, to forget, all else up to the horizon. */
static bool make_reaped(struct node *n, struct replica *r, const struct object *ours,
                        struct object *rest)
{
	struct arena *a = &r->slot.arena;
	static const struct object none = {0};
	struct hlc h = n->reap.horizon;
	if (r->complete) return object_without_covered(a, ours, &none, h, rest);
	return object_reap(a, ours, h, rest);
}

static enum key_verdict reap_apply(struct node *n, struct replica *r, const struct key_state *state,
                                   struct bytes *object, struct effects *fx)
{
	struct object ours, rest;
	struct arena *a = &r->slot.arena;
	struct write *w = write_new(&r->slot, 1);
	struct bytes key;
	bool done = w != NULL && state->object.len > 0 && !is_stand_in(n, r->key) &&
	            store_key_make(a, key_hash_of(r->key), r->key, &key) &&
	            object_decode(a, state->object, &ours) == ERR_OK &&
	            make_reaped(n, r, &ours, &rest) && rest.sibling_count < ours.sibling_count;
	*object = BYTES_EMPTY;
	if (!done || (rest.sibling_count > 0 && !object_encode(a, &rest, object))) {
		end(n, r, w == NULL ? ERR_BUSY : ERR_OK, fx);
		return KEY_ENDED;
	}
	n->counters.reaped++;
	write_add(w, STORE_OBJECTS, key, *object);
	emit_write(fx, &r->slot, w);
	return KEY_WRITE;
}

enum key_verdict merge_apply(struct node *n, struct replica *r, const struct key_state *state,
                             struct bytes *object, struct effects *fx)
{
	if (r->kind == REPLICA_REAP) return reap_apply(n, r, state, object, fx);
	if (r->kind == REPLICA_PURGE) return purge_apply(n, r, state, object, fx);
	bool changed = false;
	struct hlc newest = {0};
	enum err e = merge(n, r, state, object, &newest, &changed);
	if (e == ERR_OK && !changed) {
		n->counters.replica_puts_unchanged++;
		return KEY_UNCHANGED;
	}
	if (e == ERR_OK) e = write_merged(n, r, state, *object, newest, fx);
	if (e == ERR_OK) return KEY_WRITE;
	answer_put(n, r, e, fx);
	end(n, r, e, fx);
	return KEY_ENDED;
}

void merge_on_stored(struct node *n, struct replica *r, enum err e, struct effects *fx)
{
	assert(r->kind == REPLICA_MERGE || r->kind == REPLICA_REAP || r->kind == REPLICA_PURGE);
	answer_put(n, r, e, fx);
	end(n, r, e, fx);
}

/* ---- reading and scanning ------------------------------------------------------------------------------- */

/* The digest of a large object instead of it. */
static enum err summarize(struct node *n, struct arena *a, struct bytes key, struct bytes value,
                          struct msg_get_reply *out)
{
	struct object o;
	enum err e = object_decode(a, value, &o);
	if (e != ERR_OK) return e == ERR_BUSY ? e : ERR_CORRUPT;
	if (!object_digest(a, n->layout.secret, key, &o, out->digest)) return ERR_BUSY;
	struct packer p = {0};
	dvv_pack(&p, &o.seen);
	p = (struct packer){.to = arena_take(a, p.len), .capacity = p.len};
	if (p.to == NULL) return ERR_BUSY;
	dvv_pack(&p, &o.seen);
	out->seen = bytes_of(p.to, p.len);
	return ERR_OK;
}

void replica_on_read(struct node *n, struct replica *r, const struct event *ev, struct effects *fx)
{
	assert(r->kind == REPLICA_READ);
	bool ok = true;
	struct msg_get_reply answer = {.err = ev->read.err};
	bool whole = r->whole || ev->read.value.len <= n->config.read_whole_bytes;
	if (answer.err == ERR_OK && whole)
		answer.object = arena_copy(&r->slot.arena, ev->read.value, &ok);
	else if (answer.err == ERR_OK)
		answer.err = summarize(n, &r->slot.arena, r->key, ev->read.value, &answer);
	if (!ok) answer.err = ERR_BUSY;
	if (answer.err == ERR_CORRUPT) suspect_partition(n, r->partition, fx);
	answer.vouched = partition_vouched(n, r->partition);
	emit_msg(n, fx, r->from, MSG_GET_REPLY, r->id)->get_reply = answer;
	slot_end(n, &r->slot);
}

void replica_on_scanned(struct node *n, struct replica *r, const struct event *ev,
                        struct effects *fx)
{
	if (r->kind != REPLICA_SCAN) {
		browse_on_scanned(n, r, ev, fx);
		return;
	}
	struct msg_scan_reply page;
	r->scan.horizon = hlc_max(r->scan.horizon, n->reap.horizon);
	if (!scan_page(n, &r->slot.arena, ev, &r->scan, &page))
		page = (struct msg_scan_reply){.err = ERR_BUSY};
	page.vouched = partition_vouched(n, r->partition);
	for (uint32_t i = 0; i < page.count; i++)
		if (page.entries[i].damaged) suspect_partition(n, r->partition, fx);
	emit_msg(n, fx, r->from, MSG_SCAN_REPLY, r->id)->scan_reply = page;
	slot_end(n, &r->slot);
}
