/* quorum.c - see quorum.h. */
#include "core/quorum.h"

#include "base/panic.h"

static uint32_t count_bits(uint32_t mask)
{
	return (uint32_t)__builtin_popcount(mask);
}

void quorum_ask(struct quorum *q, uint32_t place, bool primary)
{
	assert(place < TARGETS_MAX && (q->asked & 1U << place) == 0);
	q->asked |= 1U << place;
	if (primary) q->primary |= 1U << place;
}

bool quorum_is_open(const struct quorum *q, uint32_t place)
{
	assert(place < TARGETS_MAX);
	return (q->asked & ~q->ok & ~q->bad & 1U << place) != 0;
}

void quorum_note(struct quorum *q, uint32_t place, bool good)
{
	if (!quorum_is_open(q, place)) return;
	if (good)
		q->ok |= 1U << place;
	else
		q->bad |= 1U << place;
	assert((q->ok & q->bad) == 0);
}

uint32_t quorum_got(const struct quorum *q)
{
	return count_bits(q->ok);
}

uint32_t quorum_got_primary(const struct quorum *q)
{
	return count_bits(q->ok & q->primary);
}

uint32_t quorum_open(const struct quorum *q)
{
	return count_bits(q->asked & ~q->ok & ~q->bad);
}

enum quorum_verdict quorum_verdict(const struct quorum *q, uint32_t need, uint32_t need_primary)
{
	uint32_t open = q->asked & ~q->ok & ~q->bad;
	if (quorum_got(q) >= need && quorum_got_primary(q) >= need_primary) return QUORUM_MET;
	if (count_bits(q->ok | open) < need) return QUORUM_LOST;
	if (count_bits((q->ok | open) & q->primary) < need_primary) return QUORUM_LOST;
	return QUORUM_WAIT;
}
