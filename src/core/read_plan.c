/* read_plan.c - whom a read asks, in which order, and when one more.
 *
 *   order   primaries before fallbacks; slow ones last; then this node itself, its zone, who is quick
 *   asked   as many as R and PR take; one more for each that fails or whose answer does not count;
 *           one more for each that takes longer than it usually does (a hedge)
 *   all     by one read in READ_ALL_ONE_IN, by deletes and conditional writes, and by a session's
 *           read whose first answers have not seen enough
 *
 * A slow replica is asked by the reads that ask all, so that it is known when it is quick again.
 * Always true: what a read may answer does not depend on the order, nor on who was hedged. */
#include "core/core.h"
#include "core/trace.h"

static struct latency *latency_of(const struct node *n, uint32_t member)
{
	return &n->peers[member].reads;
}

/* ---- the order --------------------------------------------------------------------------------- */

static uint64_t best_mean_us(const struct node *n, const struct coord *c)
{
	uint64_t best = UINT64_MAX;
	for (uint32_t i = 0; i < c->target_count; i++) {
		uint64_t mean = latency_of(n, c->targets[i].member)->mean_us;
		if (quorum_is_open(&c->quorum, i) && mean < best) best = mean;
	}
	return best;
}

/* Smaller is better. */
static uint32_t rank(const struct node *n, const struct target *t, uint64_t best_us)
{
	const struct latency *l = latency_of(n, t->member);
	const struct member *m = &n->layout.members[t->member];
	bool far = t->member != n->self_member &&
	           !bytes_equal(m->zone, n->layout.members[n->self_member].zone);
	uint32_t r = (uint32_t)t->fallback << 31 | (uint32_t)latency_is_slow(l, best_us) << 30 |
	             (uint32_t)(t->member != n->self_member) << 29 | (uint32_t)far << 28;
	return r | latency_class(l) << 16;
}

void read_plan(struct node *n, struct coord *c)
{
	uint32_t ranks[TARGETS_MAX];
	uint64_t best_us = best_mean_us(n, c);
	c->order_at = 0;
	c->everyone = c->request.op != REQUEST_GET || prng_one_in(&n->prng, n->config.read_all_one_in);
	if (n->hedge_credit < HEDGE_BURST * HEDGE_ONE_IN) n->hedge_credit++;
	for (uint32_t i = 0; i < c->target_count; i++) {
		uint32_t at = i;
		ranks[i] = rank(n, &c->targets[i], best_us);
		if (!c->everyone) ranks[i] |= (uint32_t)(prng_next(&n->prng) & 0xffff); /* take turns */
		for (; at > 0 && ranks[c->order[at - 1]] > ranks[i]; at--) c->order[at] = c->order[at - 1];
		c->order[at] = (uint8_t)i;
	}
}

/* ---- asking ------------------------------------------------------------------------------------ */

static bool is_pending(const struct coord *c, uint32_t i)
{
	return c->targets[i].asked && quorum_is_open(&c->quorum, i);
}

uint32_t read_pending(const struct coord *c)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < c->target_count; i++) count += is_pending(c, i);
	return count;
}

/* Is a whole object on its way, or here? */
static bool whole_is_asked(const struct coord *c)
{
	for (uint32_t i = 0; i < c->target_count; i++)
		if (c->targets[i].whole && (is_pending(c, i) || c->targets[i].found)) return true;
	return false;
}

static void ask(struct node *n, struct coord *c, uint32_t i, bool whole, struct effects *fx)
{
	struct target *t = &c->targets[i];
	t->asked = true;
	t->asked_at = n->now;
	t->whole = whole || t->member == n->self_member;
	if (traced(c)) trace_asked(n, c, t->member);
	if (t->member != n->self_member) {
		struct node_id to = n->layout.members[t->member].id;
		struct msg *m = emit_msg(n, fx, to, MSG_GET, c->slot.self);
		m->get.key = c->request.key;
		m->get.whole = whole;
		return;
	}
	struct bytes key;
	if (store_key_make(&c->slot.arena, c->hash, c->request.key, &key)) {
		emit_read(fx, &c->slot, STORE_OBJECTS, key);
		return;
	}
	c->errors++;
	quorum_note(&c->quorum, i, false);
}

static bool ask_next(struct node *n, struct coord *c, struct effects *fx)
{
	while (c->order_at < c->target_count) {
		uint32_t i = c->order[c->order_at++];
		if (!quorum_is_open(&c->quorum, i)) continue;
		ask(n, c, i, !whole_is_asked(c), fx);
		return true;
	}
	return false;
}

/* Would R and PR be met if all that were asked answered, and well? */
static bool is_enough(const struct coord *c)
{
	uint32_t good = 0, primaries = 0;
	if (c->everyone) return false;
	for (uint32_t i = 0; i < c->target_count; i++) {
		uint32_t bit = 1U << i;
		if (!is_pending(c, i) && (c->quorum.ok & bit) == 0) continue;
		good++;
		primaries += (c->quorum.primary & bit) != 0;
	}
	return good >= c->needs.replies && primaries >= c->needs.pr;
}

void read_ask(struct node *n, struct coord *c, struct effects *fx)
{
	bool more = true;
	while (more && !is_enough(c)) more = ask_next(n, c, fx);
}

void read_fetch(struct node *n, struct coord *c, uint32_t i, struct effects *fx)
{
	n->counters.read_fetches++;
	ask(n, c, i, true, fx);
}

/* ---- hedges ------------------------------------------------------------------------------------ */

static struct instant late_at(const struct node *n, const struct target *t)
{
	return instant_after(t->asked_at, latency_patience_us(latency_of(n, t->member)));
}

struct instant read_next(const struct node *n, const struct coord *c)
{
	struct instant next = c->deadline;
	if (c->order_at == c->target_count) return next;
	for (uint32_t i = 0; i < c->target_count; i++) {
		if (!is_pending(c, i) || c->targets[i].hedged) continue;
		struct instant at = late_at(n, &c->targets[i]);
		if (at.us < next.us) next = at;
	}
	return next;
}

/* That it has not answered by now is known of it from now on. */
static void hedge_one(struct node *n, struct coord *c, struct target *t, struct effects *fx)
{
	t->hedged = true;
	if (traced(c)) trace_about(n, c, (uint32_t)(t - c->targets), TRACE_LATE);
	latency_note(latency_of(n, t->member), n->now.us - t->asked_at.us);
	if (n->hedge_credit < HEDGE_ONE_IN) {
		n->counters.read_hedges_withheld++;
		return;
	}
	if (!ask_next(n, c, fx)) return;
	n->hedge_credit -= HEDGE_ONE_IN;
	n->counters.read_hedges++;
}

void read_hedge(struct node *n, struct coord *c, struct effects *fx)
{
	for (uint32_t i = 0; i < c->target_count && c->order_at < c->target_count; i++) {
		struct target *t = &c->targets[i];
		if (is_pending(c, i) && !t->hedged && late_at(n, t).us <= n->now.us) hedge_one(n, c, t, fx);
	}
}

void read_measure(struct node *n, struct coord *c, uint32_t i)
{
	const struct target *t = &c->targets[i];
	latency_note(latency_of(n, t->member), n->now.us - t->asked_at.us);
}
