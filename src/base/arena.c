/* arena.c - see arena.h. */
#include "base/arena.h"

#include "base/bytes.h"
#include "base/panic.h"

struct arena_piece {
	struct arena_piece *next;
	size_t bytes, used; /* of the whole piece, header included */
};

enum { HEADER_BYTES = 32, ALIGNMENT = 16 };
static_assert(sizeof(struct arena_piece) <= HEADER_BYTES, "the header fits");

void *arena_take(struct arena *a, size_t len)
{
	if (len > POOL_PIECE_BYTES_MAX) return NULL;
	len = (len + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	struct arena_piece *p = a->newest;
	if (p == NULL || p->bytes - p->used < len) {
		size_t got;
		p = pool_take(a->pool, HEADER_BYTES + len, &got);
		if (p == NULL) return NULL;
		*p = (struct arena_piece){a->newest, got, HEADER_BYTES};
		a->newest = p;
	}
	void *at = (uint8_t *)p + p->used;
	p->used += len;
	return at;
}

struct bytes arena_copy(struct arena *a, struct bytes b, bool *ok)
{
	if (b.len == 0) return BYTES_EMPTY;
	void *to = arena_take(a, b.len);
	if (to == NULL) {
		*ok = false;
		return BYTES_EMPTY;
	}
	memcpy(to, b.data, b.len);
	return bytes_of(to, b.len);
}

void arena_free(struct arena *a)
{
	arena_release(a, (struct arena_mark){NULL, 0});
}

struct arena_mark arena_mark(const struct arena *a)
{
	return (struct arena_mark){a->newest, a->newest == NULL ? 0 : a->newest->used};
}

void arena_release(struct arena *a, struct arena_mark mark)
{
	while (a->newest != mark.newest) {
		struct arena_piece *p = a->newest;
		assert(p != NULL);
		a->newest = p->next;
		pool_give(a->pool, p);
	}
	if (a->newest != NULL) a->newest->used = mark.used;
}
