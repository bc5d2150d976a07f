/* hint_record.c - the records of the hints family: what they say, and whether there is room for more.
 *
 *   'S' key hash, full key               stand-in copy: the object beside it belongs to others. It may
 *                                        be the only copy. The value says which primaries have
 *                                        confirmed that they hold just this state (mask, epoch), how
 *                                        old its newest dot is, and how large it is. It goes when all
 *                                        of them have; past the hint window, W are enough.
 *   'E' node id, key hash, full key, dot extra hint: that primary missed the write of that dot (hlc,
 *                                        actor); the object is ours anyway. It goes when the
 *                                        primary confirms, or when there are too many of them.
 *
 * Always true: a stand-in copy and its marker come and go in one batch. An extra hint may be dropped
 * at any time, a stand-in copy never: where there is no room for it, it is not taken. */
#include "core/core.h"

/* ---- extra hints ----------------------------------------------------------------------------------- */

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

bool extra_hint_room(const struct node *n, const struct write *w, size_t full_key_len)
{
	const struct node_metrics *m = &n->counters;
	uint64_t bytes = (uint64_t)w->hint_bytes + 33 + full_key_len;
	return m->hints + (uint64_t)w->hints < n->config.hints_max &&
	       m->hint_bytes + bytes <= n->config.hint_bytes_max;
}

void extra_hint_add(struct node *n, struct write *w, struct bytes record, struct node_id target)
{
	if (n->counters.hints == 0) n->courier.oldest_hint_ms = n->wall.ms;
	write_add(w, STORE_HINTS, record, WRITE_MARK);
	w->hints++;
	w->hint_bytes += (int64_t)record.len;
	int member = layout_find(&n->layout, target);
	if (member >= 0) courier_expect(n, (uint32_t)member);
}

/* ---- stand-in copies ---------------------------------------------------------------------------------- */

/* The value of a stand-in marker: the places that confirmed, under that epoch's primaries; the hlc of
 * the newest dot of what they confirmed, and its bytes. An older version wrote less of it. */
enum { MARKER_AT = 9, MARKER_BYTES = 17, MARKER_LEN = 21 };

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

bool stand_in_mark(const struct node *n, struct arena *a, uint8_t confirmed, struct hlc at,
                   struct bytes object, struct bytes *out)
{
	uint8_t *to = arena_take(a, MARKER_LEN);
	if (to == NULL) return false;
	to[0] = confirmed;
	put_u64be(to + 1, n->layout.epoch.v);
	put_u64be(to + MARKER_AT, at.v);
	put_u32be(to + MARKER_BYTES, (uint32_t)object.len);
	*out = bytes_of(to, MARKER_LEN);
	return true;
}

enum err stand_in_room(const struct node *n, size_t before, size_t after)
{
	const struct node_metrics *m = &n->counters;
	if (n->draining) return ERR_DRAINING;
	if (n->now.us < n->full_until.us) return ERR_FULL;
	bool more = before == 0 && m->stand_ins >= n->config.stand_ins_max;
	bool larger =
		after > before && m->stand_in_bytes + (after - before) > n->config.stand_in_bytes_max;
	return more || larger ? ERR_NO_ROOM : ERR_OK;
}

enum err stand_in_add(struct node *n, struct slot *s, const struct stand_in *x, struct write *w)
{
	struct bytes key, value;
	size_t before = x->damaged ? x->object.len : x->before.len;
	enum err e = stand_in_room(n, before, x->object.len);
	if (e != ERR_OK) {
		n->counters.stand_ins_refused++;
		return e;
	}
	/* A new state: nobody has confirmed it. */
	if (!stand_in_key(&s->arena, x->key, &key) ||
	    !stand_in_mark(n, &s->arena, 0, x->newest, x->object, &value))
		return ERR_BUSY;
	write_add(w, STORE_HINTS, key, value);
	w->stand_in_bytes += (int64_t)x->object.len - (int64_t)before;
	if (x->damaged) n->courier.uncertain = true; /* nobody knows how large it was */
	courier_expect(n, LANE_STAND_INS);
	if (before > 0) return ERR_OK;
	if (n->counters.stand_ins == 0) n->courier.oldest_stand_in_ms = n->wall.ms;
	w->stand_ins++;
	n->counters.stand_ins_taken++;
	return ERR_OK;
}

bool stand_in_remove(struct node *n, struct slot *s, struct bytes full_key, struct write *w)
{
	struct bytes key;
	if (!stand_in_key(&s->arena, full_key, &key)) return false;
	write_add(w, STORE_HINTS, key, BYTES_EMPTY);
	w->stand_ins--;
	n->courier.uncertain = true; /* it was damaged: nobody knows how large it was */
	return true;
}

/* ---- reading them ----------------------------------------------------------------------------------------- */

static void read_marker(const struct node *n, struct bytes value, struct hint_record *r)
{
	if (value.len < MARKER_BYTES) return;
	r->newest.v = get_u64be(value.data + MARKER_AT);
	if (value.len == MARKER_LEN) r->bytes = get_u32be(value.data + MARKER_BYTES);
	if (get_u64be(value.data + 1) != n->layout.epoch.v) return;
	r->confirmed = value.data[0];
	r->at = r->newest;
}

bool hint_is_delivered(const struct node *n, const struct hint_record *r)
{
	uint32_t of_key = props_n_of(n, r->key), got = (uint32_t)__builtin_popcount(r->confirmed);
	bool old = r->at.v != 0 && hlc_ms(r->at) + n->config.hint_window_ms < n->wall.ms;
	return got >= of_key || (old && got >= of_key / 2U + 1);
}

bool hint_is_over(const struct node *n, const struct hint_record *r)
{
	return hlc_ms(r->at) + n->config.hint_window_ms < n->wall.ms ||
	       layout_find(&n->layout, r->target) < 0;
}

bool hint_parse(const struct node *n, const struct store_record *record, struct hint_record *out)
{
	struct bytes type, bucket, name, key = record->key;
	*out = (struct hint_record){0};
	if (key.len > 9 && key.data[0] == HINT_STAND_IN) {
		out->stand_in = true;
		out->key = bytes_of(key.data + 9, key.len - 9);
		read_marker(n, record->value, out);
	} else if (key.len > 33 && key.data[0] == HINT_EXTRA) {
		out->target.v = get_u64be(key.data + 1);
		out->key = bytes_of(key.data + 17, key.len - 33);
		out->at.v = get_u64be(key.data + key.len - 16);
		out->bytes = key.len;
	} else {
		return false;
	}
	return full_key_split(out->key, &type, &bucket, &name);
}

/* ---- counting ------------------------------------------------------------------------------------------------ */

static void older(uint64_t *oldest, struct hlc at)
{
	if (at.v != 0 && (*oldest == 0 || hlc_ms(at) < *oldest)) *oldest = hlc_ms(at);
}

void hint_count(struct hint_tally *t, const struct hint_record *r)
{
	if (r->stand_in) {
		t->stand_ins++;
		t->stand_in_bytes += r->bytes;
		older(&t->oldest_stand_in_ms, r->newest);
	} else {
		t->hints++;
		t->hint_bytes += r->bytes;
		older(&t->oldest_hint_ms, r->at);
	}
}

void hint_believe(struct node *n, const struct hint_tally *t)
{
	n->counters.hints = t->hints;
	n->counters.hint_bytes = t->hint_bytes;
	n->counters.stand_ins = t->stand_ins;
	n->counters.stand_in_bytes = t->stand_in_bytes;
}

bool hint_changes(const struct write *w)
{
	return w->hints != 0 || w->stand_ins != 0 || w->hint_bytes != 0 || w->stand_in_bytes != 0;
}

bool hint_is_changing(const struct node *n)
{
	const struct slots *pools[] = {&n->coords, &n->replicas, &n->hints};
	for (unsigned p = 0; p < sizeof pools / sizeof pools[0]; p++) {
		for (uint32_t i = 0; i < pools[p]->count; i++) {
			const struct slot *s = slots_at(pools[p], i);
			for (const struct write *w = s == NULL ? NULL : s->writes; w != NULL; w = w->next)
				if (hint_changes(w)) return true;
		}
	}
	return false;
}

static uint64_t age_s(const struct node *n, uint64_t held, uint64_t since_ms)
{
	if (held == 0 || since_ms == 0 || since_ms >= n->wall.ms) return 0;
	return (n->wall.ms - since_ms) / 1000;
}

void hint_metrics(const struct node *n, struct node_metrics *out)
{
	out->hints_oldest_seconds = age_s(n, out->hints, n->courier.oldest_hint_ms);
	out->stand_ins_oldest_seconds = age_s(n, out->stand_ins, n->courier.oldest_stand_in_ms);
}

bool hint_count_page(struct node *n, struct chore *ch, const struct event *ev, struct effects *fx)
{
	struct hint_record r;
	struct hint_tally *t = &n->courier.seen;
	for (uint32_t i = 0; i < ev->scanned.count; i++)
		if (hint_parse(n, &ev->scanned.records[i], &r)) hint_count(t, &r);
	hint_believe(n, t);
	n->courier.oldest_hint_ms = t->oldest_hint_ms;
	n->courier.oldest_stand_in_ms = t->oldest_stand_in_ms;
	if (ev->scanned.err == ERR_OK && (ev->scanned.done || ev->scanned.count == 0)) return true;
	bool ok = ev->scanned.err == ERR_OK;
	struct bytes after = BYTES_EMPTY;
	arena_free(&ch->slot.arena);
	if (ok)
		after = arena_copy(&ch->slot.arena, ev->scanned.records[ev->scanned.count - 1].key, &ok);
	if (!ok) { /* the rest was not counted: sweeps find out */
		n->courier.uncertain = true;
		return true;
	}
	emit_scan(fx, &ch->slot, STORE_HINTS, after, BYTES_EMPTY, UINT32_MAX, HINT_PAGE_BYTES);
	return false;
}
