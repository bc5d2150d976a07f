/* vtag.c - see vtag.h. 62^11 is a little above 2^64, so 11 digits hold any number, and a few texts
 * of 11 digits are none. */
#include "wire/vtag.h"

#include "base/panic.h"

#define HALF (VTAG_CHARS / 2)
#define BASE 62

static void write_half(uint64_t v, char *to)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	for (int i = HALF - 1; i >= 0; i--) {
		to[i] = digits[v % BASE];
		v /= BASE;
	}
	assert(v == 0);
}

static int digit_of(uint8_t c)
{
	if (c >= '0' && c <= '9') return c - '0';
	if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
	return c >= 'a' && c <= 'z' ? c - 'a' + 36 : -1;
}

static bool read_half(const uint8_t *text, uint64_t *out)
{
	uint64_t v = 0;
	for (int i = 0; i < HALF; i++) {
		int digit = digit_of(text[i]);
		if (digit < 0 || v > (UINT64_MAX - (uint64_t)digit) / BASE) return false;
		v = v * BASE + (uint64_t)digit;
	}
	*out = v;
	return true;
}

void vtag_base62(uint64_t high, uint64_t low, char to[VTAG_CHARS])
{
	write_half(high, to);
	write_half(low, to + HALF);
}

void vtag_write(struct dot dot, char to[VTAG_CHARS])
{
	vtag_base62(dot.actor.v, dot.at.v, to);
}

bool vtag_read(struct bytes text, struct dot *out)
{
	return text.len == VTAG_CHARS && read_half(text.data, &out->actor.v) &&
	       read_half(text.data + HALF, &out->at.v);
}
