/* actor.c - see actor.h. Always true: a value is used only if it is above all used before and at or
 * below `reserved`; the one exception is a mint above a dot from far ahead, which its actor alone
 * keeps unique, and which does not move the clock. */
#include "core/actor.h"

#include "base/panic.h"

/* Above a dot from here on there is no room for another. */
#define HLC_LAST (UINT64_MAX - 1)

void clock_draw_actor(struct clock *c, struct prng *random)
{
	do c->actor.v = prng_next(random);
	while (c->actor.v == 0);
	c->actors_drawn++;
}

void clock_start(struct clock *c, struct prng *random, struct hlc reserved)
{
	*c = (struct clock){.last = reserved, .reserved = reserved};
	clock_draw_actor(c, random);
}

static struct hlc skew_limit(struct wall wall)
{
	return hlc_at_ms(wall.ms + CLOCK_SKEW_MAX_MS);
}

void clock_follow(struct clock *c, struct wall wall, struct hlc received)
{
	if (received.v > c->last.v && received.v <= skew_limit(wall).v) c->last = received;
}

void clock_raise(struct clock *c, struct hlc above)
{
	if (above.v > c->last.v) c->last = above;
}

struct hlc clock_now(const struct clock *c, struct wall wall)
{
	struct hlc physical = hlc_at_ms(wall.ms);
	return physical.v > c->last.v ? physical : c->last;
}

enum clock_verdict clock_mint(struct clock *c, struct wall wall, struct hlc above, struct dot *out)
{
	assert(c->actor.v != 0);
	struct hlc next = {clock_now(c, wall).v + 1};
	if (above.v >= HLC_LAST) return CLOCK_SPENT;
	if (above.v >= next.v) {
		next.v = above.v + 1;
		if (next.v > skew_limit(wall).v) {
			*out = (struct dot){c->actor, next};
			return CLOCK_OK;
		}
	}
	if (next.v > c->reserved.v) {
		if (next.v > c->wanted.v) c->wanted = next;
		return CLOCK_WAIT;
	}
	c->last = next;
	*out = (struct dot){c->actor, next};
	return CLOCK_OK;
}

bool clock_wants_reservation(struct clock *c, struct wall wall, struct hlc *out)
{
	struct hlc from = clock_now(c, wall);
	if (c->reserving.v != 0) return false;
	if (c->wanted.v > from.v) from = c->wanted; /* a mint above a dot that is ahead of us */
	bool enough = from.v + (HLC_RESERVE_AGAIN_MS << 16) <= c->reserved.v;
	if (enough && c->wanted.v <= c->reserved.v) return false;
	c->reserving.v = from.v + (HLC_RESERVE_MS << 16);
	*out = c->reserving;
	return true;
}

void clock_reserved(struct clock *c, bool durable)
{
	assert(c->reserving.v != 0);
	if (durable && c->reserving.v > c->reserved.v) c->reserved = c->reserving;
	c->reserving.v = 0;
}
