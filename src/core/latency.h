/* latency.h - how long a replica takes to answer reads: what is usual, and what one read in twenty
 * exceeds. Two numbers a replica, no history; pure.
 *
 * The mean is an exponentially weighted one. The quantile walks: up by a factor when a read took
 * longer, down by a nineteenth of that when it did not, so it stands where one in twenty is longer
 * (a stochastic approximation, as in Tierney, "A space-efficient recursive procedure for estimating
 * a quantile of an unknown distribution", 1983). */
#ifndef DUNLIN_CORE_LATENCY_H
#define DUNLIN_CORE_LATENCY_H

#include <stdbool.h>

#include "dunlin/types.h"

struct latency {
	uint64_t mean_us, p95_us; /* 0: never measured */
};

void latency_note(struct latency *l, uint64_t us);
/* When to ask another one too: the p95, within HEDGE_US_MIN and HEDGE_US_MAX. */
uint64_t latency_patience_us(const struct latency *l);
/* Is it far behind what the best one usually takes? */
bool latency_is_slow(const struct latency *l, uint64_t best_mean_us);
/* The power of two of the mean: whoever has the same one is as good. */
uint32_t latency_class(const struct latency *l);

#endif
