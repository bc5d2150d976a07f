/* store_mem.h - the store contract in memory, with a disk that fails on request. For the simulator
 * and for tests.
 *
 *      append            sync                          Reads and scans see the tables only (S3).
 *   ----------> log ----------> tables
 *                |                                     A crash keeps what was synced and, of the log,
 *                +--> crash: a chosen prefix           as many bytes as it is told: a batch that is
 *                     goes to the tables               not there to its last byte vanishes whole.
 *
 * It is a function of the calls made: no clock, no chance, no thread of its own. Delays belong to
 * the simulator, which calls append when a write is asked for and sync when it is to be done. */
#ifndef DUNLIN_STORE_MEM_H
#define DUNLIN_STORE_MEM_H

#include "store/store.h"

/* Empty, and without faults. Ends with store_close. */
struct store *store_mem_new(void);

/* ---- a write in two phases; store_write is both in one ------------------------------------- */

/* To the end of the log, behind what is there. ERR_FULL (nothing is added), ERR_STORE. */
enum err store_mem_append(struct store *s, const struct store_batch *batches, uint32_t count);
/* All of the log becomes durable and visible. ERR_STORE: it failed, for good. */
enum err store_mem_sync(struct store *s);
/* Bytes and batches in the log: appended, not synced. */
uint64_t store_mem_unsynced_bytes(struct store *s);
uint32_t store_mem_unsynced_batches(struct store *s);

/* ---- faults -------------------------------------------------------------------------------- */

/* The power fails and comes back: the first `keep_bytes` of the log turn out to have reached the
 * disk, the rest did not, and the batch that this cuts in two is gone. A failed sync is forgotten
 * (a new process knows nothing of it); damage, fullness and failing reads stay. */
void store_mem_crash(struct store *s, uint64_t keep_bytes);

/* Flip one bit of one stored record of the family; `pick` (any number) chooses both. False if it
 * holds none. *key, if wanted, is the record's key, good until the next change. */
bool store_mem_rot(struct store *s, enum store_family family, uint64_t pick, struct bytes *key);
/* The same for the record of `key`; `bit` counts modulo its length. False: no such record. */
bool store_mem_rot_key(struct store *s, enum store_family family, struct bytes key, uint64_t bit);

/* The next `count` reads and scans give ERR_STORE. UINT32_MAX: until told otherwise. 0: no more. */
void store_mem_fail_reads(struct store *s, uint32_t count);
/* Appends give ERR_FULL while it is full. */
void store_mem_set_full(struct store *s, bool full);
/* The next sync fails: it, and every write after it until a crash, gives ERR_STORE. */
void store_mem_fail_sync(struct store *s);
/* No read is answered from cache any more (cache_only gives ERR_BUSY), or all are, as at first. */
void store_mem_set_cold(struct store *s, bool cold);

/* A new store with what is durable here, damage included; its log is empty and it has no faults. */
struct store *store_mem_clone(struct store *s);
/* What is durable here becomes what is durable in `old`; the log is lost. An old copy comes back. */
void store_mem_restore(struct store *s, struct store *old);
/* Nothing is left. */
void store_mem_wipe(struct store *s);

#endif
