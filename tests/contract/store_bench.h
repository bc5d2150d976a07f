/* store_bench.h - what the store's test programs share: a directory of their own, one-line reads and
 * writes. Everything is static inline: each program uses a part of it. */
#ifndef DUNLIN_STORE_BENCH_H
#define DUNLIN_STORE_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "base/prng.h"
#include "store/store.h"
#include "store/store_mem.h"
#include "store/store_rocksdb.h"

#include <cmocka.h>

/* A fresh directory to put stores into; its name goes to `path`. */
static inline void bench_directory(char path[64])
{
	strcpy(path, "/tmp/dunlin-store-XXXXXX");
	assert_non_null(mkdtemp(path));
}

static inline void bench_shell(const char *format, const char *a, const char *b)
{
	char command[512];
	int len = snprintf(command, sizeof(command), format, a, b);
	assert_true(len > 0 && (size_t)len < sizeof(command));
	assert_int_equal(system(command), 0);
}

static inline void bench_remove(const char *path)
{
	assert_true(strncmp(path, "/tmp/dunlin-store-", 18) == 0);
	bench_shell("rm -rf '%s'%s", path, "");
}

/* Fails the test, with the reason, if it does not open. A reserve of one byte: tests run on disks
 * that are nearly full. */
static inline struct store *bench_open_with(const char *dir, size_t record_bytes)
{
	char why[512];
	struct store *s;
	struct store_rocksdb_config config = {.reserve_bytes = 1, .record_bytes = record_bytes};
	if (store_rocksdb_open(dir, &config, &s, why, sizeof(why)) != ERR_OK) fail_msg("%s", why);
	return s;
}

static inline struct store *bench_open(const char *dir)
{
	return bench_open_with(dir, 0);
}

static inline enum err bench_put(struct store *s, enum store_family family, struct bytes key,
                                 struct bytes value)
{
	struct store_op op = {family, key, value};
	struct store_batch batch = {&op, 1};
	return store_write(s, &batch, 1);
}

static inline enum err bench_delete(struct store *s, enum store_family family, struct bytes key)
{
	return bench_put(s, family, key, BYTES_EMPTY);
}

/* The value into `to`, at most `room` bytes; *len is its length. */
static inline enum err bench_get(struct store *s, enum store_family family, struct bytes key,
                                 uint8_t *to, size_t room, size_t *len)
{
	struct bytes value;
	void *handle;
	enum err e = store_read(s, family, key, false, &value, &handle);
	if (e == ERR_OK) {
		assert_true(value.len <= room);
		memcpy(to, value.data, value.len);
		*len = value.len;
	}
	store_release(handle);
	return e;
}

/* Is that record there, with that value? */
static inline bool bench_holds(struct store *s, enum store_family family, struct bytes key,
                               struct bytes value)
{
	static uint8_t found[1 << 16];
	size_t len = 0;
	if (bench_get(s, family, key, found, sizeof(found), &len) != ERR_OK) return false;
	return bytes_equal(bytes_of(found, len), value);
}

#endif
