/* props_gossip.c - how all nodes come to have the same bucket properties.
 *
 *   a change is durable here -> it is pushed to every member that can be reached
 *   a heartbeat bears another hash than ours -> that member's map is pulled, page by page
 *
 * Each side pulls, so that two maps that both have something new meet. A node says that it is ready
 * only once it has met one member's map (member.c, settle).
 * Always true: one pull is under way at most; a page is merged entry by entry, and what changes is
 * written as one batch before the next page is asked for. */
#include "core/core.h"

/* ---- telling ------------------------------------------------------------------------------------ */

void props_hash(const struct node *n, uint8_t out[16])
{
	put_u64be(out, n->props.digest[0]);
	put_u64be(out + 8, n->props.digest[1]);
}

/* The page with entries from `from` on, as many as fit; *next is behind the last. */
static bool pack_page(const struct node *n, struct arena *a, uint32_t from, uint32_t *next,
                      struct bytes *out)
{
	struct packer size = {0}, all = {0};
	uint32_t count = 0;
	for (; from + count < n->props.count && count < PROPS_PAGE_ENTRIES_MAX; count++) {
		props_pack_entry(&size, n->props.list[from + count]);
		if (size.len + 8 > PROPS_PAGE_BYTES_MAX) break;
		all = size;
	}
	struct packer p = {.to = arena_take(a, all.len + 8), .capacity = all.len + 8};
	if (p.to == NULL) return false;
	pack_array(&p, 2 * count);
	for (uint32_t i = 0; i < count; i++) props_pack_entry(&p, n->props.list[from + i]);
	assert(pack_fits(&p));
	*next = from + count;
	*out = bytes_of(p.to, p.len);
	return true;
}

/* The page is an effect's until the next step: a chore's arena holds it so long. */
void props_on_ask(struct node *n, struct node_id from, const struct msg *m, struct effects *fx)
{
	struct chore *ch = n->formed ? chore_take(n, CHORE_PROPS) : NULL;
	if (ch == NULL) return; /* the next heartbeat asks again */
	uint32_t first = m->props_ask.from, next;
	struct bytes page;
	if (first > n->props.count) first = n->props.count;
	if (pack_page(n, &ch->slot.arena, first, &next, &page)) {
		struct msg *answer = emit_msg(n, fx, from, MSG_PROPS, m->id);
		answer->props = (struct msg_props){next, next == n->props.count, page};
	}
	slot_end(n, &ch->slot);
}

/* A change that a member does not hear is pulled by it at its next heartbeat. */
void props_push(struct node *n, const struct props_entry *entries, uint32_t count,
                struct effects *fx)
{
	struct chore *ch = chore_take(n, CHORE_PROPS);
	if (ch == NULL) return;
	struct packer size = {0};
	for (uint32_t i = 0; i < count; i++) props_pack_entry(&size, &entries[i]);
	struct packer p = {.to = arena_take(&ch->slot.arena, size.len + 8), .capacity = size.len + 8};
	if (p.to != NULL) {
		pack_array(&p, 2 * count);
		for (uint32_t i = 0; i < count; i++) props_pack_entry(&p, &entries[i]);
	}
	for (uint32_t i = 0; p.to != NULL && i < n->peer_count && effects_have_room(fx); i++) {
		if (!n->peers[i].connected || n->peers[i].id.v == n->self.v) continue;
		struct msg *m = emit_msg(n, fx, n->peers[i].id, MSG_PROPS, (struct ticket){0});
		m->props = (struct msg_props){0, true, bytes_of(p.to, p.len)};
	}
	slot_end(n, &ch->slot);
}

/* ---- pulling -------------------------------------------------------------------------------------- */

static void ask(struct node *n, struct effects *fx)
{
	struct props_map *m = &n->props;
	m->pull.v = prng_next(&n->prng) | 1;
	m->pull_give_up = instant_after(n->now, SILENCE_US);
	emit_msg(n, fx, m->pull_from, MSG_PROPS_ASK, m->pull)->props_ask.from = m->pull_next;
}

void props_on_hash(struct node *n, struct node_id from, const uint8_t hash[16], struct effects *fx)
{
	struct props_map *m = &n->props;
	uint8_t own[16];
	struct peer *p = member_find(n, from);
	if (!n->formed || p == NULL) return;
	props_hash(n, own);
	bool same = memcmp(own, hash, sizeof own) == 0;
	if (same && !p->props_met) member_peers_changed(n); /* somebody may wait for just that */
	p->props_met = same;
	if (same) {
		m->caught_up = true;
		return;
	}
	/* Others that missed the same as we did are no proof. */
	if (!n->settled) m->caught_up = false;
	if (m->pull.v != 0 && n->now.us < m->pull_give_up.us) return;
	m->pull_from = from;
	m->pull_next = 0;
	ask(n, fx);
}

/* What was asked for is durable: the next page, or the end. */
void props_pull_on(struct node *n, struct effects *fx)
{
	struct props_map *m = &n->props;
	if (m->pull.v == 0 || m->pull_next == 0) return;
	if (m->pull_last) {
		m->pull.v = 0;
		m->caught_up = true;
	} else {
		ask(n, fx);
	}
}

/* ---- merging a page ----------------------------------------------------------------------------------- */

/* Ours with what is newer in theirs. False: theirs brings nothing. */
static bool merge_cells(struct props_entry *ours, const struct props_entry *theirs)
{
	bool changed = false;
	for (uint32_t i = 0; i < PROP_COUNT; i++) {
		if (dot_compare_age(theirs->cells[i].stamp, ours->cells[i].stamp) <= 0) continue;
		ours->cells[i] = theirs->cells[i];
		changed = true;
	}
	return changed;
}

/* The entries of a page that change something, merged with what we have, in the chore's arena. */
static bool merge_page(struct node *n, struct chore *ch, struct bytes page)
{
	struct arena *a = &ch->slot.arena;
	struct cursor c = cursor_of(page);
	uint32_t fields = cursor_array(&c, 2 * PROPS_PAGE_ENTRIES_MAX);
	ch->entries = arena_take(a, (fields / 2 + 1) * sizeof *ch->entries);
	if (ch->entries == NULL || fields % 2 != 0) return false;
	for (uint32_t i = 0; i < fields / 2; i++) {
		struct props_entry theirs = {0}, *to = &ch->entries[ch->entry_count];
		bool ok = true;
		if (!props_take_entry(&c, &theirs)) return false;
		const struct props_entry *held = props_find(n, theirs.key);
		*to = held != NULL ? *held : (struct props_entry){0};
		to->key = arena_copy(a, theirs.key, &ok);
		if (!ok) return false;
		if (merge_cells(to, &theirs)) ch->entry_count++;
	}
	return cursor_finished(&c);
}

void props_on_page(struct node *n, struct node_id from, const struct msg *m, struct effects *fx)
{
	struct props_map *map = &n->props;
	bool pulled = m->id.v != 0;
	if (!n->formed || layout_find(&n->layout, from) < 0) return;
	if (pulled && (m->id.v != map->pull.v || from.v != map->pull_from.v)) return;
	/* While another change is written this one waits for the next heartbeat. */
	struct chore *ch = map->writing ? NULL : chore_take(n, CHORE_PROPS);
	bool ok = ch != NULL && merge_page(n, ch, m->props.entries);
	bool writes = ok && ch->entry_count > 0 && props_write(n, ch, fx);
	if (pulled) {
		map->pull_next = m->props.next;
		map->pull_last = m->props.done;
		/* A page that brings nothing and does not move on is not a page of ours. */
		if (!ok || (ch->entry_count > 0 && !writes)) map->pull.v = 0;
		if (map->pull.v != 0 && !writes && m->props.next == 0)
			map->pull.v = 0, map->caught_up = true;
		if (!writes) props_pull_on(n, fx);
	}
	if (ch != NULL && !writes) slot_end(n, &ch->slot);
}
