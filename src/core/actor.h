/* actor.h - who may mint dots, and when: the actor and the one hybrid logical clock of a node.
 *
 * The actor is a random number, drawn anew at every start and whenever this node can no longer prove
 * that its next dot for some key follows all that it minted for it before: after an own write whose
 * outcome is failed or uncertain, after a damaged record, after it gave up a stand-in copy that
 * names it. The clock never shows a value twice, also across restarts: a value is used only at or
 * below a reservation that is durable.
 *
 *   RESERVED --mint near the end--> RESERVING --durable--> RESERVED
 *
 * Sources: Kulkarni et al., "Logical Physical Clocks" (2014); docs/ARCHITECTURE.md, "Causality". */
#ifndef DUNLIN_ACTOR_H
#define DUNLIN_ACTOR_H

#include "base/prng.h"
#include "dunlin/object.h"

struct clock {
	struct actor_id actor;
	struct hlc last;      /* the greatest value shown or followed */
	struct hlc reserved;  /* durable: no value above it may be used */
	struct hlc reserving; /* a write of this reservation is under way; 0: none */
	struct hlc wanted;    /* the greatest mint that had to wait */
	uint64_t actors_drawn;
};

static inline struct hlc hlc_at_ms(uint64_t ms)
{
	return (struct hlc){ms << 16};
}
static inline uint64_t hlc_ms(struct hlc h)
{
	return h.v >> 16;
}

static inline struct hlc hlc_max(struct hlc a, struct hlc b)
{
	return a.v > b.v ? a : b;
}

/* `reserved` as found on disk (0 at the first start): everything at or below it may have been used. */
void clock_start(struct clock *c, struct prng *random, struct hlc reserved);
void clock_draw_actor(struct clock *c, struct prng *random);
/* A message bore this time: never fall behind it, unless it is too far above our own clock. */
void clock_follow(struct clock *c, struct wall wall, struct hlc received);
/* Never mint at or below this; the caller makes that durable. */
void clock_raise(struct clock *c, struct hlc above);
/* The present, without using a value up. */
struct hlc clock_now(const struct clock *c, struct wall wall);

enum clock_verdict {
	CLOCK_OK,
	CLOCK_WAIT, /* for the reservation: try again once it is durable */
	CLOCK_SPENT /* `above` is the end of all time: a damaged or hostile dot */
};
/* A dot above `above` (the greatest of the key's state and the client's context). One that is far
 * ahead raises this mint only, not the clock. */
enum clock_verdict clock_mint(struct clock *c, struct wall wall, struct hlc above, struct dot *out);

/* Ask after each mint: should a reservation be written now? Then *out is what to write, and it is
 * under way until clock_reserved says how it went. A node that mints nothing reserves nothing. */
bool clock_wants_reservation(struct clock *c, struct wall wall, struct hlc *out);
/* The reservation under way is durable, or could not be written. */
void clock_reserved(struct clock *c, bool durable);

#endif
