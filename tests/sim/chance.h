/* chance.h - what chance decides in a run: streams of numbers that all come from the one seed.
 *
 * One generator for all would make each draw depend on all that were made before it: leave one strike
 * out, and everything behind it is another run. So whoever draws has a stream of its own: each process,
 * each strike of a fault, each turn of a client. What is left out then changes what it would have done, and
 * what follows from that; shrink.h lives on it. */
#ifndef DUNLIN_SIM_CHANCE_H
#define DUNLIN_SIM_CHANCE_H

#include "base/prng.h"

enum chance {
	CHANCE_WORLD,    /* connections; what is so from the start */
	CHANCE_PROC,     /* of process a: its network, its disk, the order of its effects */
	CHANCE_ENTROPY,  /* of process a in its life b */
	CHANCE_SCHEDULE, /* when faults of kind a strike */
	CHANCE_STRIKE,   /* the b'th of kind a: whom, how, for how long */
	CHANCE_TURN,     /* the b'th of client a */
	CHANCE_COUNTING, /* counting client a */
	CHANCE_OPERATOR,
	CHANCE_FINAL /* the reads at the end */
};

/* The stream of that name begins. */
static inline struct prng chance_of(uint64_t seed, enum chance of, uint64_t a, uint64_t b)
{
	struct prng p;
	prng_seed(&p, seed);
	uint64_t x = prng_next(&p) ^ ((uint64_t)of << 56 ^ a << 40 ^ b);
	prng_seed(&p, x);
	return p;
}

#endif
