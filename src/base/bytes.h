/* bytes.h - views of bytes, and big-endian numbers in keys (so that byte order is number order). */
#ifndef DUNLIN_BYTES_H
#define DUNLIN_BYTES_H

#include <string.h>

#include "dunlin/types.h"

#define BYTES_EMPTY ((struct bytes){NULL, 0})
/* Of a string literal, without its NUL. */
#define BYTES(literal) ((struct bytes){(const uint8_t *)("" literal), sizeof(literal) - 1})

static inline struct bytes bytes_of(const void *data, size_t len)
{
	return (struct bytes){(const uint8_t *)data, len};
}

static inline struct bytes bytes_of_string(const char *s)
{
	return bytes_of(s, strlen(s));
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Like memcmp; a prefix sorts first. */
static inline int bytes_compare(struct bytes a, struct bytes b)
{
	size_t shared = a.len < b.len ? a.len : b.len;
	int order = shared == 0 ? 0 : memcmp(a.data, b.data, shared);
	if (order != 0) return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

static inline bool bytes_start_with(struct bytes b, struct bytes prefix)
{
	return b.len >= prefix.len && (prefix.len == 0 || memcmp(b.data, prefix.data, prefix.len) == 0);
}

static inline void put_u16be(uint8_t *to, uint16_t v)
{
	to[0] = (uint8_t)(v >> 8);
	to[1] = (uint8_t)v;
}

static inline uint16_t get_u16be(const uint8_t *from)
{
	return (uint16_t)((uint16_t)from[0] << 8 | from[1]);
}

static inline void put_u32be(uint8_t *to, uint32_t v)
{
	put_u16be(to, (uint16_t)(v >> 16));
	put_u16be(to + 2, (uint16_t)v);
}

static inline uint32_t get_u32be(const uint8_t *from)
{
	return (uint32_t)get_u16be(from) << 16 | get_u16be(from + 2);
}

static inline void put_u64be(uint8_t *to, uint64_t v)
{
	put_u32be(to, (uint32_t)(v >> 32));
	put_u32be(to + 4, (uint32_t)v);
}

static inline uint64_t get_u64be(const uint8_t *from)
{
	return (uint64_t)get_u32be(from) << 32 | get_u32be(from + 4);
}

#endif
