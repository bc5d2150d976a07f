/* arena.h - bump allocation out of pool pieces, freed all at once. Every request in flight has one.
 *
 *   arena -> [header | used.... free] -> [header | used........] -> NULL     newest piece first */
#ifndef DUNLIN_ARENA_H
#define DUNLIN_ARENA_H

#include "base/pool.h"

struct arena_piece;

struct arena {
	struct pool *pool;
	struct arena_piece *newest;
};

static inline void arena_init(struct arena *a, struct pool *pool)
{
	*a = (struct arena){pool, NULL};
}
/* 16-aligned, not zeroed; NULL when the pool is exhausted. A request for 0 bytes is not NULL. */
void *arena_take(struct arena *a, size_t len);
/* A copy; *ok turns false when there is no room (and is left alone otherwise). */
struct bytes arena_copy(struct arena *a, struct bytes b, bool *ok);
/* Everything back to the pool. */
void arena_free(struct arena *a);

/* Where an arena stood, to give back what was taken since. Marks nest. */
struct arena_mark {
	struct arena_piece *newest;
	size_t used;
};
struct arena_mark arena_mark(const struct arena *a);
void arena_release(struct arena *a, struct arena_mark mark);

#endif
