/* wal.h - judge the engine's write-ahead log before it is replayed.
 *
 * After a power failure a log may end in the rubble of writes that were never acknowledged: that is
 * to be dropped. Damage before a write that *was* acknowledged must never be dropped in silence. The
 * engine cannot tell the two apart (docs/decisions/, the page on RocksDB), but this store can:
 * group n+1 is written only after the fdatasync of group n, so damage with an intact later group
 * behind it is damage to something acknowledged, and damage with none behind it is a torn tail (or a
 * last group that rotted, which looks the same).
 *
 *   | group | group | group | ~~~~~~~~ |                  torn tail: cut off here ^
 *   | group | ~~~~~ | group | group |                     acknowledged writes are gone: refused */
#ifndef DUNLIN_WAL_H
#define DUNLIN_WAL_H

#include <stdbool.h>
#include <stddef.h>

/* Cut the torn tail off the logs in `dir`, if there is one. True: what is left is intact, and `why`
 * says what was cut ("" for nothing). False: the log must not be replayed, and `why` says so. */
bool wal_mend(const char *dir, char *why, size_t why_len);

#endif
