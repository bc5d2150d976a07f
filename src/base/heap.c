/* heap.c - see heap.h. Always true: at[i]->place == i, and at[i/2] is not later than at[i]. */
#include "base/heap.h"

#include "base/panic.h"

static bool is_in(const struct heap *h, const struct timer *t)
{
	return t->place >= 1 && t->place <= h->count && h->at[t->place] == t;
}

static void put(struct heap *h, uint32_t place, struct timer *t)
{
	h->at[place] = t;
	t->place = place;
}

static void sift_up(struct heap *h, struct timer *t)
{
	uint32_t i = t->place;
	for (; i > 1 && h->at[i / 2]->at.us > t->at.us; i /= 2) put(h, i, h->at[i / 2]);
	put(h, i, t);
}

static void sift_down(struct heap *h, struct timer *t)
{
	uint32_t i = t->place;
	for (;;) {
		uint32_t child = 2 * i;
		if (child > h->count) break;
		if (child < h->count && h->at[child + 1]->at.us < h->at[child]->at.us) child++;
		if (h->at[child]->at.us >= t->at.us) break;
		put(h, i, h->at[child]);
		i = child;
	}
	put(h, i, t);
}

void heap_init(struct heap *h, struct timer **memory, uint32_t capacity)
{
	*h = (struct heap){memory, 0, capacity};
}

void heap_set(struct heap *h, struct timer *t, struct instant at)
{
	assert(t->place == 0 || is_in(h, t));
	t->at = at;
	if (t->place == 0) {
		assert(h->count < h->capacity);
		put(h, ++h->count, t);
	}
	sift_up(h, t);
	sift_down(h, t);
}

void heap_remove(struct heap *h, struct timer *t)
{
	if (t->place == 0) return;
	assert(is_in(h, t));
	struct timer *last = h->at[h->count--];
	if (last != t) {
		put(h, t->place, last);
		sift_up(h, last);
		sift_down(h, last);
	}
	t->place = 0;
}

struct timer *heap_first(const struct heap *h)
{
	return h->count == 0 ? NULL : h->at[1];
}
