/* store.h - the one contract of what is on disk. Implementations: store_rocksdb.c (the server) and
 * store_mem.c (the simulator: it can lose, tear, rot, delay and fill up). tests/contract/ runs one
 * suite over both.
 *
 * What is promised:
 *   S1  A batch is atomic, over all families, also through a crash.
 *   S2  store_write returning ERR_OK means that every batch of the group is on stable storage
 *       (fdatasync). Groups become durable in the order of the calls: after a crash the store holds
 *       the groups of a prefix of the calls that includes every one that returned ERR_OK.
 *   S3  A read or scan sees a batch only once it is durable, and every durable one.
 *   S4  Every record carries a checksum, and what fails it is ERR_CORRUPT: never wrong bytes. A scan
 *       goes on past it, with `damaged` set; writes go on. Where not even keys can be read, the store
 *       rebuilds itself without them; a key of there that is not found is ERR_CORRUPT until a reader
 *       or a scan was told so, and STORE_LOST_TOLD_MS longer. A read may be answered from memory, and
 *       so before anybody met the damage on the disk; once somebody was told of damage, it is
 *       answered by what the disk has.
 *   S5  ERR_FULL: none of the group is stored, nor will be; the store goes on serving reads.
 *   S6  A failed fdatasync is ERR_STORE for good: nothing after it is acknowledged, and the process
 *       must stop (what the page cache holds after it is unknown).
 *
 * Threads: store_read, store_scan and store_usage may be called from any thread at any time;
 * store_write from one thread at a time. */
#ifndef DUNLIN_STORE_H
#define DUNLIN_STORE_H

#include "dunlin/effect.h"
#include "dunlin/event.h"

/* The version of everything below the data directory; a newer one is refused, an older one read. */
#define STORE_FORMAT 1

struct store;

/* Set *value to a copy owned by `*handle` until store_release(handle). ERR_OK, ERR_NOT_FOUND,
 * ERR_CORRUPT, ERR_STORE. With `cache_only`, ERR_BUSY says that the answer needs the disk. */
enum err store_read(struct store *s, enum store_family family, struct bytes key, bool cache_only,
                    struct bytes *value, void **handle);
void store_release(void *handle);

/* One atomic batch of a group. */
struct store_batch {
	const struct store_op *ops;
	uint32_t count;
};
/* Write a group of batches, in order, with one fdatasync (group commit); durable when it returns
 * ERR_OK. ERR_FULL, or ERR_STORE for good. */
enum err store_write(struct store *s, const struct store_batch *batches, uint32_t count);

/* Call `each` for records with after < key < until in order, until it returns false or the end.
 * `after` empty: from the first. `until` empty: to the last. *done says whether the end of the
 * range was reached. The scan sees one consistent state. ERR_OK or ERR_STORE. */
typedef bool store_each(void *context, const struct store_record *record);
enum err store_scan(struct store *s, enum store_family family, struct bytes after,
                    struct bytes until, store_each *each, void *context, bool *done);

/* A consistent copy of the store at `path` (must not exist); for backup and tests. */
enum err store_checkpoint(struct store *s, const char *path);

/* Bytes on disk, and whether the watermark below "full" is passed (then: reads only). What became of
 * damage that hides even keys, since the start: */
struct record_cache_stats {
	uint64_t hits, misses, evictions, drops;
	uint64_t records, bytes;
};
struct store_usage {
	uint64_t bytes, free_bytes;
	bool read_only;
	uint32_t rebuilding;     /* families being rebuilt now */
	uint64_t rebuilds;       /* finished */
	uint64_t lost_stretches; /* of keys, that no rebuild could read; each a 65536th of the keys */
	uint64_t lost_records;   /* that were known by key, and could not be read either */
	struct record_cache_stats records; /* zero where there is no cache of them */
};
void store_usage(struct store *s, struct store_usage *out);

void store_close(struct store *s);

#endif
