/* dvv.c - see dvv.h. Always true of a state made or accepted here (dvv_is_sound): entries strictly
 * ascend, by actor in the vector and by (actor, at) in the dots; no dot is covered by the vector. */
#include "core/dvv.h"

#include "base/bytes.h"
#include "base/panic.h"

int dot_compare(struct dot a, struct dot b)
{
	if (a.actor.v != b.actor.v) return a.actor.v < b.actor.v ? -1 : 1;
	if (a.at.v != b.at.v) return a.at.v < b.at.v ? -1 : 1;
	return 0;
}

int dot_compare_age(struct dot a, struct dot b)
{
	if (a.at.v != b.at.v) return a.at.v < b.at.v ? -1 : 1;
	if (a.actor.v != b.actor.v) return a.actor.v < b.actor.v ? -1 : 1;
	return 0;
}

/* Vectors are short: a scan beats a search. */
uint64_t dvv_vector_at(const struct dvv *v, struct actor_id actor)
{
	for (uint32_t i = 0; i < v->vector_count; i++)
		if (v->vector[i].actor.v == actor.v) return v->vector[i].at.v;
	return 0;
}

bool dvv_covers(const struct dvv *v, struct dot d)
{
	if (d.at.v <= dvv_vector_at(v, d.actor)) return true;
	for (uint32_t i = 0; i < v->dot_count; i++)
		if (dot_equal(v->dots[i], d)) return true;
	return false;
}

bool dvv_includes_above(const struct dvv *a, const struct dvv *b, struct hlc horizon)
{
	for (uint32_t i = 0; i < b->vector_count; i++) {
		uint64_t at = b->vector[i].at.v;
		if (at > horizon.v && dvv_vector_at(a, b->vector[i].actor) < at) return false;
	}
	for (uint32_t i = 0; i < b->dot_count; i++)
		if (b->dots[i].at.v > horizon.v && !dvv_covers(a, b->dots[i])) return false;
	return true;
}

bool dvv_includes(const struct dvv *a, const struct dvv *b)
{
	return dvv_includes_above(a, b, (struct hlc){0});
}

enum dvv_order dvv_compare(const struct dvv *a, const struct dvv *b)
{
	bool a_has_b = dvv_includes(a, b), b_has_a = dvv_includes(b, a);
	if (a_has_b && b_has_a) return DVV_EQUAL;
	if (a_has_b) return DVV_AFTER;
	return b_has_a ? DVV_BEFORE : DVV_CONCURRENT;
}

bool dvv_names(const struct dvv *v, struct actor_id actor)
{
	for (uint32_t i = 0; i < v->dot_count; i++)
		if (v->dots[i].actor.v == actor.v) return true;
	return dvv_vector_at(v, actor) != 0;
}

struct dot dvv_greatest(const struct dvv *v)
{
	struct dot greatest = {0};
	for (uint32_t i = 0; i < v->vector_count; i++)
		if (dot_compare_age(v->vector[i], greatest) > 0) greatest = v->vector[i];
	for (uint32_t i = 0; i < v->dot_count; i++)
		if (dot_compare_age(v->dots[i], greatest) > 0) greatest = v->dots[i];
	return greatest;
}

static bool dvv_is_sound(const struct dvv *v)
{
	for (uint32_t i = 0; i < v->vector_count; i++) {
		if (v->vector[i].at.v == 0) return false;
		if (i > 0 && v->vector[i - 1].actor.v >= v->vector[i].actor.v) return false;
	}
	for (uint32_t i = 0; i < v->dot_count; i++) {
		if (i > 0 && dot_compare(v->dots[i - 1], v->dots[i]) >= 0) return false;
		if (v->dots[i].at.v <= dvv_vector_at(v, v->dots[i].actor)) return false;
	}
	return true;
}

/* Two ascending vectors into one: the greater entry of each actor. */
static uint32_t join_vectors(const struct dvv *x, const struct dvv *y, struct dot *to)
{
	uint32_t i = 0, j = 0, count = 0;
	while (i < x->vector_count || j < y->vector_count) {
		bool from_x = j == y->vector_count ||
		              (i < x->vector_count && x->vector[i].actor.v <= y->vector[j].actor.v);
		bool from_y = i == x->vector_count ||
		              (j < y->vector_count && y->vector[j].actor.v <= x->vector[i].actor.v);
		struct dot d = from_x ? x->vector[i] : y->vector[j];
		if (from_x && from_y && y->vector[j].at.v > d.at.v) d = y->vector[j];
		i += from_x;
		j += from_y;
		to[count++] = d;
	}
	return count;
}

/* Two ascending sets of dots into one, less what the joined vector covers. */
static uint32_t join_dots(const struct dvv *x, const struct dvv *y, const struct dvv *joined,
                          struct dot *to)
{
	uint32_t i = 0, j = 0, count = 0;
	while (i < x->dot_count || j < y->dot_count) {
		int order = i == x->dot_count   ? 1
		            : j == y->dot_count ? -1
		                                : dot_compare(x->dots[i], y->dots[j]);
		struct dot d = order <= 0 ? x->dots[i] : y->dots[j];
		i += order <= 0;
		j += order >= 0;
		if (d.at.v > dvv_vector_at(joined, d.actor)) to[count++] = d;
	}
	return count;
}

bool dvv_join(struct arena *a, const struct dvv *x, const struct dvv *y, struct dvv *out)
{
	size_t most = (size_t)x->vector_count + y->vector_count + x->dot_count + y->dot_count;
	struct dot *to = arena_take(a, most * sizeof *to);
	if (to == NULL) return false;
	struct dvv joined = {.vector = to, .vector_count = join_vectors(x, y, to)};
	to += joined.vector_count;
	joined.dot_count = join_dots(x, y, &joined, to);
	joined.dots = to;
	assert(dvv_is_sound(&joined));
	*out = joined;
	return true;
}

bool dvv_fold(struct arena *a, const struct dvv *v, struct dot d, struct dvv *out)
{
	assert(d.at.v > dvv_vector_at(v, d.actor));
	return dvv_join(a, v, &(struct dvv){.vector = &d, .vector_count = 1}, out);
}

bool dvv_add(struct arena *a, const struct dvv *v, struct dot d, struct dvv *out)
{
	assert(d.at.v != 0);
	return dvv_join(a, v, &(struct dvv){.dots = &d, .dot_count = 1}, out);
}

static void pack_dots(struct packer *p, const struct dot *dots, uint32_t count)
{
	pack_array(p, 2 * count);
	for (uint32_t i = 0; i < count; i++) {
		pack_uint(p, dots[i].actor.v);
		pack_uint(p, dots[i].at.v);
	}
}

void dvv_pack(struct packer *p, const struct dvv *v)
{
	pack_dots(p, v->vector, v->vector_count);
	pack_dots(p, v->dots, v->dot_count);
}

static enum err unpack_dots(struct cursor *c, struct arena *a, const struct dot **dots,
                            uint32_t *count)
{
	uint32_t numbers = cursor_array(c, 2 * VECTOR_ENTRIES_MAX);
	struct dot *to = arena_take(a, numbers / 2 * sizeof *to);
	if (to == NULL) return ERR_BUSY;
	for (uint32_t i = 0; i < numbers / 2; i++) {
		to[i].actor.v = cursor_uint(c, UINT64_MAX);
		to[i].at.v = cursor_uint(c, UINT64_MAX);
	}
	*dots = to;
	*count = numbers / 2;
	return c->bad || numbers % 2 != 0 ? ERR_BAD_BYTES : ERR_OK;
}

enum err dvv_unpack(struct cursor *c, struct arena *a, struct dvv *out)
{
	struct dvv v = {0};
	enum err e = unpack_dots(c, a, &v.vector, &v.vector_count);
	if (e == ERR_OK) e = unpack_dots(c, a, &v.dots, &v.dot_count);
	if (e == ERR_OK && !dvv_is_sound(&v)) e = ERR_BAD_BYTES;
	*out = e == ERR_OK ? v : (struct dvv){0};
	return e;
}
