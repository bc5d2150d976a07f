/* etag.c - see etag.h. */
#include "base/etag.h"

#include "base/bytes.h"
#include "base/panic.h"

/* Finalizer of splitmix64 (Steele, Lea, Flood, 2014). */
static uint64_t mix(uint64_t v)
{
	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9;
	v = (v ^ v >> 27) * 0x94d049bb133111eb;
	return v ^ v >> 31;
}

/* Sums do not see an order. */
void etag_mix(const struct sibling *siblings, uint32_t count, uint64_t salt, uint64_t out[2])
{
	uint64_t sum[2] = {count, salt};
	for (uint32_t i = 0; i < count; i++) {
		struct dot dot = siblings[i].dot;
		for (uint64_t lane = 0; lane < 2; lane++)
			sum[lane] += mix(mix(dot.actor.v + lane + salt) + dot.at.v);
	}
	out[0] = mix(sum[0]);
	out[1] = mix(sum[1]);
}

void etag_of(const struct sibling *shown, uint32_t count, uint64_t out[2])
{
	assert(count > 0);
	if (count > 1) {
		etag_mix(shown, count, 0, out);
		return;
	}
	out[0] = shown[0].dot.actor.v;
	out[1] = shown[0].dot.at.v;
}

bool etag_in(struct bytes tags, const uint64_t etag[2])
{
	assert(tags.len % ETAG_BYTES == 0);
	for (size_t i = 0; i < tags.len; i += ETAG_BYTES)
		if (get_u64be(tags.data + i) == etag[0] && get_u64be(tags.data + i + 8) == etag[1])
			return true;
	return false;
}
