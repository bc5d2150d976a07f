/* value.c - see value.h.
 *
 *   [ "DUNLINv1" | write u32 | key u32 | filler... ]      most keys; its length depends on the write
 *   [ "DUNLINv1" | write u32 | key u32 | bit per write ]  sets: bit i is the i'th write of the key */
#include "tests/sim/value.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"

#define HEAD_BYTES 16

static uint32_t mix(uint32_t x)
{
	x ^= x >> 16;
	x *= 0x7feb352dU;
	x ^= x >> 15;
	return x * 0x846ca68bU;
}

/* Mostly small, now and then many pages. */
static size_t filler_bytes(uint32_t write)
{
	uint32_t x = mix(write + 1);
	if (x % 200 == 0) return x / 200 % 20000;
	return x % 120;
}

static void set_fill(const struct history *h, uint32_t write, uint8_t *to)
{
	const struct hist_write *w = &h->writes[write];
	for (uint32_t i = 0; i <= w->place / 64; i++) {
		uint64_t bits = w->past[i];
		if (i == w->place / 64) bits |= 1ULL << w->place % 64;
		put_u64be(to + (size_t)8 * i, bits);
	}
}

struct bytes value_make(const struct history *h, uint32_t write, bool set)
{
	assert(write < h->write_count);
	size_t len =
		HEAD_BYTES + (set ? (size_t)8 * (h->writes[write].place / 64 + 1) : filler_bytes(write));
	uint8_t *to = malloc(len);
	assert(to != NULL);
	memcpy(to, "DUNLINv1", 8);
	put_u32be(to + 8, write);
	put_u32be(to + 12, h->writes[write].key);
	if (set)
		set_fill(h, write, to + HEAD_BYTES);
	else
		memset(to + HEAD_BYTES, (int)(mix(write) & 0xff), len - HEAD_BYTES);
	return bytes_of(to, len);
}

void value_meta(uint32_t write, uint8_t meta[VALUE_META_BYTES])
{
	memset(meta, 'm', VALUE_META_BYTES);
	put_u32be(meta, mix(write) % 3);
}

uint32_t value_write(const struct history *h, uint32_t key, bool set, struct bytes value,
                     struct bytes meta)
{
	uint8_t expected_meta[VALUE_META_BYTES];
	if (value.len < HEAD_BYTES || memcmp(value.data, "DUNLINv1", 8) != 0) return HIST_NOBODY;
	uint32_t write = get_u32be(value.data + 8);
	if (write >= h->write_count || h->writes[write].key != key) return HIST_NOBODY;
	struct bytes expected = value_make(h, write, set);
	value_meta(write, expected_meta);
	bool same = bytes_equal(expected, value) &&
	            bytes_equal(bytes_of(expected_meta, sizeof expected_meta), meta);
	free((void *)(uintptr_t)expected.data);
	return same ? write : HIST_NOBODY;
}
