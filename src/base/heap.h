/* heap.h - a fixed binary heap of deadlines. An entry knows its place, so it can be moved or removed
 * in O(log n) when its request ends early. */
#ifndef DUNLIN_HEAP_H
#define DUNLIN_HEAP_H

#include "dunlin/types.h"

/* Part of whatever has a deadline. `place` is 0 while it is in no heap. */
struct timer {
	struct instant at;
	struct ticket ticket; /* of the slot it belongs to */
	uint32_t place;
};

struct heap {
	struct timer **at; /* 1-based; caller's, room for capacity + 1 */
	uint32_t count, capacity;
};

void heap_init(struct heap *h, struct timer **memory, uint32_t capacity);
/* Put in, or move to a new instant. */
void heap_set(struct heap *h, struct timer *t, struct instant at);
/* Take out; nothing happens if it is not in. */
void heap_remove(struct heap *h, struct timer *t);
/* The earliest, or NULL. */
struct timer *heap_first(const struct heap *h);

#endif
