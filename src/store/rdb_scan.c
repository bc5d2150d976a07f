/* rdb_scan.c - scans: the generations of a family as one, in one state.
 *
 *   now   |  a  |     | c' |     |#########|          ' newer than in old
 *   old   |  a  |  b  | c  |#########| e   |  f
 *   scan  |  a  |  b  | c' |#########|#####|  f       ### damaged
 *
 * Where `now` cannot be read, what `old` says is not reported: `now` may hold something newer (F1). */
#include "store/rdb.h"

#include "base/bytes.h"
#include "store/record.h"

/* A stream and what it stands on. */
struct side {
	struct rdb_stream stream;
	enum rdb_item item;
};

struct scan {
	struct rdb *r;
	enum store_family family;
	store_each *each;
	void *context;
	struct side now, old;
};

static bool present(const struct side *s)
{
	return s->item == RDB_RECORD || s->item == RDB_STAND_IN;
}

static void advance(struct side *s)
{
	s->item = rdb_stream_next(&s->stream);
}

/* False: no more wanted. */
static bool report(struct scan *c, const struct side *s)
{
	struct store_record record = {.key = s->stream.key, .damaged = true};
	if (s->item == RDB_RECORD)
		record.damaged = !record_open(c->family, record.key, s->stream.stored, &record.value);
	if (record.damaged) rdb_doubt(c->r, c->family);
	if (record.damaged && rdb_is_stand_in(record.key)) rdb_lost_tell(c->r, c->family, record.key);
	return c->each(c->context, &record);
}

/* Report what comes first, and go on behind it. False: no more wanted. */
static bool step(struct scan *c)
{
	int order = !present(&c->old)   ? -1
	            : !present(&c->now) ? 1
	                                : bytes_compare(c->now.stream.key, c->old.stream.key);
	bool hidden = order > 0 && c->now.item == RDB_STAND_IN;
	if (!hidden && !report(c, order > 0 ? &c->old : &c->now)) return false;
	if (order >= 0) advance(&c->old);
	if (order <= 0) advance(&c->now);
	return true;
}

static enum err walk(struct scan *c, bool *done)
{
	advance(&c->now);
	if (c->old.stream.db != NULL) advance(&c->old);
	for (;;) {
		if (c->now.item == RDB_FAILED || c->old.item == RDB_FAILED) return ERR_STORE;
		*done = !present(&c->now) && !present(&c->old);
		if (*done || !step(c)) return ERR_OK;
	}
}

enum err rdb_scan(struct store *s, enum store_family family, struct bytes after, struct bytes until,
                  store_each *each, void *context, bool *done)
{
	struct scan c = {.r = (struct rdb *)s,
	                 .family = family,
	                 .each = each,
	                 .context = context,
	                 .old.item = RDB_END};
	struct rdb_lens lens;
	rdb_lens_take(c.r, family, true, &lens);
	struct rdb_stream_options o = {.db = c.r->db,
	                               .handle = lens.now->handle,
	                               .noted_by = c.r,
	                               .generation = lens.now,
	                               .snapshot = lens.snapshot,
	                               .after = after,
	                               .until = until};
	rdb_stream_open(&c.now.stream, &o);
	if (lens.old != NULL) {
		o.handle = lens.old->handle;
		o.generation = lens.old;
		rdb_stream_open(&c.old.stream, &o);
	}
	enum err e = walk(&c, done);
	rdb_stream_close(&c.now.stream);
	if (lens.old != NULL) rdb_stream_close(&c.old.stream);
	rdb_lens_drop(c.r, &lens);
	return e;
}
