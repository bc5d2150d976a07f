/* list.c - a listing of keys or buckets, page by page, over the whole ring.
 *
 *   for each partition:  ask one of its primaries for a page -> give the names -> (wait until the
 *   client wants more) -> ask on, up to the end of the partition;  then the next partition
 *
 * One replica of each partition is asked. When it does not answer, or does not vouch for what it
 * holds, another goes on from the same place: records are in the order of the store key everywhere, so
 * nothing comes twice. If there is none the listing fails, and says how far it came.
 *
 * Memory: one page. Besides, a listing of buckets remembers a hash of each name that it gave, and one
 * with a limit collects the least names over all partitions, so that the next page can go on behind
 * the last of them.
 * Always true: a page of names is given only after the client has taken the one before. */
#include "core/core.h"

#include <sodium/crypto_shorthash_siphash24.h>

static void ask(struct node *n, struct coord *c, struct effects *fx);

/* ---- giving ------------------------------------------------------------------------------------- */

static void set_timer(struct node *n, struct coord *c)
{
	struct listing *l = c->list;
	bool page_first = l->asked && l->give_up.us < c->deadline.us;
	slot_set_timer(n, &c->slot, page_first ? l->give_up : c->deadline);
}

static void end(struct node *n, struct coord *c)
{
	assert(n->lists > 0);
	n->lists--;
	arena_free(&c->list->page);
	arena_free(&c->list->cursor);
	coord_end(n, c);
}

static struct list_page *emit_page(struct node *n, struct coord *c, struct effects *fx)
{
	struct effect *f = emit(fx, FX_REPLY_LIST, (struct ticket){0});
	f->list.client = c->client;
	f->list.page = (struct list_page){
		.ticket = c->slot.self, .covered = c->list->at.v, .partitions = n->layout.partitions};
	return &f->list.page;
}

/* What the effect borrows stays until the next step: arenas of an ended listing are freed then. */
static void end_later(struct coord *c)
{
	c->phase = LISTING;
	c->replied = true;
}

static void fail(struct node *n, struct coord *c, enum err e, struct effects *fx)
{
	emit_page(n, c, fx)->err = e;
	if (e == ERR_BUSY) n->counters.requests_busy++;
	end(n, c);
}

/* ---- names -------------------------------------------------------------------------------------- */

/* Was this bucket given before? It is remembered now. *full: no room to remember one more. */
static bool is_seen(struct coord *c, struct bytes name, bool *full)
{
	struct listing *l = c->list;
	uint64_t h[2];
	if (l->seen_count * 2 >= l->seen_room) {
		uint32_t room = l->seen_room == 0 ? 1024 : l->seen_room * 2;
		uint64_t(*to)[2] = arena_take(&c->slot.arena, room * sizeof *to);
		*full = to == NULL || l->seen_count >= LIST_BUCKETS_MAX;
		if (*full) return false;
		memset(to, 0, room * sizeof *to);
		for (uint32_t i = 0; i < l->seen_room; i++) {
			if ((l->seen[i][0] | l->seen[i][1]) == 0) continue;
			uint32_t at = (uint32_t)l->seen[i][0] & (room - 1);
			while ((to[at][0] | to[at][1]) != 0) at = (at + 1) & (room - 1);
			memcpy(to[at], l->seen[i], sizeof to[at]);
		}
		l->seen = to;
		l->seen_room = room;
	}
	static const uint8_t no_key[16];
	uint8_t digest[16];
	crypto_shorthash_siphashx24(digest, name.data, name.len, no_key);
	memcpy(h, digest, sizeof h);
	uint32_t at = (uint32_t)h[0] & (l->seen_room - 1);
	for (; (l->seen[at][0] | l->seen[at][1]) != 0; at = (at + 1) & (l->seen_room - 1))
		if (memcmp(l->seen[at], h, sizeof h) == 0) return true;
	memcpy(l->seen[at], h, sizeof h);
	l->seen_count++;
	return false;
}

/* Into its place among the least names, unless it is there, or greater than all of a full list. */
static bool keep_least(struct coord *c, struct bytes name)
{
	struct listing *l = c->list;
	bool ok = true;
	if (l->from.len > 0 && bytes_compare(name, l->from) <= 0) return true;
	uint32_t low = 0, high = l->least_count;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (bytes_compare(l->least[middle], name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == l->most || (low < l->least_count && bytes_equal(l->least[low], name))) return true;
	struct bytes kept = arena_copy(&c->slot.arena, name, &ok);
	if (!ok) return false;
	if (l->least_count < l->most) l->least_count++;
	memmove(l->least + low + 1, l->least + low, (l->least_count - 1 - low) * sizeof *l->least);
	l->least[low] = kept;
	return true;
}

/* The names of a page that are to be given, in the listing's arena of pages. */
static bool take_names(struct coord *c, struct bytes packed, struct bytes **out, uint32_t *count,
                       enum err *why)
{
	struct listing *l = c->list;
	struct cursor cursor = cursor_of(packed);
	uint32_t total = cursor_array(&cursor, LIST_RESULTS_MAX);
	bool ok = true, full = false;
	arena_free(&l->page);
	*out = arena_take(&l->page, (total + 1) * sizeof **out);
	*count = 0;
	*why = ERR_BUSY;
	if (*out == NULL) return false;
	for (uint32_t i = 0; i < total && ok && !full; i++) {
		struct bytes name = cursor_bin(&cursor, NAME_BYTES_MAX);
		if (name.len == 0) break;
		if (l->least != NULL)
			ok = keep_least(c, name);
		else if (!l->buckets || !is_seen(c, name, &full))
			(*out)[(*count)++] = arena_copy(&l->page, name, &ok);
	}
	if (full) *why = ERR_TOO_LARGE;
	if (ok && !full && !cursor_finished(&cursor)) *why = ERR_BAD_BYTES;
	return ok && !full && cursor_finished(&cursor);
}

/* ---- walking -------------------------------------------------------------------------------------- */

static bool move_to(struct listing *l, struct bytes after)
{
	bool ok = true;
	arena_free(&l->cursor);
	l->after = arena_copy(&l->cursor, after, &ok);
	return ok;
}

/* Which place of the partition to ask: ourselves if we may, else the first that is up. */
static bool choose(const struct node *n, struct listing *l)
{
	const uint16_t *primaries = n->layout.primaries + l->at.v * n->layout.replicas;
	bool found = false;
	for (uint32_t i = 0; i < l->places; i++) {
		uint16_t member = primaries[i];
		if ((l->failed & 1U << i) != 0 || !member_set_has(&n->up, member)) continue;
		if (member_set_has(&l->too_late, member)) continue;
		if (found && member != n->self_member) continue;
		found = true;
		l->member = member;
	}
	return found;
}

static void set_failed(const struct node *n, struct listing *l)
{
	const uint16_t *primaries = n->layout.primaries + l->at.v * n->layout.replicas;
	for (uint32_t i = 0; i < l->places; i++)
		if (primaries[i] == l->member) l->failed |= (uint8_t)(1U << i);
}

static void ask(struct node *n, struct coord *c, struct effects *fx)
{
	struct listing *l = c->list;
	while (choose(n, l)) {
		bool own = l->member == n->self_member;
		struct msg question = {.type = MSG_LIST, .id = c->slot.self};
		question.list =
			(struct msg_list){.partition = l->at,
		                      .after = l->after,
		                      .prefix = l->prefix,
		                      .buckets = l->buckets,
		                      .most = l->most == 0 || l->buckets ? UINT32_MAX : l->left};
		l->asked = true;
		l->give_up = instant_after(n->now, LIST_PAGE_US);
		set_timer(n, c);
		if (!own)
			emit_msg(n, fx, n->layout.members[l->member].id, MSG_LIST, c->slot.self)->list =
				question.list;
		if (!own || browse_own(n, &question, fx)) return;
		l->asked = false;
		set_failed(n, l);
	}
	fail(n, c, ERR_COVERAGE, fx);
}

/* Where a listing of keys goes on behind this name. */
static bool cursor_behind(struct coord *c, struct bytes name, struct bytes *out)
{
	struct listing *l = c->list;
	struct bytes prefix = l->prefix;
	uint8_t *full = arena_take(&l->page, prefix.len + 2 + name.len);
	if (full == NULL) return false;
	memcpy(full, prefix.data, prefix.len);
	put_u16be(full + prefix.len, (uint16_t)name.len);
	memcpy(full + prefix.len + 2, name.data, name.len);
	struct bytes key = bytes_of(full, prefix.len + 2 + name.len);
	return store_key_make(&l->page, key_hash_of(key), key, out);
}

static void give(struct node *n, struct coord *c, struct bytes *names, uint32_t count, bool done,
                 struct effects *fx)
{
	struct listing *l = c->list;
	bool by_least = l->least != NULL;
	struct bytes next = BYTES_EMPTY;
	if (by_least) names = l->least, count = l->least_count;
	bool full = l->most > 0 && (by_least ? count == l->most : count >= l->left);
	if (full && !by_least) count = l->left;
	l->left -= l->most > 0 ? count : 0;
	if (full && by_least) next = names[count - 1];
	if (full && !by_least && !cursor_behind(c, names[count - 1], &next)) {
		fail(n, c, ERR_BUSY, fx);
		return;
	}
	struct list_page *p = emit_page(n, c, fx);
	p->names = names;
	p->count = count;
	p->next = next;
	p->done = done || full;
	if (p->done) end_later(c);
	slot_set_timer(n, &c->slot, p->done ? n->now : c->deadline);
}

/* A page was taken in: to the next one, or with names to the client. */
static void go_on(struct node *n, struct coord *c, struct bytes *names, uint32_t count,
                  struct effects *fx)
{
	bool done = c->list->at.v == n->layout.partitions;
	if (count > 0 || done)
		give(n, c, names, count, done, fx);
	else
		ask(n, c, fx);
}

void list_on_page(struct node *n, struct coord *c, uint16_t member, const struct msg_list_reply *r,
                  struct effects *fx)
{
	struct listing *l = c->list;
	struct bytes *names;
	uint32_t count;
	enum err why;
	if (c->phase != LISTING || !l->asked || l->member != member || r->partition.v != l->at.v)
		return;
	l->asked = false;
	bool moves = r->done || bytes_compare(r->after, l->after) > 0;
	if (r->err != ERR_OK || !r->vouched || !moves) {
		set_failed(n, l);
		ask(n, c, fx);
		return;
	}
	if (!take_names(c, r->names, &names, &count, &why) ||
	    !move_to(l, r->done ? BYTES_EMPTY : r->after)) {
		fail(n, c, why, fx);
		return;
	}
	if (r->done) {
		l->at.v++;
		l->failed = 0;
	}
	go_on(n, c, names, count, fx);
}

/* ---- time, peers, and the client -------------------------------------------------------------------- */

void list_on_timer(struct node *n, struct coord *c, struct effects *fx)
{
	struct listing *l = c->list;
	if (c->replied) {
		end(n, c); /* its last page was written in an earlier step */
		return;
	}
	if (n->now.us >= c->deadline.us) {
		fail(n, c, ERR_TIMEOUT, fx);
		return;
	}
	assert(l->asked);
	l->asked = false;
	member_set_add(&l->too_late, l->member);
	ask(n, c, fx);
}

void list_on_peers_changed(struct node *n, struct coord *c, struct effects *fx)
{
	struct listing *l = c->list;
	if (c->replied || !l->asked || member_set_has(&n->up, l->member)) return;
	l->asked = false;
	set_failed(n, l);
	ask(n, c, fx);
}

void list_on_more(struct node *n, const struct event *ev, struct effects *fx)
{
	struct coord *c = coord_find(n, ev->list_more.ticket);
	if (c == NULL || c->phase != LISTING || c->replied) return;
	if (ev->list_more.stop) {
		end(n, c);
		return;
	}
	if (!c->list->asked) ask(n, c, fx);
}

/* ---- beginning ------------------------------------------------------------------------------------------ */

/* The least n of all buckets of the type: any of the first so many primaries has all of their keys. */
static uint8_t places_of(const struct node *n, struct bytes type, struct bytes bucket_key)
{
	const struct props_entry *of_bucket = props_find(n, bucket_key);
	int index = props_type_find(n, type);
	assert(index >= 0);
	if (of_bucket != NULL) return props_n(n, &of_bucket->now);
	uint8_t least = props_n(n, &n->props.types[index].now);
	bool all = bucket_key.len == 4 + type.len; /* of the whole type */
	for (uint32_t i = 0; all && i < n->props.count; i++) {
		const struct props_entry *e = n->props.list[i];
		bool same = bytes_start_with(e->key, bytes_of(bucket_key.data, 2 + type.len));
		uint8_t v = props_n(n, &e->now);
		if (same && v < least) least = v;
	}
	return least;
}

/* A place to go on from, as it was given out: a store key of the bucket. */
static bool take_cursor(struct node *n, struct listing *l, struct bytes after)
{
	struct bytes type, bucket, name;
	if (after.len <= 8) return false;
	struct bytes full = bytes_of(after.data + 8, after.len - 8);
	if (!full_key_split(full, &type, &bucket, &name)) return false;
	struct key_hash hash = key_hash_of(full);
	if (hash.v != get_u64be(after.data) || !bytes_start_with(full, l->prefix)) return false;
	l->at = partition_of(&n->layout, hash);
	return move_to(l, after);
}

static enum err begin(struct node *n, struct coord *c, const struct event *ev)
{
	struct arena *a = &c->slot.arena;
	struct listing *l = c->list;
	struct bytes type = ev->list.type, bucket = ev->list.bucket, key;
	bool ok = true;
	l->buckets = bucket.len == 0;
	l->type = arena_copy(a, type, &ok);
	l->most = l->left = ev->list.most;
	if (!ok || !props_key(a, type, bucket, &key)) return ERR_BUSY;
	l->prefix = l->buckets ? bytes_of(key.data, key.len - 2) : key;
	l->places = places_of(n, type, key);
	if (l->buckets) l->from = arena_copy(a, ev->list.after, &ok);
	if (l->buckets && l->most > 0) {
		l->least = arena_take(a, ((size_t)l->most + 1) * sizeof *l->least);
		ok = ok && l->least != NULL;
	}
	if (!l->buckets && ev->list.after.len > 0 && !take_cursor(n, l, ev->list.after))
		return ERR_BAD_BYTES;
	return ok ? ERR_OK : ERR_BUSY;
}

static void refuse(struct node *n, const struct event *ev, enum err e, struct effects *fx)
{
	struct effect *f = emit(fx, FX_REPLY_LIST, (struct ticket){0});
	f->list.client = ev->list.client;
	f->list.page = (struct list_page){.err = e, .partitions = n->layout.partitions};
	if (e == ERR_BUSY) n->counters.requests_busy++;
}

void list_on_request(struct node *n, const struct event *ev, struct effects *fx)
{
	enum err e = ERR_OK;
	if (!n->formed)
		e = ERR_NOT_READY;
	else if (props_type_find(n, ev->list.type) < 0)
		e = ERR_NO_TYPE;
	else if (n->lists == LISTS_MAX)
		e = ERR_BUSY;
	struct coord *c = e == ERR_OK ? slot_take(n, &n->coords) : NULL;
	if (c == NULL) {
		refuse(n, ev, e == ERR_OK ? ERR_BUSY : e, fx);
		return;
	}
	c->op.slot = c->slot.self;
	c->client = ev->list.client;
	c->list = arena_take(&c->slot.arena, sizeof *c->list);
	e = c->list == NULL ? ERR_BUSY : ERR_OK;
	if (e == ERR_OK) {
		*c->list = (struct listing){0};
		arena_init(&c->list->cursor, &n->pool);
		arena_init(&c->list->page, &n->pool);
		e = begin(n, c, ev);
	}
	if (e != ERR_OK) {
		if (c->list != NULL) arena_free(&c->list->cursor);
		coord_end(n, c);
		refuse(n, ev, e, fx);
		return;
	}
	n->lists++;
	n->counters.lists++;
	c->phase = LISTING;
	uint64_t timeout = ev->list.timeout_us == 0 ? LIST_TIMEOUT_US : ev->list.timeout_us;
	if (timeout > REQUEST_TIMEOUT_US_MAX) timeout = REQUEST_TIMEOUT_US_MAX;
	c->deadline = instant_after(n->now, timeout);
	ask(n, c, fx);
}
