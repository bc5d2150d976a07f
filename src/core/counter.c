/* counter.c - see counter.h.
 *
 * Always true of a counter made or accepted here (counter_is_sound): entries strictly ascend by (actor,
 * birth); none is without an actor or born at 0; none was added to before it was born. */
#include "core/counter.h"

#include "base/bytes.h"
#include "base/cursor.h"
#include "base/panic.h"

enum { COUNTER_VERSION = 1, COUNTER_FIELDS = 2, ENTRY_NUMBERS = 5 };

/* [1, "application/x-dunlin-counter", nil, [], [], []] */
const struct bytes counter_meta = {(const uint8_t *)"\x96\x01\xc4\x1c" COUNTER_TYPE
                                                    "\xc0\x90\x90\x90",
                                   4 + sizeof COUNTER_TYPE - 1 + 4};

static_assert(sizeof COUNTER_TYPE - 1 == 0x1c, "its length is in its metadata");

/* ---- bytes ------------------------------------------------------------------------------------ */

static void counter_pack(struct packer *p, const struct counter *c)
{
	pack_array(p, COUNTER_FIELDS);
	pack_uint(p, COUNTER_VERSION);
	pack_array(p, ENTRY_NUMBERS * c->count);
	for (uint32_t i = 0; i < c->count; i++) {
		const struct counter_entry *e = &c->entries[i];
		pack_uint(p, e->actor.v);
		pack_uint(p, e->birth.v);
		pack_uint(p, e->last.v);
		pack_uint(p, e->plus);
		pack_uint(p, e->minus);
	}
}

bool counter_encode(struct arena *a, const struct counter *c, struct bytes *out)
{
	struct packer measure = {0};
	assert(c->count > 0 && c->count <= COUNTER_ENTRIES_MAX);
	counter_pack(&measure, c);
	struct packer p = {.to = arena_take(a, measure.len), .capacity = measure.len};
	if (p.to == NULL) return false;
	counter_pack(&p, c);
	assert(p.len == measure.len);
	*out = bytes_of(p.to, p.len);
	return true;
}

static struct counter_entry unpack_entry(struct cursor *c)
{
	struct counter_entry e = {0};
	e.actor.v = cursor_uint(c, UINT64_MAX);
	e.birth.v = cursor_uint(c, UINT64_MAX);
	e.last.v = cursor_uint(c, UINT64_MAX);
	e.plus = cursor_uint(c, UINT64_MAX);
	e.minus = cursor_uint(c, UINT64_MAX);
	return e;
}

static int entry_compare(const struct counter_entry *x, const struct counter_entry *y)
{
	if (x->actor.v != y->actor.v) return x->actor.v < y->actor.v ? -1 : 1;
	if (x->birth.v != y->birth.v) return x->birth.v < y->birth.v ? -1 : 1;
	return 0;
}

static bool counter_is_sound(const struct counter *c)
{
	for (uint32_t i = 0; i < c->count; i++) {
		const struct counter_entry *e = &c->entries[i];
		if (e->actor.v == 0 || e->birth.v == 0 || e->last.v < e->birth.v) return false;
		if (i > 0 && entry_compare(e - 1, e) >= 0) return false;
	}
	return c->count > 0;
}

enum err counter_decode(struct arena *a, struct bytes in, struct counter *out)
{
	*out = (struct counter){0};
	struct cursor c = cursor_of(in);
	cursor_array_exact(&c, COUNTER_FIELDS);
	if (cursor_uint(&c, COUNTER_VERSION) != COUNTER_VERSION) return ERR_BAD_BYTES;
	uint32_t numbers = cursor_array(&c, ENTRY_NUMBERS * COUNTER_ENTRIES_MAX);
	struct counter made = {.count = numbers / ENTRY_NUMBERS};
	if (numbers % ENTRY_NUMBERS != 0 || made.count == 0) return ERR_BAD_BYTES;
	struct counter_entry *to = arena_take(a, made.count * sizeof *to);
	if (to == NULL) return ERR_BUSY;
	for (uint32_t i = 0; i < made.count; i++) to[i] = unpack_entry(&c);
	made.entries = to;
	if (!cursor_finished(&c) || !counter_is_sound(&made)) return ERR_BAD_BYTES;
	*out = made;
	return ERR_OK;
}

/* ---- merging and adding ----------------------------------------------------------------------- */

static uint64_t greater(uint64_t x, uint64_t y)
{
	return x > y ? x : y;
}

bool counter_merge(struct arena *a, const struct counter *x, const struct counter *y,
                   struct counter *out)
{
	uint32_t i = 0, j = 0;
	struct counter_entry *to = arena_take(a, ((size_t)x->count + y->count) * sizeof *to);
	if (to == NULL) return false;
	struct counter made = {.entries = to};
	while (i < x->count || j < y->count) {
		int order = i == x->count   ? 1
		            : j == y->count ? -1
		                            : entry_compare(&x->entries[i], &y->entries[j]);
		struct counter_entry e = order <= 0 ? x->entries[i] : y->entries[j];
		if (order == 0) {
			e.last.v = greater(e.last.v, y->entries[j].last.v);
			e.plus = greater(e.plus, y->entries[j].plus);
			e.minus = greater(e.minus, y->entries[j].minus);
		}
		i += order <= 0;
		j += order >= 0;
		to[made.count++] = e;
	}
	*out = made;
	return true;
}

counter_number counter_value(const struct counter *c)
{
	counter_number sum = 0;
	for (uint32_t i = 0; i < c->count; i++) {
		sum += c->entries[i].plus;
		sum -= c->entries[i].minus;
	}
	return sum;
}

/* Would the number leave 64 bits, or go on away from them? The way back is free. */
static bool leaves_range(counter_number value, int64_t delta)
{
	counter_number next = value + delta;
	return (delta > 0 && next > INT64_MAX) || (delta < 0 && next < INT64_MIN);
}

/* C1. An entry that has no room for more is left as it is, too. */
static bool goes_on(const struct counter_entry *e, struct dot dot, struct hlc before, uint64_t plus,
                    uint64_t minus)
{
	return e->actor.v == dot.actor.v && e->last.v == before.v && e->plus <= UINT64_MAX - plus &&
	       e->minus <= UINT64_MAX - minus;
}

enum err counter_add(struct arena *a, const struct counter *c, struct dot dot, struct hlc before,
                     int64_t delta, struct counter *out)
{
	assert(dot.actor.v != 0 && dot.at.v > before.v);
	if (leaves_range(counter_value(c), delta)) return ERR_COUNTER_RANGE;
	struct counter_entry added = {.actor = dot.actor, .birth = dot.at, .last = dot.at};
	added.plus = delta > 0 ? (uint64_t)delta : 0;
	added.minus = delta < 0 ? 0 - (uint64_t)delta : 0;
	for (uint32_t i = 0; i < c->count; i++) {
		const struct counter_entry *e = &c->entries[i];
		if (!goes_on(e, dot, before, added.plus, added.minus)) continue;
		added.birth = e->birth;
		added.plus += e->plus;
		added.minus += e->minus;
		break;
	}
	struct counter one = {&added, 1}, made;
	if (!counter_merge(a, c, &one, &made)) return ERR_BUSY;
	if (made.count > COUNTER_ENTRIES_MAX) return ERR_COUNTER_FULL;
	*out = made;
	return ERR_OK;
}

/* ---- siblings --------------------------------------------------------------------------------- */

/* Is the sibling a counter? Then it is merged into *sum. */
static enum err take_sibling(struct arena *a, const struct sibling *s, struct counter *sum,
                             bool *is_counter)
{
	struct counter one;
	*is_counter = false;
	if (s->tombstone || !bytes_equal(s->meta, counter_meta)) return ERR_OK;
	enum err e = counter_decode(a, s->value, &one);
	if (e != ERR_OK) return e == ERR_BUSY ? e : ERR_OK;
	*is_counter = true;
	return counter_merge(a, sum, &one, sum) ? ERR_OK : ERR_BUSY;
}

enum err counter_of(struct arena *a, const struct sibling *siblings, uint32_t count,
                    struct counter *out)
{
	bool is_counter;
	*out = (struct counter){0};
	for (uint32_t i = 0; i < count; i++) {
		enum err e = take_sibling(a, &siblings[i], out, &is_counter);
		if (e != ERR_OK) return e;
	}
	return ERR_OK;
}

enum err counter_increment(struct arena *a, const struct object *now, struct dot dot, int64_t delta,
                           struct bytes *value, struct dvv *covers)
{
	struct counter sum = {0};
	struct hlc before = {dvv_vector_at(&now->seen, dot.actor)};
	*covers = (struct dvv){0};
	for (uint32_t i = 0; i < now->sibling_count; i++) {
		const struct sibling *s = &now->siblings[i];
		bool is_counter;
		enum err e = take_sibling(a, s, &sum, &is_counter);
		if (e != ERR_OK) return e;
		if (!is_counter && !s->tombstone) continue;
		if (!dvv_add(a, covers, s->dot, covers)) return ERR_BUSY;
	}
	enum err e = counter_add(a, &sum, dot, before, delta, &sum);
	if (e != ERR_OK) return e;
	return counter_encode(a, &sum, value) ? ERR_OK : ERR_BUSY;
}

/* ---- for people ------------------------------------------------------------------------------- */

/* The last decimal digit of a number, which is divided by ten. (By halves of words: the division of 128
 * bits is not in the processor.) */
static unsigned take_digit(uint32_t limbs[4])
{
	uint64_t rest = 0;
	for (int i = 3; i >= 0; i--) {
		rest = rest << 32 | limbs[i];
		limbs[i] = (uint32_t)(rest / 10);
		rest %= 10;
	}
	return (unsigned)rest;
}

void counter_text(counter_number value, char to[COUNTER_TEXT_BYTES])
{
	char digits[COUNTER_TEXT_BYTES];
	uint32_t limbs[4], count = 0;
	counter_number size = value < 0 ? -value : value;
	for (int i = 0; i < 4; i++) limbs[i] = (uint32_t)(size >> (32 * i));
	do digits[count++] = (char)('0' + take_digit(limbs));
	while ((limbs[0] | limbs[1] | limbs[2] | limbs[3]) != 0 && count < COUNTER_TEXT_BYTES - 2);
	if (value < 0) *to++ = '-';
	while (count > 0) *to++ = digits[--count];
	*to = '\0';
}
