/* store_mem.c - see store_mem.h.
 *
 * Always true: the tables hold exactly the durable batches, applied in order; the log holds the
 * others, in order, and each of its batches knows at which byte of the log it ends. One lock around
 * everything keeps the contract's word on threads; no callback may call the store. */
#include "store/store_mem.h"

#include <pthread.h>
#include <stdlib.h>

#include "store/mem_table.h"
#include "store/record.h"

/* One operation of a batch in the log. */
struct log_op {
	enum store_family family;
	bool last;     /* of its batch */
	uint64_t ends; /* bytes of the log up to here */
	struct mem_record *record;
};

struct store_mem {
	struct store base;
	pthread_mutex_t lock;
	struct mem_table tables[STORE_FAMILY_COUNT];
	struct log_op *log;
	size_t log_count, log_room;
	uint64_t log_bytes;
	uint32_t log_batches;
	uint32_t failing_reads;
	bool full, cold, sync_fails, broken;
};

static const struct store_ops mem_ops;

static struct store_mem *mem_of(struct store *s)
{
	assert(s->ops == &mem_ops);
	return (struct store_mem *)s;
}

static struct store_mem *locked(struct store *s)
{
	struct store_mem *m = mem_of(s);
	int failed = pthread_mutex_lock(&m->lock);
	assert(!failed);
	return m;
}

static void unlock(struct store_mem *m)
{
	int failed = pthread_mutex_unlock(&m->lock);
	assert(!failed);
}

/* ---- reading ------------------------------------------------------------------------------- */

static bool read_fails(struct store_mem *m)
{
	if (m->failing_reads == 0) return false;
	if (m->failing_reads != UINT32_MAX) m->failing_reads--;
	return true;
}

static enum err read_locked(struct store_mem *m, enum store_family family, struct bytes key,
                            bool cache_only, struct mem_record **found)
{
	if (cache_only && m->cold) return ERR_BUSY;
	if (read_fails(m)) return ERR_STORE;
	*found = mem_table_find(&m->tables[family], key);
	if (*found == NULL) return ERR_NOT_FOUND;
	mem_record_hold(*found);
	return ERR_OK;
}

static enum err mem_read(struct store *s, enum store_family family, struct bytes key,
                         bool cache_only, struct bytes *value, void **handle)
{
	struct store_mem *m = locked(s);
	struct mem_record *r = NULL;
	enum err e = read_locked(m, family, key, cache_only, &r);
	unlock(m);
	if (e != ERR_OK) return e;
	if (!record_open(family, key, mem_record_stored(r), value)) {
		mem_record_drop(r);
		return ERR_CORRUPT;
	}
	*handle = r;
	return ERR_OK;
}

/* True when the whole range was walked. */
static bool scan_locked(struct store_mem *m, enum store_family family, struct bytes after,
                        struct bytes until, store_each *each, void *context)
{
	const struct mem_node *n = mem_table_after(&m->tables[family], after);
	for (; n != NULL; n = n->next[0]) {
		struct store_record record = {.key = mem_record_key(n->record)};
		if (until.len > 0 && bytes_compare(record.key, until) >= 0) break;
		struct bytes stored = mem_record_stored(n->record);
		record.damaged = !record_open(family, record.key, stored, &record.value);
		if (!each(context, &record)) return false;
	}
	return true;
}

static enum err mem_scan(struct store *s, enum store_family family, struct bytes after,
                         struct bytes until, store_each *each, void *context, bool *done)
{
	struct store_mem *m = locked(s);
	enum err e = read_fails(m) ? ERR_STORE : ERR_OK;
	if (e == ERR_OK) *done = scan_locked(m, family, after, until, each, context);
	unlock(m);
	return e;
}

/* ---- writing ------------------------------------------------------------------------------- */

static void log_add(struct store_mem *m, const struct store_op *op, bool last)
{
	if (m->log_count == m->log_room) {
		m->log_room = m->log_room == 0 ? 64 : 2 * m->log_room;
		m->log = realloc(m->log, m->log_room * sizeof(m->log[0]));
		if (m->log == NULL) dunlin_panic(__FILE__, __LINE__, "out of memory");
	}
	struct mem_record *r = mem_record_new(op->family, op);
	m->log_bytes += 16 + (uint64_t)r->key_len + r->stored_len; /* 16: what a log spends on an op */
	m->log_batches += last;
	m->log[m->log_count++] = (struct log_op){op->family, last, m->log_bytes, r};
}

static enum err append_locked(struct store_mem *m, const struct store_batch *batches,
                              uint32_t count)
{
	if (m->broken) return ERR_STORE;
	if (m->full) return ERR_FULL;
	for (uint32_t b = 0; b < count; b++)
		for (uint32_t i = 0; i < batches[b].count; i++)
			log_add(m, &batches[b].ops[i], i + 1 == batches[b].count);
	return ERR_OK;
}

/* The batches that end within the first `bytes` of the log reach the tables, the others go. */
static void settle(struct store_mem *m, uint64_t bytes)
{
	size_t kept = 0;
	for (size_t i = 0; i < m->log_count && m->log[i].ends <= bytes; i++)
		if (m->log[i].last) kept = i + 1;
	for (size_t i = 0; i < m->log_count; i++) {
		if (i < kept)
			mem_table_apply(&m->tables[m->log[i].family], m->log[i].record);
		else
			mem_record_drop(m->log[i].record);
	}
	m->log_count = 0;
	m->log_bytes = 0;
	m->log_batches = 0;
}

static enum err sync_locked(struct store_mem *m)
{
	if (m->sync_fails) m->broken = true;
	if (m->broken) return ERR_STORE;
	settle(m, UINT64_MAX);
	return ERR_OK;
}

enum err store_mem_append(struct store *s, const struct store_batch *batches, uint32_t count)
{
	struct store_mem *m = locked(s);
	enum err e = append_locked(m, batches, count);
	unlock(m);
	return e;
}

enum err store_mem_sync(struct store *s)
{
	struct store_mem *m = locked(s);
	enum err e = sync_locked(m);
	unlock(m);
	return e;
}

static enum err mem_write(struct store *s, const struct store_batch *batches, uint32_t count)
{
	struct store_mem *m = locked(s);
	enum err e = append_locked(m, batches, count);
	if (e == ERR_OK) e = sync_locked(m);
	unlock(m);
	return e;
}

uint64_t store_mem_unsynced_bytes(struct store *s)
{
	struct store_mem *m = locked(s);
	uint64_t bytes = m->log_bytes;
	unlock(m);
	return bytes;
}

uint32_t store_mem_unsynced_batches(struct store *s)
{
	struct store_mem *m = locked(s);
	uint32_t batches = m->log_batches;
	unlock(m);
	return batches;
}

/* ---- faults -------------------------------------------------------------------------------- */

void store_mem_crash(struct store *s, uint64_t keep_bytes)
{
	struct store_mem *m = locked(s);
	settle(m, keep_bytes);
	m->sync_fails = false;
	m->broken = false;
	unlock(m);
}

/* A reader may hold the record, and a clone may share it: the damage goes into a copy. */
static void rot_record(struct mem_table *t, const struct mem_record *r, uint64_t bit)
{
	assert(r->stored_len >= RECORD_CHECK_BYTES);
	size_t len = sizeof(*r) + r->key_len + r->stored_len;
	struct mem_record *rotten = store_alloc(len);
	memcpy(rotten, r, len);
	atomic_init(&rotten->holders, 1);
	bit %= (uint64_t)r->stored_len * 8;
	rotten->bytes[r->key_len + bit / 8] ^= (uint8_t)(1U << (bit % 8));
	mem_table_apply(t, rotten);
}

bool store_mem_rot(struct store *s, enum store_family family, uint64_t pick, struct bytes *key)
{
	struct store_mem *m = locked(s);
	struct mem_table *t = &m->tables[family];
	bool any = t->count > 0;
	if (any) {
		struct mem_node *n = t->first[0];
		for (uint64_t i = pick % t->count; i > 0; i--) n = n->next[0];
		rot_record(t, n->record, pick / t->count);
		if (key != NULL) *key = mem_record_key(n->record);
	}
	unlock(m);
	return any;
}

bool store_mem_rot_key(struct store *s, enum store_family family, struct bytes key, uint64_t bit)
{
	struct store_mem *m = locked(s);
	struct mem_record *r = mem_table_find(&m->tables[family], key);
	if (r != NULL) rot_record(&m->tables[family], r, bit);
	unlock(m);
	return r != NULL;
}

void store_mem_fail_reads(struct store *s, uint32_t count)
{
	struct store_mem *m = locked(s);
	m->failing_reads = count;
	unlock(m);
}

void store_mem_set_full(struct store *s, bool full)
{
	struct store_mem *m = locked(s);
	m->full = full;
	unlock(m);
}

void store_mem_fail_sync(struct store *s)
{
	struct store_mem *m = locked(s);
	m->sync_fails = true;
	unlock(m);
}

void store_mem_set_cold(struct store *s, bool cold)
{
	struct store_mem *m = locked(s);
	m->cold = cold;
	unlock(m);
}

static void wipe_locked(struct store_mem *m)
{
	settle(m, 0);
	for (unsigned f = 0; f < STORE_FAMILY_COUNT; f++) mem_table_clear(&m->tables[f]);
}

void store_mem_wipe(struct store *s)
{
	struct store_mem *m = locked(s);
	wipe_locked(m);
	unlock(m);
}

struct store *store_mem_clone(struct store *s)
{
	struct store *clone = store_mem_new();
	store_mem_restore(clone, s);
	return clone;
}

void store_mem_restore(struct store *s, struct store *old)
{
	assert(s != old);
	struct store_mem *to = locked(s), *from = locked(old);
	wipe_locked(to);
	for (unsigned f = 0; f < STORE_FAMILY_COUNT; f++)
		mem_table_copy(&to->tables[f], &from->tables[f]);
	unlock(from);
	unlock(to);
}

/* ---- the rest of the contract -------------------------------------------------------------- */

/* Memory has no path; a copy is store_mem_clone. */
static enum err mem_checkpoint(struct store *s, const char *path)
{
	assert(mem_of(s) != NULL);
	(void)path;
	return ERR_STORE;
}

static void mem_usage(struct store *s, struct store_usage *out)
{
	struct store_mem *m = locked(s);
	for (unsigned f = 0; f < STORE_FAMILY_COUNT; f++) out->bytes += m->tables[f].bytes;
	out->free_bytes = m->full ? 0 : UINT64_MAX;
	out->read_only = m->full;
	unlock(m);
}

static void mem_close(struct store *s)
{
	store_mem_wipe(s);
	struct store_mem *m = mem_of(s);
	pthread_mutex_destroy(&m->lock);
	free(m->log);
	free(m);
}

static const struct store_ops mem_ops = {mem_read,       mem_write, mem_scan,
                                         mem_checkpoint, mem_usage, mem_close};

struct store *store_mem_new(void)
{
	struct store_mem *m = store_alloc(sizeof(*m));
	*m = (struct store_mem){.base = {&mem_ops}};
	int failed = pthread_mutex_init(&m->lock, NULL);
	assert(!failed);
	return &m->base;
}
