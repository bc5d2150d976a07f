/* fuzz_counter.c - counters, as a damaged disk, a client's own bytes or a peer gone mad could hand them
 * over: whatever decodes is encoded again byte for byte, and merged and added to without a fall. */
#include "base/bytes.h"
#include "base/panic.h"
#include "core/counter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 4 << 20 };

struct room {
	struct pool pool;
	struct arena arena;
};

static void open_room(struct room *r)
{
	static uint8_t region[ROOM] __attribute__((aligned(64))), state[ROOM / POOL_PIECE_BYTES_MIN];
	memset(state, 0, sizeof state);
	pool_init(&r->pool, region, ROOM, state);
	arena_init(&r->arena, &r->pool);
}

static bool decode(struct room *r, struct bytes in, struct counter *out)
{
	struct bytes again;
	if (counter_decode(&r->arena, in, out) != ERR_OK) return false;
	bool room = counter_encode(&r->arena, out, &again);
	assert(room && bytes_equal(in, again));
	return true;
}

static void merge(struct room *r, const struct counter *x, const struct counter *y)
{
	struct counter both, other;
	char text[COUNTER_TEXT_BYTES], same[COUNTER_TEXT_BYTES];
	if (!counter_merge(&r->arena, x, y, &both) || !counter_merge(&r->arena, y, x, &other)) return;
	assert(both.count == other.count && both.count >= x->count && both.count >= y->count);
	assert(counter_value(&both) == counter_value(&other));
	counter_text(counter_value(&both), text);
	counter_text(counter_value(&other), same);
	assert(strcmp(text, same) == 0);
}

/* As the actor of its first entry, whose last dot is known. */
static void add(struct room *r, const struct counter *c, int64_t delta)
{
	struct counter out;
	struct hlc before = c->entries[0].last;
	struct dot dot = {c->entries[0].actor, {before.v + 1}};
	if (dot.at.v == 0) return;
	for (uint32_t i = 0; i < c->count; i++) /* a dot is new, so no entry was born with it */
		if (c->entries[i].actor.v == dot.actor.v && c->entries[i].birth.v == dot.at.v) return;
	enum err e = counter_add(&r->arena, c, dot, before, delta, &out);
	assert(e == ERR_OK || e == ERR_BUSY || e == ERR_COUNTER_RANGE || e == ERR_COUNTER_FULL);
	if (e == ERR_OK) assert(counter_value(&out) == counter_value(c) + delta);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct room r;
	struct counter x, y;
	if (size < 10) return 0;
	open_room(&r);
	size_t first = get_u16be(data) % (size - 9);
	int64_t delta = (int64_t)get_u64be(data + 2);
	struct bytes all = bytes_of(data + 10, size - 10);
	bool have_x = decode(&r, bytes_of(all.data, first), &x);
	bool have_y = decode(&r, bytes_of(all.data + first, all.len - first), &y);
	if (have_x && have_y) merge(&r, &x, &y);
	if (have_x) add(&r, &x, delta);
	if (have_y) add(&r, &y, delta);
	arena_free(&r.arena);
	assert(r.pool.used == 0);
	return 0;
}
