/* coord_get.c - one read, from the first question to the repair of who was stale.
 *
 *   WAITING --R answers--> REPLIED --all that were asked are in, or straggler time--> repair --> free
 *       \____cannot be met, or deadline____/
 *
 * Whom it asks, and when one more: read_plan.c. Answers are merged; vectors decide, never clocks. Replicas
 * that hold other siblings than the merge are sent it as an ordinary write. A DELETE without a context
 * runs this first, and goes on as a put with what it found.
 * A large object comes from one replica; the others give a digest, and what their object has seen. Such an
 * answer counts once all of that object is at hand: another one's has the same digest, or has seen all
 * that it has; else it is fetched.
 * Always true: a not-found of a replica that does not vouch for its memory counts for nothing, and
 * nothing of it counts towards pr. */
#include "core/context.h"
#include "core/core.h"
#include "core/trace.h"

static void advance(struct node *n, struct coord *c, struct effects *fx);

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
	else if (up < c->needs.replies)
		r.err = ERR_CONFIRMS_UNMET, r.got = (uint8_t)up, r.need = c->needs.replies;
	if (r.err != ERR_OK) {
		coord_reply(n, c, &r, fx);
		coord_end(n, c);
		return;
	}
	c->errors = c->target_count - up;
	c->phase = GET_WAITING;
	read_plan(n, c);
	if (traced(c)) trace_down(n, c);
	advance(n, c, fx);
}

/* ---- what was found --------------------------------------------------------------------------------- */

/* The usual case: nobody holds other bytes than the others. */
static bool all_alike(const struct coord *c)
{
	const struct target *first = NULL;
	for (uint32_t i = 0; i < c->target_count; i++) {
		const struct target *t = &c->targets[i];
		if (!t->answered) continue;
		if (first == NULL) first = t;
		if (t->found != first->found || !bytes_equal(t->object, first->object)) return false;
		if (t->found && t->object.len == 0) return false;
	}
	return true;
}

/* A replica that vouches has seen everything up to the horizon: what it does not hold of that is gone. (One
 * that sent a digest holds nothing else than the others, or less that it has seen.) */
static bool forget_covered(struct node *n, struct coord *c, struct object *merged)
{
	for (uint32_t i = 0; i < c->target_count && n->reap.horizon.v > 0; i++) {
		const struct target *t = &c->targets[i];
		struct object o = {0};
		bool vouches = t->answered && !t->fallback && (c->quorum.primary & 1U << i) != 0;
		if (!vouches || (t->found && t->object.len == 0)) continue;
		if (object_decode(&c->slot.arena, t->object, &o) != ERR_OK ||
		    !object_without_covered(&c->slot.arena, merged, &o, n->reap.horizon, merged))
			return false;
	}
	return true;
}

/* The merge of all that was answered so far, in the arena. */
static bool merge_found(struct node *n, struct coord *c, struct object *out)
{
	struct arena *a = &c->slot.arena;
	struct bytes last = BYTES_EMPTY;
	*out = (struct object){0};
	for (uint32_t i = 0; i < c->target_count; i++) {
		struct object o;
		const struct target *t = &c->targets[i];
		if (!t->found || t->object.len == 0 || bytes_equal(t->object, last)) continue;
		last = t->object;
		if (object_decode(a, last, &o) != ERR_OK || !object_merge(a, out, &o, out)) return false;
	}
	return all_alike(c) || forget_covered(n, c, out);
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
	if (!c->mult && !c->request.as_counter)
		n->counters.siblings_dropped_lww += object_keep_newest(o);
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

/* The answers so far have not seen what the client asks for: all the others, then. */
static void widen(struct node *n, struct coord *c, struct effects *fx)
{
	if (!c->everyone) n->counters.reads_widened++;
	c->everyone = true;
	read_ask(n, c, fx);
	if (quorum_open(&c->quorum) == 0 || n->now.us >= c->deadline.us)
		coord_fail(n, c, ERR_NOT_SEEN, OUTCOME_DONE, fx);
}

/* Primaries that vouch and have said what they hold, be it nothing. */
static uint32_t primaries_answered(const struct coord *c)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < c->target_count; i++)
		count += c->targets[i].answered && (c->quorum.primary & 1U << i) != 0;
	return count;
}

/* All that the client asks for? A replica that vouches has seen everything up to the horizon. */
static bool has_seen(const struct node *n, const struct coord *c, const struct object *o)
{
	struct hlc h = primaries_answered(c) > 0 ? n->reap.horizon : (struct hlc){0};
	return dvv_includes_above(&o->seen, &c->at_least, h);
}

static void reply_found(struct node *n, struct coord *c, struct effects *fx)
{
	struct object o;
	struct reply r = {.n = c->needs.n};
	if (!merge_found(n, c, &o)) {
		coord_fail(n, c, ERR_BUSY, c->request.op == REQUEST_GET ? OUTCOME_DONE : OUTCOME_NONE, fx);
		return;
	}
	if (c->conditional) {
		condition_go_on(n, c, &o, fx);
		return;
	}
	if (!has_seen(n, c, &o)) {
		widen(n, c, fx);
		return;
	}
	if (!object_as_of(&c->slot.arena, &o, member_now_ms(n), &o)) {
		coord_fail(n, c, ERR_BUSY, c->request.op == REQUEST_GET ? OUTCOME_DONE : OUTCOME_NONE, fx);
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
	if (t->object.len == 0) return t->differs;
	return object_decode(&c->slot.arena, t->object, &o) == ERR_OK &&
	       !object_same_siblings(&o, merged);
}

static void repair(struct node *n, struct coord *c, struct effects *fx)
{
	struct object merged;
	if (all_alike(c)) return;
	if (!merge_found(n, c, &merged) || merged.sibling_count == 0) return;
	struct bytes object = BYTES_EMPTY;
	for (uint32_t i = 0; i < c->target_count; i++) {
		struct target *t = &c->targets[i];
		if (t->fallback || !t->answered || !is_stale(c, t, &merged)) continue;
		if (object.len == 0 && !object_encode(&c->slot.arena, &merged, &object)) return;
		n->counters.read_repairs++;
		struct ticket confirm = {0};
		if (traced(c)) confirm = trace_repair(n, c, i);
		if (t->member == n->self_member) {
			replica_merge_own(n, c->request.key, object, false, false, fx);
			continue;
		}
		struct node_id to = n->layout.members[t->member].id;
		struct msg *m = emit_msg(n, fx, to, MSG_PUT, confirm);
		m->put.key = c->request.key;
		m->put.object = object;
		m->put.fence = n->reap.told;
	}
}

/* What the answer is worth: counted, not found (and that is not enough), or an error. */
static void note(struct node *n, struct coord *c, uint32_t i, enum err e, bool vouched)
{
	struct target *t = &c->targets[i];
	bool found = e == ERR_OK;
	bool absent = e == ERR_NOT_FOUND && vouched;
	t->answered = found || e == ERR_NOT_FOUND;
	t->found = found;
	if (absent) c->notfounds++;
	if (!found && !absent) c->errors++;
	quorum_note(&c->quorum, i, found || (absent && c->needs.notfound_ok));
	if (traced(c)) trace_found(n, c, i, e, vouched);
}

/* ---- digests ------------------------------------------------------------------------------------------- */

static bool has_digest(struct node *n, struct coord *c, const struct target *t,
                       const uint8_t digest[16])
{
	struct object o;
	uint8_t its[16];
	struct arena *a = &c->slot.arena;
	return t->found && t->object.len > 0 && object_decode(a, t->object, &o) == ERR_OK &&
	       object_digest(a, n->layout.secret, c->request.key, &o, its) &&
	       memcmp(its, digest, sizeof its) == 0;
}

/* Is all that a summarized object holds at hand without it? */
static bool is_at_hand(struct node *n, struct coord *c, struct target *t)
{
	struct object merged;
	for (uint32_t i = 0; i < c->target_count; i++) {
		if (!has_digest(n, c, &c->targets[i], t->digest)) continue;
		t->object = c->targets[i].object;
		return true;
	}
	t->differs = merge_found(n, c, &merged) && dvv_includes(&merged.seen, &t->seen);
	return t->differs;
}

/* Is an object that may be the same one on its way? */
static bool is_on_its_way(const struct coord *c, const struct target *t)
{
	for (uint32_t i = 0; i < c->target_count; i++) {
		const struct target *o = &c->targets[i];
		bool same = !o->summarized || memcmp(o->digest, t->digest, sizeof t->digest) == 0;
		if (o->whole && o->asked && quorum_is_open(&c->quorum, i) && same) return true;
	}
	return false;
}

/* Count the summaries whose objects are at hand, and fetch those that differ. */
static void settle(struct node *n, struct coord *c, struct effects *fx)
{
	for (uint32_t i = 0; i < c->target_count; i++) {
		struct target *t = &c->targets[i];
		if (!t->summarized || t->whole || !quorum_is_open(&c->quorum, i)) continue;
		if (is_at_hand(n, c, t))
			note(n, c, i, ERR_OK, true);
		else if (!is_on_its_way(c, t))
			read_fetch(n, c, i, fx);
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
	else if (may < k->replies)
		r.err = ERR_CONFIRMS_UNMET, r.need = k->replies, r.got = (uint8_t)quorum_got(&c->quorum);
	else
		r.err = ERR_PR_UNMET, r.need = k->pr, r.got = (uint8_t)quorum_got_primary(&c->quorum);
	coord_reply(n, c, &r, fx);
}

/* With notfound_ok=false a not-found is a failure; but where all there is to hear is not-founds, that
 * is the answer. */
static enum quorum_verdict verdict(const struct coord *c)
{
	enum quorum_verdict v = quorum_verdict(&c->quorum, c->needs.replies, c->needs.pr);
	if (c->needs.notfound_ok || v == QUORUM_MET) return v;
	bool primaries = primaries_answered(c) >= c->needs.pr;
	if (primaries && c->needs.basic_quorum && c->notfounds >= c->needs.n / 2U + 1)
		return QUORUM_MET;
	if (quorum_got(&c->quorum) > 0 || c->errors > 0) return v;
	if (c->notfounds < c->target_count) return QUORUM_WAIT;
	return primaries ? QUORUM_MET : v;
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
	settle(n, c, fx);
	if (c->phase == GET_WAITING) {
		if (verdict(c) == QUORUM_WAIT) read_ask(n, c, fx);
		judge(n, c, fx);
	}
	if (c->phase != GET_WAITING && c->phase != GET_REPLIED) return; /* it went on as a put */
	if (!c->replied) {
		slot_set_timer(n, &c->slot, read_next(n, c));
		return;
	}
	bool late = c->phase == GET_REPLIED && n->now.us >= c->slot.timer.at.us;
	if (read_pending(c) == 0 || late) {
		repair(n, c, fx);
		if (traced(c) && trace_awaits_repairs(n, c)) return;
		coord_end(n, c);
	} else if (c->phase == GET_WAITING) {
		c->phase = GET_REPLIED;
		slot_set_timer(n, &c->slot, instant_after(n->now, READ_STRAGGLER_US));
	}
}

/* ---- answers ------------------------------------------------------------------------------------------------ */

/* The object itself. A damaged one of a peer is an answer that does not count; its owner finds out by
 * itself. One that a round of reaping lets go of is as good as gone: others have swept it already. */
static enum err take_object(struct node *n, struct coord *c, struct target *t, struct bytes object)
{
	struct object o = {0}, rest;
	bool ok = true;
	t->object = arena_copy(&c->slot.arena, object, &ok);
	if (!ok) return ERR_BUSY;
	enum err e = object_decode(&c->slot.arena, t->object, &o);
	if (e != ERR_OK) return e == ERR_BUSY ? e : ERR_CORRUPT;
	if (o.sibling_count == 0) return ERR_BAD_BYTES;
	if (!object_reap(&c->slot.arena, &o, n->reap.horizon, &rest)) return ERR_BUSY;
	if (rest.sibling_count > 0) return ERR_OK;
	t->object = BYTES_EMPTY;
	return ERR_NOT_FOUND;
}

/* Its digest, and what it has seen. */
static enum err take_summary(struct coord *c, struct target *t, const struct msg_get_reply *answer)
{
	bool ok = true;
	struct cursor at = cursor_of(arena_copy(&c->slot.arena, answer->seen, &ok));
	if (!ok) return ERR_BUSY;
	enum err e = dvv_unpack(&at, &c->slot.arena, &t->seen);
	if (e != ERR_OK) return e;
	memcpy(t->digest, answer->digest, sizeof t->digest);
	t->summarized = true;
	return cursor_finished(&at) ? ERR_OK : ERR_BAD_BYTES;
}

void get_on_answer(struct node *n, struct coord *c, uint16_t member,
                   const struct msg_get_reply *answer, struct effects *fx)
{
	uint32_t i;
	bool reading = c->phase == GET_WAITING || c->phase == GET_REPLIED;
	struct target *t = reading ? coord_target(c, member, &i) : NULL;
	bool summary = answer->err == ERR_OK && answer->object.len == 0;
	if (t == NULL || !t->asked || t->answered || !quorum_is_open(&c->quorum, i) ||
	    (summary && t->summarized)) {
		n->counters.late_answers++;
		return;
	}
	read_measure(n, c, i);
	enum err e = answer->err;
	if (summary)
		e = t->whole ? ERR_BAD_BYTES : take_summary(c, t, answer);
	else if (e == ERR_OK)
		e = take_object(n, c, t, answer->object);
	if (!answer->vouched) c->quorum.primary &= ~(1U << i);
	if (!summary || e != ERR_OK)
		note(n, c, i, e, answer->vouched);
	else if (traced(c))
		trace_about(n, c, i, TRACE_DIGEST);
	advance(n, c, fx);
}

void get_on_timer(struct node *n, struct coord *c, struct effects *fx)
{
	if (c->phase == GET_WAITING) read_hedge(n, c, fx);
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
