/* cursor.c - see cursor.h. The msgpack types used, by first byte:
 *
 *   00-7f  uint, 7 bits      c4 u8,  c5 u16, c6 u32 (big-endian) length + bytes: bin
 *   90-9f  array, 0-15       cc u8,  cd u16, ce u32, cf u64: uint
 *   c0 nil  c2 false c3 true dc u16, dd u32 count: array */
#include "base/cursor.h"

#include "base/bytes.h"
#include "base/panic.h"

enum {
	TAG_FIXARRAY = 0x90,
	TAG_NIL = 0xc0,
	TAG_FALSE = 0xc2,
	TAG_TRUE = 0xc3,
	TAG_BIN8 = 0xc4,
	TAG_BIN16 = 0xc5,
	TAG_BIN32 = 0xc6,
	TAG_UINT8 = 0xcc,
	TAG_UINT16 = 0xcd,
	TAG_UINT32 = 0xce,
	TAG_UINT64 = 0xcf,
	TAG_ARRAY16 = 0xdc,
	TAG_ARRAY32 = 0xdd
};

/* Big-endian numbers of 0, 1, 2, 4 or 8 bytes: most of what is packed is of eight, dots. */
static void put_wide(uint8_t *to, uint64_t v, unsigned width)
{
	switch (width) {
	case 8: put_u64be(to, v); break;
	case 4: put_u32be(to, (uint32_t)v); break;
	case 2: put_u16be(to, (uint16_t)v); break;
	case 1: to[0] = (uint8_t)v; break;
	default: assert(width == 0);
	}
}

static uint64_t get_wide(const uint8_t *from, unsigned width)
{
	switch (width) {
	case 8: return get_u64be(from);
	case 4: return get_u32be(from);
	case 2: return get_u16be(from);
	default: assert(width == 1); return from[0];
	}
}

/* ---- writing ----------------------------------------------------------------------------- */

void pack_raw(struct packer *p, struct bytes b)
{
	if (b.len > 0 && p->len <= p->capacity && b.len <= p->capacity - p->len)
		memcpy(p->to + p->len, b.data, b.len);
	p->len += b.len;
}

/* A tag byte and `width` bytes of big-endian number. */
static void pack_tagged(struct packer *p, uint8_t tag, uint64_t v, unsigned width)
{
	if (p->len <= p->capacity && 1 + width <= p->capacity - p->len) {
		p->to[p->len] = tag;
		put_wide(p->to + p->len + 1, v, width);
	}
	p->len += 1 + width;
}

void pack_nil(struct packer *p)
{
	pack_tagged(p, TAG_NIL, 0, 0);
}

void pack_bool(struct packer *p, bool v)
{
	pack_tagged(p, v ? TAG_TRUE : TAG_FALSE, 0, 0);
}

void pack_uint(struct packer *p, uint64_t v)
{
	if (v < 0x80)
		pack_tagged(p, (uint8_t)v, 0, 0);
	else if (v <= UINT8_MAX)
		pack_tagged(p, TAG_UINT8, v, 1);
	else if (v <= UINT16_MAX)
		pack_tagged(p, TAG_UINT16, v, 2);
	else if (v <= UINT32_MAX)
		pack_tagged(p, TAG_UINT32, v, 4);
	else
		pack_tagged(p, TAG_UINT64, v, 8);
}

void pack_bin(struct packer *p, struct bytes b)
{
	assert(b.len <= UINT32_MAX);
	if (b.len <= UINT8_MAX)
		pack_tagged(p, TAG_BIN8, b.len, 1);
	else if (b.len <= UINT16_MAX)
		pack_tagged(p, TAG_BIN16, b.len, 2);
	else
		pack_tagged(p, TAG_BIN32, b.len, 4);
	pack_raw(p, b);
}

void pack_array(struct packer *p, uint32_t count)
{
	if (count < 16)
		pack_tagged(p, (uint8_t)(TAG_FIXARRAY | count), 0, 0);
	else if (count <= UINT16_MAX)
		pack_tagged(p, TAG_ARRAY16, count, 2);
	else
		pack_tagged(p, TAG_ARRAY32, count, 4);
}

/* ---- reading ----------------------------------------------------------------------------- */

static size_t left(const struct cursor *c)
{
	return c->bad ? 0 : (size_t)(c->end - c->at);
}

static uint64_t fail(struct cursor *c)
{
	c->bad = true;
	return 0;
}

static uint8_t take_tag(struct cursor *c)
{
	if (left(c) == 0) return (uint8_t)fail(c);
	return *c->at++;
}

/* A big-endian number of `width` bytes that a shorter form could not have held. */
static uint64_t take_number(struct cursor *c, unsigned width, uint64_t at_least)
{
	if (left(c) < width) return fail(c);
	uint64_t v = get_wide(c->at, width);
	c->at += width;
	return v < at_least ? fail(c) : v;
}

bool cursor_bool(struct cursor *c)
{
	uint8_t tag = take_tag(c);
	if (tag != TAG_TRUE && tag != TAG_FALSE) fail(c);
	return tag == TAG_TRUE && !c->bad;
}

bool cursor_nil(struct cursor *c)
{
	if (left(c) == 0 || *c->at != TAG_NIL) return false;
	c->at++;
	return true;
}

uint64_t cursor_uint(struct cursor *c, uint64_t max)
{
	uint8_t tag = take_tag(c);
	uint64_t v;
	switch (tag) {
	case TAG_UINT8: v = take_number(c, 1, 0x80); break;
	case TAG_UINT16: v = take_number(c, 2, UINT8_MAX + 1UL); break;
	case TAG_UINT32: v = take_number(c, 4, UINT16_MAX + 1UL); break;
	case TAG_UINT64: v = take_number(c, 8, UINT32_MAX + 1UL); break;
	default: v = tag < 0x80 ? tag : fail(c); break;
	}
	return c->bad || v > max ? fail(c) : v;
}

struct bytes cursor_bin(struct cursor *c, size_t max)
{
	uint8_t tag = take_tag(c);
	uint64_t len;
	switch (tag) {
	case TAG_BIN8: len = take_number(c, 1, 0); break;
	case TAG_BIN16: len = take_number(c, 2, UINT8_MAX + 1UL); break;
	case TAG_BIN32: len = take_number(c, 4, UINT16_MAX + 1UL); break;
	default: len = fail(c); break;
	}
	if (c->bad || len > max || len > left(c)) {
		fail(c);
		return BYTES_EMPTY;
	}
	struct bytes b = {c->at, (size_t)len};
	c->at += len;
	return b;
}

void cursor_bin_exact(struct cursor *c, uint8_t *to, size_t len)
{
	struct bytes b = cursor_bin(c, len);
	if (b.len != len) fail(c);
	if (c->bad)
		memset(to, 0, len);
	else
		memcpy(to, b.data, len);
}

uint32_t cursor_array(struct cursor *c, uint32_t max)
{
	uint8_t tag = take_tag(c);
	uint64_t count;
	switch (tag) {
	case TAG_ARRAY16: count = take_number(c, 2, 16); break;
	case TAG_ARRAY32: count = take_number(c, 4, UINT16_MAX + 1UL); break;
	default: count = (tag & 0xf0) == TAG_FIXARRAY ? tag & 0x0fU : fail(c); break;
	}
	return (uint32_t)(c->bad || count > max || count > left(c) ? fail(c) : count);
}

void cursor_array_exact(struct cursor *c, uint32_t count)
{
	if (cursor_array(c, count) != count) fail(c);
}

bool cursor_finished(const struct cursor *c)
{
	return !c->bad && c->at == c->end;
}
