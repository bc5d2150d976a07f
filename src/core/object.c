/* object.c - see object.h.
 *
 * Always true of an object made or accepted here (object_is_sound): siblings strictly ascend by dot;
 * what is seen covers each of them; the greatest dot seen, by (at, actor), is a sibling's. The last
 * holds because a mint is above all that its coordinator and its client had seen, so the greatest dot
 * has no write above it that could have removed it; it is why a merge never comes out empty.
 *
 *          x: seen {A:3, B:1}  siblings A3 B1        y: seen {A:2, B:2}  siblings A2 B2
 *   merge: A2 is only in y, and x has seen it: gone.  A3 is only in x, y has not seen it: stays.
 *          seen {A:3, B:2}  siblings A3 B2 */
#include "core/object.h"
#include "core/actor.h"

#include <sodium/crypto_shorthash_siphash24.h>

#include "base/bytes.h"
#include "base/panic.h"

enum { OBJECT_VERSION = 1, OBJECT_FIELDS = 4, SIBLING_FIELDS = 7 };

/* ---- bytes ------------------------------------------------------------------------------- */

static void pack_sibling(struct packer *p, const struct sibling *s)
{
	pack_array(p, SIBLING_FIELDS);
	pack_uint(p, s->dot.actor.v);
	pack_uint(p, s->dot.at.v);
	pack_uint(p, s->origin.v);
	pack_uint(p, s->expires_ms);
	pack_bool(p, s->tombstone);
	pack_bin(p, s->meta);
	pack_bin(p, s->value);
}

void object_pack(struct packer *p, const struct object *o)
{
	pack_array(p, OBJECT_FIELDS);
	pack_uint(p, OBJECT_VERSION);
	dvv_pack(p, &o->seen);
	pack_array(p, o->sibling_count);
	for (uint32_t i = 0; i < o->sibling_count; i++) pack_sibling(p, &o->siblings[i]);
}

bool object_encode(struct arena *a, const struct object *o, struct bytes *out)
{
	struct packer measure = {0};
	object_pack(&measure, o);
	struct packer p = {.to = arena_take(a, measure.len), .capacity = measure.len};
	if (p.to == NULL) return false;
	object_pack(&p, o);
	assert(p.len == measure.len);
	*out = bytes_of(p.to, p.len);
	return true;
}

static struct sibling unpack_sibling(struct cursor *c)
{
	cursor_array_exact(c, SIBLING_FIELDS);
	struct sibling s = {0};
	s.dot.actor.v = cursor_uint(c, UINT64_MAX);
	s.dot.at.v = cursor_uint(c, UINT64_MAX);
	s.origin.v = cursor_uint(c, UINT64_MAX);
	s.expires_ms = cursor_uint(c, UINT64_MAX);
	s.tombstone = cursor_bool(c);
	s.meta = cursor_bin(c, META_BYTES_MAX);
	s.value = cursor_bin(c, OBJECT_BYTES_MAX);
	if (s.tombstone && (s.meta.len > 0 || s.value.len > 0)) c->bad = true;
	return s;
}

static bool object_is_sound(const struct object *o)
{
	struct dot newest = {0};
	for (uint32_t i = 0; i < o->sibling_count; i++)
		if (dot_compare_age(o->siblings[i].dot, newest) > 0) newest = o->siblings[i].dot;
	if (!dot_equal(newest, dvv_greatest(&o->seen))) return false;
	for (uint32_t i = 0; i < o->sibling_count; i++) {
		if (i > 0 && dot_compare(o->siblings[i - 1].dot, o->siblings[i].dot) >= 0) return false;
		if (o->siblings[i].dot.at.v == 0 || !dvv_covers(&o->seen, o->siblings[i].dot)) return false;
	}
	return true;
}

enum err object_decode(struct arena *a, struct bytes in, struct object *out)
{
	*out = (struct object){0};
	if (in.len == 0) return ERR_OK;
	struct cursor c = cursor_of(in);
	cursor_array_exact(&c, OBJECT_FIELDS);
	if (cursor_uint(&c, OBJECT_VERSION) != OBJECT_VERSION) return ERR_BAD_BYTES;
	struct object o = {0};
	enum err e = dvv_unpack(&c, a, &o.seen);
	if (e != ERR_OK) return e;
	o.sibling_count = cursor_array(&c, SIBLINGS_DECODE_MAX);
	struct sibling *siblings = arena_take(a, o.sibling_count * sizeof *siblings);
	if (siblings == NULL) return ERR_BUSY;
	for (uint32_t i = 0; i < o.sibling_count; i++) siblings[i] = unpack_sibling(&c);
	o.siblings = siblings;
	if (!cursor_finished(&c) || o.sibling_count == 0 || !object_is_sound(&o)) return ERR_BAD_BYTES;
	*out = o;
	return ERR_OK;
}

/* ---- merging and writing ------------------------------------------------------------------- */

/* The siblings that survive a merge of x and y, ascending. */
static uint32_t merge_siblings(const struct object *x, const struct object *y, struct sibling *to)
{
	uint32_t i = 0, j = 0, count = 0;
	while (i < x->sibling_count || j < y->sibling_count) {
		int order = i == x->sibling_count   ? 1
		            : j == y->sibling_count ? -1
		                                    : dot_compare(x->siblings[i].dot, y->siblings[j].dot);
		const struct sibling *s = order <= 0 ? &x->siblings[i] : &y->siblings[j];
		const struct dvv *other = order < 0 ? &y->seen : &x->seen;
		i += order <= 0;
		j += order >= 0;
		if (order == 0 || !dvv_covers(other, s->dot)) to[count++] = *s;
	}
	return count;
}

/* Would a decoder take it? Past its limits nothing may be written, or it would be lost. */
static bool is_readable(const struct object *o)
{
	return o->sibling_count <= SIBLINGS_DECODE_MAX && o->seen.vector_count <= VECTOR_ENTRIES_MAX &&
	       o->seen.dot_count <= VECTOR_ENTRIES_MAX;
}

bool object_merge(struct arena *a, const struct object *x, const struct object *y,
                  struct object *out)
{
	struct object o = {0};
	struct sibling *to = arena_take(a, ((size_t)x->sibling_count + y->sibling_count) * sizeof *to);
	if (to == NULL || !dvv_join(a, &x->seen, &y->seen, &o.seen)) return false;
	o.sibling_count = merge_siblings(x, y, to);
	o.siblings = to;
	if (!is_readable(&o)) return false;
	assert(object_is_sound(&o));
	assert(implies(x->sibling_count + y->sibling_count > 0, o.sibling_count > 0));
	*out = o;
	return true;
}

static bool holds_dot(const struct object *o, struct dot d)
{
	for (uint32_t i = 0; i < o->sibling_count; i++)
		if (dot_equal(o->siblings[i].dot, d)) return true;
	return false;
}

/* What the siblings say themselves: of each actor, everything up to its newest. */
static bool seen_of(struct arena *a, const struct sibling *siblings, uint32_t count,
                    struct dvv *out)
{
	*out = (struct dvv){0};
	for (uint32_t i = 0; i < count; i++)
		if (!dvv_fold(a, out, siblings[i].dot, out)) return false;
	return true;
}

/* The object with some of its siblings. When the newest has gone, all that was seen is at or below the
 * horizon: nobody need remember it. */
static bool keep_siblings(struct arena *a, const struct object *o, const struct sibling *kept,
                          uint32_t count, struct object *out)
{
	struct object rest = {.seen = o->seen, .siblings = kept, .sibling_count = count};
	if (!object_is_sound(&rest) && !seen_of(a, kept, count, &rest.seen)) return false;
	assert(object_is_sound(&rest));
	*out = rest;
	return true;
}

bool object_without_covered(struct arena *a, const struct object *o, const struct object *by,
                            struct hlc horizon, struct object *out)
{
	struct sibling *to = arena_take(a, o->sibling_count * sizeof *to);
	if (to == NULL) return false;
	uint32_t count = 0;
	for (uint32_t i = 0; i < o->sibling_count; i++) {
		struct dot d = o->siblings[i].dot;
		if (d.at.v > horizon.v || holds_dot(by, d)) to[count++] = o->siblings[i];
	}
	return keep_siblings(a, o, to, count, out);
}

static bool is_dead(const struct sibling *s, struct hlc horizon)
{
	bool expired = s->expires_ms > 0 && s->expires_ms <= hlc_ms(horizon);
	return s->dot.at.v <= horizon.v && (s->tombstone || expired);
}

bool object_reap(struct arena *a, const struct object *o, struct hlc horizon, struct object *out)
{
	*out = *o;
	if (dvv_greatest(&o->seen).at.v > horizon.v) return true;
	struct sibling *to = arena_take(a, o->sibling_count * sizeof *to);
	uint32_t count = 0;
	if (to == NULL) return false;
	for (uint32_t i = 0; i < o->sibling_count; i++)
		if (!is_dead(&o->siblings[i], horizon)) to[count++] = o->siblings[i];
	return keep_siblings(a, o, to, count, out);
}

bool object_is_mortal(const struct object *o)
{
	for (uint32_t i = 0; i < o->sibling_count; i++)
		if (o->siblings[i].tombstone || o->siblings[i].expires_ms > 0) return true;
	return false;
}

bool object_same_siblings(const struct object *x, const struct object *y)
{
	if (x->sibling_count != y->sibling_count) return false;
	for (uint32_t i = 0; i < x->sibling_count; i++)
		if (!dot_equal(x->siblings[i].dot, y->siblings[i].dot)) return false;
	return true;
}

bool object_write(struct arena *a, const struct object *state, const struct dvv *context,
                  const struct sibling *added, struct object *out)
{
	struct object rest = {0};
	struct sibling *kept = arena_take(a, state->sibling_count * sizeof *kept);
	if (kept == NULL || !dvv_join(a, &state->seen, context, &rest.seen)) return false;
	for (uint32_t i = 0; i < state->sibling_count; i++)
		if (!dvv_covers(context, state->siblings[i].dot))
			kept[rest.sibling_count++] = state->siblings[i];
	rest.siblings = kept;
	assert(!dvv_covers(&rest.seen, added->dot));
	struct sibling *to = arena_take(a, (rest.sibling_count + 1) * sizeof *to);
	if (to == NULL || !dvv_fold(a, &rest.seen, added->dot, &out->seen)) return false;
	uint32_t count = 0, i = 0;
	for (; i < rest.sibling_count && dot_compare(kept[i].dot, added->dot) < 0; i++)
		to[count++] = kept[i];
	to[count++] = *added;
	for (; i < rest.sibling_count; i++) to[count++] = kept[i];
	out->siblings = to;
	out->sibling_count = count;
	assert(object_is_sound(out));
	return is_readable(out);
}

uint32_t object_keep_newest(struct object *o)
{
	uint32_t newest = 0;
	for (uint32_t i = 1; i < o->sibling_count; i++)
		if (dot_compare_age(o->siblings[i].dot, o->siblings[newest].dot) > 0) newest = i;
	uint32_t dropped = o->sibling_count > 1 ? o->sibling_count - 1 : 0;
	o->siblings += newest;
	o->sibling_count -= dropped;
	return dropped;
}

/* ---- showing ------------------------------------------------------------------------------- */

static bool sibling_looks_same(const struct sibling *x, const struct sibling *y)
{
	return x->tombstone == y->tombstone && x->expires_ms == y->expires_ms &&
	       bytes_equal(x->value, y->value) && bytes_equal(x->meta, y->meta);
}

static bool is_newest_of_its_look(const struct object *o, uint32_t i)
{
	const struct sibling *s = &o->siblings[i];
	for (uint32_t j = 0; j < o->sibling_count; j++)
		if (sibling_looks_same(&o->siblings[j], s) &&
		    dot_compare_age(o->siblings[j].dot, s->dot) > 0)
			return false;
	return true;
}

bool object_show(struct arena *a, const struct object *o, const struct sibling **out,
                 uint32_t *count)
{
	struct sibling *to = arena_take(a, o->sibling_count * sizeof *to);
	if (to == NULL) return false;
	*out = to;
	*count = 0;
	for (uint32_t i = 0; i < o->sibling_count; i++)
		if (is_newest_of_its_look(o, i)) to[(*count)++] = o->siblings[i];
	return true;
}

bool object_is_deleted(const struct object *o)
{
	for (uint32_t i = 0; i < o->sibling_count; i++)
		if (!o->siblings[i].tombstone) return false;
	return o->sibling_count > 0;
}

static bool has_expired(const struct sibling *s, uint64_t now_ms)
{
	return !s->tombstone && s->expires_ms > 0 && s->expires_ms <= now_ms;
}

bool object_as_of(struct arena *a, const struct object *o, uint64_t now_ms, struct object *out)
{
	bool any = false;
	*out = *o;
	for (uint32_t i = 0; i < o->sibling_count; i++) any |= has_expired(&o->siblings[i], now_ms);
	if (!any) return true;
	struct sibling *to = arena_take(a, o->sibling_count * sizeof *to);
	if (to == NULL) return false;
	for (uint32_t i = 0; i < o->sibling_count; i++) {
		const struct sibling *s = &o->siblings[i];
		to[i] = *s;
		if (has_expired(s, now_ms))
			to[i] = (struct sibling){.dot = s->dot, .origin = s->origin, .tombstone = true};
	}
	out->siblings = to;
	return true;
}

static void pack_for_digest(struct packer *p, struct bytes full_key, const struct object *o)
{
	pack_bin(p, full_key);
	for (uint32_t i = 0; i < o->sibling_count; i++) {
		pack_uint(p, o->siblings[i].dot.actor.v);
		pack_uint(p, o->siblings[i].dot.at.v);
		pack_uint(p, o->siblings[i].expires_ms);
		pack_bool(p, o->siblings[i].tombstone);
	}
}

bool object_digest(struct arena *a, const uint8_t secret[16], struct bytes full_key,
                   const struct object *o, uint8_t out[16])
{
	struct arena_mark mark = arena_mark(a);
	struct packer measure = {0};
	pack_for_digest(&measure, full_key, o);
	struct packer p = {.to = arena_take(a, measure.len), .capacity = measure.len};
	if (p.to == NULL) return false;
	pack_for_digest(&p, full_key, o);
	crypto_shorthash_siphashx24(out, p.to, p.len, secret);
	arena_release(a, mark);
	return true;
}
