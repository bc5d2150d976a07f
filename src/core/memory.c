/* memory.c - does this node's disk hold what this node knew?
 *
 * A disk that was put back from an older copy looks sound. What betrays it is what the others remember:
 * every node counts *beats* on its own disk, one a second while it stores anything, tells its newest
 * durable one in each heartbeat, and remembers, durably too, the newest that it heard of each other.
 * A node whose own beat is behind what another one heard from it holds an old copy.
 *
 *   started --more than half of the members heard no later beat of ours--> confirmed
 *      \                                                                       /
 *       +---somebody heard a later one---> lost: every partition is suspect <-+
 *                                          (durably, with the later beat) --> confirmed anew
 *
 * Always true: a beat is told only once it is durable, and grows only while confirmed, so that an old
 * copy that runs on unknowing does not catch up with what others remember of it; a node that is not
 * confirmed vouches for nothing. See docs/decisions/old-copies.md. */
#include "core/core.h"

/* ---- the record: own beat, then id and beat of each other ------------------------------------------------ */

enum err memory_boot(struct node *n, struct bytes value)
{
	struct cursor c = cursor_of(value);
	uint32_t fields = cursor_array(&c, 1 + 2 * MEMBERS_MAX);
	n->memory.beat = cursor_uint(&c, UINT64_MAX);
	for (uint32_t i = 1; i + 1 < fields; i += 2) {
		struct peer *p = &n->peers[n->peer_count++];
		*p = (struct peer){.id = {cursor_uint(&c, UINT64_MAX)}};
		p->beat = cursor_uint(&c, UINT64_MAX);
	}
	return cursor_finished(&c) && fields % 2 == 1 ? ERR_OK : ERR_BAD_BYTES;
}

static bool add_record(struct node *n, struct chore *ch, struct write *w, uint64_t beat)
{
	size_t room = 16 + (size_t)n->peer_count * 18;
	struct packer p = {.to = arena_take(&ch->slot.arena, room), .capacity = room};
	if (p.to == NULL) return false;
	pack_array(&p, 1 + 2 * (n->peer_count - 1));
	pack_uint(&p, beat);
	for (uint32_t i = 0; i < n->peer_count; i++) {
		if (n->peers[i].id.v == n->self.v) continue;
		pack_uint(&p, n->peers[i].id.v);
		pack_uint(&p, n->peers[i].beat);
	}
	assert(pack_fits(&p));
	write_add(w, STORE_META, META_MEMORY, bytes_of(p.to, p.len));
	ch->beat = beat;
	return true;
}

static void write_beat(struct node *n, uint64_t beat, bool suspects, struct effects *fx)
{
	struct chore *ch = chore_take(n, CHORE_MEMORY);
	struct write *w = ch == NULL ? NULL : write_new(&ch->slot, 2);
	bool begun =
		w != NULL && add_record(n, ch, w, beat) && (!suspects || suspect_add_record(n, ch, w));
	if (!begun) {
		if (ch != NULL) slot_end(n, &ch->slot);
		return; /* at the next tick */
	}
	n->memory.busy = true;
	n->memory.dirty = n->memory.heard = false;
	n->memory.next = instant_after(n->now, MEMORY_BEAT_US);
	emit_write(fx, &ch->slot, w);
}

void memory_on_stored(struct node *n, const struct chore *ch, enum err e)
{
	struct memory *m = &n->memory;
	m->busy = false;
	if (e != ERR_OK) {
		m->dirty = m->heard = true;
		return;
	}
	m->beat = ch->beat;
	if (m->lost <= m->beat) m->lost = 0;
	memory_judge(n);
}

void memory_tick(struct node *n, struct effects *fx)
{
	struct memory *m = &n->memory;
	if (m->busy || !n->formed) return;
	if (m->lost != 0) {
		suspect_all(n);
		write_beat(n, m->lost, true, fx);
		return;
	}
	if (n->now.us < m->next.us) return;
	bool raise = m->confirmed && m->dirty;
	if (raise || m->heard) write_beat(n, m->beat + raise, false, fx);
}

/* ---- what is told, and what is heard ------------------------------------------------------------------------ */

void memory_judge(struct node *n)
{
	struct memory *m = &n->memory;
	uint32_t sure = 1;
	for (uint32_t i = 0; i < n->peer_count; i++) sure += n->peers[i].confirms;
	bool confirmed = n->formed && m->lost == 0 && 2 * sure > n->layout.member_count;
	if (confirmed && !m->confirmed) m->dirty = true; /* each life has a beat of its own */
	m->confirmed = confirmed;
}

void memory_tell(const struct node *n, const struct peer *p, struct msg_heartbeat *h)
{
	h->beat = n->memory.beat;
	h->heard_nonce = p->start_nonce;
	h->heard_beat = p->beat;
}

void memory_on_heartbeat(struct node *n, struct peer *p, const struct msg_heartbeat *h)
{
	struct memory *m = &n->memory;
	if (h->beat > p->beat) {
		p->beat = h->beat;
		m->heard = true;
	}
	if (h->heard_beat > m->beat && h->heard_beat > m->lost) {
		if (m->lost == 0) {
			n->counters.old_copies++;
			node_draw_actor(n); /* what we minted since may be known to others alone */
		}
		m->lost = h->heard_beat;
	}
	p->confirms = h->heard_nonce == n->start_nonce && h->heard_beat <= m->beat;
	memory_judge(n);
}
