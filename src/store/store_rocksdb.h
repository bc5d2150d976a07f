/* store_rocksdb.h - the store contract on RocksDB. docs/WIRE.md has the bytes on disk. */
#ifndef DUNLIN_STORE_ROCKSDB_H
#define DUNLIN_STORE_ROCKSDB_H

#include "store/store.h"

/* No cache of records. */
#define STORE_RECORD_CACHE_OFF SIZE_MAX

/* Zero in any field: the default. */
struct store_rocksdb_config {
	size_t cache_bytes;  /* STORE_CACHE_BYTES */
	size_t record_bytes; /* STORE_RECORD_CACHE_BYTES, or STORE_RECORD_CACHE_OFF */
	size_t buffer_bytes; /* STORE_BUFFER_BYTES */
	/* STORE_RESERVE_BYTES, or one hundredth of the disk if that is less; never below twice
	 * buffer_bytes. */
	uint64_t reserve_bytes;
	uint32_t open_files;          /* STORE_OPEN_FILES_MAX */
	uint64_t rebuild_bytes_per_s; /* STORE_REBUILD_BYTES_PER_S */
};

/* Open the store below `dir`, or make one (also the directory itself, but not its parents). ERR_OK
 * with *out set; `why` is then "", or says what was mended. Else `why` is a sentence for people: a
 * newer format, another process, a damaged log, ... */
enum err store_rocksdb_open(const char *dir, const struct store_rocksdb_config *config,
                            struct store **out, char *why, size_t why_len);

#endif
