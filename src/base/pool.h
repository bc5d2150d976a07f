/* pool.h - a buddy allocator over one region: where the bytes of requests in flight live.
 *
 * Pieces are powers of two, from POOL_PIECE_BYTES_MIN up. It never asks the system for anything;
 * when it is exhausted it says so, and the request is answered ERR_BUSY. Knuth, TAOCP 1, 2.5. */
#ifndef DUNLIN_POOL_H
#define DUNLIN_POOL_H

#include "dunlin/types.h"

#define POOL_ORDERS 20 /* 512 B << 19 = 256 MiB, the largest piece */

struct pool_free {
	struct pool_free *next, *prev;
};

struct pool {
	uint8_t *region;
	size_t bytes;
	size_t used;
	struct pool_free free[POOL_ORDERS]; /* list heads, by order */
	uint8_t *state;                     /* one byte per smallest piece: order + 1, FREE bit */
};

/* Bytes of bookkeeping that pool_init needs for a region of `bytes`. */
size_t pool_state_bytes(size_t bytes);
/* `bytes` is a multiple of MIB(1); `state` is zeroed; both stay the caller's. */
void pool_init(struct pool *p, void *region, size_t bytes, void *state);
/* At least `len` bytes, 16-aligned; NULL when there is no room. *got: how much it really is. */
void *pool_take(struct pool *p, size_t len, size_t *got);
void pool_give(struct pool *p, void *piece);

#endif
