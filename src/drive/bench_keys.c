/* bench_keys.c - uniform, sequential and zipf draws, each in constant time and memory.
 *
 * Zipf by rejection inversion (Hoermann and Derflinger, "Rejection-inversion to generate variates
 * from monotone discrete distributions", 1996): h(x) = x^-s is the hat's density and H its integral.
 * A uniform point u between H(1.5) - h(1) and H(n + 0.5) is mapped back to x = H^-1(u) and rounded to
 * k; it is taken if it lies under k's own bar, which nearly every point does. `cut` accepts most of
 * them without computing H again. */
#include "drive/bench_keys.h"

#include <math.h>

#include "base/panic.h"

/* (e^t - 1) / t and ln(1 + t) / t, whole at t = 0: they make s = 1 no special case. */
static double expm1_ratio(double t)
{
	return fabs(t) > 1e-8 ? expm1(t) / t : 1 + t / 2;
}

static double log1p_ratio(double t)
{
	return fabs(t) > 1e-8 ? log1p(t) / t : 1 - t / 2;
}

static double density(const struct bench_keys *k, double x)
{
	return exp(-k->exponent * log(x));
}

static double area(const struct bench_keys *k, double x)
{
	double l = log(x);
	return expm1_ratio((1 - k->exponent) * l) * l;
}

static double area_inverse(const struct bench_keys *k, double u)
{
	double t = u * (1 - k->exponent);
	if (t < -1) t = -1; /* rounding, at the far end */
	return exp(log1p_ratio(t) * u);
}

void bench_keys_init(struct bench_keys *k, enum bench_dist dist, uint64_t count, double exponent)
{
	assert(count > 0);
	*k = (struct bench_keys){.dist = dist, .count = count, .exponent = exponent};
	if (dist != BENCH_ZIPF) return;
	assert(exponent >= BENCH_ZIPF_LEAST && exponent <= BENCH_ZIPF_MOST);
	k->area_first = area(k, 1.5) - 1;
	k->area_last = area(k, (double)count + 0.5);
	k->cut = 2 - area_inverse(k, area(k, 2.5) - density(k, 2));
}

static double unit(struct prng *prng)
{
	return (double)(prng_next(prng) >> 11) * 0x1p-53;
}

static uint64_t zipf_next(const struct bench_keys *k, struct prng *prng)
{
	for (;;) {
		double u = k->area_last + unit(prng) * (k->area_first - k->area_last);
		double x = area_inverse(k, u), rank = floor(x + 0.5);
		if (rank < 1) rank = 1;
		if (rank > (double)k->count) rank = (double)k->count; /* a unit of exactly 0 */
		if (rank - x <= k->cut || u >= area(k, rank + 0.5) - density(k, rank))
			return (uint64_t)rank - 1;
	}
}

uint64_t bench_keys_next(struct bench_keys *k, struct prng *prng)
{
	uint64_t key = k->next;
	assert(k->next < k->count);
	switch (k->dist) {
	case BENCH_UNIFORM: return prng_below(prng, k->count);
	case BENCH_ZIPF: return zipf_next(k, prng);
	case BENCH_SEQUENTIAL: k->next = key + 1 == k->count ? 0 : key + 1; return key;
	}
	unreachable();
}
