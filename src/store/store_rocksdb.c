/* store_rocksdb.c - the store contract on RocksDB: reading, writing, and the life of the store.
 *
 * Objects are looked for in the cache of records (record_cache.h) first; what it says is what the
 * engine would have said.
 *
 * A group is one write batch of the engine over all families, so it is in the log whole or not at
 * all (S1), and one fdatasync of the log makes it durable before any reader sees it (S2, S3).
 *
 *   OPEN --free space < reserve--> refuses writes (ERR_FULL) --space again--> OPEN
 *     \--a write failed-----------> broken: ERR_STORE until the process ends (S6)
 *
 * A failed write is ERR_FULL only when the engine refused it before it touched the log. Not here:
 * options (rdb_open.c), scans (rdb_scan.c), damaged families (rdb.h, rdb_rebuild.c), what a torn log
 * means (wal.c). */
#include "store/store_rocksdb.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "store/rdb.h"
#include "store/record.h"
#include "store/wal.h"

/* A batch that has grown past this is given back after its group. */
#define BATCH_KEPT_BYTES MIB(4)
/* Groups from one look for failures in the background to the next. */
#define LOOK_GROUPS 16
#define READ_TIER_CACHE 1 /* kBlockCacheTier; the C header has no name for it */

static const struct store_ops rocksdb_ops;

static struct rdb *rdb_of(struct store *s)
{
	assert(s->ops == &rocksdb_ops);
	return (struct rdb *)s;
}

enum err rdb_err(char *text)
{
	if (text == NULL) return ERR_OK;
	enum err e = ERR_STORE;
	if (strncmp(text, "Corruption", 10) == 0) e = ERR_CORRUPT;
	/* A table file that is gone is damage to its range, as if all its blocks were bad. */
	else if (strstr(text, "No such file") != NULL)
		e = ERR_CORRUPT;
	else if (strncmp(text, "Result incomplete", 17) == 0)
		e = ERR_BUSY;
	free(text);
	return e;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* A block of the engine's, pinned until it is released. */
struct pin {
	struct store_handle handle;
	rocksdb_pinnableslice_t *slice;
};

static void release_pin(struct store_handle *h)
{
	struct pin *p = (struct pin *)h;
	rocksdb_pinnableslice_destroy(p->slice);
	free(p);
}

static enum err pin_new(rocksdb_pinnableslice_t *slice, enum store_family family, struct bytes key,
                        struct bytes *value, void **handle)
{
	struct bytes stored;
	stored.data = (const uint8_t *)rocksdb_pinnableslice_value(slice, &stored.len);
	if (!record_open(family, key, stored, value)) {
		rocksdb_pinnableslice_destroy(slice);
		return ERR_CORRUPT;
	}
	struct pin *p = store_alloc(sizeof(*p));
	*p = (struct pin){{release_pin}, slice};
	*handle = p;
	return ERR_OK;
}

static enum err read_generation(struct rdb *r, struct rdb_generation *g, enum store_family family,
                                struct bytes key, bool cache_only, struct bytes *value,
                                void **handle)
{
	char *text = NULL;
	rocksdb_pinnableslice_t *slice =
		rocksdb_get_pinned_cf(r->db, cache_only ? r->read_cached : r->read_any, g->handle,
	                          (const char *)key.data, key.len, &text);
	assert(implies(text != NULL, slice == NULL));
	if (text != NULL) {
		enum err failed = rdb_err(text);
		if (failed == ERR_CORRUPT) rdb_note_damage(r, g);
		return failed;
	}
	if (slice == NULL) return ERR_NOT_FOUND;
	enum err e = pin_new(slice, family, key, value, handle);
	/* Asked for its cache alone, RocksDB gives an empty value, and no error, where it would have had
	 * to open a table file first. An empty value cannot be a record of ours: look on the disk. */
	return cache_only && e == ERR_CORRUPT ? ERR_BUSY : e;
}

static enum err read_engine(struct rdb *r, enum store_family family, struct bytes key,
                            bool cache_only, struct bytes *value, void **handle)
{
	struct rdb_lens lens;
	rdb_lens_take(r, family, false, &lens);
	enum err e = read_generation(r, lens.now, family, key, cache_only, value, handle);
	if (e == ERR_NOT_FOUND && lens.old != NULL)
		e = read_generation(r, lens.old, family, key, cache_only, value, handle);
	if (e == ERR_NOT_FOUND && lens.lossy && rdb_lost_tell(r, family, key)) e = ERR_CORRUPT;
	rdb_lens_drop(r, &lens);
	if (e == ERR_CORRUPT) rdb_doubt(r, family);
	return e;
}

static enum err rocksdb_store_read(struct store *s, enum store_family family, struct bytes key,
                                   bool cache_only, struct bytes *value, void **handle)
{
	struct rdb *r = rdb_of(s);
	struct record_cache_miss miss;
	bool cached = family == STORE_OBJECTS && r->records != NULL;
	if (cached && record_cache_get(r->records, key, value, handle, &miss)) return ERR_OK;
	enum err e = read_engine(r, family, key, cache_only, value, handle);
	if (cached && e == ERR_OK) record_cache_fill(r->records, &miss, key, *value);
	return e;
}

/* ---- writing ------------------------------------------------------------------------------- */

static void batch_add(struct rdb *r, const struct store_op *op)
{
	struct rdb_family *f = &r->families[op->family];
	const char *key = (const char *)op->key.data;
	if (op->value.data == NULL) {
		rocksdb_writebatch_delete_cf(r->batch, f->now->handle, key, op->key.len);
		if (f->old != NULL)
			rocksdb_writebatch_delete_cf(r->batch, f->old->handle, key, op->key.len);
		f->deletes++;
		return;
	}
	uint8_t check[RECORD_CHECK_BYTES];
	record_check(op->family, op->key, op->value, check);
	const char *parts[2] = {(const char *)op->value.data, (const char *)check};
	size_t lens[2] = {op->value.len, sizeof(check)};
	rocksdb_writebatch_putv_cf(r->batch, f->now->handle, 1, &key, &op->key.len, 2, parts, lens);
}

static size_t batch_fill(struct rdb *r, const struct store_batch *batches, uint32_t count)
{
	for (uint32_t b = 0; b < count; b++)
		for (uint32_t i = 0; i < batches[b].count; i++) batch_add(r, &batches[b].ops[i]);
	size_t len;
	const char *data = rocksdb_writebatch_data(r->batch, &len);
	assert(data != NULL);
	return len;
}

static void batch_empty(struct rdb *r, size_t len)
{
	if (len <= BATCH_KEPT_BYTES) {
		rocksdb_writebatch_clear(r->batch);
		return;
	}
	rocksdb_writebatch_destroy(r->batch);
	r->batch = rocksdb_writebatch_create();
}

uint64_t rdb_free_bytes(const struct rdb *r)
{
	struct statvfs vfs;
	if (statvfs(r->path, &vfs) != 0) return UINT64_MAX; /* not known to be full */
	return (uint64_t)vfs.f_bavail * vfs.f_frsize;
}

/* Asked before each group, unless there was plenty a moment ago. With the write lock. */
static bool has_room(struct rdb *r, size_t len)
{
	uint64_t now = rdb_now_ms();
	if (r->plenty && now - r->room_looked_ms < STORE_ROOM_LOOK_MS) return true;
	uint64_t have = rdb_free_bytes(r);
	bool low = have < r->reserve_bytes || have - r->reserve_bytes < len;
	atomic_store_explicit(&r->low, low, memory_order_relaxed);
	r->plenty = !low && have - r->reserve_bytes - len > STORE_ROOM_BYTES;
	r->room_looked_ms = now;
	return !low;
}

/* The engine names the file that failed. If it is not a log, an earlier failure in the background
 * made it refuse the group untouched; it clears that itself once there is space. */
static bool refused_for_space(const char *text)
{
	return strstr(text, "No space left") != NULL && strstr(text, ".log") == NULL;
}

static enum err write_failed(struct rdb *r, char *text)
{
	enum err e = refused_for_space(text) ? ERR_FULL : ERR_STORE;
	free(text);
	atomic_store_explicit(e == ERR_FULL ? &r->low : &r->broken, true, memory_order_relaxed);
	r->plenty = false;
	return e;
}

uint64_t rdb_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

enum err rdb_commit(struct rdb *r, rocksdb_writebatch_t *batch)
{
	size_t len;
	char *text = NULL;
	if (atomic_load_explicit(&r->broken, memory_order_relaxed)) return ERR_STORE;
	rocksdb_writebatch_data(batch, &len);
	if (!has_room(r, len)) return ERR_FULL;
	rocksdb_write(r->db, r->write, batch, &text);
	return text == NULL ? ERR_OK : write_failed(r, text);
}

/* Did something fail in the background since the last look? The mender finds out what. */
static void look_behind(struct rdb *r)
{
	uint64_t failures = 0;
	if (r->groups++ % LOOK_GROUPS != 0) return;
	rocksdb_property_int(r->db, "rocksdb.background-errors", &failures);
	if (failures == r->failures) return;
	r->failures = failures;
	atomic_store(&r->mender.look, true);
	rdb_mender_ask(r);
}

static enum err rocksdb_store_write(struct store *s, const struct store_batch *batches,
                                    uint32_t count)
{
	struct rdb *r = rdb_of(s);
	int failed = pthread_mutex_lock(&r->write_lock);
	assert(!failed);
	size_t len = batch_fill(r, batches, count);
	look_behind(r);
	r->group_began_ms = rdb_now_ms();
	if (r->records != NULL) record_cache_begin(r->records, batches, count);
	enum err e = rdb_commit(r, r->batch);
	if (r->records != NULL) record_cache_end(r->records, e == ERR_OK);
	r->group_ended_ms = rdb_now_ms();
	batch_empty(r, len);
	pthread_mutex_unlock(&r->write_lock);
	return e;
}

/* ---- usage, checkpoint --------------------------------------------------------------------- */

static uint64_t directory_bytes(const char *path)
{
	uint64_t bytes = 0;
	DIR *d = opendir(path);
	if (d == NULL) return 0;
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		struct stat st;
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
			bytes += (uint64_t)st.st_blocks * 512;
	}
	closedir(d);
	return bytes;
}

static void rocksdb_store_usage(struct store *s, struct store_usage *out)
{
	struct rdb *r = rdb_of(s);
	out->bytes = directory_bytes(r->path);
	out->free_bytes = rdb_free_bytes(r);
	out->rebuilds = atomic_load(&r->mender.rebuilds);
	out->lost_stretches = atomic_load(&r->mender.lost_stretches);
	out->lost_records = atomic_load(&r->mender.lost_records);
	out->rebuilding = rdb_rebuilding(r);
	if (r->records != NULL) record_cache_stats(r->records, &out->records);
	out->read_only = out->free_bytes < r->reserve_bytes ||
	                 atomic_load_explicit(&r->low, memory_order_relaxed) ||
	                 atomic_load_explicit(&r->broken, memory_order_relaxed);
}

static enum err rocksdb_store_checkpoint(struct store *s, const char *path)
{
	struct rdb *r = rdb_of(s);
	char why[256], engine[DATADIR_PATH_BYTES_MAX];
	if (!datadir_engine_path(path, engine) || mkdir(path, 0755) != 0) return ERR_STORE;
	char *text = NULL;
	rocksdb_checkpoint_t *c = rocksdb_checkpoint_object_create(r->db, &text);
	if (text == NULL) rocksdb_checkpoint_create(c, engine, 0, &text);
	if (c != NULL) rocksdb_checkpoint_object_destroy(c);
	enum err e = rdb_err(text);
	/* Last: a directory without FORMAT is not taken for a store. */
	if (e == ERR_OK && !datadir_mark(path, why, sizeof(why))) e = ERR_STORE;
	return e == ERR_OK ? ERR_OK : ERR_STORE;
}

/* ---- life ---------------------------------------------------------------------------------- */

static void rocksdb_store_close(struct store *s)
{
	struct rdb *r = rdb_of(s);
	rdb_mender_stop(r);
	rocksdb_writebatch_destroy(r->batch);
	rocksdb_writeoptions_destroy(r->write);
	rocksdb_readoptions_destroy(r->read_cached);
	rocksdb_readoptions_destroy(r->read_any);
	for (unsigned f = 0; f < STORE_FAMILY_COUNT; f++) {
		rdb_generation_drop(r->families[f].now);
		rdb_generation_drop(r->families[f].old);
		free(r->families[f].lost);
	}
	record_cache_free(r->records);
	rocksdb_column_family_handle_destroy(r->control);
	rocksdb_close(r->db);
	rocksdb_options_destroy(r->filtered);
	rocksdb_options_destroy(r->plain);
	pthread_cond_destroy(&r->mender.asked);
	pthread_mutex_destroy(&r->mender.lock);
	pthread_mutex_destroy(&r->view_lock);
	pthread_mutex_destroy(&r->write_lock);
	close(r->lock_fd); /* last: it is the lock */
	free(r);
}

static const struct store_ops rocksdb_ops = {
	rocksdb_store_read,       rocksdb_store_write, rdb_scan,
	rocksdb_store_checkpoint, rocksdb_store_usage, rocksdb_store_close};

static void make_options(struct rdb *r)
{
	r->read_any = rocksdb_readoptions_create();
	rocksdb_readoptions_set_verify_checksums(r->read_any, 1);
	r->read_cached = rocksdb_readoptions_create();
	rocksdb_readoptions_set_verify_checksums(r->read_cached, 1);
	rocksdb_readoptions_set_read_tier(r->read_cached, READ_TIER_CACHE);
	r->write = rocksdb_writeoptions_create();
	rocksdb_writeoptions_set_sync(r->write, 1);
	r->batch = rocksdb_writebatch_create();
}

/* Never less than what is in memory takes twice over: a flush that finds no room is tried again for
 * ever, and the next write would wait for it. */
static uint64_t reserve_of(const char *path, const struct store_rocksdb_config *config)
{
	struct statvfs vfs;
	uint64_t reserve = STORE_RESERVE_BYTES;
	uint64_t buffers = config->buffer_bytes != 0 ? config->buffer_bytes : STORE_BUFFER_BYTES;
	if (statvfs(path, &vfs) == 0) {
		uint64_t part = (uint64_t)vfs.f_blocks * vfs.f_frsize / STORE_RESERVE_FRACTION;
		if (part < reserve) reserve = part;
	}
	if (config->reserve_bytes != 0) reserve = config->reserve_bytes;
	return reserve > 2 * buffers ? reserve : 2 * buffers;
}

static bool open_engine(struct rdb *r, const char *dir, const struct store_rocksdb_config *config,
                        char *why, size_t why_len)
{
	if (!datadir_engine_path(dir, r->path)) {
		snprintf(why, why_len, "%s: path too long", dir);
		return false;
	}
	if (!wal_mend(r->path, why, why_len)) return false;
	char *text = rdb_open(r, config);
	if (text == NULL) return true;
	snprintf(why, why_len, "cannot open %s: %s", r->path, text);
	free(text);
	return false;
}

static void make_locks(struct rdb *r)
{
	pthread_condattr_t monotonic;
	int failed =
		pthread_condattr_init(&monotonic) | pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) |
		pthread_mutex_init(&r->write_lock, NULL) | pthread_mutex_init(&r->view_lock, NULL) |
		pthread_mutex_init(&r->mender.lock, NULL) | pthread_cond_init(&r->mender.asked, &monotonic);
	assert(!failed);
	pthread_condattr_destroy(&monotonic);
}

enum err store_rocksdb_open(const char *dir, const struct store_rocksdb_config *config,
                            struct store **out, char *why, size_t why_len)
{
	assert(dir != NULL && config != NULL && why_len > 0);
	why[0] = 0;
	*out = NULL;
	int lock_fd = datadir_open(dir, why, why_len);
	if (lock_fd < 0) return ERR_STORE;
	struct rdb *r = store_alloc(sizeof(*r));
	*r = (struct rdb){.base = {&rocksdb_ops}, .lock_fd = lock_fd};
	if (!open_engine(r, dir, config, why, why_len)) {
		close(lock_fd);
		free(r);
		return ERR_STORE;
	}
	make_options(r);
	make_locks(r);
	r->reserve_bytes = reserve_of(r->path, config);
	r->mender.bytes_per_s =
		config->rebuild_bytes_per_s != 0 ? config->rebuild_bytes_per_s : STORE_REBUILD_BYTES_PER_S;
	size_t record_bytes =
		config->record_bytes != 0 ? config->record_bytes : STORE_RECORD_CACHE_BYTES;
	if (record_bytes != STORE_RECORD_CACHE_OFF) r->records = record_cache_new(record_bytes);
	rdb_salvage_clear(r);
	rdb_lost_load(r);
	if (r->families[STORE_OBJECTS].old != NULL) rdb_doubt(r, STORE_OBJECTS);
	if (rdb_mender_start(r)) {
		*out = &r->base;
		return ERR_OK;
	}
	snprintf(why, why_len, "no thread to be had for %s", dir);
	rocksdb_store_close(&r->base);
	return ERR_STORE;
}
