/* pool.c - see pool.h.
 *
 *   region  |  order 1  | 0 | 0 |      order 2      |   ...
 *   state    2F  .   .    1   1F   3  .   .   .           one byte per smallest piece; only a piece's
 *                                                         first byte counts; F: free
 * Always true: a free piece is in the list of its order; no two free buddies of one order exist. */
#include "base/pool.h"

#include "base/panic.h"

enum { STATE_FREE = 0x80, STATE_ORDER = 0x7f };

static_assert((POOL_PIECE_BYTES_MIN << (POOL_ORDERS - 1)) == POOL_PIECE_BYTES_MAX, "orders");

static size_t order_bytes(unsigned order)
{
	return POOL_PIECE_BYTES_MIN << order;
}

static size_t state_index(const struct pool *p, const void *piece)
{
	return (size_t)((const uint8_t *)piece - p->region) / POOL_PIECE_BYTES_MIN;
}

static void list_add(struct pool *p, unsigned order, void *piece)
{
	struct pool_free *head = &p->free[order], *f = piece;
	f->next = head->next;
	f->prev = head;
	head->next->prev = f;
	head->next = f;
	p->state[state_index(p, piece)] = (uint8_t)(STATE_FREE | (order + 1));
}

static void list_remove(struct pool_free *f)
{
	f->prev->next = f->next;
	f->next->prev = f->prev;
}

size_t pool_state_bytes(size_t bytes)
{
	return bytes / POOL_PIECE_BYTES_MIN;
}

void pool_init(struct pool *p, void *region, size_t bytes, void *state)
{
	assert(bytes >= MIB(1) && bytes % MIB(1) == 0);
	*p = (struct pool){.region = region, .bytes = bytes, .state = state};
	for (unsigned i = 0; i < POOL_ORDERS; i++) p->free[i].next = p->free[i].prev = &p->free[i];
	size_t at = 0;
	while (at < bytes) {
		unsigned order = POOL_ORDERS - 1;
		while (order_bytes(order) > bytes - at || at % order_bytes(order) != 0) order--;
		list_add(p, order, p->region + at);
		at += order_bytes(order);
	}
}

void *pool_take(struct pool *p, size_t len, size_t *got)
{
	if (len > POOL_PIECE_BYTES_MAX) return NULL;
	unsigned want = 0;
	while (order_bytes(want) < len) want++;
	unsigned order = want;
	while (order < POOL_ORDERS && p->free[order].next == &p->free[order]) order++;
	if (order == POOL_ORDERS) return NULL;
	struct pool_free *f = p->free[order].next;
	list_remove(f);
	while (order > want) {
		order--;
		list_add(p, order, (uint8_t *)f + order_bytes(order));
	}
	p->state[state_index(p, f)] = (uint8_t)(order + 1);
	p->used += order_bytes(order);
	*got = order_bytes(order);
	return f;
}

void pool_give(struct pool *p, void *piece)
{
	size_t at = (size_t)((uintptr_t)piece - (uintptr_t)p->region);
	assert(at < p->bytes && at % POOL_PIECE_BYTES_MIN == 0);
	uint8_t state = p->state[state_index(p, piece)];
	assert(state != 0 && (state & STATE_FREE) == 0);
	unsigned order = (state & STATE_ORDER) - 1U;
	assert(p->used >= order_bytes(order));
	p->used -= order_bytes(order);
	p->state[state_index(p, piece)] = 0;
	for (; order + 1 < POOL_ORDERS; order++) {
		size_t buddy = at ^ order_bytes(order);
		if (buddy + order_bytes(order) > p->bytes) break;
		uint8_t *b = p->region + buddy;
		if (p->state[state_index(p, b)] != (STATE_FREE | (order + 1))) break;
		list_remove((struct pool_free *)(void *)b);
		p->state[state_index(p, b)] = 0;
		if (buddy < at) at = buddy;
	}
	list_add(p, order, p->region + at);
}
