/* http_scratch.h - room for what one request decodes to: path, key, context, metadata. A bump
 * region that the caller owns and resets between requests. */
#ifndef DUNLIN_WIRE_HTTP_SCRATCH_H
#define DUNLIN_WIRE_HTTP_SCRATCH_H

#include "base/panic.h"
#include "dunlin/types.h"

/* `capacity` must be HTTP_SCRATCH_BYTES: then no request can exhaust it (see limits.h). */
struct http_scratch {
	uint8_t *data;
	size_t capacity, used;
};

/* The part not yet taken; write there, then take what was written. */
static inline uint8_t *http_scratch_room(const struct http_scratch *s, size_t len)
{
	assert(len <= s->capacity - s->used);
	return s->data + s->used;
}

static inline struct bytes http_scratch_take(struct http_scratch *s, size_t len)
{
	struct bytes b = {http_scratch_room(s, len), len};
	s->used += len;
	return b;
}

#endif
