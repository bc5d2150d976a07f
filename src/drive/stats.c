/* stats.c - see stats.h. */
#include "drive/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/panic.h"
#include "drive/loop.h"

#define SLICE_US SECONDS(10)

/* Eight buckets a power of two; below 8 one for each number. */
static unsigned bucket_of(uint64_t v)
{
	if (v < 8) return (unsigned)v;
	unsigned power = 63 - (unsigned)__builtin_clzll(v);
	unsigned bucket = (power - 2) * 8 + (unsigned)(v >> (power - 3) & 7);
	return bucket < STATS_BUCKETS ? bucket : STATS_BUCKETS - 1;
}

/* The middle of a bucket. */
static uint64_t value_of(unsigned bucket)
{
	if (bucket < 8) return bucket;
	unsigned power = bucket / 8 + 2;
	uint64_t least = (8 + (uint64_t)bucket % 8) << (power - 3);
	return least + ((uint64_t)1 << (power - 3)) / 2;
}

void stats_note(struct stats *s, unsigned window, uint64_t value)
{
	assert(window < STATS_WINDOWS);
	struct stats_slice *slice = &s->windows[window].slices[0];
	slice->count++;
	slice->sum += value;
	if (value > slice->greatest) slice->greatest = value;
	slice->buckets[bucket_of(value)]++;
}

static void push_slice(struct stats *s, const struct loop *l)
{
	struct node_metrics m;
	node_metrics(l->node, &m);
	for (unsigned i = 0; i < STATS_WINDOWS; i++) {
		struct stats_slice *slices = s->windows[i].slices;
		memmove(slices + 1, slices, (STATS_SLICES - 1) * sizeof *slices);
		memset(slices, 0, sizeof *slices);
	}
	memmove(s->counts + 1, s->counts, (STATS_SLICES - 1) * sizeof s->counts[0]);
	s->counts[0] =
		(struct stats_counts){.gets = m.client_gets,
	                          .puts = m.client_puts + m.client_deletes + m.client_increments,
	                          .counter_gets = m.client_counter_gets,
	                          .increments = m.client_increments,
	                          .replica_gets = m.replica_gets,
	                          .replica_puts = m.replica_puts,
	                          .read_repairs = m.read_repairs};
}

void stats_roll(struct stats *s, const struct loop *l)
{
	struct instant now = loop_now();
	if (s->began.us == 0) s->began = now;
	for (unsigned i = 0; i < STATS_SLICES && now.us - s->began.us >= SLICE_US; i++) {
		push_slice(s, l);
		s->began.us += SLICE_US;
	}
	if (now.us - s->began.us >= SLICE_US) s->began = now; /* after a long rest */
}

const struct stats_counts *stats_minute_ago(const struct stats *s)
{
	return &s->counts[STATS_SLICES - 1];
}

uint64_t stats_mean(const struct stats_window *w)
{
	uint64_t count = 0, sum = 0;
	for (unsigned i = 0; i < STATS_SLICES; i++) {
		count += w->slices[i].count;
		sum += w->slices[i].sum;
	}
	return count == 0 ? 0 : sum / count;
}

uint64_t stats_quantile(const struct stats_window *w, unsigned permille)
{
	uint64_t count = 0, greatest = 0, seen = 0;
	for (unsigned i = 0; i < STATS_SLICES; i++) {
		count += w->slices[i].count;
		if (w->slices[i].greatest > greatest) greatest = w->slices[i].greatest;
	}
	if (count == 0 || permille >= 1000) return greatest;
	uint64_t wanted = (count * permille + 999) / 1000;
	for (unsigned b = 0; b < STATS_BUCKETS; b++) {
		for (unsigned i = 0; i < STATS_SLICES; i++) seen += w->slices[i].buckets[b];
		if (seen >= wanted) return value_of(b) < greatest ? value_of(b) : greatest;
	}
	return greatest;
}

uint64_t stats_resident_bytes(void)
{
	char line[256] = "";
	FILE *file = fopen("/proc/self/statm", "re");
	if (file == NULL) return 0;
	bool read = fgets(line, sizeof line, file) != NULL;
	fclose(file);
	const char *second = read ? strchr(line, ' ') : NULL;
	return second == NULL ? 0 : strtoull(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}
