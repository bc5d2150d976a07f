/* rdb.h - what the files of the RocksDB store share.
 *
 *   store_rocksdb.c  reading, writing, and the life of the store
 *   rdb_open.c       all options, each with its reason; which generations there are
 *   rdb_family.c     generations in use, and what of them was lost
 *   rdb_stream.c     one generation in order, past damage
 *   rdb_scan.c       scans: the generations of a family as one
 *   rdb_rebuild.c    the rebuild of a damaged family, in a thread of its own
 *   rdb_salvage.c    the keys of a stretch that cannot be scanned, from its files one by one
 *
 * A family lives in a column family of the engine, its generation: `objects`, then `objects.1`, and so
 * on. There are two while the first is rebuilt into the second, and only then:
 *
 *   now N --damage met--> now N+1, old N --all that can be read was copied--> now N+1
 *                           \__ the start finds both: the copy begins again
 *
 * Always true:
 *   F1  a put goes to `now`, a delete to both: what `now` has is newer than what `old` has;
 *   F2  a copy from `old` is durable before `old` is dropped, and never replaces anything in `now`;
 *   F3  what could be read before a rebuild can be read during it and behind it (but for less than a
 *       sixteenth of a block between two damaged places: rdb_salvage.c, step_of);
 *   F4  what a rebuild could not read stays damage to all readers (S4) until they were told so, also
 *       over a restart: each stretch of it has a stand-in in `now`, below. */
#ifndef DUNLIN_RDB_H
#define DUNLIN_RDB_H

#include <pthread.h>
#include <rocksdb/c.h>
#include <stdatomic.h>

#include "store/datadir.h"
#include "store/record_cache.h"
#include "store/store_ops.h"
#include "store/store_rocksdb.h"

/* The keys in a damaged stretch are unknown. It is reported as one damaged record for each value of
 * the first two bytes that it touches (a partition is never smaller), under a stand-in: a key that no
 * record has, 16 bytes of position and 16 of 0xff. A stand-in that is stored (with a value of no
 * bytes, which no check fits) is the mark of a stretch that was lost in a rebuild: it reads as what
 * it is, and the next rebuild copies it like any record. */
#define RDB_POSITION_BYTES 16
#define RDB_STAND_IN_BYTES (2 * RDB_POSITION_BYTES)
#define RDB_PREFIX_BITS 16
#define RDB_PREFIXES (1U << RDB_PREFIX_BITS)
#define RDB_NAME_BYTES 32
/* Of a table file. */
#define RDB_BLOCK_BYTES KIB(8)

__extension__ typedef unsigned __int128 rdb_position;

struct rdb_generation {
	rocksdb_column_family_handle_t *handle;
	enum store_family family;
	uint64_t number;
	char name[RDB_NAME_BYTES];
	_Atomic uint32_t holders; /* the store, and readers; the last one frees it */
	_Atomic bool damaged;     /* the engine said so */
	bool relaxed, stilled;    /* see rdb_relax; of the mender */
};

struct rdb_family {
	/* Changed with both locks held, in the order write, view; read with either. */
	struct rdb_generation *now, *old;
	uint64_t deletes; /* groups with a delete; under the write lock */
	/* For each prefix 0: whole; 1: lost; more: lost, and when that was told, in ms. NULL: all whole.
	 * Under the view lock. */
	uint64_t *lost;
	uint32_t lost_count;
};

/* The thread that rebuilds. */
struct rdb_mender {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t asked;
	bool started, wanted; /* under the lock */
	_Atomic bool stopping;
	_Atomic bool look;   /* something failed in the background: find out in which family */
	uint64_t looked_ms;  /* when it last did */
	uint32_t unsalvaged; /* how often in a row a salvage could not be done */
	uint64_t retry_ms;   /* something failed: not before */
	uint64_t bytes_per_s, batch_bytes;
	_Atomic uint64_t rebuilds; /* finished */
	_Atomic uint64_t lost_stretches, lost_records;
};

struct rdb {
	struct store base;
	rocksdb_t *db;
	/* The engine insists on a family of its own. A key in it names a family that has marks of lost
	 * stretches, so that a start need not look for any. */
	rocksdb_column_family_handle_t *control;
	struct rdb_family families[STORE_FAMILY_COUNT];
	struct record_cache *records;        /* of STORE_OBJECTS; NULL: there is none */
	rocksdb_options_t *plain, *filtered; /* of families; the engine's cache is in them */
	rocksdb_readoptions_t *read_any, *read_cached;
	rocksdb_writeoptions_t *write;
	rocksdb_writebatch_t *batch; /* of the one writer; kept for its memory */
	uint64_t reserve_bytes;
	bool plenty;             /* of space, at the last look; under the write lock */
	uint64_t room_looked_ms; /* when that was */
	_Atomic bool low;        /* on space, at the last look */
	_Atomic bool broken;     /* a write failed: nothing is acknowledged any more */
	uint32_t groups;         /* written: when to look for failures in the background */
	uint64_t group_began_ms, group_ended_ms; /* the last one; under the write lock */
	uint64_t failures;                       /* of the engine in the background, at the last look */
	int lock_fd;
	pthread_mutex_t write_lock; /* one group or one batch of copies at a time */
	pthread_mutex_t view_lock;
	struct rdb_mender mender;
	char path[DATADIR_PATH_BYTES_MAX]; /* of the engine's directory */
};

/* ---- store_rocksdb.c ----------------------------------------------------------------------- */

/* What the engine's error text means; frees it. NULL is ERR_OK. */
enum err rdb_err(char *text);
uint64_t rdb_free_bytes(const struct rdb *r);
/* Monotonic. */
uint64_t rdb_now_ms(void);
/* With the write lock: a batch of the mender's, durable when it returns ERR_OK. */
enum err rdb_commit(struct rdb *r, rocksdb_writebatch_t *batch);

/* ---- rdb_open.c ---------------------------------------------------------------------------- */

/* Open the engine at r->path and fill in db, control, families and options; the error's text, or
 * NULL. */
char *rdb_open(struct rdb *r, const struct store_rocksdb_config *config);
const char *rdb_family_name(enum store_family family);
rocksdb_options_t *rdb_family_options(struct rdb *r, enum store_family family);

/* A damaged file that cannot be compacted lets level 0 grow, and the engine would slow writes down to
 * nothing for it. So where it may have failed, it no longer may (S4): reads get slower instead. */
void rdb_relax(struct rdb *r, struct rdb_generation *g);
/* A damaged generation is not compacted any more: it only fails, again and again. */
void rdb_still(struct rdb *r, struct rdb_generation *g);

/* ---- rdb_family.c -------------------------------------------------------------------------- */

struct rdb_generation *rdb_generation_new(enum store_family family, uint64_t number,
                                          rocksdb_column_family_handle_t *handle);
void rdb_generation_drop(struct rdb_generation *g); /* NULL: nothing */
void rdb_generation_name(enum store_family family, uint64_t number, char name[RDB_NAME_BYTES]);

/* What a reader looks at: generations that stay as long as it holds them. */
struct rdb_lens {
	struct rdb_generation *now, *old; /* old may be NULL */
	const rocksdb_snapshot_t *snapshot;
	bool lossy; /* something of the family was lost: ask rdb_lost_tell before "not found" */
};
void rdb_lens_take(struct rdb *r, enum store_family family, bool snapshot, struct rdb_lens *l);
void rdb_lens_drop(struct rdb *r, struct rdb_lens *l);
/* How many families are being rebuilt. */
uint32_t rdb_rebuilding(struct rdb *r);

/* The engine called this generation corrupt: it is to be rebuilt. */
void rdb_note_damage(struct rdb *r, struct rdb_generation *g);
/* What was known of the family's records is not to be believed any more: see rdb_family.c. */
void rdb_doubt(struct rdb *r, enum store_family family);

uint32_t rdb_prefix_of(struct bytes key);
/* The stand-in of a whole prefix. */
void rdb_stand_in(uint32_t prefix, uint8_t key[RDB_STAND_IN_BYTES]);
bool rdb_is_stand_in(struct bytes key);

/* Is the key in a lost stretch? Then whoever asked is told so now. */
bool rdb_lost_tell(struct rdb *r, enum store_family family, struct bytes key);
void rdb_lost_add(struct rdb *r, enum store_family family, uint32_t prefix);
/* Add what marks the loss of that prefix to a batch, for that generation. */
void rdb_lost_mark(struct rdb *r, enum store_family family, const struct rdb_generation *g,
                   uint32_t prefix, rocksdb_writebatch_t *batch);
/* At the start: find the marks again. */
void rdb_lost_load(struct rdb *r);
/* Forget what was told long enough ago. */
void rdb_lost_forget(struct rdb *r);
/* Is there a mark that will go? */
bool rdb_lost_any(struct rdb *r);

/* ---- rdb_stream.c -------------------------------------------------------------------------- */

enum rdb_item { RDB_RECORD, RDB_STAND_IN, RDB_END, RDB_FAILED };

/* The numbers of the files that could not be read, as far as the engine named them. */
#define RDB_CULPRITS_MAX 16
struct rdb_culprits {
	uint64_t numbers[RDB_CULPRITS_MAX];
	uint32_t count;
};
void rdb_culprits_add(struct rdb_culprits *c, uint64_t number);

struct rdb_stream {
	struct rdb *noted_by; /* and `generation`: who hears of damage; NULL: nobody */
	struct rdb_generation *generation;
	rocksdb_t *db;
	rocksdb_column_family_handle_t *handle;
	rocksdb_readoptions_t *options;
	rocksdb_iterator_t *it;
	struct bytes after, until;
	struct bytes last; /* the key of the last item, in `last_key`; at first `after` */
	uint8_t *last_key;
	size_t last_room;
	rdb_position step;   /* see below */
	bool begun, waiting; /* `waiting`: the iterator stands on what was not given out yet */
	bool damaged;        /* inside damage up to `damage_to`; `prefix` is next */
	rdb_position damage_to;
	uint64_t prefix;
	uint8_t stand_in[RDB_STAND_IN_BYTES];
	struct rdb_culprits culprits; /* all that were met so far */
	struct bytes key, stored;     /* the item; valid until the next one */
};

struct rdb_stream_options {
	rocksdb_t *db;
	rocksdb_column_family_handle_t *handle;
	struct rdb *noted_by;
	struct rdb_generation *generation;
	const rocksdb_snapshot_t *snapshot; /* may be NULL */
	rdb_position step;                  /* in looking for the end of damage; 0: doubled each time */
	struct bytes after, until;          /* exclusive; borrowed */
};
void rdb_stream_open(struct rdb_stream *st, const struct rdb_stream_options *o);
/* The next item in order; the stream may be asked again after the end. */
enum rdb_item rdb_stream_next(struct rdb_stream *st);
void rdb_stream_close(struct rdb_stream *st);

/* ---- rdb_scan.c ---------------------------------------------------------------------------- */

enum err rdb_scan(struct store *s, enum store_family family, struct bytes after, struct bytes until,
                  store_each *each, void *context, bool *done);

/* ---- rdb_salvage.c ------------------------------------------------------------------------- */

struct rdb_salvage;
/* Links to the files of a generation whose records are all in files. NULL: not now. */
struct rdb_salvage *rdb_salvage_new(struct rdb *r, const struct rdb_generation *g);
void rdb_salvage_free(struct rdb_salvage *v); /* NULL: nothing */
/* Call `each` for every key k with after < k <= to that is in a readable part of a file, in no order,
 * some of them several times and some of them long deleted, until it returns false. `culprits` are the
 * files that are known to hide others there. False: `each` said so, or it could not be done. */
typedef bool rdb_salvage_each(void *context, struct bytes key);
bool rdb_salvage_keys(struct rdb_salvage *v, struct bytes after, struct bytes to,
                      const struct rdb_culprits *culprits, rdb_salvage_each *each, void *context);
/* What a salvage that did not end left behind. */
void rdb_salvage_clear(struct rdb *r);

/* ---- rdb_rebuild.c ------------------------------------------------------------------------- */

/* False: no thread to be had. */
bool rdb_mender_start(struct rdb *r);
void rdb_mender_stop(struct rdb *r);
void rdb_mender_ask(struct rdb *r);
/* Wait as long as reading or writing that many bytes may take. False: the store is closing. */
bool rdb_mender_pace(struct rdb *r, uint64_t bytes);

#endif
