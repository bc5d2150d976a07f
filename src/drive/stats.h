/* stats.h - what happened in the last minute: counts, and how long or how large things were.
 *
 *   now filling | 10 s | 10 s | 10 s | 10 s | 10 s | 10 s        the oldest is dropped every 10 s
 *
 * A window is of 60 to 70 seconds. Sizes and times are counted in buckets of an eighth of a power of
 * two, so what is told of them is true to a tenth or so. */
#ifndef DUNLIN_DRIVE_STATS_H
#define DUNLIN_DRIVE_STATS_H

#include "dunlin/types.h"

struct loop;

enum { STATS_SLICES = 7, STATS_BUCKETS = 320 };
enum { STATS_GET_US, STATS_PUT_US, STATS_GET_SIBLINGS, STATS_GET_BYTES, STATS_WINDOWS };

struct stats_slice {
	uint64_t count, sum, greatest;
	uint32_t buckets[STATS_BUCKETS];
};

struct stats_window {
	struct stats_slice slices[STATS_SLICES]; /* the first is being filled */
};

/* Counters as they were when a slice began. */
struct stats_counts {
	uint64_t gets, puts, counter_gets, increments, replica_gets, replica_puts, read_repairs;
};

struct stats {
	struct instant began; /* the slice that is being filled */
	struct stats_window windows[STATS_WINDOWS];
	struct stats_counts counts[STATS_SLICES];
};

void stats_note(struct stats *s, unsigned window, uint64_t value);
/* Begin a new slice if it is time; call often. */
void stats_roll(struct stats *s, const struct loop *l);
const struct stats_counts *stats_minute_ago(const struct stats *s);
/* 0 if nothing happened. */
uint64_t stats_mean(const struct stats_window *w);
uint64_t stats_quantile(const struct stats_window *w, unsigned permille);

uint64_t stats_resident_bytes(void);

#endif
