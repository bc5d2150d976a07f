/* forward.c - a write on a node that may not mint for its key: handed to one that may, once.
 *
 *   FORWARDED --answer--> replied
 *       |  ^  \--it went down, or deadline--> replied, outcome unknown
 *       v  | refused before minting
 *     the next member of the preference list */
#include "core/core.h"
#include "core/trace.h"

/* Newest first in each set; the oldest of a set is forgotten. */
bool forward_is_repeated(struct node *n, struct node_id from, struct ticket id)
{
	uint64_t mixed = (from.v ^ id.v) * 0x9e3779b97f4a7c15U;
	struct forward_seen *set =
		&n->forwards[(mixed >> 32) % (FORWARDS_REMEMBERED / FORWARD_WAYS) * FORWARD_WAYS];
	for (uint32_t i = 0; i < FORWARD_WAYS; i++)
		if (set[i].from.v == from.v && set[i].id.v == id.v) return true;
	memmove(set + 1, set, (FORWARD_WAYS - 1) * sizeof *set);
	set[0] = (struct forward_seen){from, id};
	return false;
}

/* The next member of the preference list that was not tried; with conditions, the next primary. */
static bool next_member(struct node *n, struct coord *c, uint16_t *out)
{
	for (uint32_t i = 0; i < c->target_count; i++) {
		uint16_t member = c->targets[i].member;
		if (member == n->self_member || !member_set_has(&n->up, member)) continue;
		if (member_set_has(&c->tried, member)) continue;
		if (c->conditional && c->targets[i].fallback) continue;
		*out = member;
		return true;
	}
	return false;
}

static void send(struct node *n, struct coord *c, enum err none_left, struct effects *fx)
{
	if (!next_member(n, c, &c->forwarded_to)) {
		coord_fail(n, c, none_left, OUTCOME_NONE, fx);
		coord_end(n, c);
		return;
	}
	member_set_add(&c->tried, c->forwarded_to);
	n->counters.forwards_sent++;
	c->phase = FORWARDED;
	if (traced(c)) trace_forwarded(n, c);
	slot_set_timer(n, &c->slot, c->deadline);
	struct node_id to = n->layout.members[c->forwarded_to].id;
	struct msg *m = emit_msg(n, fx, to, MSG_FORWARD, c->slot.self);
	m->forward.request = c->request;
	m->forward.request.options.timeout_us = c->deadline.us - n->now.us;
}

enum err forward_reason(const struct node *n, struct coord *c)
{
	uint32_t index;
	if (n->clock_off) return ERR_CLOCK;
	if (!n->memory.confirmed) return ERR_NOT_READY;
	if (reap_is_behind(n)) return ERR_LATE;
	if (n->now.us < n->full_until.us) return ERR_FULL;
	const struct target *self = coord_target(c, n->self_member, &index);
	bool stands_in = self != NULL && self->fallback;
	return stands_in ? stand_in_room(n, 0, c->request.value.len) : ERR_OK;
}

void forward_begin(struct node *n, struct coord *c, struct effects *fx)
{
	enum err why = forward_reason(n, c);
	if (why == ERR_NO_ROOM) n->counters.stand_ins_refused++;
	if (c->remote) {
		coord_fail(n, c, why == ERR_OK ? ERR_NOT_MEMBER : why, OUTCOME_NONE, fx);
		coord_end(n, c);
		return;
	}
	send(n, c, why == ERR_OK ? ERR_UNREACHABLE : why, fx);
}

static bool refused_before_mint(const struct msg_forward_reply *f)
{
	if (f->outcome != OUTCOME_NONE) return false;
	return f->err == ERR_BUSY || f->err == ERR_NOT_READY || f->err == ERR_NOT_MEMBER ||
	       f->err == ERR_CLOCK || f->err == ERR_FULL || f->err == ERR_STORE ||
	       f->err == ERR_NO_ROOM || f->err == ERR_DRAINING || f->err == ERR_LATE;
}

void forward_on_reply(struct node *n, struct coord *c, uint16_t member, const struct msg *m,
                      struct effects *fx)
{
	const struct msg_forward_reply *f = &m->forward_reply;
	if (c->phase != FORWARDED || c->forwarded_to != member) {
		n->counters.late_answers++;
		return;
	}
	if (traced(c)) trace_forward_answered(n, c, f);
	if (refused_before_mint(f) && n->now.us < c->deadline.us) {
		send(n, c, f->err, fx);
		return;
	}
	struct arena *a = &c->slot.arena;
	bool ok = true;
	struct reply r = {.err = f->err,
	                  .outcome = f->outcome,
	                  .got = f->got,
	                  .need = f->need,
	                  .n = f->n,
	                  .fallbacks = f->fallbacks,
	                  .deleted = f->deleted,
	                  .written = f->written,
	                  .dot = f->dot};
	r.context = arena_copy(a, f->context, &ok);
	struct bytes object = arena_copy(a, f->object, &ok);
	struct object o = {0};
	if (object.len > 0 && ok && object_decode(a, object, &o) == ERR_OK) {
		r.siblings = o.siblings;
		r.sibling_count = o.sibling_count;
	}
	coord_reply(n, c, &r, fx);
	coord_end(n, c);
}

static void give_up(struct node *n, struct coord *c, enum err e, struct effects *fx)
{
	coord_fail(n, c, e, OUTCOME_UNKNOWN, fx);
	coord_end(n, c);
}

void forward_on_timer(struct node *n, struct coord *c, struct effects *fx)
{
	give_up(n, c, ERR_TIMEOUT, fx);
}

void forward_on_peers_changed(struct node *n, struct coord *c, struct effects *fx)
{
	if (!member_set_has(&n->up, c->forwarded_to)) give_up(n, c, ERR_UNREACHABLE, fx);
}

/* Siblings travel as an object that has seen exactly them. */
static struct bytes pack_shown(struct coord *c, const struct reply *r)
{
	struct object o = {.siblings = r->siblings, .sibling_count = r->sibling_count};
	struct bytes out = BYTES_EMPTY;
	for (uint32_t i = 0; i < r->sibling_count; i++)
		if (!dvv_add(&c->slot.arena, &o.seen, r->siblings[i].dot, &o.seen)) return BYTES_EMPTY;
	if (r->sibling_count > 0 && !object_encode(&c->slot.arena, &o, &out)) return BYTES_EMPTY;
	return out;
}

void forward_send_reply(struct node *n, struct coord *c, const struct reply *r, struct effects *fx)
{
	struct bytes object = pack_shown(c, r);
	struct msg *m = emit_msg(n, fx, c->remote_node, MSG_FORWARD_REPLY, c->remote_id);
	m->forward_reply = (struct msg_forward_reply){.err = r->err,
	                                              .outcome = r->outcome,
	                                              .got = r->got,
	                                              .need = r->need,
	                                              .n = r->n,
	                                              .fallbacks = r->fallbacks,
	                                              .deleted = r->deleted,
	                                              .written = r->written,
	                                              .minted = c->minted,
	                                              .dot = r->dot,
	                                              .context = r->context,
	                                              .object = object};
	if (traced(c)) m->forward_reply.http = n->config.http;
}
