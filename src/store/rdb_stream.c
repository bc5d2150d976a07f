/* rdb_stream.c - the records of one generation in order, past what cannot be read.
 *
 * A block (or a whole file) that the engine cannot read hides even its keys, and the engine's
 * iterator stops there; so the end of the damage is searched for by seeking ever farther, then
 * halving:
 *
 *   last good key        damage               next good key
 *   ------|#############################|-------|---->
 *         +1 +2  +4    +8      fails    ^16 works: halve between 8 and 16
 *
 * Positions are the first 16 bytes of a key as a number. A stretch of damage comes out as stand-ins
 * (rdb.h), one for each prefix: the last damaged position that has that prefix, and 16 bytes of 0xff.
 * Going on after one of them gives the rest, and nothing twice.
 *
 * The engine looks into every file of level 0 at every seek: if the index of one of those is damaged,
 * nothing of the generation can be streamed, and all of it is one stretch. Single reads still work. */
#include "store/rdb.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define POSITION_MAX (~(rdb_position)0)

static rdb_position position_of(struct bytes key)
{
	uint8_t first[RDB_POSITION_BYTES] = {0};
	if (key.len > 0) memcpy(first, key.data, key.len < sizeof(first) ? key.len : sizeof(first));
	return (rdb_position)get_u64be(first) << 64 | get_u64be(first + 8);
}

static void position_key(rdb_position p, uint8_t key[RDB_POSITION_BYTES])
{
	put_u64be(key, (uint64_t)(p >> 64));
	put_u64be(key + 8, (uint64_t)p);
}

static void iterator_renew(struct rdb_stream *st)
{
	if (st->it != NULL) rocksdb_iter_destroy(st->it);
	st->it = rocksdb_create_iterator_cf(st->db, st->options, st->handle);
}

/* The files that the engine's text names: "... in D/rocksdb/000012.sst offset ...". */
static void note_culprits(struct rdb_stream *st, const char *text)
{
	for (const char *end = text; (end = strstr(end, ".sst")) != NULL; end++) {
		const char *at = end;
		while (at > text && at[-1] >= '0' && at[-1] <= '9') at--;
		if (at != end) rdb_culprits_add(&st->culprits, strtoull(at, NULL, 10));
	}
}

/* ERR_OK also at the end of the range. */
static enum err iterator_err(struct rdb_stream *st)
{
	char *text = NULL;
	rocksdb_iter_get_error(st->it, &text);
	if (text != NULL) note_culprits(st, text);
	return rdb_err(text);
}

static void keep_last(struct rdb_stream *st, struct bytes key)
{
	if (key.len > st->last_room) {
		free(st->last_key);
		st->last_room = 2 * key.len;
		st->last_key = store_alloc(st->last_room);
	}
	if (key.len > 0) memcpy(st->last_key, key.data, key.len);
	st->last = bytes_of(st->last_key, key.len);
}

/* ---- past the damage ----------------------------------------------------------------------- */

static bool readable_at(struct rdb_stream *st, rdb_position p)
{
	uint8_t key[RDB_POSITION_BYTES];
	position_key(p, key);
	iterator_renew(st); /* one that met damage goes on failing where there is none */
	rocksdb_iter_seek(st->it, (const char *)key, sizeof(key));
	return iterator_err(st) == ERR_OK;
}

/* The next place to try: twice as far as before, or one step. */
static rdb_position next_try(const struct rdb_stream *st, rdb_position from, rdb_position bad)
{
	rdb_position step = st->step > 0 ? st->step : bad == from ? 1 : bad - from;
	return POSITION_MAX - bad > step ? bad + step : POSITION_MAX;
}

/* The last position that cannot be read from; the iterator then stands behind it. `from` and
 * whatever lies directly behind cannot be. What can be read between two damaged places may be passed
 * over, if it is smaller than a step; without one, if it is not larger than the first of them. */
static rdb_position end_of_damage(struct rdb_stream *st, rdb_position from)
{
	rdb_position bad = from, good = next_try(st, from, bad);
	while (good < POSITION_MAX && !readable_at(st, good)) {
		bad = good;
		good = next_try(st, from, bad);
	}
	if (good == POSITION_MAX && !readable_at(st, good)) return POSITION_MAX;
	while (good - bad > 1) {
		rdb_position middle = bad + (good - bad) / 2;
		if (readable_at(st, middle))
			good = middle;
		else
			bad = middle;
	}
	if (!readable_at(st, good)) return POSITION_MAX;
	return bad;
}

/* The iterator met damage behind the last key. */
static void enter_damage(struct rdb_stream *st)
{
	if (st->noted_by != NULL) rdb_note_damage(st->noted_by, st->generation);
	st->damage_to = end_of_damage(st, position_of(st->last));
	st->prefix = (uint64_t)(position_of(st->last) >> (128 - RDB_PREFIX_BITS));
	st->damaged = true;
	st->waiting = true;
}

/* The next prefix of the damage, if one is left. */
static bool next_stand_in(struct rdb_stream *st)
{
	uint64_t end_prefix = (uint64_t)(st->damage_to >> (128 - RDB_PREFIX_BITS));
	while (st->prefix <= end_prefix) {
		rdb_position end = ((rdb_position)st->prefix << (128 - RDB_PREFIX_BITS)) |
		                   (POSITION_MAX >> RDB_PREFIX_BITS);
		position_key(end < st->damage_to ? end : st->damage_to, st->stand_in);
		memset(st->stand_in + RDB_POSITION_BYTES, 0xff, RDB_STAND_IN_BYTES - RDB_POSITION_BYTES);
		struct bytes key = bytes_of(st->stand_in, RDB_STAND_IN_BYTES);
		st->prefix++;
		if (bytes_compare(key, st->last) <= 0) continue;
		if (st->until.len > 0 && bytes_compare(key, st->until) >= 0) break;
		st->key = key;
		st->stored = BYTES_EMPTY;
		keep_last(st, key);
		return true;
	}
	return false;
}

/* ---- in order ------------------------------------------------------------------------------ */

/* To the next record that was not given out yet. A search for the end of damage may have come to
 * stand before what was. False: none, or damage. */
static bool next_record(struct rdb_stream *st)
{
	for (;; st->waiting = false) {
		if (!st->waiting && rocksdb_iter_valid(st->it)) rocksdb_iter_next(st->it);
		if (!rocksdb_iter_valid(st->it)) return false;
		st->key.data = (const uint8_t *)rocksdb_iter_key(st->it, &st->key.len);
		if (st->last.len > 0 && bytes_compare(st->key, st->last) <= 0) continue;
		st->stored.data = (const uint8_t *)rocksdb_iter_value(st->it, &st->stored.len);
		st->waiting = false;
		keep_last(st, st->key);
		return true;
	}
}

static void begin(struct rdb_stream *st)
{
	iterator_renew(st);
	if (st->after.len == 0)
		rocksdb_iter_seek_to_first(st->it);
	else
		rocksdb_iter_seek(st->it, (const char *)st->after.data, st->after.len);
	st->begun = st->waiting = true;
}

enum rdb_item rdb_stream_next(struct rdb_stream *st)
{
	if (!st->begun) begin(st);
	for (;;) {
		if (st->damaged) {
			if (next_stand_in(st)) return RDB_STAND_IN;
			if (st->damage_to == POSITION_MAX) return RDB_END;
			st->damaged = false;
		}
		if (next_record(st)) return RDB_RECORD;
		enum err e = iterator_err(st);
		if (e == ERR_OK) return RDB_END;
		if (e != ERR_CORRUPT) return RDB_FAILED;
		enter_damage(st);
	}
}

void rdb_stream_open(struct rdb_stream *st, const struct rdb_stream_options *o)
{
	assert((o->noted_by == NULL) == (o->generation == NULL));
	*st = (struct rdb_stream){.noted_by = o->noted_by,
	                          .generation = o->generation,
	                          .db = o->db,
	                          .handle = o->handle,
	                          .after = o->after,
	                          .last = o->after,
	                          .until = o->until,
	                          .step = o->step};
	st->options = rocksdb_readoptions_create();
	if (o->snapshot != NULL) rocksdb_readoptions_set_snapshot(st->options, o->snapshot);
	rocksdb_readoptions_set_verify_checksums(st->options, 1);
	rocksdb_readoptions_set_fill_cache(st->options, 0); /* must not push out what is hot */
	if (o->until.len > 0)
		rocksdb_readoptions_set_iterate_upper_bound(st->options, (const char *)o->until.data,
		                                            o->until.len);
}

void rdb_stream_close(struct rdb_stream *st)
{
	if (st->it != NULL) rocksdb_iter_destroy(st->it);
	rocksdb_readoptions_destroy(st->options);
	free(st->last_key);
}
