/* record_cache.h - the records that were read or written last, in memory, in front of an engine.
 *
 *   read    get --hit--> the record, held
 *            \--miss--> the engine is read --> fill
 *   write   begin --> the engine makes a group durable --> end
 *   damage  drop
 *
 * What it answers is what the engine would have answered at that moment:
 *   C1  a group's keys are answered by the engine alone from begin to end. So nobody is told here what
 *       is not durable yet, nor, once the engine shows a group, what was before it;
 *   C2  what a reader found is kept only if, since its miss, no group had that key and nothing was
 *       dropped: it may be older than what was written meanwhile;
 *   C3  of a group that failed nothing is kept;
 *   C4  what was known before a drop is not answered after it. Whoever meets damage drops before he
 *       tells anybody, so that what is lost on the disk is not believed to be stored (rdb_doubt);
 *   C5  it holds no more than it was given bytes, tables and all.
 * Only what is there is kept, not that something is absent: that is asked once, before the first write.
 *
 * Threads: begin and end are of one writer; all else may be called by any thread at any time. */
#ifndef DUNLIN_RECORD_CACHE_H
#define DUNLIN_RECORD_CACHE_H

#include "store/store_ops.h"

struct record_cache;

struct record_cache *record_cache_new(size_t bytes);
/* Records that readers hold stay theirs. */
void record_cache_free(struct record_cache *c); /* NULL: nothing */

/* What a reader remembers of its miss. */
struct record_cache_miss {
	uint64_t hash, epoch;
	uint32_t version;
	bool fills; /* what is found may be kept, as far as is known yet */
};

/* True: as of store_read, ERR_OK. */
bool record_cache_get(struct record_cache *c, struct bytes key, struct bytes *value, void **handle,
                      struct record_cache_miss *miss);
/* What the engine answered after that miss. */
void record_cache_fill(struct record_cache *c, const struct record_cache_miss *miss,
                       struct bytes key, struct bytes value);

/* The group's bytes are borrowed until its end. Operations on other families are passed over. */
void record_cache_begin(struct record_cache *c, const struct store_batch *batches, uint32_t count);
void record_cache_end(struct record_cache *c, bool written);

/* Forget everything; `on`: and keep what comes then, else nothing until the next drop. */
void record_cache_drop(struct record_cache *c, bool on);

void record_cache_stats(struct record_cache *c, struct record_cache_stats *out);

#endif
