/* rdb_family.c - generations as readers hold them, and what of a family was lost.
 *
 *   prefix:  whole --a rebuild could not read all of it--> LOST --a reader was told--> told --> whole
 *                                                                   STORE_LOST_TOLD_MS later
 *
 * In a lost prefix a key that is not found is corrupt. Whoever is told so must have made durable, by
 * the time that the mark goes, that it does not vouch for what is there; it then fills it from the
 * other replicas. So the time is counted in groups too: half of it must lie before the last group, or
 * behind it. What a node knows of itself (STORE_META) nobody can give back: its marks stay.
 *
 * The cache of records (record_cache.h) must not answer for what the disk has lost: a replica's object,
 * merged into a record that is only in memory, changes nothing and is not written; the partition is
 * vouched for; and at the next start the record is gone. So
 *   - whoever meets damage of objects (a read that is ERR_CORRUPT for any reason, a scan that reports
 *     anything damaged, the mender) drops the cache before the one who asked is told;
 *   - from the damage of a generation to the end of its rebuild the cache is off: what can be read of
 *     the old one at one time may be lost to the copy at another. A rebuild begins and ends with a drop;
 *   - what it holds besides was read from the engine, or made durable, after all that. */
#include "store/rdb.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define LOST 1U

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

/* ---- generations --------------------------------------------------------------------------- */

void rdb_generation_name(enum store_family family, uint64_t number, char name[RDB_NAME_BYTES])
{
	const char *base = rdb_family_name(family);
	int len = number == 0 ? snprintf(name, RDB_NAME_BYTES, "%s", base)
	                      : snprintf(name, RDB_NAME_BYTES, "%s.%" PRIu64, base, number);
	assert(len > 0 && len < RDB_NAME_BYTES);
}

struct rdb_generation *rdb_generation_new(enum store_family family, uint64_t number,
                                          rocksdb_column_family_handle_t *handle)
{
	assert(handle != NULL);
	struct rdb_generation *g = store_alloc(sizeof(*g));
	*g = (struct rdb_generation){.handle = handle, .family = family, .number = number};
	rdb_generation_name(family, number, g->name);
	atomic_init(&g->holders, 1);
	return g;
}

static void hold(struct rdb_generation *g)
{
	if (g != NULL) atomic_fetch_add(&g->holders, 1);
}

void rdb_generation_drop(struct rdb_generation *g)
{
	if (g == NULL || atomic_fetch_sub(&g->holders, 1) > 1) return;
	rocksdb_column_family_handle_destroy(g->handle);
	free(g);
}

void rdb_lens_take(struct rdb *r, enum store_family family, bool snapshot, struct rdb_lens *l)
{
	const struct rdb_family *f = &r->families[family];
	lock(&r->view_lock);
	*l = (struct rdb_lens){.now = f->now, .old = f->old, .lossy = f->lost_count > 0};
	hold(l->now);
	hold(l->old);
	/* Under the lock: no write to a newer generation can be in it. */
	if (snapshot) l->snapshot = rocksdb_create_snapshot(r->db);
	unlock(&r->view_lock);
}

void rdb_lens_drop(struct rdb *r, struct rdb_lens *l)
{
	if (l->snapshot != NULL) rocksdb_release_snapshot(r->db, l->snapshot);
	rdb_generation_drop(l->now);
	rdb_generation_drop(l->old);
}

uint32_t rdb_rebuilding(struct rdb *r)
{
	uint32_t count = 0;
	lock(&r->view_lock);
	for (unsigned f = 0; f < STORE_FAMILY_COUNT; f++) count += r->families[f].old != NULL;
	unlock(&r->view_lock);
	return count;
}

void rdb_note_damage(struct rdb *r, struct rdb_generation *g)
{
	bool first = !atomic_exchange(&g->damaged, true);
	rdb_doubt(r, g->family);
	if (first) rdb_mender_ask(r);
}

void rdb_doubt(struct rdb *r, enum store_family family)
{
	const struct rdb_family *f = &r->families[STORE_OBJECTS];
	if (family != STORE_OBJECTS || r->records == NULL) return;
	/* Under the lock: the last to look at the generations is the last to say whether it is on. */
	lock(&r->view_lock);
	record_cache_drop(r->records, f->old == NULL && !atomic_load(&f->now->damaged));
	unlock(&r->view_lock);
}

/* ---- stand-ins ----------------------------------------------------------------------------- */

uint32_t rdb_prefix_of(struct bytes key)
{
	assert(key.len > 0);
	return (uint32_t)key.data[0] << 8 | (key.len > 1 ? key.data[1] : 0U);
}

void rdb_stand_in(uint32_t prefix, uint8_t key[RDB_STAND_IN_BYTES])
{
	assert(prefix < RDB_PREFIXES);
	memset(key, 0xff, RDB_STAND_IN_BYTES);
	put_u16be(key, (uint16_t)prefix);
}

bool rdb_is_stand_in(struct bytes key)
{
	static const uint8_t end[RDB_POSITION_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	                                                0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	return key.len == RDB_STAND_IN_BYTES &&
	       memcmp(key.data + RDB_POSITION_BYTES, end, sizeof(end)) == 0;
}

/* ---- what was lost ------------------------------------------------------------------------- */

bool rdb_lost_tell(struct rdb *r, enum store_family family, struct bytes key)
{
	struct rdb_family *f = &r->families[family];
	lock(&r->view_lock);
	uint64_t *at = f->lost == NULL ? NULL : &f->lost[rdb_prefix_of(key)];
	bool lost = at != NULL && *at != 0;
	bool first = lost && *at == LOST;
	if (first) *at = rdb_now_ms();
	unlock(&r->view_lock);
	if (first) rdb_mender_ask(r);
	return lost;
}

void rdb_lost_add(struct rdb *r, enum store_family family, uint32_t prefix)
{
	struct rdb_family *f = &r->families[family];
	assert(prefix < RDB_PREFIXES);
	lock(&r->view_lock);
	if (f->lost == NULL) {
		f->lost = store_alloc(RDB_PREFIXES * sizeof(f->lost[0]));
		memset(f->lost, 0, RDB_PREFIXES * sizeof(f->lost[0]));
	}
	if (f->lost[prefix] == 0) f->lost_count++;
	f->lost[prefix] = LOST; /* whoever was told before may have looked away since */
	unlock(&r->view_lock);
}

void rdb_lost_mark(struct rdb *r, enum store_family family, const struct rdb_generation *g,
                   uint32_t prefix, rocksdb_writebatch_t *batch)
{
	const char *name = rdb_family_name(family);
	uint8_t key[RDB_STAND_IN_BYTES];
	rdb_stand_in(prefix, key);
	rocksdb_writebatch_put_cf(batch, g->handle, (const char *)key, sizeof(key), "", 0);
	rocksdb_writebatch_put_cf(batch, r->control, name, strlen(name), "", 0);
}

bool rdb_lost_any(struct rdb *r)
{
	uint32_t count = 0;
	lock(&r->view_lock);
	for (unsigned f = 0; f < STORE_FAMILY_COUNT; f++)
		if (f != STORE_META) count += r->families[f].lost_count;
	unlock(&r->view_lock);
	return count > 0;
}

/* Is there anything, readable or not? */
static bool anything(struct rdb *r, rocksdb_column_family_handle_t *handle, const char *key,
                     size_t len)
{
	char *text = NULL;
	rocksdb_pinnableslice_t *found =
		rocksdb_get_pinned_cf(r->db, r->read_any, handle, key, len, &text);
	bool is = found != NULL || text != NULL;
	if (found != NULL) rocksdb_pinnableslice_destroy(found);
	free(text);
	return is;
}

static void load_family(struct rdb *r, enum store_family family)
{
	const struct rdb_family *f = &r->families[family];
	for (uint32_t prefix = 0; prefix < RDB_PREFIXES; prefix++) {
		uint8_t key[RDB_STAND_IN_BYTES];
		rdb_stand_in(prefix, key);
		if (anything(r, f->now->handle, (const char *)key, sizeof(key)) ||
		    (f->old != NULL && anything(r, f->old->handle, (const char *)key, sizeof(key))))
			rdb_lost_add(r, family, prefix);
	}
}

void rdb_lost_load(struct rdb *r)
{
	for (unsigned f = 0; f < STORE_FAMILY_COUNT; f++) {
		const char *name = rdb_family_name((enum store_family)f);
		if (anything(r, r->control, name, strlen(name))) load_family(r, (enum store_family)f);
	}
}

/* What was told until then may be forgotten now. With the write lock: no group is under way. */
static uint64_t told_until(const struct rdb *r)
{
	uint64_t now = rdb_now_ms(), half = STORE_LOST_TOLD_MS / 2;
	uint64_t until = now - STORE_LOST_TOLD_MS;
	bool quiet = now - r->group_ended_ms >= half;
	return quiet || until + half < r->group_began_ms ? until : r->group_began_ms - half;
}

/* What takes those marks away; how many they are. */
static uint32_t forget_marks(struct rdb *r, enum store_family family, uint64_t until,
                             rocksdb_writebatch_t *batch)
{
	struct rdb_family *f = &r->families[family];
	const char *name = rdb_family_name(family);
	uint32_t count = 0;
	lock(&r->view_lock);
	for (uint32_t prefix = 0; f->lost_count > 0 && prefix < RDB_PREFIXES; prefix++) {
		uint8_t key[RDB_STAND_IN_BYTES];
		if (f->lost[prefix] <= LOST || f->lost[prefix] > until) continue;
		rdb_stand_in(prefix, key);
		rocksdb_writebatch_delete_cf(batch, f->now->handle, (const char *)key, sizeof(key));
		count++;
	}
	if (count > 0 && count == f->lost_count)
		rocksdb_writebatch_delete_cf(batch, r->control, name, strlen(name));
	unlock(&r->view_lock);
	return count;
}

static void forget_told(struct rdb *r, enum store_family family, uint64_t until)
{
	struct rdb_family *f = &r->families[family];
	lock(&r->view_lock);
	for (uint32_t prefix = 0; prefix < RDB_PREFIXES; prefix++)
		if (f->lost[prefix] > LOST && f->lost[prefix] <= until) {
			f->lost[prefix] = 0;
			f->lost_count--;
		}
	unlock(&r->view_lock);
}

void rdb_lost_forget(struct rdb *r)
{
	for (unsigned n = 0; n < STORE_FAMILY_COUNT; n++) {
		enum store_family family = (enum store_family)n;
		if (family == STORE_META) continue;
		rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
		lock(&r->write_lock);
		uint64_t until = told_until(r);
		/* Durable before anybody is told "not found" again. */
		bool done = r->families[n].old == NULL && forget_marks(r, family, until, batch) > 0 &&
		            rdb_commit(r, batch) == ERR_OK;
		unlock(&r->write_lock);
		if (done) forget_told(r, family, until);
		rocksdb_writebatch_destroy(batch);
	}
}
