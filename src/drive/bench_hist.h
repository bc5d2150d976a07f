/* bench_hist.h - a histogram of times that keeps percentiles to within 1 % in constant memory.
 *
 * Log-linear, as HdrHistogram is: below 256 ns one bucket per nanosecond; above it 128 buckets for
 * each doubling, so that a bucket is never wider than 1/128 of what it holds. */
#ifndef DUNLIN_DRIVE_BENCH_HIST_H
#define DUNLIN_DRIVE_BENCH_HIST_H

#include "dunlin/types.h"

#define BENCH_HIST_SUB_BITS 7
/* Longer times are held as this one: 18 minutes. */
#define BENCH_HIST_NS_MAX ((1ULL << 40) - 1)
#define BENCH_HIST_BUCKETS ((40 - BENCH_HIST_SUB_BITS + 1) << BENCH_HIST_SUB_BITS)

struct bench_hist {
	uint64_t total, max_ns, sum_ns;
	uint64_t counts[BENCH_HIST_BUCKETS];
};

void bench_hist_clear(struct bench_hist *h);
void bench_hist_add(struct bench_hist *h, uint64_t ns);
void bench_hist_merge(struct bench_hist *to, const struct bench_hist *from);
/* The time that a share of all is at or under; share in [0, 1]. Never under the true one, and at
 * most 1/128 over it. 0 when there is nothing. */
uint64_t bench_hist_at(const struct bench_hist *h, double share);
uint64_t bench_hist_mean(const struct bench_hist *h);

/* Rows for a person: bounds of 1, 2, 5, 10, 20, 50 ... us. Row i counts what is over the bound
 * before it and at or under its own, to within a bucket. */
#define BENCH_HIST_ROWS 28
uint64_t bench_hist_row_bound(unsigned row);
uint64_t bench_hist_row_count(const struct bench_hist *h, unsigned row);

#endif
