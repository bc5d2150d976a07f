/* scenario.c - see scenario.h. */
#include "tests/lab/scenario.h"

#include <math.h>
#include <stdlib.h>

#define WHOLE (1ULL << 40)
#define HOT_ONE_IN 50
#define HOT_MIN 20

const struct scenario scenarios[SCENARIOS] = {
	{.name = "cold_rewrite",
     .stream = {{10000, 0, LAB_END_US, SPREAD_HOT, 0},
                {25000, SECONDS(200), SECONDS(400), SPREAD_ANY, 0}}},
	{.name = "idle",
     .stream = {{20000, 0, SECONDS(60), SPREAD_ANY, 0},
                {100, SECONDS(60), LAB_END_US, SPREAD_ANY, 0}}},
	{.name = "outage",
     .stream = {{20000, 0, LAB_END_US, SPREAD_ZIPF, 0.9}},
     .cut_us = SECONDS(150),
     .heal_us = SECONDS(350)},
	{.name = "skew", .stream = {{30000, 0, LAB_END_US, SPREAD_ZIPF, 1.3}}, .skew_ms = 1500},
};

static uint32_t hot_keys(uint32_t count)
{
	uint32_t hot = count / HOT_ONE_IN;
	return hot < HOT_MIN ? HOT_MIN : hot;
}

/* Of the key that is `rank`th in popularity, from 0. Names are handed out by rank, so places are not. */
static double weight_of(const struct stream *s, uint32_t rank, uint32_t count)
{
	switch (s->spread) {
	case SPREAD_ANY: return 1;
	case SPREAD_HOT: return rank < hot_keys(count) ? 1 : 0;
	case SPREAD_ZIPF: return pow(rank + 1.0, -s->exponent);
	}
	unreachable();
}

uint64_t *scenario_weights(const struct stream *s, const struct keys *k)
{
	if (s->per_1000_s == 0) return NULL;
	uint64_t *w = malloc(k->count * sizeof *w);
	assert(w != NULL);
	double sum = 0;
	for (uint32_t rank = 0; rank < k->count; rank++) sum += weight_of(s, rank, k->count);
	uint64_t left = WHOLE;
	for (uint32_t rank = k->count; rank-- > 0;) {
		uint64_t share = (uint64_t)(weight_of(s, rank, k->count) / sum * (double)WHOLE);
		if (rank == 0) share = left; /* what rounding left over */
		w[k->place[rank]] = share;
		left -= share;
	}
	return w;
}

uint32_t scenario_key(const uint64_t *sums, uint32_t count, struct prng *p)
{
	uint64_t pick = prng_below(p, sums[count - 1]);
	uint32_t low = 0, high = count - 1;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (sums[middle] <= pick)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Uniform from nothing to twice the mean: irregular, without a library's logarithm in it. */
uint64_t scenario_gap_us(const struct stream *s, struct prng *p)
{
	uint64_t mean = 1000000000UL / s->per_1000_s;
	return prng_below(p, 2 * mean) + 1;
}
