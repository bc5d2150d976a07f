/* scan.c - pages of a partition, in the order of the store key: asked of our own store, and as the answer
 * to whoever asked for one. */
#include "core/core.h"

bool scan_begin(struct node *n, struct slot *s, struct partition_id p, struct bytes after,
                struct effects *fx)
{
	return scan_begin_sized(n, s, p, after, SCAN_PAGE_BYTES, fx);
}

/* A page of a partition: keys above `after`, and below `before` if that is not empty. */
static bool scan_stretch(struct node *n, struct slot *s, struct partition_id p, struct bytes after,
                         struct bytes before, size_t bytes_max, struct effects *fx)
{
	uint64_t first, last;
	bool ok = true;
	uint8_t *bounds = arena_take(&s->arena, 16);
	if (bounds == NULL) return false;
	partition_range(&n->layout, p, &first, &last);
	/* Every key in the store is longer than a bare hash, so a bare hash sorts before its keys. */
	put_u64be(bounds, first);
	put_u64be(bounds + 8, last + 1);
	struct bytes from = after.len > 0 ? arena_copy(&s->arena, after, &ok) : bytes_of(bounds, 8);
	struct bytes until = before.len > 0       ? before
	                     : last == UINT64_MAX ? BYTES_EMPTY
	                                          : bytes_of(bounds + 8, 8);
	if (ok) emit_scan(fx, s, STORE_OBJECTS, from, until, SCAN_PAGE_ENTRIES_MAX, bytes_max);
	return ok;
}

/* The key that comes right after this one. */
static struct bytes successor(struct arena *a, struct bytes key, bool *ok)
{
	uint8_t *to = arena_take(a, key.len + 1);
	*ok = *ok && to != NULL;
	if (to == NULL) return BYTES_EMPTY;
	memcpy(to, key.data, key.len);
	to[key.len] = 0;
	return bytes_of(to, key.len + 1);
}

bool scan_begin_until(struct node *n, struct slot *s, struct partition_id p, struct bytes after,
                      struct bytes last_key, struct effects *fx)
{
	bool ok = true;
	struct bytes until = BYTES_EMPTY;
	if (last_key.len > 0) until = successor(&s->arena, last_key, &ok);
	return ok && scan_stretch(n, s, p, after, until, SCAN_PAGE_BYTES, fx);
}

bool scan_begin_sized(struct node *n, struct slot *s, struct partition_id p, struct bytes after,
                      size_t bytes_max, struct effects *fx)
{
	return scan_stretch(n, s, p, after, BYTES_EMPTY, bytes_max, fx);
}

static bool scan_entry(struct node *n, struct arena *a, const struct store_record *record,
                       const struct msg_scan *asked, struct scan_entry *out)
{
	bool ok = true;
	struct object o, rest;
	*out = (struct scan_entry){.store_key = arena_copy(a, record->key, &ok),
	                           .damaged = record->damaged};
	struct arena_mark mark = arena_mark(a);
	if (!out->damaged) {
		enum err e = object_decode(a, record->value, &o);
		if (e == ERR_BUSY) return false;
		out->damaged = e != ERR_OK;
	}
	/* What a round of reaping lets go of is as good as gone: its digest is all zeroes. */
	bool read = !out->damaged && !asked->objects;
	if (read && !object_reap(a, &o, asked->horizon, &rest)) return false;
	if (read && rest.sibling_count > 0 &&
	    !object_digest(a, n->layout.secret, store_key_full(record->key), &rest, out->digest))
		return false;
	arena_release(a, mark);
	if (asked->objects && !out->damaged) out->object = arena_copy(a, record->value, &ok);
	return ok;
}

bool scan_page(struct node *n, struct arena *a, const struct event *ev,
               const struct msg_scan *asked, struct msg_scan_reply *out)
{
	*out = (struct msg_scan_reply){
		.err = ev->scanned.err, .done = ev->scanned.done, .horizon = asked->horizon};
	if (out->err != ERR_OK) return true;
	struct scan_entry *entries = arena_take(a, ev->scanned.count * sizeof *entries);
	if (entries == NULL) return false;
	for (uint32_t i = 0; i < ev->scanned.count; i++)
		if (!scan_entry(n, a, &ev->scanned.records[i], asked, &entries[i])) return false;
	out->entries = entries;
	out->count = ev->scanned.count;
	return true;
}
