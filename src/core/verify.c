/* verify.c - memory that a node does not vouch for, and how it comes to vouch for it again.
 *
 * A partition that is suspect (suspect.c) is held against all its other replicas:
 *
 *   IDLE -> ASKED --page--> MERGING --page merged--> ASKED ... for each other replica in turn
 *             |                                        \--all of them--> SCANNING our own records
 *             \--silence or refusal--> IDLE, again later                   |        ^
 *                                              damaged still: PURGING <----+--------+
 *                                              none left, at the end: vouched for, IDLE
 *
 * With a horizon (reap.c), what this node holds up to it and the others, who all vouch, do not, was let
 * go of while it did not know. That goes too: their pages are joined with our own records of the same
 * stretch (JOINING), and what the last of a key's other replicas does not name is forgotten (FORGETTING).
 *
 * The same walk, without the end, is how a reap round matches all partitions; and its sweep is a walk
 * over our own records.
 *
 * What was pulled and then could not be written, or was there before a damaged record was met and may have
 * been in it, is pulled again: such a partition is not done, and is begun once more.
 *
 * A damaged record that no other replica has an object for cannot be mended: it is removed, with a
 * count. A stretch of the store in which not even keys can be read is the store's to rebuild; until it
 * has, the partition is not vouched for, and everything the others hold of it was merged. Where there is
 * no other replica at all, nothing is removed and nothing is vouched for. */
#include "core/core.h"

/* ---- pulling from the others ------------------------------------------------------------------------------ */

static void give_up(struct node *n)
{
	struct verify *v = &n->verify;
	v->phase = VERIFY_IDLE;
	v->ask.v = v->scan.v = 0;
	v->next = instant_after(n->now, VERIFY_PAUSE_US);
	arena_free(&v->page);
	arena_free(&v->cursor);
	arena_free(&v->own);
	v->after = v->before = v->joined = BYTES_EMPTY;
}

static bool works(const struct verify *v)
{
	return v->phase == VERIFY_MERGING || v->phase == VERIFY_PURGING ||
	       v->phase == VERIFY_FORGETTING || v->phase == VERIFY_SWEEPING;
}

static void scan_own(struct node *n, enum verify_phase phase, struct effects *fx);

/* This partition is done; go_on() takes the next. */
static void done(struct node *n)
{
	give_up(n);
	n->verify.next = n->now;
}

/* Its part of a round is. */
static void walk_on(struct node *n)
{
	if (n->verify.again) {
		give_up(n);
		return;
	}
	n->verify.walk_at++;
	done(n);
}

static void ask(struct node *n, struct effects *fx)
{
	struct verify *v = &n->verify;
	const uint16_t *primaries = n->layout.primaries + v->partition.v * n->layout.replicas;
	while (v->side < n->layout.replicas && primaries[v->side] == n->self_member) v->side++;
	if (v->side == n->layout.replicas) {
		if (v->job == VERIFY_MATCH)
			walk_on(n);
		else
			scan_own(n, VERIFY_SCANNING, fx);
		return;
	}
	if (!member_set_has(&n->up, primaries[v->side])) {
		give_up(n);
		return;
	}
	v->phase = VERIFY_ASKED;
	v->ask.v = prng_next(&n->prng) | 1;
	v->give_up = instant_after(n->now, PEER_REQUEST_TIMEOUT_US);
	struct node_id to = n->layout.members[primaries[v->side]].id;
	struct msg *m = emit_msg(n, fx, to, MSG_SCAN, v->ask);
	m->scan = (struct msg_scan){.partition = v->partition, .after = v->after, .objects = true};
	if (v->job == VERIFY_MATCH) m->scan.round = n->reap.round;
}

/* Where the next page begins, and where this one did. */
static bool move_on(struct verify *v, struct bytes last)
{
	bool ok = true;
	struct arena old = v->cursor;
	arena_init(&v->cursor, old.pool);
	v->before = arena_copy(&v->cursor, v->after, &ok);
	v->after = arena_copy(&v->cursor, last, &ok);
	arena_free(&old);
	return ok;
}

static bool keep_page(struct verify *v, const struct msg_scan_reply *page)
{
	bool ok = true;
	arena_free(&v->page);
	v->entries = arena_take(&v->page, page->count * sizeof *v->entries);
	if (v->entries == NULL) return false;
	for (uint32_t i = 0; i < page->count; i++) {
		v->entries[i] = page->entries[i];
		v->entries[i].store_key = arena_copy(&v->page, page->entries[i].store_key, &ok);
		v->entries[i].object = arena_copy(&v->page, page->entries[i].object, &ok);
	}
	v->count = page->count;
	v->at = 0;
	v->page_entries = v->entries;
	v->page_count = v->count;
	v->last_page = page->done || page->count == 0;
	return ok && (page->count == 0 || move_on(v, v->entries[page->count - 1].store_key));
}

/* Rounds of reaping have been, and all the others so far vouch for what they hold and do not hold. */
static bool may_forget_some(const struct node *n)
{
	const struct verify *v = &n->verify;
	return v->job == VERIFY_SUSPECTS && v->all_vouch && n->reap.horizon.v > 0;
}

/* And is this page of the last of the key's other replicas? */
static bool may_forget(const struct node *n, struct bytes key)
{
	const struct verify *v = &n->verify;
	const uint16_t *primaries = n->layout.primaries + v->partition.v * n->layout.replicas;
	uint32_t last = props_n_of(n, key) - 1U;
	if (primaries[last] == n->self_member) last--; /* the only one: no side is that */
	return may_forget_some(n) && v->side == last;
}

/* A page of our own store, when the byte budget allows: what a join still wants of the stretch of the other
 * replica's page, or simply the next one. */
static void own_page(struct node *n, struct chore *ch, struct effects *fx)
{
	struct verify *v = &n->verify;
	struct instant at = budget_ready(&n->background, n->now);
	if (at.us > n->now.us) {
		slot_set_timer(n, &ch->slot, at);
		return;
	}
	struct bytes until = v->last_page ? BYTES_EMPTY : v->after;
	bool begun = v->phase == VERIFY_JOINING
	                 ? scan_begin_until(n, &ch->slot, v->partition, v->joined, until, fx)
	                 : scan_begin(n, &ch->slot, v->partition, v->after, fx);
	if (begun) return;
	slot_end(n, &ch->slot);
	give_up(n);
}

static void scan_own(struct node *n, enum verify_phase phase, struct effects *fx)
{
	struct verify *v = &n->verify;
	struct chore *ch = chore_take(n, CHORE_VERIFY);
	if (ch == NULL) {
		give_up(n);
		return;
	}
	v->phase = phase;
	v->scan = ch->slot.self;
	v->give_up = INSTANT_NEVER;
	own_page(n, ch, fx);
}

void verify_on_timer(struct node *n, struct chore *ch, struct effects *fx)
{
	if (ch->slot.self.v == n->verify.scan.v)
		own_page(n, ch, fx);
	else
		slot_end(n, &ch->slot); /* of a walk that was stopped */
}

static void page_done(struct node *n, struct effects *fx)
{
	struct verify *v = &n->verify;
	if (v->phase == VERIFY_PURGING || v->phase == VERIFY_SWEEPING) {
		if (v->job == VERIFY_SWEEP && v->last_page)
			walk_on(n);
		else
			scan_own(n, VERIFY_SCANNING, fx);
		return;
	}
	if (v->phase == VERIFY_MERGING && may_forget_some(n)) {
		v->joined = v->before;
		scan_own(n, VERIFY_JOINING, fx);
		return;
	}
	if (v->phase == VERIFY_FORGETTING && !v->join_done) {
		scan_own(n, VERIFY_JOINING, fx);
		return;
	}
	if (v->last_page) {
		v->side++;
		arena_free(&v->cursor);
		v->after = BYTES_EMPTY;
	}
	ask(n, fx);
}

/* Would a sweep let go of something here? What it has to leave is counted. */
static bool has_dead(struct node *n, struct bytes object)
{
	struct arena scratch;
	struct object o, rest;
	arena_init(&scratch, &n->pool);
	bool read = object_decode(&scratch, object, &o) == ERR_OK &&
	            object_reap(&scratch, &o, n->reap.horizon, &rest);
	bool dead = read && rest.sibling_count < o.sibling_count;
	if (read && !dead) n->reap.sweep_left += object_is_mortal(&o);
	arena_free(&scratch);
	return dead;
}

/* What is done with an entry of the page that is being worked on. */
static bool is_wanted(struct node *n, const struct scan_entry *e)
{
	const struct verify *v = &n->verify;
	switch (v->phase) {
	case VERIFY_PURGING: return e->damaged;
	case VERIFY_FORGETTING: return may_forget(n, store_key_full(e->store_key));
	case VERIFY_SWEEPING: return !e->damaged && has_dead(n, e->object);
	case VERIFY_MERGING:
		/* Theirs is damaged, and may name no key: they will mend it. What has fewer replicas than the layout,
		 * and none of them here, is not ours to have. */
		return !e->damaged &&
		       ring_is_primary(&n->layout, v->partition,
		                       props_n_of(n, store_key_full(e->store_key)), n->self_member);
	default: unreachable();
	}
}

static bool act(struct node *n, const struct scan_entry *e, struct effects *fx)
{
	struct bytes key = store_key_full(e->store_key);
	switch (n->verify.phase) {
	case VERIFY_PURGING: return replica_purge_own(n, key, fx);
	case VERIFY_FORGETTING: return replica_reap_own(n, key, true, fx);
	case VERIFY_SWEEPING: return replica_reap_own(n, key, false, fx);
	case VERIFY_MERGING: return replica_merge_own(n, key, e->object, may_forget(n, key), true, fx);
	default: unreachable();
	}
}

/* As many entries of the page as may be under way at once. */
static void work(struct node *n, struct effects *fx)
{
	struct verify *v = &n->verify;
	while (v->at < v->count && v->open < VERIFY_MERGES_MAX && effects_have_room(fx)) {
		const struct scan_entry *e = &v->entries[v->at++];
		if (!is_wanted(n, e)) continue;
		v->open++;
		v->busy = true; /* it may end before the call returns */
		bool begun = act(n, e, fx);
		v->busy = false;
		if (!begun) { /* no slot: go on when one of those under way ends, or at the next tick */
			v->open--;
			v->at--;
			break;
		}
	}
	if (v->open == 0 && v->at == v->count) page_done(n, fx);
}

static void take_page(struct node *n, uint16_t member, const struct msg *m, struct effects *fx)
{
	struct verify *v = &n->verify;
	const uint16_t *primaries = n->layout.primaries + v->partition.v * n->layout.replicas;
	if (v->phase != VERIFY_ASKED || primaries[v->side] != member) return;
	v->ask.v = 0;
	if (m->scan_reply.err != ERR_OK || !keep_page(v, &m->scan_reply)) {
		give_up(n);
		return;
	}
	v->all_vouch = v->all_vouch && m->scan_reply.vouched;
	v->phase = VERIFY_MERGING;
	work(n, fx);
}

/* ---- our own records ------------------------------------------------------------------------------------------ */

static void vouch(struct node *n, struct effects *fx)
{
	if (n->verify.again) {
		give_up(n);
		return;
	}
	suspect_no_more(n, n->verify.partition, fx);
	done(n);
}

/* Of our own records in the stretch, those that the page does not name. Both ascend. */
static void take_joined(struct node *n, const struct event *ev, struct effects *fx)
{
	struct verify *v = &n->verify;
	bool ok = ev->scanned.err == ERR_OK;
	struct arena old = v->own;
	arena_init(&v->own, old.pool);
	struct scan_entry *to = ok ? arena_take(&v->own, ev->scanned.count * sizeof *to) : NULL;
	uint32_t count = 0, theirs = 0;
	ok = to != NULL;
	for (uint32_t i = 0; ok && i < ev->scanned.count; i++) {
		struct bytes key = ev->scanned.records[i].key;
		while (theirs < v->page_count && bytes_compare(v->page_entries[theirs].store_key, key) < 0)
			theirs++;
		bool named = theirs < v->page_count && bytes_equal(v->page_entries[theirs].store_key, key);
		if (!named && !ev->scanned.records[i].damaged)
			to[count++] = (struct scan_entry){.store_key = arena_copy(&v->own, key, &ok)};
	}
	if (ok && ev->scanned.count > 0)
		v->joined = arena_copy(&v->own, ev->scanned.records[ev->scanned.count - 1].key, &ok);
	arena_free(&old);
	if (!ok) {
		give_up(n);
		return;
	}
	v->join_done = ev->scanned.done || ev->scanned.count == 0;
	v->entries = to;
	v->count = count;
	v->at = 0;
	v->phase = VERIFY_FORGETTING;
	work(n, fx);
}

static bool names_a_key(const struct scan_entry *e)
{
	struct bytes type, bucket, name;
	return full_key_split(store_key_full(e->store_key), &type, &bucket, &name);
}

static void take_scanned(struct node *n, const struct event *ev, struct effects *fx)
{
	struct verify *v = &n->verify;
	struct msg_scan_reply page;
	assert(v->phase == VERIFY_SCANNING);
	struct arena scratch;
	arena_init(&scratch, &n->pool);
	bool sweep = v->job == VERIFY_SWEEP;
	struct msg_scan asked = {.objects = sweep};
	bool ok =
		scan_page(n, &scratch, ev, &asked, &page) && page.err == ERR_OK && keep_page(v, &page);
	arena_free(&scratch);
	if (!ok) {
		give_up(n);
		return;
	}
	if (sweep) {
		v->phase = VERIFY_SWEEPING;
		work(n, fx);
		return;
	}
	bool damaged = false;
	for (uint32_t i = 0; i < v->count; i++) {
		damaged |= v->entries[i].damaged;
		if (v->entries[i].damaged && !names_a_key(&v->entries[i])) {
			give_up(n); /* a stretch that cannot be read: again once the store has rebuilt it */
			return;
		}
	}
	if (!damaged && v->last_page) {
		vouch(n, fx);
		return;
	}
	v->phase = VERIFY_PURGING;
	if (damaged && v->last_page) { /* look again from the start once they are gone */
		arena_free(&v->cursor);
		v->after = BYTES_EMPTY;
	}
	work(n, fx);
}

static bool is_own(const struct node *n, struct partition_id p)
{
	return ring_is_primary(&n->layout, p, n->layout.replicas, n->self_member);
}

/* The next partition of the walk that a reap round wants. */
static bool next_of_walk(struct node *n)
{
	struct verify *v = &n->verify;
	if (v->walk == VERIFY_SUSPECTS) return false;
	while (v->walk_at < n->layout.partitions && !is_own(n, (struct partition_id){v->walk_at}))
		v->walk_at++;
	v->partition.v = v->walk_at;
	if (v->walk_at < n->layout.partitions) return true;
	enum verify_job walked = v->walk;
	v->walk = VERIFY_SUSPECTS;
	reap_walked(n, walked);
	return false;
}

static void begin_next(struct node *n, struct effects *fx)
{
	struct verify *v = &n->verify;
	bool alone = n->layout.replicas < 2;
	if (!alone && suspect_next(n, &v->suspect)) {
		v->job = VERIFY_SUSPECTS;
		v->partition = v->suspect;
	} else if (next_of_walk(n)) {
		v->job = v->walk;
	} else {
		v->next = instant_after(n->now, VERIFY_PAUSE_US);
		return;
	}
	v->side = 0;
	v->again = false;
	v->all_vouch = true;
	/* What stands in for others cannot be had from them: only what is damaged goes. */
	if (v->job != VERIFY_SWEEP && is_own(n, v->partition))
		ask(n, fx);
	else
		scan_own(n, VERIFY_SCANNING, fx);
}

bool verify_is_idle(const struct node *n)
{
	return n->verify.phase == VERIFY_IDLE;
}

void verify_walk(struct node *n, enum verify_job job)
{
	struct verify *v = &n->verify;
	v->walk = job;
	v->walk_at = 0;
	if (v->phase == VERIFY_IDLE) v->next = n->now;
	if (v->phase == VERIFY_IDLE || v->job == VERIFY_SUSPECTS) return;
	v->stray += v->open;
	v->open = 0;
	give_up(n);
	v->next = n->now;
}

/* ---- what happens ------------------------------------------------------------------------------------------- */

static void go_on(struct node *n, struct effects *fx)
{
	struct verify *v = &n->verify;
	while (v->phase == VERIFY_IDLE && n->now.us >= v->next.us && effects_have_room(fx))
		begin_next(n, fx);
}

void verify_on_page(struct node *n, uint16_t member, const struct msg *m, struct effects *fx)
{
	take_page(n, member, m, fx);
	go_on(n, fx);
}

void verify_on_damage(struct node *n, struct partition_id p)
{
	struct verify *v = &n->verify;
	if (v->phase != VERIFY_IDLE && v->partition.v == p.v) v->again = true;
}

void verify_on_step_done(struct node *n, bool done, struct effects *fx)
{
	struct verify *v = &n->verify;
	if (v->stray > 0) { /* of a walk that was stopped */
		v->stray--;
		return;
	}
	assert(v->open > 0 && works(v));
	v->open--;
	v->again |= !done;
	if (v->busy || !effects_have_room(fx)) return;
	work(n, fx);
	go_on(n, fx);
}

void verify_on_scanned(struct node *n, const struct event *ev, struct effects *fx)
{
	struct verify *v = &n->verify;
	if (ev->scanned.ticket.v != v->scan.v) return; /* of a walk that was stopped */
	v->scan.v = 0;
	if (v->phase == VERIFY_JOINING)
		take_joined(n, ev, fx);
	else
		take_scanned(n, ev, fx);
	go_on(n, fx);
}

void verify_tick(struct node *n, struct effects *fx)
{
	struct verify *v = &n->verify;
	if (v->phase == VERIFY_ASKED && n->now.us >= v->give_up.us) give_up(n);
	if (works(v)) work(n, fx);
	go_on(n, fx);
}
