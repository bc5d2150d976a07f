/* compare.c - the replicas of one partition held against each other, directly.
 *
 * Every primary is asked for its keys and digests, in order of the store key, page by page; the sides
 * are walked in step, like a merge:
 *
 *   A  k1 k2 k4        the least key over all sides is compared on all of them: k1 is the same on
 *   B  k1 k2 k3 k4     A, B, C; k3 is only on B: different
 *   C  k1 k2 k4
 *
 * All digests are as of one horizon: what a round of reaping lets go of has gone from the one a while
 * before it goes from the other. Where a side knows a later one, the compare begins anew with that. */
#include "core/core.h"

enum { EXAMPLES_MAX = 16 };

static void finish(struct node *n, struct coord *c, struct effects *fx)
{
	struct effect *f = emit(fx, FX_REPLY_COMPARE, (struct ticket){0});
	f->compare.client = c->client;
	c->compared.replicas = c->side_count;
	f->compare.result = c->compared;
	c->replied = true;
	for (uint32_t i = 0; i < c->side_count; i++) arena_free(&c->sides[i].page);
	coord_end(n, c);
}

static void fail(struct node *n, struct coord *c, enum err e, uint16_t member, struct effects *fx)
{
	c->compared.err = e;
	c->compared.silent = n->layout.members[member].id;
	finish(n, c, fx);
}

static bool has_entry(const struct compare_side *s)
{
	return s->at < s->count;
}

static struct bytes last_key(const struct compare_side *s)
{
	return s->count == 0 ? BYTES_EMPTY : s->entries[s->count - 1].store_key;
}

static bool ask(struct node *n, struct coord *c, struct compare_side *s, struct effects *fx)
{
	bool ok = true;
	/* In the slot: the page may go before the effect is done. */
	struct bytes after = arena_copy(&c->slot.arena, last_key(s), &ok);
	s->asked = true;
	if (!ok) return false;
	if (s->member == n->self_member) return scan_begin(n, &c->slot, c->partition, after, fx);
	if (!member_set_has(&n->up, s->member)) return false;
	struct node_id to = n->layout.members[s->member].id;
	struct msg *m = emit_msg(n, fx, to, MSG_SCAN, c->slot.self);
	m->scan =
		(struct msg_scan){.partition = c->partition, .after = after, .horizon = c->compared_as_of};
	return true;
}

/* All that a compare is asked for. */
struct wanted {
	struct client_ref client;
	struct partition_id partition;
	struct bytes prefix;
	struct hlc horizon;
};

static bool set_up(struct node *n, struct coord *c, const struct wanted *w)
{
	bool ok = true;
	struct arena *a = &c->slot.arena;
	const uint16_t *primaries = n->layout.primaries + w->partition.v * n->layout.replicas;
	c->op.slot = c->slot.self;
	c->client = w->client;
	c->phase = COMPARING;
	c->partition = w->partition;
	c->compared_as_of = w->horizon;
	c->side_count = n->layout.replicas;
	c->sides = arena_take(a, c->side_count * sizeof *c->sides);
	c->examples = arena_take(a, EXAMPLES_MAX * sizeof *c->examples);
	c->compare_prefix = arena_copy(a, w->prefix, &ok);
	c->compared.examples = c->examples;
	for (uint32_t i = 0; c->sides != NULL && i < c->side_count; i++) {
		c->sides[i] = (struct compare_side){.member = primaries[i]};
		arena_init(&c->sides[i].page, &n->pool);
	}
	return ok && c->sides != NULL && c->examples != NULL;
}

static void begin(struct node *n, const struct wanted *w, struct effects *fx)
{
	enum err e = !n->formed                               ? ERR_NOT_READY
	             : w->partition.v >= n->layout.partitions ? ERR_BAD_BYTES
	                                                      : ERR_OK;
	struct coord *c = e == ERR_OK ? slot_take(n, &n->coords) : NULL;
	if (e == ERR_OK && (c == NULL || !set_up(n, c, w))) e = ERR_BUSY;
	if (e != ERR_OK) {
		struct effect *f = emit(fx, FX_REPLY_COMPARE, (struct ticket){0});
		f->compare.client = w->client;
		f->compare.result = (struct compare_result){.err = e};
		if (c != NULL) slot_end(n, &c->slot);
		return;
	}
	slot_set_timer(n, &c->slot, instant_after(n->now, PEER_REQUEST_TIMEOUT_US));
	for (uint32_t i = 0; i < c->side_count; i++) {
		if (ask(n, c, &c->sides[i], fx)) continue;
		fail(n, c, ERR_UNREACHABLE, c->sides[i].member, fx);
		return;
	}
}

void compare_begin(struct node *n, const struct event *ev, struct effects *fx)
{
	begin(n,
	      &(struct wanted){ev->compare.client, ev->compare.partition, ev->compare.prefix,
	                       n->reap.horizon},
	      fx);
}

/* In a slot of its own: answers to what was asked before find nobody. */
static void begin_anew(struct node *n, struct coord *c, struct hlc horizon, struct effects *fx)
{
	struct wanted w = {c->client, c->partition, c->compare_prefix, horizon};
	for (uint32_t i = 0; i < c->side_count; i++) arena_free(&c->sides[i].page);
	coord_end(n, c);
	begin(n, &w, fx);
}

/* ---- walking in step ----------------------------------------------------------------------------------- */

static const struct scan_entry *least(const struct coord *c)
{
	const struct scan_entry *least = NULL;
	for (uint32_t i = 0; i < c->side_count; i++) {
		const struct compare_side *s = &c->sides[i];
		if (!has_entry(s)) continue;
		const struct scan_entry *e = &s->entries[s->at];
		if (least == NULL || bytes_compare(e->store_key, least->store_key) < 0) least = e;
	}
	return least;
}

static const uint8_t absent[16]; /* the digest of what is not there, or may go */

/* On the replicas of the key, that is: sides are in the order of the places. `any`: somebody has it. */
static bool same_everywhere(const struct node *n, const struct coord *c, const struct scan_entry *e,
                            bool *any)
{
	if (e->damaged) return false; /* and where keys cannot be read it names none */
	uint8_t of_key = props_n_of(n, store_key_full(e->store_key));
	const uint8_t *first = NULL;
	bool same = true;
	*any = false;
	for (uint32_t i = 0; i < of_key; i++) {
		const struct compare_side *s = &c->sides[i];
		const struct scan_entry *other = has_entry(s) ? &s->entries[s->at] : NULL;
		if (other != NULL && !bytes_equal(other->store_key, e->store_key)) other = NULL;
		const uint8_t *digest = other == NULL ? absent : other->digest;
		bool damaged = other != NULL && other->damaged;
		*any |= damaged || memcmp(digest, absent, sizeof absent) != 0;
		if (first == NULL) first = digest;
		same = same && !damaged && memcmp(digest, first, sizeof absent) == 0;
	}
	return same;
}

static void compare_one(const struct node *n, struct coord *c, const struct scan_entry *e)
{
	struct bytes store_key = e->store_key;
	struct compare_result *r = &c->compared;
	if (bytes_start_with(store_key_full(store_key), c->compare_prefix)) {
		bool any = false, same = same_everywhere(n, c, e, &any);
		r->keys += any;
		if (!same) {
			bool ok = r->example_count < EXAMPLES_MAX;
			struct bytes key = BYTES_EMPTY;
			if (ok) key = arena_copy(&c->slot.arena, store_key_full(store_key), &ok);
			if (ok) c->examples[r->example_count++] = key;
			r->different++;
		}
	}
	for (uint32_t i = 0; i < c->side_count; i++) {
		struct compare_side *s = &c->sides[i];
		if (has_entry(s) && bytes_equal(s->entries[s->at].store_key, store_key)) s->at++;
	}
}

/* Until a side needs its next page, or all are done. */
static void walk(struct node *n, struct coord *c, struct effects *fx)
{
	for (;;) {
		bool waiting = false;
		for (uint32_t i = 0; i < c->side_count; i++) {
			struct compare_side *s = &c->sides[i];
			if (has_entry(s) || s->done) continue;
			waiting = true;
			if (!s->asked && !ask(n, c, s, fx)) {
				fail(n, c, ERR_UNREACHABLE, s->member, fx);
				return;
			}
		}
		if (waiting) return;
		const struct scan_entry *e = least(c);
		if (e == NULL) {
			finish(n, c, fx);
			return;
		}
		compare_one(n, c, e);
	}
}

static bool keep_page(struct compare_side *s, const struct msg_scan_reply *page)
{
	bool ok = true;
	arena_free(&s->page);
	s->entries = arena_take(&s->page, page->count * sizeof *s->entries);
	if (s->entries == NULL) return false;
	for (uint32_t i = 0; i < page->count; i++) {
		s->entries[i] = page->entries[i];
		s->entries[i].store_key = arena_copy(&s->page, page->entries[i].store_key, &ok);
	}
	s->at = 0;
	s->count = page->count;
	s->done = page->done || page->count == 0;
	s->asked = false;
	return ok;
}

void compare_on_page(struct node *n, struct coord *c, uint16_t member,
                     const struct msg_scan_reply *page, struct effects *fx)
{
	if (c->phase != COMPARING) return;
	for (uint32_t i = 0; i < c->side_count; i++) {
		struct compare_side *s = &c->sides[i];
		if (s->member != member || !s->asked) continue;
		if (page->err == ERR_OK && page->horizon.v > c->compared_as_of.v) {
			begin_anew(n, c, page->horizon, fx);
			return;
		}
		if (page->err != ERR_OK || !keep_page(s, page)) {
			fail(n, c, page->err != ERR_OK ? page->err : ERR_BUSY, member, fx);
			return;
		}
		slot_set_timer(n, &c->slot, instant_after(n->now, PEER_REQUEST_TIMEOUT_US));
		walk(n, c, fx);
		return;
	}
}

void compare_on_scanned(struct node *n, struct coord *c, const struct event *ev, struct effects *fx)
{
	struct arena scratch;
	struct msg_scan_reply page;
	struct msg_scan asked = {.horizon = hlc_max(c->compared_as_of, n->reap.horizon)};
	arena_init(&scratch, &n->pool);
	if (!scan_page(n, &scratch, ev, &asked, &page)) page = (struct msg_scan_reply){.err = ERR_BUSY};
	compare_on_page(n, c, n->self_member, &page, fx);
	arena_free(&scratch);
}

void compare_on_timer(struct node *n, struct coord *c, struct effects *fx)
{
	for (uint32_t i = 0; i < c->side_count; i++) {
		if (!c->sides[i].asked) continue;
		fail(n, c, ERR_TIMEOUT, c->sides[i].member, fx);
		return;
	}
	unreachable();
}
