/* coord_put.c - one write, from its turn on the key to the last answer.
 *
 *   QUEUED --turn--> mint --> WAITING --W acks--> REPLIED --all in, or hint_after--> hints --> free
 *      |  ^                     \____cannot be met, or deadline____/
 *      v  | reservation durable
 *     CLOCK
 *
 * Our own write and the sends go out in one step, in parallel. A target that fails is replaced by the
 * next fallback, with the same dot; a primary that nobody stands for gets an extra hint, kept here.
 * Always true: an ack counts for a replica whose store said durable, once per node; nothing is
 * answered "none" after the mint. */
#include "core/context.h"
#include "core/core.h"
#include "core/trace.h"

static void advance(struct node *n, struct coord *c, struct effects *fx);

/* ---- before the mint ------------------------------------------------------------------------------ */

/* Can the quorums be met with who is up? If not, nothing is stored. */
static bool can_be_met(struct node *n, struct coord *c, uint32_t primaries_up, struct effects *fx)
{
	const struct needs *k = &c->needs;
	uint32_t up = quorum_open(&c->quorum);
	struct reply r = {.outcome = OUTCOME_NONE, .n = k->n};
	if (primaries_up < k->pw)
		r.err = ERR_PW_UNMET, r.got = (uint8_t)primaries_up, r.need = k->pw;
	else if (up < k->w)
		r.err = ERR_W_UNMET, r.got = (uint8_t)up, r.need = k->w;
	else if (up < k->dw)
		r.err = ERR_DW_UNMET, r.got = (uint8_t)up, r.need = k->dw;
	else if (up < k->confirms)
		r.err = ERR_CONFIRMS_UNMET, r.got = (uint8_t)up, r.need = k->confirms;
	if (r.err == ERR_OK) return true;
	coord_reply(n, c, &r, fx);
	coord_end(n, c);
	return false;
}

static void refuse(struct node *n, struct coord *c, enum err e, struct effects *fx)
{
	if (!c->replied) coord_fail(n, c, e, OUTCOME_NONE, fx);
	c->phase = PUT_REPLIED;
	coord_end(n, c);
}

void put_begin(struct node *n, struct coord *c, struct effects *fx)
{
	if (traced(c)) trace_plain(n, c, TRACE_TURN);
	uint32_t index, primaries_up = coord_targets(n, c);
	if (coord_target(c, n->self_member, &index) == NULL) {
		refuse(n, c, ERR_NOT_MEMBER, fx); /* the list changed while a delete was reading */
		return;
	}
	if (!can_be_met(n, c, primaries_up, fx)) return;
	c->phase = PUT_QUEUED;
	slot_set_timer(n, &c->slot, c->deadline);
	if (!key_begin(n, &c->op, c->request.key, fx)) refuse(n, c, ERR_BUSY, fx);
}

/* ---- the mint ---------------------------------------------------------------------------------------- */

/* Places for which nobody has the write or is still being waited for, and no hint is kept. */
static uint32_t uncovered(const struct node *n, const struct coord *c, bool late_too)
{
	const uint16_t *primaries = n->layout.primaries + c->partition.v * n->layout.replicas;
	uint32_t covered = c->hinted;
	for (uint32_t i = 0; i < c->target_count; i++) {
		bool ok = (c->quorum.ok & 1U << i) != 0;
		if (ok || (!late_too && quorum_is_open(&c->quorum, i)))
			covered |= 1U << c->targets[i].place;
	}
	for (uint32_t place = 0; place < c->needs.n; place++)
		if (primaries[place] == n->self_member) covered |= 1U << place;
	return ((1U << c->needs.n) - 1) & ~covered;
}

/* An extra hint for each place in `places`. False: no room. */
static bool add_hints(struct node *n, struct coord *c, uint32_t places, struct write *w)
{
	const uint16_t *primaries = n->layout.primaries + c->partition.v * n->layout.replicas;
	for (uint32_t place = 0; place < c->needs.n; place++) {
		if ((places & 1U << place) == 0) continue;
		struct node_id target = n->layout.members[primaries[place]].id;
		struct bytes key;
		c->hinted |= 1U << place;
		if (!extra_hint_room(n, w, c->request.key.len)) {
			n->counters.hints_dropped++;
			continue;
		}
		if (!extra_hint_key(&c->slot.arena, target, c->request.key, c->dot, &key)) return false;
		extra_hint_add(n, w, key, target);
		if (traced(c)) trace_hinted(n, c, target);
	}
	return true;
}

/* The batch of our own write: object, stand-in marker if we are a fallback, and a hint for each
 * primary that is down and has nobody to stand for it. */
static enum err write_own(struct node *n, struct coord *c, const struct key_state *state,
                          struct effects *fx)
{
	struct write *w = write_new(&c->slot, 2 + REPLICAS_MAX);
	struct bytes key;
	uint32_t own;
	if (w == NULL || !store_key_make(&c->slot.arena, c->hash, c->request.key, &key))
		return ERR_BUSY;
	write_add(w, STORE_OBJECTS, key, c->object);
	const struct target *self = coord_target(c, n->self_member, &own);
	assert(self != NULL);
	struct stand_in x = {c->request.key, state->object, c->object, c->dot.at, state->damaged};
	enum err e = self->fallback ? stand_in_add(n, &c->slot, &x, w) : ERR_OK;
	if (e == ERR_OK && !add_hints(n, c, uncovered(n, c, false), w)) e = ERR_BUSY;
	if (e == ERR_OK) emit_write(fx, &c->slot, w);
	return e;
}

static void send_put(struct node *n, struct coord *c, struct target *t, struct effects *fx)
{
	uint16_t member = t->member;
	struct msg *m = emit_msg(n, fx, n->layout.members[member].id, MSG_PUT, c->slot.self);
	if (traced(c)) trace_asked(n, c, member);
	m->put.key = c->request.key;
	m->put.object = c->object;
	m->put.fence = t->fence = n->reap.told;
}

/* When the value dies: so many seconds from now; 0: never. (Not from its dot, which may be far ahead where
 * a dot of its key is.) */
static uint64_t expiry(const struct node *n, const struct coord *c)
{
	bool lives = c->request.op != REQUEST_DELETE && c->ttl_s > 0;
	return lives ? member_time_ms(n) + c->ttl_s * 1000 : 0;
}

/* The object that results, with a new dot. ERR_OK, or why not; CLOCK_WAIT leaves `waits` true. */
static enum err make_object(struct node *n, struct coord *c, struct object *state, bool *waits)
{
	struct arena *a = &c->slot.arena;
	enum err e = condition_judge(n, c, state);
	if (e != ERR_OK) return e;
	uint64_t above = dvv_greatest(&state->seen).at.v, shown = dvv_greatest(&c->context).at.v;
	enum clock_verdict v =
		clock_mint(&n->clock, n->wall, (struct hlc){above > shown ? above : shown}, &c->dot);
	*waits = v == CLOCK_WAIT;
	if (v == CLOCK_SPENT) return ERR_CLOCK;
	if (v == CLOCK_WAIT) return ERR_OK;
	struct sibling added = {.dot = c->dot,
	                        .origin = n->self,
	                        .tombstone = c->request.op == REQUEST_DELETE,
	                        .expires_ms = expiry(n, c),
	                        .meta = c->request.meta,
	                        .value = c->request.value};
	if (c->request.op == REQUEST_INCREMENT) e = count_make(n, c, state, &added);
	if (e != ERR_OK) return e;
	struct object made;
	n->reap.mortal |= added.tombstone || added.expires_ms > 0;
	if (!object_write(a, state, &c->context, &added, &made)) return ERR_BUSY;
	if (!c->mult) n->counters.siblings_dropped_lww += object_keep_newest(&made);
	if (made.sibling_count > n->config.siblings_max && made.sibling_count > state->sibling_count) {
		n->counters.siblings_refused++;
		return ERR_SIBLINGS;
	}
	if (!object_encode(a, &made, &c->object)) return ERR_BUSY;
	return c->object.len > OBJECT_BYTES_MAX ? ERR_SIBLINGS : ERR_OK;
}

/* Whichever of its two instants is still ahead, the nearer one first: when to answer at the latest, and
 * when to hint what is late. */
static void set_timer(struct node *n, struct coord *c)
{
	bool answer = !c->replied && c->deadline.us > n->now.us;
	bool hint = c->hint_at.us > n->now.us;
	assert(answer || hint);
	bool answer_first = answer && (!hint || c->deadline.us < c->hint_at.us);
	slot_set_timer(n, &c->slot, answer_first ? c->deadline : c->hint_at);
}

enum key_verdict put_apply(struct node *n, struct coord *c, const struct key_state *state,
                           struct bytes *object, struct effects *fx)
{
	if (c->replied) { /* the deadline passed while it waited for its turn */
		coord_end(n, c);
		return KEY_ENDED;
	}
	struct object found;
	bool waits = false;
	enum err e = object_decode(&c->slot.arena, state->object, &found);
	if (e == ERR_BAD_BYTES) e = ERR_CORRUPT;
	if (e == ERR_OK) e = make_object(n, c, &found, &waits);
	clock_reserve_if_wanted(n, fx);
	if (e == ERR_OK && waits) {
		n->counters.clock_waits++;
		c->phase = PUT_CLOCK;
		if (traced(c)) trace_plain(n, c, TRACE_CLOCK);
		return KEY_ENDED;
	}
	uint32_t index, primaries_up = coord_targets(n, c); /* may have changed since it queued */
	if (e == ERR_OK && coord_target(c, n->self_member, &index) == NULL) e = ERR_NOT_MEMBER;
	if (e == ERR_OK && !can_be_met(n, c, primaries_up, fx)) return KEY_ENDED;
	if (e == ERR_OK) e = write_own(n, c, state, fx);
	if (e != ERR_OK) {
		coord_fail(n, c, e, OUTCOME_NONE, fx);
		coord_end(n, c);
		return KEY_ENDED;
	}
	c->minted = true;
	c->phase = PUT_WAITING;
	c->hint_at = instant_after(n->now, n->config.hint_after_us);
	set_timer(n, c);
	if (traced(c)) trace_minted(n, c);
	for (uint32_t i = 0; i < c->target_count; i++)
		if (quorum_is_open(&c->quorum, i) && c->targets[i].member != n->self_member)
			send_put(n, c, &c->targets[i], fx);
	*object = c->object;
	return KEY_WRITE;
}

void put_on_clock(struct node *n, struct coord *c, struct effects *fx)
{
	assert(c->phase == PUT_CLOCK);
	if (n->clock.reserving.v != 0) return;
	if (n->clock_err != ERR_OK)
		refuse(n, c, n->clock_err, fx);
	else
		put_begin(n, c, fx);
}

/* ---- answers ------------------------------------------------------------------------------------------- */

/* What the writer may be told it has seen: what it showed, and its own dot; everything, if everything
 * comes back with the answer or its sibling is the only one left. */
static bool answer_context(struct node *n, struct coord *c, const struct object *o,
                           struct bytes *out)
{
	struct dvv shown;
	bool all = c->request.options.return_body || o->sibling_count == 1;
	if (all) return coord_context(n, c, &o->seen, o->siblings, o->sibling_count, out);
	return dvv_add(&c->slot.arena, &c->context, c->dot, &shown) &&
	       coord_context(n, c, &shown, &(struct sibling){.dot = c->dot}, 1, out);
}

static void reply_stored(struct node *n, struct coord *c, struct effects *fx)
{
	struct reply r = {.written = true, .dot = c->dot, .n = c->needs.n};
	struct object o;
	struct arena *a = &c->slot.arena;
	bool ok = object_decode(a, c->object, &o) == ERR_OK && answer_context(n, c, &o, &r.context);
	if (ok && c->request.options.return_body)
		ok = object_as_of(a, &o, member_now_ms(n), &o) &&
		     object_show(a, &o, &r.siblings, &r.sibling_count);
	if (!ok) { /* stored, and no room to say so in full: the plain truth needs none */
		r.context = BYTES_EMPTY;
		r.siblings = NULL;
		r.sibling_count = 0;
	}
	coord_reply(n, c, &r, fx);
}

static void reply_unmet(struct node *n, struct coord *c, struct effects *fx)
{
	const struct needs *k = &c->needs;
	struct reply r = {.outcome = OUTCOME_UNKNOWN, .n = k->n};
	uint32_t got = quorum_got(&c->quorum), primary = quorum_got_primary(&c->quorum);
	uint32_t open = quorum_open(&c->quorum);
	uint32_t may = got + open;
	r.got = (uint8_t)got;
	if (may < k->w)
		r.err = ERR_W_UNMET, r.need = k->w;
	else if (may < k->dw)
		r.err = ERR_DW_UNMET, r.need = k->dw;
	else if (may < k->confirms)
		r.err = ERR_CONFIRMS_UNMET, r.need = k->confirms;
	else
		r.err = ERR_PW_UNMET, r.need = k->pw, r.got = (uint8_t)primary;
	coord_reply(n, c, &r, fx);
}

/* A fallback for every target that failed or went down and is not replaced yet. */
static void replace_failed(struct node *n, struct coord *c, struct effects *fx)
{
	struct member_set used = {0};
	const uint16_t *primaries = n->layout.primaries + c->partition.v * n->layout.replicas;
	for (uint32_t i = 0; i < c->needs.n; i++) member_set_add(&used, primaries[i]);
	for (uint32_t i = 0; i < c->target_count; i++) member_set_add(&used, c->targets[i].member);
	for (uint32_t i = 0; i < c->target_count; i++) {
		struct target *t = &c->targets[i];
		bool up = member_set_has(&n->up, t->member);
		if (!up && traced(c)) trace_lost(n, c, i);
		if (!up) quorum_note(&c->quorum, i, false);
		bool bad = (c->quorum.bad & 1U << i) != 0;
		uint16_t next;
		if (!bad || t->replaced || c->target_count == TARGETS_MAX) continue;
		if (!ring_next_fallback(&n->layout, c->partition, &n->up, &used, &next)) continue;
		t->replaced = true;
		member_set_add(&used, next);
		c->targets[c->target_count] =
			(struct target){.member = next, .place = t->place, .fallback = true};
		quorum_ask(&c->quorum, c->target_count++, false);
		send_put(n, c, &c->targets[c->target_count - 1], fx);
	}
}

/* Hints for what nobody has; nothing is written when nothing is missing. */
static void keep_hints(struct node *n, struct coord *c, bool late_too, struct effects *fx)
{
	uint32_t places = uncovered(n, c, late_too);
	if (places == 0) return;
	struct write *w = write_new(&c->slot, REPLICAS_MAX);
	if (w == NULL || !add_hints(n, c, places, w)) n->counters.hints_dropped++;
	if (w != NULL && w->count > 0) emit_write(fx, &c->slot, w);
}

static void advance(struct node *n, struct coord *c, struct effects *fx)
{
	assert(c->phase == PUT_WAITING || c->phase == PUT_REPLIED);
	const struct needs *k = &c->needs;
	uint8_t need = k->w > k->dw ? k->w : k->dw;
	if (k->confirms > need) need = k->confirms;
	replace_failed(n, c, fx);
	if (!c->replied) {
		enum quorum_verdict v = quorum_verdict(&c->quorum, need, k->pw);
		if (traced(c)) trace_quorum(n, c, v);
		if (v == QUORUM_MET)
			reply_stored(n, c, fx);
		else if (v == QUORUM_LOST)
			reply_unmet(n, c, fx);
		else if (n->now.us >= c->deadline.us)
			coord_fail(n, c, ERR_TIMEOUT, OUTCOME_UNKNOWN, fx);
	}
	if (c->replied) c->phase = PUT_REPLIED;
	bool late = n->now.us >= c->hint_at.us;
	keep_hints(n, c, late, fx);
	bool settled = quorum_open(&c->quorum) == 0 || late;
	if (c->phase == PUT_REPLIED && settled)
		coord_end(n, c);
	else
		set_timer(n, c);
}

void put_on_stored(struct node *n, struct coord *c, enum err e, struct effects *fx)
{
	if (!c->minted) { /* its turn ended before it came: the key could not be read */
		refuse(n, c, e, fx);
		return;
	}
	uint32_t own;
	const struct target *self = coord_target(c, n->self_member, &own);
	assert(self != NULL);
	if (traced(c)) trace_acked(n, c, own, e);
	quorum_note(&c->quorum, own,
	            e == ERR_OK); /* the first answer is of the object, later of hints */
	advance(n, c, fx);
}

void put_on_ack(struct node *n, struct coord *c, uint16_t member, enum err e, struct effects *fx)
{
	uint32_t index;
	if ((c->phase != PUT_WAITING && c->phase != PUT_REPLIED) ||
	    coord_target(c, member, &index) == NULL) {
		n->counters.late_answers++;
		return;
	}
	struct target *t = &c->targets[index];
	if (e == ERR_LATE && t->fence.v < n->reap.told.v && quorum_is_open(&c->quorum, index)) {
		send_put(n, c, t, fx); /* a round of reaping has come between */
		return;
	}
	if (traced(c)) trace_acked(n, c, index, e);
	quorum_note(&c->quorum, index, e == ERR_OK);
	advance(n, c, fx);
}

void put_on_timer(struct node *n, struct coord *c, struct effects *fx)
{
	if (c->phase == PUT_WAITING || c->phase == PUT_REPLIED) {
		advance(n, c, fx);
		return;
	}
	/* Nothing was minted. An op that waits for its turn stays until it comes. */
	coord_fail(n, c, ERR_TIMEOUT, OUTCOME_NONE, fx);
	if (c->op.state == KEY_OP_IDLE) coord_end(n, c);
}

void put_on_peers_changed(struct node *n, struct coord *c, struct effects *fx)
{
	advance(n, c, fx);
}
