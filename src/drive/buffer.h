/* buffer.h - bytes that come in at the end and go out at the front, contiguous.
 *
 *   data -> [ gone | start ... start + len | room ]          capacity = the three together
 *
 * Room is made by moving the bytes to the front when at least half is gone, else by growing to twice
 * (or to what is known to come), so that no byte is moved more than a constant number of times. */
#ifndef DUNLIN_DRIVE_BUFFER_H
#define DUNLIN_DRIVE_BUFFER_H

#include "dunlin/types.h"

struct buffer {
	uint8_t *data;
	size_t start, len, capacity;
};

static inline uint8_t *buffer_head(const struct buffer *b)
{
	return b->data + b->start;
}

/* Where to write `room` more bytes (then buffer_added), or NULL when the system has no memory. */
uint8_t *buffer_room(struct buffer *b, size_t room);
static inline void buffer_added(struct buffer *b, size_t len)
{
	b->len += len;
}
/* What can be written behind the last byte without moving anything. */
static inline size_t buffer_room_left(const struct buffer *b)
{
	return b->capacity - b->start - b->len;
}
bool buffer_append(struct buffer *b, struct bytes bytes);
/* Text, for reports; what does not fit memory is left out. */
__attribute__((format(printf, 2, 3))) void buffer_printf(struct buffer *b, const char *format, ...);
/* Drop from the front. A buffer that is empty and larger than BUFFER_KEEP_BYTES is freed. */
void buffer_consume(struct buffer *b, size_t len);
void buffer_free(struct buffer *b);

#endif
