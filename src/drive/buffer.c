/* buffer.c - a growing contiguous queue of bytes; the picture is in buffer.h. */
#include "drive/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"

static bool grow(struct buffer *b, size_t wanted)
{
	size_t capacity = b->capacity < 4096 ? 4096 : b->capacity;
	/* Twice, until it fits; but something large that is known to come gets just its size. */
	if (wanted > 4 * capacity) capacity = wanted;
	while (capacity < wanted) capacity *= 2;
	uint8_t *data = malloc(capacity);
	if (data == NULL) return false;
	if (b->len > 0) memcpy(data, buffer_head(b), b->len);
	free(b->data);
	*b = (struct buffer){data, 0, b->len, capacity};
	return true;
}

uint8_t *buffer_room(struct buffer *b, size_t room)
{
	if (buffer_room_left(b) < room && b->start >= b->len && b->capacity - b->len >= room) {
		if (b->len > 0) memcpy(b->data, buffer_head(b), b->len);
		b->start = 0;
	}
	if ((b->data == NULL || buffer_room_left(b) < room) && !grow(b, b->len + room)) return NULL;
	assert(buffer_room_left(b) >= room);
	return buffer_head(b) + b->len;
}

bool buffer_append(struct buffer *b, struct bytes bytes)
{
	if (bytes.len == 0) return true;
	uint8_t *to = buffer_room(b, bytes.len);
	if (to == NULL) return false;
	memcpy(to, bytes.data, bytes.len);
	b->len += bytes.len;
	return true;
}

void buffer_printf(struct buffer *b, const char *format, ...)
{
	char text[1024];
	va_list arguments;
	va_start(arguments, format);
	int len = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	assert(len >= 0);
	buffer_append(b, bytes_of(text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1));
}

void buffer_consume(struct buffer *b, size_t len)
{
	assert(len <= b->len);
	b->start += len;
	b->len -= len;
	if (b->len > 0) return;
	b->start = 0;
	if (b->capacity > BUFFER_KEEP_BYTES) buffer_free(b);
}

void buffer_free(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){0};
}
