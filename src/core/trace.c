/* trace.c - see trace.h: the steps of a traced request as effects.
 *
 * Always true: only traced requests come here; nothing here changes what a request does, but that a
 * read which repaired somebody stays until they have confirmed it, READ_STRAGGLER_US at most:
 *
 *   GET_REPLIED --repairs sent--> GET_REPAIRING --all confirmed, or time over--> free */
#include "core/trace.h"

const char *trace_kind_name(enum trace_kind kind)
{
	static const char *const names[TRACE_KIND_COUNT] = {
#define X(name, text) text,
		TRACE_KINDS(X)
#undef X
	};
	assert(kind < TRACE_KIND_COUNT);
	return names[kind];
}

static struct trace_step *tell_of(struct node *n, struct trace_id trace, enum trace_kind kind)
{
	assert(trace.v != 0);
	struct trace_step *s = &emit(n->step_effects, FX_TRACE, (struct ticket){0})->trace;
	*s = (struct trace_step){.trace = trace, .kind = kind, .at = n->now};
	return s;
}

static struct trace_step *tell(struct node *n, const struct coord *c, enum trace_kind kind)
{
	struct trace_step *s = tell_of(n, c->request.trace, kind);
	s->late = c->replied;
	return s;
}

/* The same of one of those who are asked. */
static struct trace_step *tell_target(struct node *n, const struct coord *c, uint32_t target,
                                      enum trace_kind kind)
{
	assert(target < c->target_count);
	const struct target *t = &c->targets[target];
	const uint16_t *primaries = n->layout.primaries + c->partition.v * n->layout.replicas;
	struct trace_step *s = tell(n, c, kind);
	s->node = n->layout.members[t->member].id;
	s->place = (uint8_t)(t->place + 1);
	if (t->fallback) s->stands_for = n->layout.members[primaries[t->place]].id;
	s->write = c->writing;
	return s;
}

/* ---- coming in ------------------------------------------------------------------------------------ */

void trace_admitted(struct node *n, const struct coord *c, struct bytes key, enum err e)
{
	struct trace_step *s = tell(n, c, TRACE_ADMITTED);
	const struct needs *k = &c->needs;
	if (c->remote) s->node = c->remote_node;
	s->op = c->request.op;
	s->key = key;
	s->err = e;
	s->n = k->n, s->r = k->r, s->pr = k->pr;
	s->w = k->w, s->pw = k->pw, s->dw = k->dw, s->confirms = k->confirms;
}

void trace_refused(struct node *n, const struct request *r, struct node_id from, enum err e)
{
	struct trace_step *s = tell_of(n, r->trace, TRACE_ADMITTED);
	s->node = from;
	s->op = r->op;
	s->key = r->key;
	s->err = e;
	s = tell_of(n, r->trace, TRACE_REPLIED);
	s->err = e;
	s->outcome = OUTCOME_NONE;
	tell_of(n, r->trace, TRACE_ENDED)->late = true;
}

void trace_forwarded(struct node *n, struct coord *c)
{
	uint32_t index;
	struct trace_step *s = tell(n, c, TRACE_FORWARDED);
	s->node = n->layout.members[c->forwarded_to].id;
	s->err = forward_reason(n, c);
	if (s->err == ERR_OK && coord_target(c, n->self_member, &index) == NULL)
		s->err = ERR_NOT_MEMBER;
}

void trace_forward_answered(struct node *n, const struct coord *c,
                            const struct msg_forward_reply *f)
{
	struct trace_step *s = tell(n, c, TRACE_ANSWER_OF_FORWARD);
	s->node = n->layout.members[c->forwarded_to].id;
	s->err = f->err;
	s->outcome = f->outcome;
	s->http = f->http;
}

/* ---- asking, and being answered ------------------------------------------------------------------- */

void trace_plain(struct node *n, struct coord *c, enum trace_kind kind)
{
	tell(n, c, kind);
	if (kind != TRACE_TURN) return;
	c->writing = true;
	c->asked = 0; /* whom a read asked before is of no interest now */
}

void trace_minted(struct node *n, struct coord *c)
{
	tell(n, c, TRACE_MINTED)->dot = c->dot;
	trace_down(n, c);
	trace_asked(n, c, n->self_member);
}

void trace_down(struct node *n, const struct coord *c)
{
	for (uint32_t i = 0; i < c->target_count; i++)
		if ((c->quorum.bad & 1U << i) != 0) tell_target(n, c, i, TRACE_DOWN);
}

void trace_asked(struct node *n, struct coord *c, uint16_t member)
{
	uint32_t i;
	if (coord_target(c, member, &i) == NULL) return;
	c->asked |= 1U << i;
	tell_target(n, c, i, TRACE_ASKED);
}

void trace_about(struct node *n, const struct coord *c, uint32_t target, enum trace_kind kind)
{
	tell_target(n, c, target, kind);
}

static void describe(struct trace_step *s, const struct sibling *siblings, uint32_t count)
{
	s->siblings = count;
	for (uint32_t i = 0; i < count; i++) {
		s->bytes += siblings[i].value.len;
		s->tombstones += siblings[i].tombstone;
		if (siblings[i].dot.at.v > s->dot.at.v) s->dot = siblings[i].dot;
	}
}

void trace_found(struct node *n, struct coord *c, uint32_t target, enum err e, bool vouched)
{
	struct object o;
	struct trace_step *s = tell_target(n, c, target, TRACE_ANSWERED);
	s->err = e;
	s->vouched = vouched;
	s->counted = !c->replied && (c->quorum.ok & 1U << target) != 0;
	if (e == ERR_OK && object_decode(&c->slot.arena, c->targets[target].object, &o) == ERR_OK)
		describe(s, o.siblings, o.sibling_count);
}

void trace_acked(struct node *n, const struct coord *c, uint32_t target, enum err e)
{
	/* It counts once; what our own store answers later is of hints. */
	if (!quorum_is_open(&c->quorum, target)) return;
	struct trace_step *s = tell_target(n, c, target, TRACE_ANSWERED);
	s->err = e;
	s->counted = !c->replied && e == ERR_OK;
}

void trace_lost(struct node *n, const struct coord *c, uint32_t target)
{
	bool asked = (c->asked & 1U << target) != 0;
	if (asked && quorum_is_open(&c->quorum, target)) tell_target(n, c, target, TRACE_LOST);
}

/* ---- deciding ------------------------------------------------------------------------------------- */

static void count_answers(struct trace_step *s, const struct coord *c)
{
	const struct needs *k = &c->needs;
	if (c->phase == FORWARDED) return; /* others count */
	s->write = c->writing;
	s->got = (uint8_t)quorum_got(&c->quorum);
	s->got_primary = (uint8_t)quorum_got_primary(&c->quorum);
	s->need = k->replies;
	s->need_primary = k->pr;
	if (!c->writing) return;
	s->need = k->w > k->dw ? k->w : k->dw;
	if (k->confirms > s->need) s->need = k->confirms;
	s->need_primary = k->pw;
}

void trace_quorum(struct node *n, const struct coord *c, enum quorum_verdict v)
{
	if (v == QUORUM_WAIT) return;
	struct trace_step *s = tell(n, c, TRACE_QUORUM);
	count_answers(s, c);
	s->err = v == QUORUM_MET ? ERR_OK : c->writing ? ERR_W_UNMET : ERR_R_UNMET;
}

void trace_judged(struct node *n, const struct coord *c, enum err e)
{
	tell(n, c, TRACE_JUDGED)->err = e;
}

void trace_hinted(struct node *n, const struct coord *c, struct node_id primary)
{
	tell(n, c, TRACE_HINTED)->node = primary;
}

void trace_replied(struct node *n, const struct coord *c, const struct reply *r)
{
	struct trace_step *s = tell(n, c, TRACE_REPLIED);
	count_answers(s, c);
	s->late = false;
	s->err = r->err;
	s->outcome = r->outcome;
	s->fallbacks = r->fallbacks;
	describe(s, r->siblings, r->sibling_count);
	if (r->written) s->dot = r->dot;
}

void trace_ended(struct node *n, const struct coord *c)
{
	for (uint32_t i = 0; i < c->target_count; i++) {
		bool unanswered =
			quorum_is_open(&c->quorum, i) && (c->asked & 1U << i) != 0 && !c->targets[i].summarized;
		if (unanswered || (c->repairing & 1U << i) != 0) tell_target(n, c, i, TRACE_SILENT);
	}
	tell(n, c, TRACE_ENDED);
}

/* ---- repair --------------------------------------------------------------------------------------- */

struct ticket trace_repair(struct node *n, struct coord *c, uint32_t target)
{
	tell_target(n, c, target, TRACE_REPAIR);
	if (c->targets[target].member != n->self_member) c->repairing |= 1U << target;
	return c->slot.self;
}

bool trace_awaits_repairs(struct node *n, struct coord *c)
{
	if (c->repairing == 0) return false;
	c->phase = GET_REPAIRING;
	slot_set_timer(n, &c->slot, instant_after(n->now, READ_STRAGGLER_US));
	return true;
}

void trace_on_repaired(struct node *n, struct coord *c, uint16_t member, enum err e)
{
	uint32_t i;
	assert(c->phase == GET_REPAIRING);
	if (coord_target(c, member, &i) == NULL || (c->repairing & 1U << i) == 0) return;
	c->repairing &= ~(1U << i);
	tell_target(n, c, i, TRACE_REPAIRED)->err = e;
	if (c->repairing == 0) coord_end(n, c);
}
