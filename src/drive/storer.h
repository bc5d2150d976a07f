/* storer.h - the threads between the core's store effects and the store.
 *
 *   storer_do ----write----> queue --> commit thread: all that is queued is one group ---.
 *   (loop      --read, scan-> queue --> readers ---------------------------------------- done
 *    thread)   --read, cached---------------------------------------------------------.   |
 *                                              callback (loop thread, never re-entrant) <-'
 *
 * One instance per store. Every function is called by the loop's thread only. An effect's bytes are
 * borrowed until its completion has been handed over. Writes complete in the order of the calls,
 * except one that is refused (ERR_BUSY, nothing stored), which is answered at once. */
#ifndef DUNLIN_STORER_H
#define DUNLIN_STORER_H

#include "dunlin/effect.h"
#include "dunlin/event.h"
#include "store/store.h"

struct event_base;
struct storer;

/* A completion: EV_STORE_READ, EV_STORE_WRITTEN or EV_STORE_SCANNED, without now and wall. Its bytes
 * are good until the callback returns. It may call storer_do. */
typedef void storer_done(void *context, const struct event *completion);
/* A write failed: what was written since the last completed one is unknown, and nothing will be
 * acknowledged any more. Is to log and to stop the process; if it returns, the failed writes
 * complete with ERR_STORE. Called once. */
typedef void storer_fatal(void *context);

struct storer_config {
	uint32_t readers; /* threads; 0: STORE_READERS_DEFAULT */
	storer_done *done;
	storer_fatal *fatal;
	void *context;
};

/* NULL: no descriptor or thread was to be had. `base` and `store` stay the caller's. */
struct storer *storer_new(struct event_base *base, struct store *store,
                          const struct storer_config *config);
/* FX_STORE_READ, FX_STORE_WRITE or FX_STORE_SCAN. */
void storer_do(struct storer *s, const struct effect *fx);
/* Hand over what is complete now, instead of in the next turn of the loop. Not from the callback. */
void storer_deliver(struct storer *s);
/* Has everything that was asked for been handed over? */
bool storer_idle(const struct storer *s);
/* Finish what is queued, join the threads, free everything. Completions not yet handed over are
 * dropped. */
void storer_stop(struct storer *s);

/* Bucket i counts syncs that took less than 64 us << i; the last one takes the rest. */
#define STORER_SYNC_BUCKETS 18
struct storer_stats {
	uint64_t reads_cached, reads_pooled, scans, writes, groups, refused;
	uint64_t sync_us_sum, sync_us_max, sync_buckets[STORER_SYNC_BUCKETS];
	uint32_t group_max;                     /* writes in the largest group */
	uint32_t writes_waiting, reads_waiting; /* for the commit thread, for a reader */
};
void storer_stats(struct storer *s, struct storer_stats *out);
/* What the store behind it says (store.h). */
void storer_usage(struct storer *s, struct store_usage *out);

#endif
