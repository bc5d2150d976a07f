/* cursor.h - the bounded msgpack cursor: what stored objects, layouts and messages are written with
 * and read with. No allocation, no reading past the end, no belief in a length before it is checked.
 *
 * A small part of msgpack (https://github.com/msgpack/msgpack/blob/master/spec.md): nil, bool,
 * unsigned integers, bin, array; each in its shortest form, and the reader refuses every other form,
 * so that a value has one encoding. tests/unit/test_cursor.c holds both sides against msgpack-c. */
#ifndef DUNLIN_CURSOR_H
#define DUNLIN_CURSOR_H

#include "dunlin/types.h"

/* Writes at most `capacity` bytes and counts all of them: run an encoder once with capacity 0 to
 * learn the length, then again with room. */
struct packer {
	uint8_t *to;
	size_t capacity;
	size_t len;
};

void pack_nil(struct packer *p);
void pack_bool(struct packer *p, bool v);
void pack_uint(struct packer *p, uint64_t v);
void pack_bin(struct packer *p, struct bytes b);
void pack_array(struct packer *p, uint32_t count);
/* Already encoded bytes. */
void pack_raw(struct packer *p, struct bytes b);
static inline bool pack_fits(const struct packer *p)
{
	return p->len <= p->capacity;
}

/* Reads. The first thing that is not as asked for makes it bad for good: after that every read gives
 * zero, so a decoder checks once, at its end (and before it believes a count). */
struct cursor {
	const uint8_t *at, *end;
	bool bad;
};

static inline struct cursor cursor_of(struct bytes b)
{
	return (struct cursor){b.data, b.data == NULL ? b.data : b.data + b.len, false};
}

bool cursor_bool(struct cursor *c);
uint64_t cursor_uint(struct cursor *c, uint64_t max);
/* A view into the buffer; at most `max` bytes. */
struct bytes cursor_bin(struct cursor *c, size_t max);
/* Exactly `len` bytes, copied; zeroes if bad. */
void cursor_bin_exact(struct cursor *c, uint8_t *to, size_t len);
/* An array's count, at most `max`, and not more than there are bytes left (each element takes one). */
uint32_t cursor_array(struct cursor *c, uint32_t max);
/* An array of exactly `count` elements. */
void cursor_array_exact(struct cursor *c, uint32_t count);
/* Is the next value nil? Then it is consumed. */
bool cursor_nil(struct cursor *c);
/* Good so far, and nothing left over. */
bool cursor_finished(const struct cursor *c);

#endif
