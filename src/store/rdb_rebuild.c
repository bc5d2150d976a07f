/* rdb_rebuild.c - a damaged family is rebuilt, while it is in use.
 *
 *   IDLE --damage was noted--> begin: the next generation takes the writes
 *    ^                           |
 *    |                         copy: a batch of records at a time, in order <--+ resumed by a start
 *    |                           |      \--a stretch cannot be scanned--> salvage, mark it lost
 *    +--drop the old one---------+
 *
 * Why the copies are right (F1, F2): a batch is read first and written later, under the write lock.
 * By then `now` may have something newer, which is looked up, or a delete may have removed from `old`
 * what was read; then `old` is asked again. All batches are fdatasynced, as all groups are: the judge
 * of a torn log (wal.h) relies on that, and nothing is left to be made durable before the drop. The
 * drop is under the write lock too: before it deletes go to both generations, behind it to one.
 *
 * No progress is kept: a start that finds two generations copies from the beginning, and what was
 * copied already costs a read. */
#include "store/rdb.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "store/record.h"

/* From one look to the next, at what has to wait. */
#define AGAIN_US MS(250)
/* At least so many: a slow rebuild makes small batches. */
#define BATCHES_PER_S 16
#define SALVAGE_TRIES 5

struct copy {
	struct rdb *r;
	enum store_family family;
	struct rdb_generation *now, *old;
	uint64_t deletes;         /* as many had been when the batch was begun */
	struct rdb_stream stream; /* of the old generation, for one batch */
	uint8_t *cursor;          /* the last key that was dealt with */
	size_t cursor_len, cursor_room;
	uint8_t *bytes; /* | key length, 4 | stored length, 4 | key | stored | ... */
	size_t len, room;
	rocksdb_writebatch_t *batch;
	struct rdb_salvage *salvage; /* from the first stretch on */
	bool failed;
};

static void lock(pthread_mutex_t *m)
{
	int failed = pthread_mutex_lock(m);
	assert(!failed);
}

static void unlock(pthread_mutex_t *m)
{
	int failed = pthread_mutex_unlock(m);
	assert(!failed);
}

static bool stopping(const struct rdb *r)
{
	return atomic_load(&r->mender.stopping) || atomic_load(&r->broken);
}

/* ---- one batch ----------------------------------------------------------------------------- */

static void batch_begin(struct copy *c)
{
	c->len = 0;
	lock(&c->r->write_lock);
	c->deletes = c->r->families[c->family].deletes;
	unlock(&c->r->write_lock);
}

static void batch_add(struct copy *c, struct bytes key, struct bytes stored)
{
	size_t more = 8 + key.len + stored.len;
	if (c->room - c->len < more) {
		c->room = 2 * (c->len + more);
		uint8_t *grown = store_alloc(c->room);
		if (c->len > 0) memcpy(grown, c->bytes, c->len);
		free(c->bytes);
		c->bytes = grown;
	}
	uint8_t *at = c->bytes + c->len;
	put_u32be(at, (uint32_t)key.len);
	put_u32be(at + 4, (uint32_t)stored.len);
	memcpy(at + 8, key.data, key.len);
	if (stored.len > 0) memcpy(at + 8 + key.len, stored.data, stored.len);
	c->len += more;
}

/* What a generation has under the key, as it is stored; NULL unless ERR_OK. */
static enum err look_up(struct rdb *r, const struct rdb_generation *g, struct bytes key,
                        rocksdb_pinnableslice_t **found)
{
	char *text = NULL;
	*found = rocksdb_get_pinned_cf(r->db, r->read_any, g->handle, (const char *)key.data, key.len,
	                               &text);
	if (text != NULL) return rdb_err(text);
	return *found == NULL ? ERR_NOT_FOUND : ERR_OK;
}

static enum err is_in(struct rdb *r, struct rdb_generation *g, struct bytes key)
{
	rocksdb_pinnableslice_t *found;
	enum err e = look_up(r, g, key, &found);
	if (found != NULL) rocksdb_pinnableslice_destroy(found);
	if (e == ERR_CORRUPT) rdb_note_damage(r, g);
	return e;
}

static void mark_lost(struct copy *c, uint32_t prefix)
{
	rdb_lost_mark(c->r, c->family, c->now, prefix, c->batch);
	rdb_lost_add(c->r, c->family, prefix);
}

static void record_lost(struct copy *c, struct bytes key)
{
	mark_lost(c, rdb_prefix_of(key));
	atomic_fetch_add(&c->r->mender.lost_records, 1);
}

/* With the write lock. */
static void batch_put(struct copy *c, struct bytes key, struct bytes stored, bool ask_again)
{
	enum err e = is_in(c->r, c->now, key);
	if (e == ERR_OK) return;
	if (e == ERR_NOT_FOUND && ask_again) {
		e = is_in(c->r, c->old, key);
		if (e == ERR_NOT_FOUND) return; /* deleted meanwhile */
		if (e == ERR_OK) e = ERR_NOT_FOUND;
	}
	if (e == ERR_NOT_FOUND)
		rocksdb_writebatch_put_cf(c->batch, c->now->handle, (const char *)key.data, key.len,
		                          (const char *)stored.data, stored.len);
	else if (e == ERR_CORRUPT)
		record_lost(c, key); /* what is newest cannot be known */
	else
		c->failed = true;
}

/* Write what was gathered, and the marks. */
static void batch_end(struct copy *c)
{
	struct rdb *r = c->r;
	lock(&r->write_lock);
	bool ask_again = r->families[c->family].deletes != c->deletes;
	for (size_t at = 0; at < c->len && !c->failed;) {
		struct bytes key = bytes_of(c->bytes + at + 8, get_u32be(c->bytes + at));
		struct bytes stored = bytes_of(key.data + key.len, get_u32be(c->bytes + at + 4));
		batch_put(c, key, stored, ask_again);
		at += 8 + key.len + stored.len;
	}
	if (!c->failed && rocksdb_writebatch_count(c->batch) > 0)
		c->failed = rdb_commit(r, c->batch) != ERR_OK;
	rocksdb_writebatch_clear(c->batch);
	unlock(&r->write_lock);
	if (!rdb_mender_pace(r, c->len)) c->failed = true;
	c->len = 0;
}

/* ---- a stretch that cannot be scanned ------------------------------------------------------ */

/* A key that is, or was, somewhere in the stretch. */
static bool salvage_key(void *context, struct bytes key)
{
	struct copy *c = context;
	rocksdb_pinnableslice_t *found;
	enum err e = look_up(c->r, c->old, key, &found);
	if (e == ERR_OK) {
		size_t len;
		const char *stored = rocksdb_pinnableslice_value(found, &len);
		batch_add(c, key, bytes_of((const uint8_t *)stored, len));
		rocksdb_pinnableslice_destroy(found);
	} else if (e == ERR_CORRUPT && is_in(c->r, c->now, key) == ERR_NOT_FOUND) {
		atomic_fetch_add(&c->r->mender.lost_records, 1); /* its prefix is marked anyway */
	} else if (e != ERR_NOT_FOUND && e != ERR_CORRUPT) {
		c->failed = true;
	}
	if (c->len >= c->r->mender.batch_bytes) {
		batch_end(c);
		batch_begin(c);
	}
	return !c->failed && !stopping(c->r);
}

/* If it cannot be done again and again, what can be read must not wait for it for ever. */
static void salvage(struct copy *c, struct bytes to)
{
	struct rdb_mender *m = &c->r->mender;
	struct bytes after = bytes_of(c->cursor, c->cursor_len);
	if (m->unsalvaged >= SALVAGE_TRIES || c->failed) return;
	if (c->salvage == NULL) c->salvage = rdb_salvage_new(c->r, c->old);
	bool done = c->salvage != NULL &&
	            rdb_salvage_keys(c->salvage, after, to, &c->stream.culprits, salvage_key, c);
	if (done) m->unsalvaged = 0;
	if (done || stopping(c->r)) return;
	m->unsalvaged++;
	c->failed = true;
}

/* Everything behind the cursor up to and with `to`. The marks go first: if the copy stops here, what
 * was not salvaged yet is still in the old generation. */
static void copy_stretch(struct copy *c, uint32_t first, struct bytes to)
{
	for (uint32_t prefix = first; prefix <= rdb_prefix_of(to); prefix++) {
		mark_lost(c, prefix);
		atomic_fetch_add(&c->r->mender.lost_stretches, 1);
	}
	batch_begin(c);
	salvage(c, to);
	batch_end(c);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static void cursor_set(struct copy *c, struct bytes key)
{
	if (key.len > c->cursor_room) {
		free(c->cursor);
		c->cursor_room = 2 * key.len;
		c->cursor = store_alloc(c->cursor_room);
	}
	memcpy(c->cursor, key.data, key.len);
	c->cursor_len = key.len;
}

/* Records up to a full batch, to damage or to the end; gives what comes next. */
static enum rdb_item gather(struct copy *c)
{
	enum rdb_item item = rdb_stream_next(&c->stream);
	for (; item == RDB_RECORD; item = rdb_stream_next(&c->stream)) {
		batch_add(c, c->stream.key, c->stream.stored);
		cursor_set(c, c->stream.key);
		if (c->len >= c->r->mender.batch_bytes) break;
	}
	return item;
}

/* The stream stands on the first stand-in of a stretch. */
static void pass_stretch(struct copy *c)
{
	uint8_t to[RDB_STAND_IN_BYTES];
	uint32_t first = rdb_prefix_of(c->stream.key);
	enum rdb_item item = RDB_STAND_IN;
	for (; item == RDB_STAND_IN; item = rdb_stream_next(&c->stream))
		memcpy(to, c->stream.key.data, sizeof(to));
	batch_end(c);
	copy_stretch(c, first, bytes_of(to, sizeof(to)));
	cursor_set(c, bytes_of(to, sizeof(to)));
}

/* One batch. True: there is more. */
static bool copy_some(struct copy *c)
{
	size_t after_len = c->cursor_len;
	uint8_t *after = store_alloc(after_len);
	if (after_len > 0) memcpy(after, c->cursor, after_len);
	batch_begin(c);
	struct rdb_stream_options o = {.db = c->r->db,
	                               .handle = c->old->handle,
	                               .noted_by = c->r,
	                               .generation = c->old,
	                               .after = bytes_of(after, after_len)};
	rdb_stream_open(&c->stream, &o);
	enum rdb_item item = gather(c);
	if (item == RDB_FAILED) c->failed = true;
	if (item == RDB_STAND_IN)
		pass_stretch(c);
	else
		batch_end(c);
	rdb_stream_close(&c->stream);
	free(after);
	return item != RDB_END;
}

/* If something failed in the background, it may have been in any of them. */
static void relax_all(struct rdb *r)
{
	if (!atomic_load(&r->mender.look)) return;
	for (unsigned n = 0; n < STORE_FAMILY_COUNT; n++) {
		const struct rdb_family *f = &r->families[n];
		rdb_relax(r, f->old != NULL ? f->old : f->now);
	}
}

/* Room for the batches to come, well above what stops the writes of others. */
static bool has_room(struct rdb *r, uint64_t bytes)
{
	uint64_t have = rdb_free_bytes(r);
	return have / 2 > r->reserve_bytes && have - 2 * r->reserve_bytes > bytes;
}

/* True: everything is in the new generation. */
static bool copy_all(struct rdb *r, enum store_family family)
{
	struct rdb_family *f = &r->families[family];
	struct copy c = {.r = r, .family = family, .now = f->now, .old = f->old};
	char *text = NULL;
	c.batch = rocksdb_writebatch_create();
	rdb_relax(r, c.old);
	rdb_still(r, c.old);
	/* What a salvage is to find must be in files. */
	rocksdb_flushoptions_t *flush = rocksdb_flushoptions_create();
	rocksdb_flush_cf(r->db, flush, c.old->handle, &text);
	rocksdb_flushoptions_destroy(flush);
	c.failed = text != NULL;
	free(text);
	bool more = true;
	while (more && !c.failed && !stopping(r)) {
		relax_all(r);
		if (has_room(r, 4 * STORE_REBUILD_BATCH_BYTES))
			more = copy_some(&c);
		else
			rdb_mender_pace(r, r->mender.bytes_per_s); /* a second */
	}
	rdb_salvage_free(c.salvage);
	rocksdb_writebatch_destroy(c.batch);
	free(c.cursor);
	free(c.bytes);
	return !more && !c.failed;
}

/* ---- from one generation to the next ------------------------------------------------------- */

/* False: not now. */
static bool begin(struct rdb *r, enum store_family family)
{
	struct rdb_family *f = &r->families[family];
	uint64_t number = f->now->number + 1, bytes = 0;
	char name[RDB_NAME_BYTES], *text = NULL;
	rdb_relax(r, f->now);
	rdb_still(r, f->now);
	rocksdb_property_int_cf(r->db, f->now->handle, "rocksdb.live-sst-files-size", &bytes);
	if (!has_room(r, bytes)) return false;
	rdb_generation_name(family, number, name);
	rocksdb_column_family_handle_t *handle =
		rocksdb_create_column_family(r->db, rdb_family_options(r, family), name, &text);
	if (text != NULL) {
		free(text);
		return false;
	}
	struct rdb_generation *next = rdb_generation_new(family, number, handle);
	lock(&r->write_lock);
	lock(&r->view_lock);
	f->old = f->now;
	f->now = next;
	unlock(&r->view_lock);
	unlock(&r->write_lock);
	rdb_doubt(r, family);
	return true;
}

static bool finish(struct rdb *r, enum store_family family)
{
	struct rdb_family *f = &r->families[family];
	struct rdb_generation *old = f->old;
	char *text = NULL;
	lock(&r->write_lock);
	rocksdb_drop_column_family(r->db, old->handle, &text);
	lock(&r->view_lock);
	if (text == NULL) f->old = NULL;
	unlock(&r->view_lock);
	unlock(&r->write_lock);
	if (text != NULL) {
		free(text);
		return false;
	}
	rdb_doubt(r, family);
	rdb_generation_drop(old);
	atomic_fetch_add(&r->mender.rebuilds, 1);
	return true;
}

/* Only this thread changes which generations there are, so it may look without a lock. True: there
 * may be more to do. */
static bool rebuild(struct rdb *r, enum store_family family)
{
	const struct rdb_family *f = &r->families[family];
	if (rdb_now_ms() < r->mender.retry_ms) return false;
	if (f->old == NULL && !atomic_load(&f->now->damaged)) return false;
	if (f->old == NULL && !begin(r, family)) return false;
	if (copy_all(r, family) && finish(r, family)) return true;
	r->mender.retry_ms = rdb_now_ms() + STORE_REBUILD_RETRY_MS;
	return false;
}

/* ---- which family is it? ------------------------------------------------------------------- */

/* Read all of it, to its first damage. */
static void look_through(struct rdb *r, enum store_family family)
{
	struct rdb_generation *g = r->families[family].now;
	struct rdb_stream st;
	struct rdb_stream_options o = {
		.db = r->db, .handle = g->handle, .noted_by = r, .generation = g};
	uint64_t bytes = 0;
	rdb_stream_open(&st, &o);
	while (!atomic_load(&g->damaged) && rdb_stream_next(&st) == RDB_RECORD) {
		bytes += st.key.len + st.stored.len;
		if (bytes < r->mender.batch_bytes) continue;
		if (!rdb_mender_pace(r, bytes)) break;
		bytes = 0;
	}
	rdb_stream_close(&st);
}

/* The engine does not say what failed in the background. */
static void look(struct rdb *r)
{
	struct rdb_mender *m = &r->mender;
	relax_all(r);
	if (!atomic_exchange(&m->look, false)) return;
	if (m->looked_ms != 0 && rdb_now_ms() - m->looked_ms < STORE_LOOK_PAUSE_MS) return;
	for (unsigned f = 0; f < STORE_FAMILY_COUNT; f++) look_through(r, (enum store_family)f);
	m->looked_ms = rdb_now_ms();
}

/* ---- the thread ---------------------------------------------------------------------------- */

static struct timespec after_us(uint64_t us)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	uint64_t ns = (uint64_t)t.tv_nsec + us % 1000000 * 1000;
	t.tv_sec += (time_t)(us / 1000000 + ns / 1000000000);
	t.tv_nsec = (long)(ns % 1000000000);
	return t;
}

bool rdb_mender_pace(struct rdb *r, uint64_t bytes)
{
	struct rdb_mender *m = &r->mender;
	struct timespec until = after_us(bytes * 1000000 / m->bytes_per_s);
	lock(&m->lock);
	while (!atomic_load(&m->stopping) && pthread_cond_timedwait(&m->asked, &m->lock, &until) == 0) {
	}
	unlock(&m->lock);
	return !stopping(r);
}

/* True: a family cannot be rebuilt now, or a mark is to go later: look again soon. */
static bool work(struct rdb *r)
{
	bool pending = false;
	look(r);
	for (unsigned n = 0; n < STORE_FAMILY_COUNT; n++) {
		const struct rdb_family *f = &r->families[n];
		while (!stopping(r) && rebuild(r, (enum store_family)n)) {
		}
		pending |= f->old != NULL || atomic_load(&f->now->damaged);
	}
	if (!stopping(r) && rdb_lost_any(r)) rdb_lost_forget(r);
	return pending || rdb_lost_any(r);
}

static void *run(void *context)
{
	struct rdb *r = context;
	struct rdb_mender *m = &r->mender;
	for (;;) {
		bool again = work(r) && !atomic_load(&r->broken);
		struct timespec soon = after_us(AGAIN_US);
		lock(&m->lock);
		while (!m->wanted && !atomic_load(&m->stopping))
			if (!again)
				pthread_cond_wait(&m->asked, &m->lock);
			else if (pthread_cond_timedwait(&m->asked, &m->lock, &soon) != 0)
				break;
		m->wanted = false;
		unlock(&m->lock);
		if (atomic_load(&m->stopping)) return NULL;
	}
}

void rdb_mender_ask(struct rdb *r)
{
	struct rdb_mender *m = &r->mender;
	lock(&m->lock);
	m->wanted = true;
	pthread_cond_signal(&m->asked);
	unlock(&m->lock);
}

/* Signals are the business of others: the thread is made with all of them blocked. */
bool rdb_mender_start(struct rdb *r)
{
	struct rdb_mender *m = &r->mender;
	sigset_t all, before;
	assert(m->bytes_per_s > 0);
	m->batch_bytes = m->bytes_per_s / BATCHES_PER_S;
	if (m->batch_bytes > STORE_REBUILD_BATCH_BYTES) m->batch_bytes = STORE_REBUILD_BATCH_BYTES;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	m->started = pthread_create(&m->thread, NULL, run, r) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return m->started;
}

void rdb_mender_stop(struct rdb *r)
{
	struct rdb_mender *m = &r->mender;
	if (!m->started) return;
	atomic_store(&m->stopping, true);
	rdb_mender_ask(r);
	pthread_join(m->thread, NULL);
	m->started = false;
}
