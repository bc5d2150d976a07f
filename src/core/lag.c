/* lag.c - how far behind each member is: the age of the oldest write that it has not confirmed, of those
 * that this node keeps for it.
 *
 *   extra hint, stand-in copy --durable here--> noted at once, for the member that misses it
 *   a way through all records of a lane ------> what it saw, and what was noted meanwhile, is all there is
 *
 * So the age grows from the first write that is kept, and falls when a way finds the oldest ones gone; the
 * sweep does the same for those whose lane nobody walks. Nothing is decided by it. Not here: a write whose
 * answer is merely awaited; after HINT_AFTER_US it is a hint. */
#include "core/core.h"

enum seen { BY_WAY, BY_SWEEP, AS_WRITTEN };

static uint64_t older(uint64_t a, uint64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

static void note(struct lag *l, uint64_t at_ms, enum seen how)
{
	if (how != AS_WRITTEN) {
		l->seen_ms[how] = older(l->seen_ms[how], at_ms);
		return;
	}
	l->oldest_ms = older(l->oldest_ms, at_ms);
	for (int i = BY_WAY; i <= BY_SWEEP; i++) l->noted_ms[i] = older(l->noted_ms[i], at_ms);
}

/* A copy that stands in for others: those of its key's primaries that have not confirmed it. When it is
 * written that is none of them, and most have it. */
static void note_copy(struct node *n, const struct hint_record *r, enum seen how)
{
	struct partition_id p = partition_of(&n->layout, key_hash_of(r->key));
	const uint16_t *primaries = n->layout.primaries + p.v * n->layout.replicas;
	uint8_t of_key = props_n_of(n, r->key);
	for (uint32_t i = 0; i < of_key; i++) {
		if ((r->confirmed & 1U << i) != 0 || primaries[i] == n->self_member) continue;
		if (how == AS_WRITTEN && member_set_has(&n->up, primaries[i])) continue;
		note(&courier_lane(n, primaries[i])->copies, hlc_ms(r->newest), how);
	}
}

static void note_record(struct node *n, const struct hint_record *r, enum seen how)
{
	int member = r->stand_in ? -1 : layout_find(&n->layout, r->target);
	if (r->stand_in)
		note_copy(n, r, how);
	else if (member >= 0)
		note(&courier_lane(n, (uint32_t)member)->hints, hlc_ms(r->at), how);
}

void lag_on_written(struct node *n, const struct write *w)
{
	struct hint_record r;
	if (!n->formed || (w->hints <= 0 && w->stand_ins <= 0)) return;
	for (uint32_t i = 0; i < w->count; i++) {
		struct store_record record = {.key = w->ops[i].key, .value = w->ops[i].value};
		if (w->ops[i].family != STORE_HINTS || w->ops[i].value.data == NULL) continue;
		if (hint_parse(n, &record, &r)) note_record(n, &r, AS_WRITTEN);
	}
}

/* ---- ways and sweeps ------------------------------------------------------------------------------- */

static enum seen seen_by(uint32_t lane)
{
	return lane == LANE_SWEEP ? BY_SWEEP : BY_WAY;
}

void lag_see(struct node *n, uint32_t lane, const struct hint_record *r)
{
	note_record(n, r, seen_by(lane));
}

static void begin(struct lag *l, enum seen by)
{
	l->seen_ms[by] = l->noted_ms[by] = 0;
}

static void end(struct lag *l, enum seen by)
{
	l->oldest_ms = older(l->seen_ms[by], l->noted_ms[by]);
}

void lag_begin(struct node *n, uint32_t lane)
{
	for (uint32_t i = 0; i < n->layout.member_count; i++) {
		struct lane *l = courier_lane(n, i);
		if (lane == i || lane == LANE_SWEEP) begin(&l->hints, seen_by(lane));
		if (lane == LANE_STAND_INS || lane == LANE_SWEEP) begin(&l->copies, seen_by(lane));
	}
}

void lag_end(struct node *n, uint32_t lane)
{
	for (uint32_t i = 0; i < n->layout.member_count; i++) {
		struct lane *l = courier_lane(n, i);
		if (lane == i || lane == LANE_SWEEP) end(&l->hints, seen_by(lane));
		if (lane == LANE_STAND_INS || lane == LANE_SWEEP) end(&l->copies, seen_by(lane));
	}
}

uint64_t lag_ms(const struct node *n, uint32_t member)
{
	const struct lane *l = &n->courier.lanes[member];
	uint64_t hints = n->counters.hints > 0 ? l->hints.oldest_ms : 0;
	uint64_t copies = n->counters.stand_ins > 0 ? l->copies.oldest_ms : 0;
	uint64_t since = older(hints, copies);
	return since == 0 || since >= n->wall.ms ? 0 : n->wall.ms - since;
}
