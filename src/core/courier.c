/* courier.c - whose turn it is to be sent what it missed.
 *
 * There is a lane for each member, with its extra hints; one for the stand-in copies, each of which goes
 * to several members; and one for the sweep, which delivers nothing: it counts, and drops what is too
 * old. The lanes take turns; one page of one lane is read at a time.
 *
 *   resting --its time has come--> walking: page --records--> deliveries ... page ...
 *      ^                              ^                             |
 *      +---behind the last record-----+----(once again from the first, if it began elsewhere)
 *
 * A way is resumed where it stood when there was no room, and after a start it begins anywhere, so that
 * what cannot be delivered does not keep what comes behind it from its turn.
 *
 * Always true: of a node no more than its window is under way, and no more than its bytes a second; one
 * that refuses or is silent is left in peace for a while, and nobody waits for it; all that is read
 * and sent is paid for out of the byte budget of background work. */
#include "core/core.h"

static bool is_member(uint32_t lane)
{
	return lane < MEMBERS_MAX;
}

/* ---- lanes ------------------------------------------------------------------------------------------- */

/* The first way begins anywhere; but the sweep, which counts, does not. */
static void begin_anywhere(struct node *n, struct lane *l, uint32_t i)
{
	uint8_t at[17];
	bool ok = i != LANE_SWEEP;
	size_t len = is_member(i) ? 9 : 1;
	l->from_first = !ok;
	if (!ok) return;
	at[0] = is_member(i) ? HINT_EXTRA : HINT_STAND_IN;
	if (is_member(i)) put_u64be(at + 1, l->node.v);
	put_u64be(at + len, prng_next(&n->prng));
	l->after = arena_copy(&l->arena, bytes_of(at, len + 8), &ok);
	l->from_first = !ok;
}

static void lane_begin(struct node *n, struct lane *l, uint32_t i, struct node_id node)
{
	uint32_t pending = l->pending;
	arena_free(&l->arena);
	*l = (struct lane){.node = node, .window = HINT_OPEN_FIRST, .pending = pending};
	arena_init(&l->arena, &n->pool);
	begin_anywhere(n, l, i);
}

struct lane *courier_lane(struct node *n, uint32_t i)
{
	struct lane *l = &n->courier.lanes[i];
	struct node_id node = is_member(i) ? n->layout.members[i].id : (struct node_id){1};
	if (l->node.v != node.v) lane_begin(n, l, i, node);
	return l;
}

void courier_init(struct node *n, struct lane *lanes)
{
	n->courier.lanes = lanes;
	n->courier.wake = INSTANT_NEVER;
	n->courier.blocked_on = MEMBERS_MAX;
	n->courier.mean_bytes = KIB(1);
	for (uint32_t i = 0; i < LANE_COUNT; i++) arena_init(&lanes[i].arena, &n->pool);
}

/* What one member may be sent in a second by each of the others. */
static uint64_t share_of_target(const struct node *n)
{
	uint64_t others = n->layout.member_count > 2 ? n->layout.member_count - 1 : 1;
	uint64_t share = HINT_TARGET_BYTES_PER_S / others;
	return share < HINT_TARGET_BYTES_PER_S_MIN ? HINT_TARGET_BYTES_PER_S_MIN : share;
}

enum courier_room courier_room(struct node *n, uint32_t member)
{
	struct lane *l = courier_lane(n, member);
	if (l->away || !member_set_has(&n->up, member)) return COURIER_AWAY;
	if (n->now.us < l->forgiven.us || (l->failures > 0 && l->open > 0)) return COURIER_AWAY;
	if (l->open >= l->window) return COURIER_LATER;
	budget_set(&l->rate, share_of_target(n), HINT_TARGET_BURST_BYTES);
	struct instant at = budget_ready(&l->rate, n->now);
	if (at.us <= n->now.us) return COURIER_NOW;
	if (at.us < n->courier.wake.us) n->courier.wake = at;
	return COURIER_LATER;
}

void courier_open(struct node *n, uint32_t member, uint64_t bytes)
{
	struct lane *l = courier_lane(n, member);
	l->open++;
	budget_pay(&l->rate, (int64_t)bytes);
	budget_pay(&n->background, (int64_t)bytes);
}

void courier_correct(struct node *n, uint32_t member, uint64_t estimate, uint64_t bytes)
{
	struct lane *l = courier_lane(n, member);
	budget_pay(&l->rate, (int64_t)bytes - (int64_t)estimate);
	budget_pay(&n->background, (int64_t)bytes - (int64_t)estimate);
}

void courier_close(struct node *n, uint32_t member, enum courier_end end)
{
	struct lane *l = courier_lane(n, member);
	if (l->open > 0) l->open--; /* it may be another node's lane by now */
	if (end == COURIER_CONFIRMED) {
		l->failures = 0;
		l->forgiven = (struct instant){0};
		if (l->window < HINT_OPEN_MAX) l->window++;
	}
	if (end != COURIER_FAILED) return;
	n->counters.hint_deliveries_failed++;
	l->window = l->window > 2 ? l->window / 2 : 1;
	if (n->now.us < l->forgiven.us) return; /* many fail at once: that is one failure */
	uint64_t pause = HINT_REFUSED_US << l->failures;
	if (pause < HINT_PERIOD_US_MAX)
		l->failures++;
	else
		pause = HINT_PERIOD_US_MAX;
	l->forgiven = instant_after(n->now, pause);
}

void courier_expect(struct node *n, uint32_t i)
{
	struct lane *l = courier_lane(n, i);
	struct instant soon = instant_after(n->now, HINT_PERIOD_US);
	/* While some node is away, one way after the other through all copies would find little to do. */
	if (i == LANE_STAND_INS && n->counters.stand_ins > 0) return;
	if (!l->walking && l->next.us > soon.us) l->next = soon;
	l->pause_us = 0;
}

void courier_recount(struct node *n)
{
	n->courier.uncertain = true;
	struct lane *l = courier_lane(n, LANE_SWEEP);
	struct instant soon = instant_after(n->now, HINT_PERIOD_US);
	if (l->next.us > soon.us) l->next = soon;
}

void hint_wake(struct node *n)
{
	if (!n->formed) return;
	for (uint32_t i = 0; i < n->layout.member_count; i++) courier_lane(n, i)->next = n->now;
	struct lane *l = courier_lane(n, LANE_STAND_INS);
	l->next = n->now;
	l->woken = l->walking;
}

/* ---- ways ---------------------------------------------------------------------------------------------- */

static void rest(struct node *n, struct lane *l)
{
	uint64_t longer = l->pause_us * 2 > HINT_PERIOD_US_MAX ? HINT_PERIOD_US_MAX : l->pause_us * 2;
	bool again = l->delivered > 0 || l->pause_us == 0 || n->draining || l->woken;
	l->pause_us = again ? HINT_PERIOD_US : longer;
	l->walking = l->ended = false;
	l->delivered = 0;
	l->next = instant_after(n->now, l->woken ? 0 : l->pause_us);
	l->woken = false;
}

/* All of the family was looked over. */
static void sweep_over(struct node *n, struct lane *l)
{
	struct courier *c = &n->courier;
	if (c->whole) {
		c->oldest_hint_ms = c->seen.oldest_hint_ms;
		c->oldest_stand_in_ms = c->seen.oldest_stand_in_ms;
	}
	/* While nothing was written: what it counted is what is held. */
	if (c->whole && c->uncertain && c->changes == c->changes_at_start && !hint_is_changing(n)) {
		hint_believe(n, &c->seen);
		c->uncertain = false;
	}
	uint64_t took = (n->now.us - c->sweep_began.us) * HINT_SWEEP_SHARE;
	uint64_t pause = c->uncertain ? HINT_PERIOD_US : HINT_SWEEP_US;
	l->walking = l->ended = false;
	l->next = instant_after(n->now, took > pause ? took : pause);
}

/* No record follows, and all that was begun has ended. */
static void way_over(struct node *n, uint32_t i)
{
	struct lane *l = courier_lane(n, i);
	bool from_first = l->from_first;
	arena_free(&l->arena);
	l->after = BYTES_EMPTY;
	l->from_first = true;
	if (from_first && !l->missed) lag_end(n, i);
	if (i == LANE_SWEEP)
		sweep_over(n, l);
	else if (from_first)
		rest(n, l);
	else
		l->ended = false; /* once more, from the first record */
}

void courier_delivery_ended(struct node *n, uint32_t i, bool delivered, struct effects *fx)
{
	struct lane *l = &n->courier.lanes[i];
	assert(l->pending > 0);
	l->pending--;
	l->delivered += delivered;
	if (l->ended && l->pending == 0) way_over(n, i);
	if (!n->courier.busy) courier_go_on(n, fx);
}

/* ---- turns ------------------------------------------------------------------------------------------------ */

/* A page for this lane now? */
static bool wants(struct node *n, uint32_t i)
{
	const struct courier *c = &n->courier;
	struct lane *l = courier_lane(n, i);
	if (l->ended || (!l->walking && n->now.us < l->next.us)) return false;
	/* What the sweep drops it alone drops. */
	if (n->hints.used == n->hints.count || c->lanes[LANE_SWEEP].pending > 0) return false;
	if (i == LANE_SWEEP) return true;
	if (i == LANE_STAND_INS) {
		if (n->counters.stand_ins == 0 && !c->uncertain) return false;
		if (l->pending >= HINT_SLOTS_MAX / 2) return false;
		return c->blocked_on == MEMBERS_MAX || courier_room(n, c->blocked_on) != COURIER_LATER;
	}
	if (i == n->self_member || (n->counters.hints == 0 && !c->uncertain)) return false;
	return l->open <= l->window / 2 && courier_room(n, i) == COURIER_NOW;
}

static bool next_turn(struct node *n, uint32_t *out)
{
	struct courier *c = &n->courier;
	uint32_t members = n->layout.member_count, turns = members + 2;
	uint32_t last =
		is_member(c->asked_lane) ? c->asked_lane : members + (c->asked_lane - LANE_STAND_INS);
	for (uint32_t k = 1; k <= turns; k++) {
		uint32_t at = (last + k) % turns;
		*out = at < members ? at : LANE_STAND_INS + (at - members);
		if (wants(n, *out)) return true;
	}
	return false;
}

/* Before the lane's first record, and behind its last. */
static void bounds(const struct lane *l, uint32_t i, uint8_t first[9], struct bytes *from,
                   struct bytes *until, uint8_t behind[9])
{
	*from = *until = BYTES_EMPTY;
	if (i == LANE_SWEEP) return;
	size_t len = is_member(i) ? 9 : 1;
	first[0] = behind[0] = is_member(i) ? HINT_EXTRA : HINT_STAND_IN;
	if (is_member(i)) {
		put_u64be(first + 1, l->node.v);
		put_u64be(behind + 1, l->node.v + 1);
	}
	bool carry = !is_member(i) || l->node.v == UINT64_MAX;
	if (carry) behind[0]++;
	*from = bytes_of(first, len);
	*until = bytes_of(behind, carry ? 1 : len);
}

static void ask_page(struct node *n, uint32_t i, struct effects *fx)
{
	struct courier *c = &n->courier;
	struct lane *l = courier_lane(n, i);
	struct chore *ch = chore_take(n, CHORE_HINT_PAGE);
	uint8_t first[9], behind[9];
	struct bytes from, until;
	bool ok = ch != NULL;
	bounds(l, i, first, &from, &until, behind);
	if (ok) from = arena_copy(&ch->slot.arena, l->after.len > 0 ? l->after : from, &ok);
	if (ok) until = arena_copy(&ch->slot.arena, until, &ok);
	if (!ok) {
		if (ch != NULL) slot_end(n, &ch->slot);
		rest(n, l);
		return;
	}
	if (i == LANE_SWEEP && !l->walking) {
		c->seen = (struct hint_tally){0};
		c->whole = l->after.len == 0;
		c->changes_at_start = c->changes;
		c->sweep_began = n->now;
	}
	if (l->after.len == 0) {
		l->missed = false;
		lag_begin(n, i);
	}
	l->walking = c->asked = true;
	c->asked_lane = i;
	uint32_t room = i == LANE_SWEEP ? HINT_SWEEP_RECORDS : 2 * (l->window - l->open);
	emit_scan(fx, &ch->slot, STORE_HINTS, from, until, room, HINT_PAGE_BYTES);
}

void courier_go_on(struct node *n, struct effects *fx)
{
	struct courier *c = &n->courier;
	uint32_t i;
	c->wake = INSTANT_NEVER;
	if (n->phase != NODE_SERVING || c->asked || !effects_have_room(fx)) return;
	if (n->counters.hints == 0 && n->counters.stand_ins == 0 && !c->uncertain) return;
	struct lane *sweep = courier_lane(n, LANE_SWEEP);
	/* Soon at first: what was kept in an earlier life is known by number only. */
	if (sweep->next.us == 0) sweep->next = instant_after(n->now, HINT_PERIOD_US);
	if (!next_turn(n, &i)) return;
	struct instant at = budget_ready(&n->background, n->now);
	if (at.us > n->now.us) {
		n->counters.background_waits++;
		c->wake = at;
		return;
	}
	ask_page(n, i, fx);
}

void hint_tick(struct node *n, struct effects *fx)
{
	bool kept = n->counters.hints > 0 || n->counters.stand_ins > 0;
	/* Who went away and came back is not blamed for what it did before. */
	for (uint32_t i = 0; kept && i < n->layout.member_count; i++) {
		struct lane *l = courier_lane(n, i);
		bool away = !member_set_has(&n->up, i);
		if (l->away && !away) {
			l->failures = 0;
			l->forgiven = (struct instant){0};
			l->window = HINT_OPEN_FIRST;
		}
		l->away = away;
	}
	courier_go_on(n, fx);
}

struct instant courier_deadline(const struct node *n)
{
	return n->phase == NODE_SERVING ? n->courier.wake : INSTANT_NEVER;
}

/* ---- a page -------------------------------------------------------------------------------------------------- */

/* The sweep: count it, and drop it if its time is over and no lane of a node that is up will. */
static enum hint_verdict look_over(struct node *n, const struct store_record *record,
                                   const struct hint_record *r, struct effects *fx)
{
	int member = r->stand_in ? -1 : layout_find(&n->layout, r->target);
	bool lane = member >= 0 &&
	            (member_set_has(&n->up, (uint32_t)member) || n->courier.lanes[member].pending > 0);
	if (r->stand_in || lane || !hint_is_over(n, r)) {
		hint_count(&n->courier.seen, r);
		return HINT_TAKEN;
	}
	return hint_discard(n, LANE_SWEEP, record->key, r, fx);
}

static enum hint_verdict take_record(struct node *n, uint32_t i, const struct store_record *record,
                                     struct effects *fx)
{
	struct hint_record r;
	if (!effects_have_room(fx)) return HINT_LATER;
	if (!hint_parse(n, record, &r)) return HINT_TAKEN;
	lag_see(n, i, &r);
	if (i == LANE_SWEEP) return look_over(n, record, &r, fx);
	if (!r.stand_in && hint_is_over(n, &r)) return hint_discard(n, i, record->key, &r, fx);
	return hint_deliver(n, i, record->key, &r, fx);
}

/* Where the lane goes on. False: no memory for it. */
static bool keep_place(struct lane *l, struct bytes record)
{
	bool ok = true;
	arena_free(&l->arena);
	l->after = arena_copy(&l->arena, record, &ok);
	return ok;
}

void hint_on_page(struct node *n, const struct event *ev, struct effects *fx)
{
	struct courier *c = &n->courier;
	uint32_t i = c->asked_lane, taken = 0, count = ev->scanned.count;
	struct lane *l = courier_lane(n, i);
	enum hint_verdict v = HINT_TAKEN;
	assert(c->asked);
	c->asked = false;
	if (!l->walking) { /* another node has its place since it was asked for */
		courier_go_on(n, fx);
		return;
	}
	c->busy = true;
	if (i == LANE_STAND_INS) c->blocked_on = MEMBERS_MAX;
	while (taken < count && v == HINT_TAKEN) {
		v = take_record(n, i, &ev->scanned.records[taken], fx);
		taken += v == HINT_TAKEN;
	}
	c->busy = false;
	bool broken = ev->scanned.err != ERR_OK;
	if (taken > 0 && !keep_place(l, ev->scanned.records[taken - 1].key)) broken = true;
	if (broken) {
		c->whole = false;
		l->missed = true;
	}
	l->ended = broken || (taken == count && (ev->scanned.done || count == 0));
	if (l->ended && l->pending == 0)
		way_over(n, i);
	else if (v == HINT_NO_MEMORY)
		rest(n, l); /* and then from here */
	courier_go_on(n, fx);
}
