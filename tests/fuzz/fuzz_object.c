/* fuzz_object.c - stored objects, as a damaged disk or a peer gone mad could hand them over: two of them
 * are decoded, and whatever decodes is merged, shown and encoded again, byte for byte. */
#include "base/bytes.h"
#include "base/panic.h"
#include "core/context.h"
#include "core/object.h"

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

static void close_room(struct room *r)
{
	arena_free(&r->arena);
	assert(r->pool.used == 0);
}

/* What was accepted is written again as it was. */
static bool decode(struct room *r, struct bytes in, struct object *out)
{
	struct bytes again;
	if (object_decode(&r->arena, in, out) != ERR_OK) return false;
	if (in.len == 0 || !object_encode(&r->arena, out, &again)) return in.len == 0;
	assert(bytes_equal(in, again));
	return true;
}

static void use(struct room *r, const struct object *x, const struct object *y)
{
	struct object both, other;
	const struct sibling *shown;
	uint32_t count;
	uint8_t digest[16];
	static const uint8_t secret[16];
	if (!object_merge(&r->arena, x, y, &both) || !object_merge(&r->arena, y, x, &other)) return;
	assert(object_same_siblings(&both, &other));
	assert(dvv_includes(&both.seen, &x->seen) && dvv_includes(&both.seen, &y->seen));
	if (!object_show(&r->arena, &both, &shown, &count)) return;
	assert(count <= both.sibling_count);
	object_digest(&r->arena, secret, BYTES("\0\1t\0\1b\0\1k"), &both, digest);
	object_keep_newest(&both);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct room r;
	struct object x, y;
	struct dvv seen;
	static const uint8_t secret[16];
	if (size < 2) return 0;
	open_room(&r);
	size_t first = get_u16be(data) % (size - 1);
	struct bytes all = bytes_of(data + 2, size - 2);
	if (first > all.len) first = all.len;
	bool have_x = decode(&r, bytes_of(all.data, first), &x);
	bool have_y = decode(&r, bytes_of(all.data + first, all.len - first), &y);
	if (have_x && have_y) use(&r, &x, &y);
	context_open(&r.arena, secret, BYTES("\0\1t\0\1b\0\1k"), all, &seen);
	close_room(&r);
	return 0;
}
