/* latency.c - see latency.h. */
#include "core/latency.h"

#include "dunlin/limits.h"

/* The mean follows by an eighth of the difference; the quantile's steps are of 1/160 of it. */
enum { MEAN_SHARE = 8, P95_SHARE = 160, P95_ODDS = 19 };

void latency_note(struct latency *l, uint64_t us)
{
	if (us > LATENCY_US_MAX) us = LATENCY_US_MAX;
	if (us == 0) us = 1;
	if (l->mean_us == 0) {
		*l = (struct latency){.mean_us = us, .p95_us = 2 * us};
		return;
	}
	l->mean_us = (l->mean_us * (MEAN_SHARE - 1) + us + MEAN_SHARE - 1) / MEAN_SHARE;
	uint64_t step = l->p95_us / P95_SHARE + 1;
	if (us > l->p95_us)
		l->p95_us += P95_ODDS * step;
	else if (l->p95_us > step)
		l->p95_us -= step;
}

uint64_t latency_patience_us(const struct latency *l)
{
	if (l->mean_us == 0 || l->p95_us > HEDGE_US_MAX) return HEDGE_US_MAX;
	return l->p95_us < HEDGE_US_MIN ? HEDGE_US_MIN : l->p95_us;
}

bool latency_is_slow(const struct latency *l, uint64_t best_mean_us)
{
	return l->mean_us > SLOW_TIMES * best_mean_us + SLOW_US;
}

uint32_t latency_class(const struct latency *l)
{
	return l->mean_us == 0 ? 0 : 64 - (uint32_t)__builtin_clzll(l->mean_us);
}
