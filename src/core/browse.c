/* browse.c - pages of the store: the names in them, for a listing; whether any is of a bucket, for a
 * change of its n_val.
 *
 *   LIST   one page of one partition -> the names on it, and where to go on
 *   HELD   page after page of everything, until one holds a key of the bucket, or the end
 *
 * Each page waits for the byte budget of background work, so that what clients wait for is not held
 * up by it. A page's memory is freed with it. */
#include "core/core.h"

enum { LIST_SCAN_BYTES = KIB(256), NAME_COST = 8 };

/* ---- answering ---------------------------------------------------------------------------------- */

static void answer_list(struct node *n, struct replica *r, const struct msg_list_reply *page,
                        struct effects *fx)
{
	if (r->from.v != 0) {
		emit_msg(n, fx, r->from, MSG_LIST_REPLY, r->id)->list_reply = *page;
		slot_end(n, &r->slot);
		return;
	}
	struct coord *c = coord_find(n, r->id);
	slot_end(n, &r->slot);
	if (c != NULL) list_on_page(n, c, n->self_member, page, fx);
}

static void answer_held(struct node *n, struct replica *r, enum err e, bool held,
                        struct effects *fx)
{
	if (held || e != ERR_OK) props_open(n, r->prefix);
	struct msg_held answer = {e, held};
	if (r->from.v != 0) {
		emit_msg(n, fx, r->from, MSG_HELD, r->id)->held = answer;
		slot_end(n, &r->slot);
		return;
	}
	struct coord *c = coord_find(n, r->id);
	slot_end(n, &r->slot);
	if (c != NULL) props_on_held(n, c, n->self_member, &answer, fx);
}

/* ---- asking the store ----------------------------------------------------------------------------- */

static bool ask_store(struct node *n, struct replica *r, struct effects *fx)
{
	if (r->kind == REPLICA_HELD) {
		emit_scan(fx, &r->slot, STORE_OBJECTS, r->after, BYTES_EMPTY, SCAN_PAGE_ENTRIES_MAX,
		          LIST_SCAN_BYTES);
		return true;
	}
	return scan_begin_sized(n, &r->slot, r->partition, r->after, LIST_SCAN_BYTES, fx);
}

static bool next_page(struct node *n, struct replica *r, struct effects *fx)
{
	return replica_must_wait(n, r) || ask_store(n, r, fx);
}

void browse_on_timer(struct node *n, struct replica *r, struct effects *fx)
{
	if (next_page(n, r, fx)) return;
	if (r->kind == REPLICA_LIST)
		answer_list(n, r, &(struct msg_list_reply){.err = ERR_BUSY, .partition = r->partition}, fx);
	else
		answer_held(n, r, ERR_BUSY, false, fx);
}

/* ---- beginning -------------------------------------------------------------------------------------- */

/* A write of the bucket that this node coordinates, and that its store may not hold yet. */
static bool is_being_written(const struct node *n, struct bytes prefix)
{
	for (uint32_t i = 0; i < n->coords.count; i++) {
		const struct coord *c = slots_at(&n->coords, i);
		if (c == NULL || c->slot.ended || c->request.op == REQUEST_GET) continue;
		if (bytes_start_with(c->request.key, prefix)) return true;
	}
	return false;
}

static enum err begin_held(struct node *n, struct replica *r, struct effects *fx)
{
	r->kind = REPLICA_HELD;
	if (!props_can_close(n)) return ERR_BUSY;
	props_close(n, r->prefix);
	if (is_being_written(n, r->prefix)) {
		answer_held(n, r, ERR_OK, true, fx);
		return ERR_OK;
	}
	return next_page(n, r, fx) ? ERR_OK : ERR_BUSY;
}

enum err browse_begin(struct node *n, struct replica *r, const struct msg *m, struct effects *fx)
{
	bool ok = true;
	struct arena *a = &r->slot.arena;
	if (m->type == MSG_HELD_ASK) {
		r->prefix = arena_copy(a, m->held_ask.prefix, &ok);
		r->kept = arena_mark(a);
		return ok ? begin_held(n, r, fx) : ERR_BUSY;
	}
	assert(m->type == MSG_LIST);
	r->kind = REPLICA_LIST;
	r->partition = m->list.partition;
	r->buckets = m->list.buckets;
	r->most = m->list.most;
	if (r->partition.v >= n->layout.partitions) return ERR_BAD_BYTES;
	r->prefix = arena_copy(a, m->list.prefix, &ok);
	r->after = arena_copy(a, m->list.after, &ok);
	r->kept = arena_mark(a);
	return ok && next_page(n, r, fx) ? ERR_OK : ERR_BUSY;
}

bool browse_own(struct node *n, const struct msg *m, struct effects *fx)
{
	struct replica *r = slot_take(n, &n->replicas);
	if (r == NULL) return false;
	r->id = m->id;
	if (browse_begin(n, r, m, fx) == ERR_OK) return true;
	slot_end(n, &r->slot);
	return false;
}

/* ---- a page -------------------------------------------------------------------------------------------- */

/* Deleted, or expired. */
static bool is_deleted(struct node *n, struct replica *r, const struct store_record *record,
                       bool *bad)
{
	struct object o;
	struct arena *a = &r->slot.arena;
	struct arena_mark mark = arena_mark(a);
	*bad = record->damaged || object_decode(a, record->value, &o) != ERR_OK;
	bool deleted = !*bad && object_as_of(a, &o, member_now_ms(n), &o) && object_is_deleted(&o);
	arena_release(a, mark);
	return deleted;
}

struct names {
	struct packer packed; /* behind room for the array's head */
	uint32_t count;
	struct bytes last; /* buckets: the one before, since equal ones often follow each other */
};

/* False: the name did not fit, the page ends before it. */
static bool add_name(struct replica *r, struct names *to, struct bytes full_key)
{
	struct bytes type, bucket, name;
	bool sound = full_key_split(full_key, &type, &bucket, &name);
	assert(sound);
	struct bytes add = r->buckets ? bucket : name;
	if (r->buckets && bytes_equal(add, to->last)) return true;
	if (to->packed.len + add.len + NAME_COST > to->packed.capacity) return false;
	if (to->count == r->most) return false;
	pack_bin(&to->packed, add);
	to->last = add;
	to->count++;
	return true;
}

/* The names on a page; *after is the last record that was looked at. False: no room. */
static bool collect(struct node *n, struct replica *r, const struct event *ev,
                    struct msg_list_reply *out, struct effects *fx)
{
	struct arena *a = &r->slot.arena;
	uint8_t *room = arena_take(a, SCAN_PAGE_BYTES);
	struct names names = {.packed = {.to = room, .capacity = SCAN_PAGE_BYTES}};
	bool ok = room != NULL;
	out->done = ev->scanned.done || ev->scanned.count == 0;
	for (uint32_t i = 0; ok && i < ev->scanned.count; i++) {
		const struct store_record *record = &ev->scanned.records[i];
		struct bytes full_key = store_key_full(record->key);
		bool bad = false;
		if (bytes_start_with(full_key, r->prefix) && !is_deleted(n, r, record, &bad) && !bad &&
		    !add_name(r, &names, full_key)) {
			out->done = false;
			break;
		}
		if (bad) suspect_partition(n, r->partition, fx);
		out->after = record->key;
	}
	struct packer p = {.capacity = names.packed.len + 8};
	p.to = ok ? arena_take(a, p.capacity) : NULL;
	if (p.to == NULL) return false;
	pack_array(&p, names.count);
	pack_raw(&p, bytes_of(names.packed.to, names.packed.len));
	out->names = bytes_of(p.to, p.len);
	out->after = arena_copy(a, out->after, &ok);
	return ok;
}

static void list_scanned(struct node *n, struct replica *r, const struct event *ev,
                         struct effects *fx)
{
	struct msg_list_reply page = {.err = ev->scanned.err, .partition = r->partition};
	if (page.err == ERR_OK && !collect(n, r, ev, &page, fx))
		page = (struct msg_list_reply){.err = ERR_BUSY, .partition = r->partition};
	page.vouched = partition_vouched(n, r->partition);
	answer_list(n, r, &page, fx);
}

static void held_scanned(struct node *n, struct replica *r, const struct event *ev,
                         struct effects *fx)
{
	bool ok = ev->scanned.err == ERR_OK, held = false;
	for (uint32_t i = 0; i < ev->scanned.count && !held; i++)
		held = bytes_start_with(store_key_full(ev->scanned.records[i].key), r->prefix);
	if (!ok || held || ev->scanned.done || ev->scanned.count == 0) {
		answer_held(n, r, ev->scanned.err, held, fx);
		return;
	}
	arena_release(&r->slot.arena, r->kept);
	struct bytes last = ev->scanned.records[ev->scanned.count - 1].key;
	r->after = arena_copy(&r->slot.arena, last, &ok);
	if (!ok || !next_page(n, r, fx)) answer_held(n, r, ERR_BUSY, false, fx);
}

void browse_on_scanned(struct node *n, struct replica *r, const struct event *ev,
                       struct effects *fx)
{
	if (r->kind == REPLICA_LIST)
		list_scanned(n, r, ev, fx);
	else
		held_scanned(n, r, ev, fx);
}
