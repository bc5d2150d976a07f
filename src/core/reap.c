/* reap.c - rounds that let go of tombstones, and of what has expired.
 *
 * A tombstone may go once nobody can bring back what it covers: not a replica that missed it, not a copy
 * held for somebody, not a message that is late. A round proves that for all dots up to a *horizon* h.
 * The first member that is up proposes it, and takes all members through four steps, each begun once
 * every member has answered the one before. A member that is silent holds the round up.
 *
 *   PROMISE  it mints above h from now on, durably, and answers once every request, send, repair and
 *            stand-in copy that was open when it was asked has ended, and it vouches for all it holds
 *   MATCH    it has pulled every partition of its own from every other replica, as it was after all
 *            had promised; from here on a write that was sent before its sender promised is late, and
 *            is dropped
 *   PROVE    it holds, durably, that h is proven
 *   SWEEP    it has let go of everything dead at or below h
 *
 * From PROVE on a replica that vouches counts every dot up to h as seen: what it does not hold of them
 * it will not take again, from whomever it comes, however late. Never by the clock alone.
 * See docs/decisions/reaping.md; Dynamo has no such thing, Riak's and Cassandra's go by time. */
#include "core/reap.h"

#include "core/core.h"

/* ---- what is durable: [horizon, promised] --------------------------------------------------------------- */

enum err reap_boot(struct node *n, struct bytes value)
{
	struct cursor c = cursor_of(value);
	cursor_array_exact(&c, 2);
	n->reap.horizon.v = cursor_uint(&c, UINT64_MAX);
	n->reap.promised.v = cursor_uint(&c, UINT64_MAX);
	n->reap.told = n->reap.promised; /* what was open died with the last life */
	n->reap.fence = n->reap.horizon;
	return cursor_finished(&c) ? ERR_OK : ERR_BAD_BYTES;
}

static void write_record(struct node *n, struct hlc horizon, struct hlc promised,
                         struct effects *fx)
{
	uint8_t record[32];
	struct packer p = {.to = record, .capacity = sizeof record};
	pack_array(&p, 2);
	pack_uint(&p, horizon.v);
	pack_uint(&p, promised.v);
	struct chore *ch = chore_take(n, CHORE_REAP);
	if (ch == NULL || !chore_write_meta(ch, META_REAP, bytes_of(record, p.len), fx)) {
		if (ch != NULL) slot_end(n, &ch->slot);
		return; /* it is asked again */
	}
	ch->horizon = horizon;
	ch->promised = promised;
	n->reap.writing = true;
}

void reap_on_stored(struct node *n, const struct chore *ch, enum err e)
{
	struct reap *r = &n->reap;
	r->writing = false;
	if (e != ERR_OK) return; /* it is asked again */
	if (ch->horizon.v > r->horizon.v) r->horizon = ch->horizon;
	if (r->told.v < r->horizon.v) r->told = r->horizon;
	if (ch->promised.v > r->promised.v) r->promised = ch->promised;
}

/* ---- a member ------------------------------------------------------------------------------------------------ */

static bool any_older(struct slots *pool, uint64_t barrier)
{
	for (uint32_t i = 0; i < pool->count; i++) {
		const struct slot *s = slots_at(pool, i);
		if (s != NULL && s->born <= barrier) return true;
	}
	return false;
}

/* Has every request, send and repair ended that was open then? */
static bool has_ended(struct node *n, uint64_t barrier)
{
	return !any_older(&n->coords, barrier) && !any_older(&n->replicas, barrier) &&
	       !any_older(&n->hints, barrier);
}

static bool vouches_for_all(const struct node *n)
{
	return n->memory.confirmed && suspect_count(n) == 0;
}

/* From now on it mints above h. Not before our own clock has come there: what expires by h is to have
 * expired everywhere when it goes. */
static void begin_promise(struct node *n, struct hlc h, struct effects *fx)
{
	struct reap *r = &n->reap;
	if (n->clock_off || h.v > hlc_at_ms(n->wall.ms).v) return;
	clock_raise(&n->clock, h);
	verify_walk(n, VERIFY_SUSPECTS); /* what an earlier round was doing */
	r->round = h;
	r->barrier = n->births;
	r->ended = r->walking = r->matched = r->swept = r->fenced = false;
	if (r->promised.v < h.v && !r->writing) write_record(n, r->horizon, h, fx);
}

static bool has_promised(struct node *n, struct effects *fx)
{
	struct reap *r = &n->reap;
	if (!r->ended)
		r->ended = has_ended(n, r->barrier) && n->counters.stand_ins == 0 && vouches_for_all(n) &&
		           verify_is_idle(n);
	if (r->promised.v < r->round.v && !r->writing) write_record(n, r->horizon, r->round, fx);
	if (!r->ended || r->promised.v < r->round.v) return false;
	if (r->told.v < r->round.v) r->told = r->round;
	return true;
}

/* Matching has begun somewhere: what was sent before its sender's promise is late. */
static void raise_fence(struct node *n)
{
	struct reap *r = &n->reap;
	if (r->fenced) return;
	r->fenced = true;
	if (r->fence.v < r->round.v) r->fence = r->round;
	r->fence_barrier = n->births;
}

bool reap_may_be_matched(struct node *n, struct hlc h)
{
	struct reap *r = &n->reap;
	if (r->round.v != h.v || r->promised.v < h.v) return false;
	raise_fence(n);
	return !any_older(&n->replicas, r->fence_barrier); /* what was being merged is stored */
}

struct hlc reap_hint_fence(const struct node *n)
{
	const struct reap *r = &n->reap;
	return r->told.v > r->others_fence.v ? r->told : r->others_fence;
}

bool reap_is_behind(const struct node *n)
{
	return n->reap.told.v < n->reap.others_fence.v;
}

bool reap_is_late(const struct node *n, struct hlc fence)
{
	return fence.v < n->reap.fence.v;
}

static bool has_matched(struct node *n, struct effects *fx)
{
	struct reap *r = &n->reap;
	if (!has_promised(n, fx)) return false; /* it has forgotten that it had */
	raise_fence(n);
	if (!r->walking && !r->matched) {
		r->walking = true;
		verify_walk(n, VERIFY_MATCH);
	}
	return r->matched && vouches_for_all(n);
}

static bool knows(struct node *n, struct effects *fx)
{
	struct reap *r = &n->reap;
	if (r->horizon.v >= r->round.v) return true;
	if (!r->writing) write_record(n, r->round, r->promised, fx);
	return false;
}

static bool has_swept(struct node *n)
{
	struct reap *r = &n->reap;
	if (r->horizon.v < r->round.v) return false;
	if (!r->walking && !r->swept) {
		r->walking = true;
		r->mortal = false;
		r->sweep_left = 0;
		verify_walk(n, VERIFY_SWEEP);
	}
	return r->swept;
}

void reap_walked(struct node *n, enum verify_job job)
{
	struct reap *r = &n->reap;
	r->walking = false;
	if (job == VERIFY_MATCH) r->matched = true;
	if (job != VERIFY_SWEEP) return;
	r->swept = true;
	n->counters.reap_rounds++;
	n->counters.reap_left = r->sweep_left;
	if (r->sweep_left > 0) r->mortal = true;
}

/* Another round than the one that it takes part in. The newest to be proposed is the one; a later step is
 * taken up only by who has forgotten, over a restart, that it had promised. */
static bool may_join(const struct node *n, struct hlc h, enum reap_step step)
{
	const struct reap *r = &n->reap;
	if (h.v <= r->horizon.v) return false;
	return step == REAP_PROMISE || (r->round.v == 0 && r->promised.v >= h.v);
}

/* One step of a round, asked for again and again. True: it is done. */
static bool do_step(struct node *n, struct hlc h, enum reap_step step, struct effects *fx)
{
	struct reap *r = &n->reap;
	if (h.v != r->round.v && may_join(n, h, step)) begin_promise(n, h, fx);
	if (h.v != r->round.v) return false;
	switch (step) {
	case REAP_PROMISE: return has_promised(n, fx);
	case REAP_MATCH: return has_matched(n, fx);
	case REAP_PROVE: return knows(n, fx);
	case REAP_SWEEP: return has_swept(n);
	case REAP_IDLE:
	case REAP_STEP_END: break;
	}
	unreachable();
}

void reap_on_ask(struct node *n, struct node_id from, const struct msg *m, struct effects *fx)
{
	bool sound = m->reap.step != REAP_IDLE && m->epoch.v == n->layout.epoch.v;
	if (n->phase != NODE_SERVING || !sound) return;
	n->reap.asked = m->reap;
	n->reap.asked_at = n->now;
	struct msg_reap answer = {.horizon = m->reap.horizon, .step = m->reap.step};
	bool done = do_step(n, answer.horizon, answer.step, fx);
	bool joined = n->reap.round.v == answer.horizon.v;
	if (!joined && !may_join(n, answer.horizon, answer.step)) { /* it has gone over: begin anew */
		answer.step = REAP_IDLE;
		done = true;
	}
	if (done) emit_msg(n, fx, from, MSG_REAP_DONE, (struct ticket){0})->reap = answer;
}

/* ---- who proposes ------------------------------------------------------------------------------------------------ */

/* The first member that is up, by its place in the layout. */
static bool is_ours_to_propose(const struct node *n)
{
	for (uint32_t i = 0; i < n->peer_count; i++)
		if (i == n->self_member || n->peers[i].up) return i == n->self_member;
	return false;
}

static bool something_waits(const struct node *n)
{
	bool any = n->reap.mortal;
	for (uint32_t i = 0; i < n->peer_count; i++) any |= n->peers[i].mortal;
	return any;
}

static void propose(struct node *n)
{
	struct reap *r = &n->reap;
	r->proposal = hlc_at_ms(n->wall.ms);
	if (r->proposal.v <= r->horizon.v) r->proposal.v = r->horizon.v + 1;
	r->step = REAP_PROMISE;
	r->answered = (struct member_set){0};
}

/* Its clock was far ahead when it was made: nobody will promise that. */
static bool is_out_of_reach(const struct node *n)
{
	return n->reap.proposal.v > hlc_at_ms(n->wall.ms + CLOCK_SKEW_MAX_MS).v;
}

static void step_answered(struct node *n, uint32_t member)
{
	struct reap *r = &n->reap;
	member_set_add(&r->answered, member);
	if (member_set_count(&r->answered) < n->layout.member_count) return;
	r->answered = (struct member_set){0};
	if (++r->step < REAP_STEP_END) return;
	r->step = REAP_IDLE;
	r->next = instant_after(n->now, n->config.reap_period_us);
}

void reap_on_done(struct node *n, struct node_id from, const struct msg *m)
{
	struct reap *r = &n->reap;
	int member = n->formed ? layout_find(&n->layout, from) : -1;
	if (member < 0 || r->step == REAP_IDLE || m->reap.horizon.v != r->proposal.v) return;
	if (m->reap.step == r->step) step_answered(n, (uint32_t)member);
	if (m->reap.step == REAP_IDLE) {
		r->step = REAP_IDLE;
		r->next = instant_after(n->now, HEARTBEAT_US);
	}
}

/* The first who has not answered. */
static struct node_id waits_for(const struct node *n)
{
	for (uint32_t i = 0; i < n->peer_count; i++)
		if (!member_set_has(&n->reap.answered, i)) return n->layout.members[i].id;
	return (struct node_id){0};
}

/* Ask everybody, ourselves among them; also who has answered, for it may go over to another round. */
static void ask(struct node *n, struct effects *fx)
{
	struct reap *r = &n->reap;
	struct msg_reap question = {.horizon = r->proposal, .step = r->step, .waits_for = waits_for(n)};
	for (uint32_t i = 0; i < n->peer_count && effects_have_room(fx); i++)
		if (i != n->self_member && n->peers[i].connected)
			emit_msg(n, fx, n->peers[i].id, MSG_REAP, (struct ticket){0})->reap = question;
	if (do_step(n, question.horizon, question.step, fx)) step_answered(n, n->self_member);
}

/* An old copy has forgotten what it promised. Once it vouches for its memory again, and what was open then
 * has ended, it may promise by itself what all others have. */
static void catch_up(struct node *n, struct effects *fx)
{
	struct reap *r = &n->reap;
	if (!reap_is_behind(n) || !vouches_for_all(n) || r->writing) {
		r->catching_up = false;
		return;
	}
	if (!r->catching_up) {
		r->catching_up = true;
		r->barrier = n->births;
		clock_raise(&n->clock, r->others_fence);
	}
	if (!has_ended(n, r->barrier) || n->counters.stand_ins > 0) return;
	if (r->promised.v < r->others_fence.v)
		write_record(n, r->horizon, r->others_fence, fx);
	else
		r->told = r->promised;
}

void reap_tick(struct node *n, struct effects *fx)
{
	struct reap *r = &n->reap;
	if (!n->formed || !n->settled) return;
	if (r->round.v <= r->promised.v) catch_up(n, fx);
	if (r->next.us == 0) r->next = instant_after(n->now, n->config.reap_period_us);
	bool ours = is_ours_to_propose(n);
	bool overtaken = r->step > REAP_PROMISE && r->round.v != r->proposal.v;
	if (r->step != REAP_IDLE && (!ours || overtaken || is_out_of_reach(n))) {
		r->step = REAP_IDLE;
		r->next = instant_after(n->now, n->config.reap_period_us);
	}
	bool due = ours && n->now.us >= r->next.us && !n->clock_off && something_waits(n);
	if (r->step == REAP_IDLE && due) propose(n);
	if (r->step != REAP_IDLE) ask(n, fx);
}

/* ---- what is told, and what is heard ---------------------------------------------------------------------------- */

void reap_tell(const struct node *n, struct msg_heartbeat *h)
{
	h->horizon = n->reap.horizon;
	h->fence = n->reap.fence;
	h->mortal = n->reap.mortal;
}

/* A horizon that anybody knows is proven for all: who missed it (an old copy) takes it over. */
void reap_on_heartbeat(struct node *n, struct peer *p, const struct msg_heartbeat *h,
                       struct effects *fx)
{
	struct reap *r = &n->reap;
	p->mortal = h->mortal;
	if (h->fence.v > r->others_fence.v) r->others_fence = h->fence;
	if (h->horizon.v <= r->horizon.v || r->writing || !n->formed) return;
	struct hlc promised = r->promised.v > h->horizon.v ? r->promised : h->horizon;
	clock_raise(&n->clock, h->horizon);
	write_record(n, h->horizon, promised, fx);
}

void node_reaping(const struct node *n, struct node_reaping *out)
{
	const struct reap *r = &n->reap;
	bool proposes = r->step != REAP_IDLE;
	bool follows = !proposes && r->asked_at.us != 0 && n->now.us < r->asked_at.us + SILENCE_US;
	*out = (struct node_reaping){
		.horizon = r->horizon, .round = r->round, .mortal = r->mortal, .proposes = proposes};
	if (proposes) {
		out->step = r->step;
		out->waits_for = waits_for(n);
	} else if (follows) {
		out->step = r->asked.step;
		out->waits_for = r->asked.waits_for;
	}
}

void reap_metrics(const struct node *n, struct node_metrics *out)
{
	struct node_reaping r;
	node_reaping(n, &r);
	uint64_t at = hlc_ms(r.horizon);
	out->reap_step = r.step;
	out->reap_horizon_seconds = at == 0 || at >= n->wall.ms ? 0 : (n->wall.ms - at + 999) / 1000;
}
