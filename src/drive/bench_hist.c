/* bench_hist.c - times into buckets, percentiles out of them.
 *
 *   v = 1mmmmmmm xxxxx   m: the 7 bits after the leading one choose the bucket of this doubling,
 *        shift = 5       x: what is forgotten, less than 1/128 of v
 *   bucket = shift * 128 + (v >> shift)
 *
 * Always true: the buckets' sum is `total`; a bucket's upper end is in the bucket. */
#include "drive/bench_hist.h"

#include <math.h>
#include <string.h>

#include "base/panic.h"
#include "dunlin/limits.h"

#define SUB_COUNT (1U << BENCH_HIST_SUB_BITS)

static_assert(BENCH_HIST_BUCKETS == 34 * SUB_COUNT, "2^40 - 1 is in the last bucket");

static unsigned bucket_of(uint64_t ns)
{
	unsigned top = 63 - (unsigned)__builtin_clzll(ns | SUB_COUNT);
	unsigned shift = top - BENCH_HIST_SUB_BITS;
	unsigned bucket = (shift << BENCH_HIST_SUB_BITS) + (unsigned)(ns >> shift);
	assert(bucket < BENCH_HIST_BUCKETS);
	return bucket;
}

static uint64_t bucket_end(unsigned bucket)
{
	assert(bucket < BENCH_HIST_BUCKETS);
	if (bucket < 2 * SUB_COUNT) return bucket;
	unsigned shift = (bucket >> BENCH_HIST_SUB_BITS) - 1;
	uint64_t top = bucket - (shift << BENCH_HIST_SUB_BITS);
	return ((top + 1) << shift) - 1;
}

void bench_hist_clear(struct bench_hist *h)
{
	memset(h, 0, sizeof *h);
}

void bench_hist_add(struct bench_hist *h, uint64_t ns)
{
	if (ns > BENCH_HIST_NS_MAX) ns = BENCH_HIST_NS_MAX;
	h->counts[bucket_of(ns)]++;
	h->total++;
	h->sum_ns += ns;
	if (ns > h->max_ns) h->max_ns = ns;
}

void bench_hist_merge(struct bench_hist *to, const struct bench_hist *from)
{
	assert(to != from);
	for (unsigned i = 0; i < BENCH_HIST_BUCKETS; i++) to->counts[i] += from->counts[i];
	to->total += from->total;
	to->sum_ns += from->sum_ns;
	if (from->max_ns > to->max_ns) to->max_ns = from->max_ns;
}

uint64_t bench_hist_at(const struct bench_hist *h, double share)
{
	assert(share >= 0 && share <= 1);
	uint64_t seen = 0, rank = (uint64_t)ceil(share * (double)h->total);
	if (h->total == 0) return 0;
	if (rank == 0) rank = 1;
	for (unsigned i = 0; i < BENCH_HIST_BUCKETS; i++) {
		seen += h->counts[i];
		if (seen >= rank) return bucket_end(i) < h->max_ns ? bucket_end(i) : h->max_ns;
	}
	return h->max_ns; /* the rank was rounded past the last */
}

uint64_t bench_hist_mean(const struct bench_hist *h)
{
	return h->total == 0 ? 0 : h->sum_ns / h->total;
}

uint64_t bench_hist_row_bound(unsigned row)
{
	static const uint64_t steps[] = {1000, 2000, 5000};
	assert(row < BENCH_HIST_ROWS);
	uint64_t bound = steps[row % 3];
	for (unsigned i = 0; i < row / 3; i++) bound *= 10;
	return bound;
}

uint64_t bench_hist_row_count(const struct bench_hist *h, unsigned row)
{
	uint64_t count = 0;
	bool last = row + 1 == BENCH_HIST_ROWS;
	unsigned first = row == 0 ? 0 : bucket_of(bench_hist_row_bound(row - 1)) + 1;
	unsigned end = last ? BENCH_HIST_BUCKETS : bucket_of(bench_hist_row_bound(row)) + 1;
	for (unsigned i = first; i < end; i++) count += h->counts[i];
	return count;
}
