/* coord_get.c - one read, from the first question to the repair of who was stale.
 *
 *   WAITING --R answers--> REPLIED --all in, or straggler time--> repair --> free
 *       \____cannot be met, or deadline____/
 *
 * All of the preference list is asked. Answers are merged; vectors decide, never clocks. Replicas that
 * hold other siblings than the merge are sent it as an ordinary write. A DELETE without a context runs
 * this first, and goes on as a put with what it found.
 * Always true: a not-found of a replica that does not vouch for its memory counts for nothing, and
 * nothing of it counts towards pr. */
#include "core/context.h"
#include "core/core.h"
#include "core/trace.h"

static void advance(struct node *n, struct coord *c, struct effects *fx);

static void ask(struct node *n, struct coord *c, uint32_t i, struct effects *fx)
{
	uint16_t member = c->targets[i].member;
	if (traced(c)) trace_asked(n, c, member);
	if (member != n->self_member) {
		struct msg *m = emit_msg(n, fx, n->layout.members[member].id, MSG_GET, c->slot.self);
		m->get.key = c->request.key;
		return;
	}
	struct bytes key;
	if (store_key_make(&c->slot.arena, c->hash, c->request.key, &key))
		emit_read(fx, &c->slot, STORE_OBJECTS, key);
	else
		quorum_note(&c->quorum, i, false);
}

void get_begin(struct node *n, struct coord *c, struct effects *fx)
{
	uint32_t primaries_up = coord_targets(n, c);
	struct reply r = {.outcome = c->request.op == REQUEST_GET ? OUTCOME_DONE : OUTCOME_NONE,
	                  .n = c->needs.n};
	uint32_t up = quorum_open(&c->quorum);
	if (primaries_up < c->needs.pr)
		r.err = ERR_PR_UNMET, r.got = (uint8_t)primaries_up, r.need = c->needs.pr;
	else if (up < c->needs.r)
		r.err = ERR_R_UNMET, r.got = (uint8_t)up, r.need = c->needs.r;
	if (r.err != ERR_OK) {
		coord_reply(n, c, &r, fx);
		coord_end(n, c);
		return;
	}
	c->errors = c->target_count - up;
	c->phase = GET_WAITING;
	slot_set_timer(n, &c->slot, c->deadline);
	if (traced(c)) trace_down(n, c);
	for (uint32_t i = 0; i < c->target_count; i++)
		if (quorum_is_open(&c->quorum, i)) ask(n, c, i, fx);
	advance(n, c, fx);
}

/* ---- what was found --------------------------------------------------------------------------------- */

/* The merge of all that was answered so far, in the arena. */
static bool merge_found(struct coord *c, struct object *out)
{
	struct arena *a = &c->slot.arena;
	struct bytes last = BYTES_EMPTY;
	*out = (struct object){0};
	for (uint32_t i = 0; i < c->target_count; i++) {
		struct object o;
		if (!c->targets[i].found || bytes_equal(c->targets[i].object, last)) continue;
		last = c->targets[i].object;
		if (object_decode(a, last, &o) != ERR_OK || !object_merge(a, out, &o, out)) return false;
	}
	return true;
}

static const struct sibling *find_vtag(const struct reply *r, struct dot vtag)
{
	for (uint32_t i = 0; i < r->sibling_count; i++)
		if (dot_equal(r->siblings[i].dot, vtag)) return &r->siblings[i];
	return NULL;
}

/* Only one sibling: and so its dot is all that the client has been shown, unless told otherwise. */
static bool show_one(struct node *n, struct coord *c, struct reply *r)
{
	struct dvv just = {0};
	const struct sibling *s = find_vtag(r, c->request.options.vtag);
	if (s == NULL) {
		*r = (struct reply){.err = ERR_NO_VTAG, .n = c->needs.n};
		return true;
	}
	r->siblings = s;
	r->sibling_count = 1;
	if (n->config.riak_defaults) return true;
	return dvv_add(&c->slot.arena, &just, s->dot, &just) &&
	       coord_context(n, c, &just, s, 1, &r->context);
}

static enum err fill_reply(struct node *n, struct coord *c, struct object *o, struct reply *r)
{
	if (!c->mult) n->counters.siblings_dropped_lww += object_keep_newest(o);
	if (o->sibling_count > 1) n->counters.siblings_seen++;
	if (!object_show(&c->slot.arena, o, &r->siblings, &r->sibling_count) ||
	    !coord_context(n, c, &o->seen, r->siblings, r->sibling_count, &r->context))
		return ERR_BUSY;
	r->deleted = object_is_deleted(o);
	if (c->request.options.has_vtag) return show_one(n, c, r) ? ERR_OK : ERR_BUSY;
	if (r->deleted) {
		r->err = ERR_NOT_FOUND;
		r->siblings = NULL;
		r->sibling_count = 0;
	}
	return ERR_OK;
}

static void reply_found(struct node *n, struct coord *c, struct effects *fx)
{
	struct object o;
	struct reply r = {.n = c->needs.n};
	if (!merge_found(c, &o)) {
		coord_fail(n, c, ERR_BUSY, c->request.op == REQUEST_GET ? OUTCOME_DONE : OUTCOME_NONE, fx);
		return;
	}
	if (c->conditional) {
		condition_go_on(n, c, &o, fx);
		return;
	}
	if (c->blind_delete && o.sibling_count > 0 && !object_is_deleted(&o)) {
		c->context = o.seen;
		put_begin(n, c, fx);
		return;
	}
	if (o.sibling_count == 0)
		r.err = ERR_NOT_FOUND;
	else {
		enum err e = fill_reply(n, c, &o, &r);
		if (e != ERR_OK) r = (struct reply){.err = e, .n = c->needs.n};
	}
	coord_reply(n, c, &r, fx);
}

/* ---- repair -------------------------------------------------------------------------------------------- */

static bool is_stale(struct coord *c, const struct target *t, const struct object *merged)
{
	struct object o;
	if (!t->found) return merged->sibling_count > 0;
	return object_decode(&c->slot.arena, t->object, &o) == ERR_OK &&
	       !object_same_siblings(&o, merged);
}

static void repair(struct node *n, struct coord *c, struct effects *fx)
{
	struct object merged;
	if (!merge_found(c, &merged) || merged.sibling_count == 0) return;
	struct bytes object = BYTES_EMPTY;
	for (uint32_t i = 0; i < c->target_count; i++) {
		struct target *t = &c->targets[i];
		if (t->fallback || !t->answered || !is_stale(c, t, &merged)) continue;
		if (object.len == 0 && !object_encode(&c->slot.arena, &merged, &object)) return;
		n->counters.read_repairs++;
		struct ticket confirm = {0};
		if (traced(c)) confirm = trace_repair(n, c, i);
		if (t->member == n->self_member) {
			replica_merge_own(n, c->request.key, object, false, fx);
			continue;
		}
		struct node_id to = n->layout.members[t->member].id;
		struct msg *m = emit_msg(n, fx, to, MSG_PUT, confirm);
		m->put.key = c->request.key;
		m->put.object = object;
	}
}

/* ---- the verdict ----------------------------------------------------------------------------------------- */

static void reply_unmet(struct node *n, struct coord *c, struct effects *fx)
{
	const struct needs *k = &c->needs;
	struct reply r = {.outcome = c->request.op == REQUEST_GET ? OUTCOME_DONE : OUTCOME_NONE,
	                  .n = k->n};
	uint32_t may = quorum_got(&c->quorum) + quorum_open(&c->quorum);
	if (may < k->r)
		r.err = ERR_R_UNMET, r.need = k->r, r.got = (uint8_t)quorum_got(&c->quorum);
	else
		r.err = ERR_PR_UNMET, r.need = k->pr, r.got = (uint8_t)quorum_got_primary(&c->quorum);
	coord_reply(n, c, &r, fx);
}

/* Primaries that vouch and have said what they hold, be it nothing. */
static uint32_t primaries_answered(const struct coord *c)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < c->target_count; i++)
		count += c->targets[i].answered && (c->quorum.primary & 1U << i) != 0;
	return count;
}

/* With notfound_ok=false a not-found is a failure; but where all there is to hear is not-founds, that
 * is the answer. */
static enum quorum_verdict verdict(const struct coord *c)
{
	enum quorum_verdict v = quorum_verdict(&c->quorum, c->needs.r, c->needs.pr);
	if (c->needs.notfound_ok || v == QUORUM_MET || primaries_answered(c) < c->needs.pr) return v;
	if (c->needs.basic_quorum && c->notfounds >= c->needs.n / 2U + 1) return QUORUM_MET;
	if (quorum_got(&c->quorum) > 0 || c->errors > 0) return v;
	return c->notfounds == c->target_count ? QUORUM_MET : QUORUM_WAIT;
}

static void judge(struct node *n, struct coord *c, struct effects *fx)
{
	enum quorum_verdict v = verdict(c);
	if (traced(c)) trace_quorum(n, c, v);
	switch (v) {
	case QUORUM_MET: reply_found(n, c, fx); break;
	case QUORUM_LOST: reply_unmet(n, c, fx); break;
	case QUORUM_WAIT:
		if (n->now.us >= c->deadline.us)
			coord_fail(n, c, ERR_TIMEOUT,
			           c->request.op == REQUEST_GET ? OUTCOME_DONE : OUTCOME_NONE, fx);
		break;
	}
}

static void advance(struct node *n, struct coord *c, struct effects *fx)
{
	if (c->phase == GET_WAITING) judge(n, c, fx);
	if (c->phase != GET_WAITING && c->phase != GET_REPLIED) return; /* it went on as a put */
	if (!c->replied) return;
	if (c->phase == GET_WAITING) {
		c->phase = GET_REPLIED;
		slot_set_timer(n, &c->slot, instant_after(n->now, READ_STRAGGLER_US));
	}
	if (quorum_open(&c->quorum) > 0 && n->now.us < c->slot.timer.at.us) return;
	repair(n, c, fx);
	if (traced(c) && trace_awaits_repairs(n, c)) return;
	coord_end(n, c);
}

/* ---- answers ------------------------------------------------------------------------------------------------ */

/* What the answer is worth: counted, not found (and that is not enough), or an error. */
static void note(struct coord *c, uint32_t i, const struct msg_get_reply *answer)
{
	struct target *t = &c->targets[i];
	bool found = answer->err == ERR_OK;
	bool absent = answer->err == ERR_NOT_FOUND && answer->vouched;
	t->answered = found || answer->err == ERR_NOT_FOUND;
	t->found = found;
	if (absent) c->notfounds++;
	if (!found && !absent) c->errors++;
	if (!answer->vouched) c->quorum.primary &= ~(1U << i);
	quorum_note(&c->quorum, i, found || (absent && c->needs.notfound_ok));
}

void get_on_answer(struct node *n, struct coord *c, uint16_t member,
                   const struct msg_get_reply *answer, struct effects *fx)
{
	uint32_t i;
	bool reading = c->phase == GET_WAITING || c->phase == GET_REPLIED;
	struct target *t = reading ? coord_target(c, member, &i) : NULL;
	if (t == NULL || t->answered || !quorum_is_open(&c->quorum, i)) {
		n->counters.late_answers++;
		return;
	}
	struct msg_get_reply kept = *answer;
	struct object o = {0};
	bool ok = true;
	t->object = arena_copy(&c->slot.arena, answer->object, &ok);
	if (!ok) kept.err = ERR_BUSY;
	/* A damaged object of a peer is an answer that does not count; its owner finds out by itself. */
	if (kept.err == ERR_OK && object_decode(&c->slot.arena, t->object, &o) != ERR_OK)
		kept.err = ERR_CORRUPT;
	if (kept.err == ERR_OK && o.sibling_count == 0) kept.err = ERR_BAD_BYTES;
	note(c, i, &kept);
	if (traced(c)) trace_found(n, c, i, kept.err, kept.vouched);
	advance(n, c, fx);
}

void get_on_timer(struct node *n, struct coord *c, struct effects *fx)
{
	advance(n, c, fx);
}

void get_on_peers_changed(struct node *n, struct coord *c, struct effects *fx)
{
	for (uint32_t i = 0; i < c->target_count; i++) {
		if (!quorum_is_open(&c->quorum, i) || member_set_has(&n->up, c->targets[i].member))
			continue;
		c->errors++;
		if (traced(c)) trace_lost(n, c, i);
		quorum_note(&c->quorum, i, false);
	}
	advance(n, c, fx);
}
