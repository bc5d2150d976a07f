/* datadir.h - the data directory: whose it is, and in which format.
 *
 *   D/FORMAT     one line of text, "dunlin 1"; also the lock: held (flock) while a process runs
 *   D/rocksdb/   the engine's files
 *
 * FORMAT is durable before anything else is written, so that a directory without it is not ours. */
#ifndef DUNLIN_DATADIR_H
#define DUNLIN_DATADIR_H

#include <stdbool.h>
#include <stddef.h>

#define DATADIR_PATH_BYTES_MAX 4096

/* Make or open the directory, check FORMAT, take the lock. Gives the lock's descriptor, to be closed
 * last of all; or -1, with a sentence for people in `why`. */
int datadir_open(const char *dir, char *why, size_t why_len);
/* Write D/FORMAT into an existing directory and make it durable. */
bool datadir_mark(const char *dir, char *why, size_t why_len);
/* D/rocksdb. False: the path is too long. */
bool datadir_engine_path(const char *dir, char path[DATADIR_PATH_BYTES_MAX]);
/* Make the entries of a directory durable. */
bool datadir_sync(const char *dir);

#endif
