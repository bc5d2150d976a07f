/* prng.h - the only randomness in the core: xoshiro256** (Blackman and Vigna, 2018), seeded from
 * outside. Not for secrets; those come as entropy in the node's configuration. */
#ifndef DUNLIN_PRNG_H
#define DUNLIN_PRNG_H

#include "dunlin/types.h"

struct prng {
	uint64_t s[4];
};

/* Any seed will do, also 0. */
void prng_seed(struct prng *p, uint64_t seed);
uint64_t prng_next(struct prng *p);
/* Uniform in [0, below); below > 0. */
uint64_t prng_below(struct prng *p, uint64_t below);
/* True once in `n` times, on average; n > 0. */
static inline bool prng_one_in(struct prng *p, uint64_t n)
{
	return prng_below(p, n) == 0;
}

#endif
