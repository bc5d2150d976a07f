/* store_rot.h - what the tests of damage share: records that tell what they are, flipped bits in table
 * files, and waiting for a rebuild. Everything is static inline: each program uses a part of it. */
#ifndef DUNLIN_STORE_ROT_H
#define DUNLIN_STORE_ROT_H

#include <dirent.h>
#include <fcntl.h>

#include "store_bench.h"

#define ROT_RECORDS 3000U

/* Record i: its key spreads over the whole range; its value is a function of i and of `version`. */
static inline struct bytes rot_key(uint32_t i, uint8_t key[20])
{
	memset(key, 0, 20);
	put_u64be(key, (uint64_t)i * (UINT64_MAX / ROT_RECORDS));
	put_u32be(key + 16, i);
	return bytes_of(key, 20);
}

static inline struct bytes rot_value(uint32_t i, uint32_t version, uint8_t value[200])
{
	struct prng p;
	prng_seed(&p, i + (uint64_t)version * ROT_RECORDS);
	for (size_t at = 0; at < 200; at++) value[at] = (uint8_t)prng_next(&p);
	return bytes_of(value, 200);
}

static inline int rot_by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The names of the files in the engine's directory that end so. */
static inline uint32_t rot_files(const char *dir, const char *end, char names[][192], uint32_t max)
{
	char path[160];
	uint32_t count = 0;
	snprintf(path, sizeof(path), "%s/rocksdb", dir);
	DIR *d = opendir(path);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL && count < max;) {
		size_t len = strlen(e->d_name), end_len = strlen(end);
		if (len > end_len && len < 24 && strcmp(e->d_name + len - end_len, end) == 0)
			snprintf(names[count++], 192, "%s/%.24s", path, e->d_name);
	}
	closedir(d);
	qsort(names, count, sizeof(names[0]), rot_by_name);
	return count;
}

static inline void rot_flip(const char *path, off_t at, uint8_t with)
{
	uint8_t byte;
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= with;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static inline off_t rot_length(const char *path)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* ---- rebuilds ------------------------------------------------------------------------------ */

/* Bytes a second: never ends; lasts for seconds, also where little is left to be salvaged from much;
 * over at once. */
#define ROT_STANDS 1U
#define ROT_SLOW KIB(160)
#define ROT_STEADY MIB(2)
#define ROT_FAST MIB(64)

#define ROT_NAMES_MAX 64

/* With so much memory for records and for blocks; 0: the default. */
static inline struct store *rot_open_with(const char *dir, uint64_t bytes_per_s,
                                          size_t record_bytes, size_t cache_bytes)
{
	char why[512];
	struct store *s;
	struct store_rocksdb_config config = {.reserve_bytes = 1,
	                                      .buffer_bytes = KIB(512),
	                                      .record_bytes = record_bytes,
	                                      .cache_bytes = cache_bytes,
	                                      .rebuild_bytes_per_s = bytes_per_s};
	if (store_rocksdb_open(dir, &config, &s, why, sizeof(why)) != ERR_OK) fail_msg("%s", why);
	return s;
}

static inline struct store *rot_open(const char *dir, uint64_t bytes_per_s)
{
	return rot_open_with(dir, bytes_per_s, 0, 0);
}

static inline void rot_put(struct store *s, enum store_family family, uint32_t i, uint32_t version)
{
	uint8_t key[20], value[200];
	assert_int_equal(bench_put(s, family, rot_key(i, key), rot_value(i, version, value)), ERR_OK);
}

/* Every `step`th record, in batches. */
static inline void rot_put_all(struct store *s, enum store_family family, uint32_t version,
                               uint32_t step)
{
	for (uint32_t i = 0; i < ROT_RECORDS;) {
		uint8_t keys[50][20], values[50][200];
		struct store_op ops[50];
		struct store_batch batch = {ops, 0};
		for (; batch.count < 50 && i < ROT_RECORDS; i += step, batch.count++)
			ops[batch.count] = (struct store_op){family, rot_key(i, keys[batch.count]),
			                                     rot_value(i, version, values[batch.count])};
		assert_int_equal(store_write(s, &batch, 1), ERR_OK);
	}
}

/* Files worth damaging. */
static inline uint32_t rot_large_files(const char *dir, char names[ROT_NAMES_MAX][192])
{
	uint32_t count = rot_files(dir, ".sst", names, ROT_NAMES_MAX), large = 0;
	for (uint32_t i = 0; i < count; i++)
		if (rot_length(names[i]) >= 20000) memmove(names[large++], names[i], 192);
	return large;
}

/* A store whose records are all in table files: version 2 of all, and above it version 3 of every
 * tenth, in a file of its own (unless a compaction gets in between: then again). Closed. */
static inline void rot_make_layers(const char *dir, enum store_family family)
{
	char names[ROT_NAMES_MAX][192];
	struct store *s = rot_open(dir, ROT_STANDS);
	for (uint32_t version = 0; version < 3; version++) rot_put_all(s, family, version, 1);
	store_close(s);
	do {
		s = rot_open(dir, ROT_STANDS); /* replaying the log writes a table */
		rot_put_all(s, family, 3, 10);
		store_close(s);
		store_close(rot_open(dir, ROT_STANDS));
	} while (rot_large_files(dir, names) < 2);
}

static inline uint32_t rot_version(uint32_t i)
{
	return i % 10 == 0 ? 3 : 2;
}

static inline enum err rot_get(struct store *s, enum store_family family, uint32_t i,
                               uint32_t version)
{
	uint8_t key[20], value[200], found[200];
	size_t len;
	enum err e = bench_get(s, family, rot_key(i, key), found, sizeof(found), &len);
	if (e == ERR_OK) assert_true(bytes_equal(bytes_of(found, len), rot_value(i, version, value)));
	return e;
}

/* Which records can be read; reading the others is ERR_CORRUPT, never "not found". How many. */
static inline uint32_t rot_read_all(struct store *s, enum store_family family,
                                    bool readable[ROT_RECORDS])
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < ROT_RECORDS; i++) {
		enum err e = rot_get(s, family, i, rot_version(i));
		if (e != ERR_OK && e != ERR_CORRUPT) fail_msg("record %u: %s", i, err_name(e));
		readable[i] = e == ERR_OK;
		count += readable[i];
	}
	return count;
}

/* What can be read of the directory as it is, without a rebuild. */
static inline uint32_t rot_read_copy(const char *dir, enum store_family family,
                                     bool readable[ROT_RECORDS])
{
	char copy[128];
	snprintf(copy, sizeof(copy), "%s-copy", dir);
	bench_shell("cp -r '%s' '%s'", dir, copy);
	struct store *s = rot_open(copy, ROT_STANDS);
	uint32_t count = rot_read_all(s, family, readable);
	store_close(s);
	bench_remove(copy);
	return count;
}

static inline struct store_usage rot_usage(struct store *s)
{
	struct store_usage u;
	store_usage(s, &u);
	return u;
}

/* Until that many rebuilds are over. */
static inline void rot_wait_rebuilt(struct store *s, uint64_t count)
{
	for (int i = 0; i < 18000; i++) {
		struct store_usage u = rot_usage(s);
		if (u.rebuilds >= count && u.rebuilding == 0) return;
		usleep(10000);
	}
	fail_msg("no rebuild within three minutes");
}

struct rot_bench {
	char root[64], dir[96];
	struct prng p;
	bool readable[ROT_RECORDS];
};

static inline int rot_setup(void **state)
{
	struct rot_bench *b = calloc(1, sizeof(*b));
	assert_non_null(b);
	bench_directory(b->root);
	snprintf(b->dir, sizeof(b->dir), "%s/d", b->root);
	prng_seed(&b->p, 77);
	*state = b;
	return 0;
}

static inline int rot_teardown(void **state)
{
	struct rot_bench *b = *state;
	bench_remove(b->root);
	free(b);
	return 0;
}

/* Bits in one file, or in all of them; between these parts of a thousand. Files that were hit are
 * named in `hit`. */
static inline uint32_t rot_bits(struct rot_bench *b, const char *dir, bool all, uint64_t from,
                                uint64_t to, char hit[ROT_NAMES_MAX][192])
{
	char names[ROT_NAMES_MAX][192];
	uint32_t count = rot_large_files(dir, names), hits = 0;
	uint64_t chosen = prng_below(&b->p, count);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t len = (uint64_t)rot_length(names[i]);
		if (!all && i != chosen) continue;
		uint64_t at = len * from / 1000 + prng_below(&b->p, len * (to - from) / 1000);
		rot_flip(names[i], (off_t)at, (uint8_t)(1U << prng_below(&b->p, 8)));
		strcpy(hit[hits++], names[i]);
	}
	return hits;
}

#endif
