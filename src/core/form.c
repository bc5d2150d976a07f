/* form.c - how nodes that know each other's addresses become a cluster.
 *
 *   no vote --(we have the least id, and `expect` nodes are there)--> propose, and vote for it
 *   no vote --proposed to us, and it fits--> vote for it
 *   vote, durable --all members of the layout voted for it--> it stands --durable--> in force
 *
 * A node votes once, durably, for one layout 1 of exactly `expect` members, more than half of the
 * join list. It stands when all of its members have voted for it, so two layouts that stand would
 * share a member that voted twice. A node with an empty list forms a cluster of its own.
 * A voter that is wiped before its layout stands blocks it for ever: the operator wipes the others
 * too; nothing is lost, since nothing was stored. */
#include "core/core.h"
#include "ring/plan.h"

/* ---- bytes of a layout, kept until they are durable -------------------------------------------------- */

static void store(struct node *n, enum chore_kind kind, struct bytes key, struct bytes layout,
                  struct effects *fx)
{
	struct chore *ch = chore_take(n, kind);
	if (ch == NULL) return; /* the next tick tries again */
	bool ok = true;
	ch->layout = arena_copy(&ch->slot.arena, layout, &ok);
	if (ok && chore_write_meta(ch, key, ch->layout, fx))
		n->forming = true;
	else
		slot_end(n, &ch->slot);
}

static void vote_for(struct node *n, struct bytes layout, struct effects *fx)
{
	if (n->vote.len == 0 && !n->forming) store(n, CHORE_VOTE, META_VOTE, layout, fx);
}

enum err form_adopt(struct node *n, struct bytes layout)
{
	struct layout l;
	enum err e = layout_decode(layout, &n->arena, &l);
	if (e != ERR_OK) return e;
	int self = layout_find(&l, n->self);
	if (self < 0) return ERR_BAD_BYTES;
	member_reindex(n, &l);
	n->layout = l;
	n->layout_bytes = layout;
	n->self_member = (uint16_t)self;
	n->formed = true;
	n->phase = NODE_SERVING;
	n->beat_at = 0;
	memory_judge(n);
	return ERR_OK;
}

void form_on_stored(struct node *n, struct chore *ch, enum err e, struct effects *fx)
{
	n->forming = false;
	if (e != ERR_OK) return;
	bool ok = true;
	struct bytes kept = arena_copy(&n->arena, ch->layout, &ok);
	if (!ok) return;
	if (ch->kind == CHORE_VOTE) {
		n->vote = kept;
		n->vote_durable = true;
		layout_hash(kept, n->vote_hash);
		n->form_due = true;
		return;
	}
	if (n->formed) return;
	e = form_adopt(n, kept);
	assert(e == ERR_OK); /* what we voted for names us */
	for (uint32_t i = 0; i < n->peer_count && effects_have_room(fx); i++)
		if (n->peers[i].connected)
			emit_msg(n, fx, n->peers[i].id, MSG_LAYOUT, (struct ticket){0})->layout.layout = kept;
}

/* ---- proposing ------------------------------------------------------------------------------------------ */

/* Whom we would form with: everybody here who waits for as many as we do. By rising id, ours among
 * them. */
static uint32_t candidates(struct node *n, struct member *to, uint32_t max)
{
	uint32_t count = 0;
	to[count++] = (struct member){.id = n->self,
	                              .weight = n->config.weight,
	                              .name = n->config.name,
	                              .address = n->config.address,
	                              .zone = n->config.zone};
	for (uint32_t i = 0; i < n->peer_count && count < max; i++) {
		const struct peer *p = &n->peers[i];
		if (!p->up || !p->unformed || p->expect != n->config.expect) continue;
		struct member m = {.id = p->id,
		                   .weight = p->weight,
		                   .name = bytes_of(p->name, p->name_len),
		                   .address = bytes_of(p->address, p->address_len),
		                   .zone = bytes_of(p->zone, p->zone_len)};
		uint32_t at = count++;
		for (; at > 0 && to[at - 1].id.v > m.id.v; at--) to[at] = to[at - 1];
		to[at] = m;
	}
	return count;
}

/* Encode layout 1 of these members into the arena. */
static bool make_layout(struct node *n, struct arena *a, const struct member *members,
                        uint32_t count, struct bytes *out)
{
	struct layout wish = {.epoch = {1},
	                      .partitions = n->config.partitions,
	                      .replicas = (uint8_t)n->config.replicas,
	                      .member_count = count,
	                      .members = members};
	struct layout l;
	memcpy(wish.cluster, n->config.entropy + 16, sizeof wish.cluster);
	memcpy(wish.secret, n->config.entropy + 32, sizeof wish.secret);
	if (plan_first(&wish, a, &l) != ERR_OK) return false;
	struct packer measure = {0};
	layout_encode(&measure, &l);
	struct packer p = {.to = arena_take(a, measure.len), .capacity = measure.len};
	if (p.to == NULL) return false;
	layout_encode(&p, &l);
	*out = bytes_of(p.to, p.len);
	return true;
}

static bool fits_list(const struct node *n, uint32_t members)
{
	return members == n->config.expect && 2 * members > n->list_size;
}

static void propose(struct node *n, struct effects *fx)
{
	struct arena scratch;
	arena_init(&scratch, &n->pool);
	struct member *members = arena_take(&scratch, MEMBERS_MAX * sizeof *members);
	uint32_t count = members == NULL ? 0 : candidates(n, members, MEMBERS_MAX);
	uint32_t expect = n->config.expect;
	assert(expect > 0);
	bool alone = n->list_size == 0;
	struct bytes layout;
	/* The least id proposes, so that mostly one node does. */
	if (count >= expect && members[0].id.v == n->self.v && (alone || fits_list(n, expect)) &&
	    make_layout(n, &scratch, members, expect, &layout)) {
		if (alone)
			store(n, CHORE_LAYOUT, META_LAYOUT, layout, fx);
		else
			vote_for(n, layout, fx);
	}
	arena_free(&scratch);
}

/* Our own proposal: ask those who have not voted for it; all of them have: it stands. */
static void pursue(struct node *n, const struct layout *l, struct effects *fx)
{
	bool all = true;
	for (uint32_t i = 0; i < l->member_count && effects_have_room(fx); i++) {
		if (l->members[i].id.v == n->self.v) continue;
		const struct peer *p = member_find(n, l->members[i].id);
		if (p != NULL && p->voted) continue;
		all = false;
		if (p != NULL && p->connected)
			emit_msg(n, fx, p->id, MSG_PROPOSE, (struct ticket){0})->propose.layout = n->vote;
	}
	if (all) store(n, CHORE_LAYOUT, META_LAYOUT, n->vote, fx);
}

void form_tick(struct node *n, struct effects *fx)
{
	n->form_due = false;
	if (n->forming || n->foreign_layout) return;
	if (n->vote.len == 0) {
		propose(n, fx);
		return;
	}
	struct arena scratch;
	struct layout l;
	arena_init(&scratch, &n->pool);
	if (layout_decode(n->vote, &scratch, &l) == ERR_OK && l.members[0].id.v == n->self.v)
		pursue(n, &l, fx);
	arena_free(&scratch);
}

/* ---- answering --------------------------------------------------------------------------------------------- */

static bool proposal_fits(struct node *n, struct node_id from, struct bytes layout)
{
	struct arena scratch;
	struct layout l;
	arena_init(&scratch, &n->pool);
	bool fits = layout_decode(layout, &scratch, &l) == ERR_OK && l.epoch.v == 1 &&
	            layout_find(&l, n->self) >= 0 && l.members[0].id.v == from.v &&
	            fits_list(n, l.member_count);
	arena_free(&scratch);
	return fits;
}

void form_on_propose(struct node *n, struct node_id from, const struct msg *m, struct effects *fx)
{
	struct bytes layout = m->propose.layout;
	if (n->phase != NODE_FORMING || !proposal_fits(n, from, layout)) return;
	if (n->vote.len == 0) {
		vote_for(n, layout, fx); /* told to the proposer when it asks again, once durable */
		return;
	}
	if (!n->vote_durable || !bytes_equal(n->vote, layout)) return;
	struct msg *answer = emit_msg(n, fx, from, MSG_VOTE, (struct ticket){0});
	memcpy(answer->vote.hash, n->vote_hash, sizeof answer->vote.hash);
}

void form_on_vote(struct node *n, struct node_id from, const struct msg *m, struct effects *fx)
{
	struct peer *p = member_find(n, from);
	if (n->phase != NODE_FORMING || n->vote.len == 0 || p == NULL) return;
	if (memcmp(m->vote.hash, n->vote_hash, sizeof n->vote_hash) != 0) return;
	p->voted = true;
	if (!n->forming) form_tick(n, fx);
}

static bool names_us(struct node *n, struct bytes layout)
{
	struct arena scratch;
	struct layout l;
	arena_init(&scratch, &n->pool);
	bool named = layout_decode(layout, &scratch, &l) == ERR_OK && layout_find(&l, n->self) >= 0;
	arena_free(&scratch);
	return named;
}

/* Only what we voted for can stand with us in it. So where one stands that names us, and we know of no
 * vote at all, we did vote: our disk is a copy from before that (memory.c finds it out). */
void form_on_layout(struct node *n, struct node_id from, const struct msg *m, struct effects *fx)
{
	(void)from;
	struct bytes layout = m->layout.layout;
	if (n->phase != NODE_FORMING || n->forming) return;
	bool voted = n->vote.len > 0;
	if (voted ? n->vote_durable && bytes_equal(n->vote, layout) : names_us(n, layout))
		store(n, CHORE_LAYOUT, META_LAYOUT, layout, fx);
}

const char *form_trouble(const struct node *n)
{
	if (n->foreign_layout)
		return "the stored layout does not name this node: wrong data directory?";
	if (n->vote.len > 0) return "forming: voted; waiting for the votes of the other members";
	if (n->list_size > 0 && !fits_list(n, n->config.expect))
		return "`expect` must be more than half of the join list: no layout can stand";
	return "forming: waiting until as many nodes as `expect` says can be reached";
}
