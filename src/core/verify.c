/* verify.c - memory that a node does not vouch for, and how it comes to vouch for it again.
 *
 * A damaged record makes its whole partition suspect, durably, and a disk that is an old copy
 * (memory.c) makes all of them so: what is not found there counts for nothing, and nothing there
 * counts towards pr, until the partition was verified:
 *
 *   IDLE -> ASKED --page--> MERGING --page merged--> ASKED ... for each other replica in turn
 *             |                                        \--all of them--> SCANNING our own records
 *             \--silence or refusal--> IDLE, again later                   |        ^
 *                                              damaged still: PURGING <----+--------+
 *                                              none left, at the end: vouched for, IDLE
 *
 * A damaged record that no other replica has an object for cannot be mended: it is removed, with a
 * count. A stretch of the store in which not even keys can be read is the store's to rebuild; until it
 * has, the partition is not vouched for, and everything the others hold of it was merged. Where there is no other replica at all, nothing is removed and nothing is vouched for. */
#include "core/core.h"

/* ---- which partitions ----------------------------------------------------------------------------------- */

static bool is_suspect(const struct node *n, struct partition_id p)
{
	return (n->suspect[p.v / 8] >> p.v % 8 & 1) != 0;
}

bool partition_vouched(const struct node *n, struct partition_id p)
{
	return n->memory.confirmed && !is_suspect(n, p);
}

uint32_t verify_suspect_count(const struct node *n)
{
	uint32_t count = 0;
	for (size_t i = 0; i < sizeof n->suspect; i++)
		count += (uint32_t)__builtin_popcount(n->suspect[i]);
	return count;
}

bool verify_add_record(struct node *n, struct chore *ch, struct write *w)
{
	uint32_t count = verify_suspect_count(n);
	size_t room = 8 + (size_t)count * 5;
	struct packer p = {.to = arena_take(&ch->slot.arena, room), .capacity = room};
	if (p.to == NULL) return false;
	pack_array(&p, count);
	for (uint32_t i = 0; i < PARTITIONS_MAX; i++)
		if (is_suspect(n, (struct partition_id){i})) pack_uint(&p, i);
	assert(pack_fits(&p));
	write_add(w, STORE_META, META_SUSPECT, bytes_of(p.to, p.len));
	return true;
}

static void write_suspects(struct node *n, struct effects *fx)
{
	struct chore *ch = chore_take(n, CHORE_SUSPECT);
	struct write *w = ch == NULL ? NULL : write_new(&ch->slot, 1);
	if (w != NULL && verify_add_record(n, ch, w))
		emit_write(fx, &ch->slot, w);
	else if (ch != NULL)
		slot_end(n, &ch->slot); /* the next change writes it */
}

enum err verify_boot(struct node *n, struct bytes value)
{
	struct cursor c = cursor_of(value);
	uint32_t count = cursor_array(&c, PARTITIONS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t p = cursor_uint(&c, PARTITIONS_MAX - 1);
		n->suspect[p / 8] |= (uint8_t)(1U << p % 8);
	}
	return cursor_finished(&c) ? ERR_OK : ERR_BAD_BYTES;
}

void verify_suspect(struct node *n, struct partition_id p, struct effects *fx)
{
	n->counters.corrupt_records++;
	/* The record may have held dots of ours that nobody else has seen: never follow them. */
	node_draw_actor(n);
	if (is_suspect(n, p)) return;
	n->suspect[p.v / 8] |= (uint8_t)(1U << p.v % 8);
	write_suspects(n, fx);
}

void verify_suspect_all(struct node *n)
{
	for (uint32_t i = 0; i < n->layout.partitions; i++) n->suspect[i / 8] |= (uint8_t)(1U << i % 8);
}

/* In turn, so that one whose other replicas are silent does not keep the rest waiting. */
static bool next_suspect(const struct node *n, struct partition_id *p)
{
	for (uint32_t i = 0; i < n->layout.partitions; i++) {
		p->v = (p->v + 1) % n->layout.partitions;
		if (is_suspect(n, *p)) return true;
	}
	return false;
}

/* ---- pulling from the others ------------------------------------------------------------------------------ */

static void give_up(struct node *n)
{
	struct verify *v = &n->verify;
	v->phase = VERIFY_IDLE;
	v->ask.v = 0;
	v->next = instant_after(n->now, VERIFY_PAUSE_US);
	arena_free(&v->page);
	arena_free(&v->cursor);
	v->after = BYTES_EMPTY;
}

static void scan_own(struct node *n, struct effects *fx);

static void ask(struct node *n, struct effects *fx)
{
	struct verify *v = &n->verify;
	const uint16_t *primaries = n->layout.primaries + v->partition.v * n->layout.replicas;
	while (v->side < n->layout.replicas && primaries[v->side] == n->self_member) v->side++;
	if (v->side == n->layout.replicas) {
		scan_own(n, fx);
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
}

/* Where the next page begins; the arena of the last one goes. */
static bool move_on(struct verify *v, struct bytes last)
{
	bool ok = true;
	arena_free(&v->cursor);
	v->after = arena_copy(&v->cursor, last, &ok);
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
	v->last_page = page->done || page->count == 0;
	return ok && (page->count == 0 || move_on(v, v->entries[page->count - 1].store_key));
}

static void page_done(struct node *n, struct effects *fx)
{
	struct verify *v = &n->verify;
	if (v->phase == VERIFY_PURGING) {
		scan_own(n, fx);
		return;
	}
	if (v->last_page) {
		v->side++;
		arena_free(&v->cursor);
		v->after = BYTES_EMPTY;
	}
	ask(n, fx);
}

/* As many merges (or purges) of the page as may run at once. */
static void work(struct node *n, struct effects *fx)
{
	struct verify *v = &n->verify;
	while (v->at < v->count && v->open < VERIFY_MERGES_MAX && effects_have_room(fx)) {
		const struct scan_entry *e = &v->entries[v->at];
		struct bytes key = store_key_full(e->store_key);
		bool purge = v->phase == VERIFY_PURGING;
		/* Theirs is damaged, and may name no key: they will mend it. Ours is not: nothing to do. What has
		 * fewer replicas than the layout, and none of them here, is not ours to have. */
		if (e->damaged != purge ||
		    (!purge &&
		     !ring_is_primary(&n->layout, v->partition, props_n_of(n, key), n->self_member))) {
			v->at++;
			continue;
		}
		v->open++;
		v->at++;
		v->busy = true; /* it may end before the call returns */
		bool begun =
			purge ? replica_purge_own(n, key, fx) : replica_merge_own(n, key, e->object, true, fx);
		v->busy = false;
		if (!begun) { /* no slot: go on when one of those under way ends, or at the next tick */
			v->open--;
			v->at--;
			break;
		}
	}
	if (v->open == 0 && v->at == v->count) page_done(n, fx);
}

void verify_on_page(struct node *n, uint16_t member, const struct msg *m, struct effects *fx)
{
	struct verify *v = &n->verify;
	const uint16_t *primaries = n->layout.primaries + v->partition.v * n->layout.replicas;
	if (v->phase != VERIFY_ASKED || primaries[v->side] != member) return;
	v->ask.v = 0;
	if (m->scan_reply.err != ERR_OK || !keep_page(v, &m->scan_reply)) {
		give_up(n);
		return;
	}
	v->phase = VERIFY_MERGING;
	work(n, fx);
}

void verify_on_step_done(struct node *n, struct effects *fx)
{
	struct verify *v = &n->verify;
	assert(v->open > 0 && (v->phase == VERIFY_MERGING || v->phase == VERIFY_PURGING));
	v->open--;
	if (!v->busy && effects_have_room(fx)) work(n, fx);
}

/* ---- our own records ------------------------------------------------------------------------------------------ */

static void scan_own(struct node *n, struct effects *fx)
{
	struct verify *v = &n->verify;
	struct chore *ch = chore_take(n, CHORE_VERIFY);
	bool begun = ch != NULL && scan_begin(n, &ch->slot, v->partition, v->after, fx);
	if (begun) {
		v->phase = VERIFY_SCANNING;
		v->give_up = INSTANT_NEVER;
		return;
	}
	if (ch != NULL) slot_end(n, &ch->slot);
	give_up(n);
}

static void vouch(struct node *n, struct effects *fx)
{
	struct verify *v = &n->verify;
	n->suspect[v->partition.v / 8] &= (uint8_t) ~(1U << v->partition.v % 8);
	n->counters.verified_partitions++;
	write_suspects(n, fx);
	give_up(n); /* at rest */
	v->next = n->now;
}

static bool names_a_key(const struct scan_entry *e)
{
	struct bytes type, bucket, name;
	return full_key_split(store_key_full(e->store_key), &type, &bucket, &name);
}

void verify_on_scanned(struct node *n, const struct event *ev, struct effects *fx)
{
	struct verify *v = &n->verify;
	struct msg_scan_reply page;
	assert(v->phase == VERIFY_SCANNING);
	struct arena scratch;
	arena_init(&scratch, &n->pool);
	bool ok = scan_page(n, &scratch, ev, false, &page) && page.err == ERR_OK && keep_page(v, &page);
	arena_free(&scratch);
	if (!ok) {
		give_up(n);
		return;
	}
	bool damaged = false;
	for (uint32_t i = 0; i < v->count; i++) {
		damaged |= v->entries[i].damaged;
		if (v->entries[i].damaged && !names_a_key(&v->entries[i])) {
			give_up(
				n); /* a stretch that cannot be read: look again once the store has rebuilt it */
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

void verify_tick(struct node *n, struct effects *fx)
{
	struct verify *v = &n->verify;
	if (v->phase == VERIFY_ASKED && n->now.us >= v->give_up.us) give_up(n);
	if (v->phase == VERIFY_MERGING || v->phase == VERIFY_PURGING) work(n, fx);
	if (v->phase != VERIFY_IDLE || n->now.us < v->next.us || n->layout.replicas < 2) return;
	if (!next_suspect(n, &v->partition)) {
		v->next = instant_after(n->now, VERIFY_PAUSE_US);
		return;
	}
	v->side = 0;
	/* What stands in for others cannot be had from them: only what is damaged goes. */
	if (ring_is_primary(&n->layout, v->partition, n->layout.replicas, n->self_member))
		ask(n, fx);
	else
		scan_own(n, fx);
}
