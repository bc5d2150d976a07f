/* plan.c - see plan.h. Four steps, each of which keeps what those before it made true:
 *
 *   share    how many replicas each member holds (share.c)                                     L3
 *   deal     all shares in one row, zone by zone, one replica to each partition in turn   L1 L2 L3
 *   scatter  exchange two replicas at random wherever L1 and L2 stay true                 L1 L2 L3
 *   order    who is first, second, ...: one maximum flow for each place                         L4
 *
 * Why dealing is right (the wrap-around rule, McNaughton 1959). With Q = 4, N = 3:
 *
 *     row    A A A A B B | C C C D D D          zones {A B} {C D}
 *     to p   0 1 2 3 0 1 | 2 3 0 1 2 3          p0: A B C   p1: A B D   p2: A C D   p3: A C D
 *
 * A member's replicas are at most Q in a row, so no two reach the same partition; a zone's are at most
 * c_z * Q in a row, so at most c_z of them do. Nothing has to be searched for or repaired.
 *
 * Why scattering is needed: dealt, a member shares partitions with its few neighbours in the row only,
 * and these alone would take its load when it is down and refill it when it comes back.
 *
 * Why the flow exists: were each partition's first place cut into N equal parts, one for each of its
 * members, each member would have h / N of them; and where a flow in fractions keeps to bounds that are
 * whole numbers, a whole one does too (Ford and Fulkerson). */
#include "ring/plan.h"

#include "base/panic.h"
#include "base/prng.h"
#include "ring/flow.h"
#include "ring/share.h"

/* How often each replica is offered an exchange. Measured (Q 256, N 3, 9 to 36 members, 1 to 4 zones):
 * how often two members meet varies as if drawn by lot (variance near the mean) from 4 on; dealt
 * only, twenty to sixty times that. 8 is 4 with a margin. */
enum { SCATTER_ROUNDS = 8 };

struct draft {
	uint32_t partitions, member_count;
	unsigned replicas;
	const struct member *members;
	uint16_t *table; /* the primaries to be */
};

static uint16_t *row_of(const struct draft *d, uint32_t partition)
{
	assert(partition < d->partitions);
	return d->table + (size_t)partition * d->replicas;
}

/* ---- the wish ---------------------------------------------------------------------------- */

static bool wish_can_be_met(const struct layout *wish)
{
	uint32_t q = wish->partitions;
	if (q == 0 || q > PARTITIONS_MAX || (q & (q - 1)) != 0) return false;
	if (wish->replicas == 0 || wish->replicas > REPLICAS_MAX) return false;
	if (wish->member_count < wish->replicas || wish->member_count > MEMBERS_MAX) return false;
	for (uint32_t i = 0; i < wish->member_count; i++) {
		const struct member *m = &wish->members[i];
		if (m->weight == 0 || m->weight > MEMBER_WEIGHT_MAX) return false;
		if (m->state != MEMBER_SERVING) return false;
	}
	return true;
}

/* By rising id, so that the order in which they came means nothing. */
static void sort_members(struct member *to, const struct member *from, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = i;
		for (; at > 0 && to[at - 1].id.v > from[i].id.v; at--) to[at] = to[at - 1];
		to[at] = from[i];
	}
}

/* ---- deal, scatter ----------------------------------------------------------------------- */

static void deal(const struct draft *d, const struct shares *s)
{
	uint32_t dealt = 0;
	for (uint32_t z = 0; z < s->zone_count; z++) {
		for (uint32_t m = 0; m < s->member_count; m++) {
			if (s->zone_of[m] != z) continue;
			for (uint32_t i = 0; i < s->share[m]; i++, dealt++)
				row_of(d, dealt % d->partitions)[dealt / d->partitions] = (uint16_t)m;
		}
	}
	assert(dealt == d->partitions * d->replicas);
}

/* May `gone` in this row become `member` without breaking L1 or L2? */
static bool may_replace(const struct draft *d, const struct shares *s, const uint16_t *row,
                        uint16_t gone, uint16_t member)
{
	unsigned zone = s->zone_of[member], held = 0;
	for (unsigned i = 0; i < d->replicas; i++) {
		if (row[i] == member) return false;
		if (row[i] != gone && s->zone_of[row[i]] == zone) held++;
	}
	return held < s->zone_cap[zone];
}

/* The seed is fixed: a plan is a function of its members. */
static void scatter(const struct draft *d, const struct shares *s)
{
	struct prng prng;
	prng_seed(&prng, d->member_count);
	uint32_t slots = d->partitions * d->replicas;
	for (uint32_t i = 0; i < SCATTER_ROUNDS * slots; i++) {
		uint16_t *here = &d->table[i % slots], *there = &d->table[prng_below(&prng, slots)];
		const uint16_t *row = row_of(d, i % slots / d->replicas);
		const uint16_t *other = row_of(d, (uint32_t)(there - d->table) / d->replicas);
		if (!may_replace(d, s, row, *here, *there) || !may_replace(d, s, other, *there, *here))
			continue;
		uint16_t member = *here;
		*here = *there;
		*there = member;
	}
}

/* ---- order the places -------------------------------------------------------------------- */

/* The graph of one place: source -> partition -> the members not placed yet -> sink. Edges are added
 * in that order, so an edge's number says what it is (pairs: twice its index). */
struct place_graph {
	struct flow flow;
	const struct draft *draft;
	unsigned place, open; /* places 0..place - 1 are settled; open = N - place */
	uint32_t source, sink;
	uint32_t *held; /* by member: in how many partitions it is not placed yet */
};

static uint32_t choice_edge(const struct place_graph *g, uint32_t partition, unsigned choice)
{
	return 2 * (g->draft->partitions + partition * g->open + choice);
}

static uint32_t member_edge(const struct place_graph *g, uint32_t member)
{
	return choice_edge(g, g->draft->partitions, member);
}

static bool graph_build(struct place_graph *g, struct arena *a)
{
	const struct draft *d = g->draft;
	uint32_t nodes = d->partitions + d->member_count + 2;
	uint32_t edges = d->partitions * (1 + g->open) + d->member_count;
	g->source = nodes - 2;
	g->sink = nodes - 1;
	g->held = arena_take(a, d->member_count * sizeof *g->held);
	if (g->held == NULL || !flow_init(&g->flow, a, nodes, edges)) return false;
	memset(g->held, 0, d->member_count * sizeof *g->held);
	for (uint32_t p = 0; p < d->partitions; p++) flow_edge(&g->flow, g->source, p, 1);
	for (uint32_t p = 0; p < d->partitions; p++) {
		for (unsigned i = g->place; i < d->replicas; i++) {
			uint16_t m = row_of(d, p)[i];
			flow_edge(&g->flow, p, d->partitions + m, 1);
			g->held[m]++;
		}
	}
	for (uint32_t m = 0; m < d->member_count; m++)
		flow_edge(&g->flow, d->partitions + m, g->sink, g->held[m] / g->open);
	assert(g->flow.edges == 2 * edges);
	return true;
}

/* First everybody's floor(h / open), then one more for whom that was rounded down: continuing a flow
 * takes nothing back from the sink, so nobody falls below the floor again. */
static void graph_solve(struct place_graph *g)
{
	const struct draft *d = g->draft;
	uint64_t floors = 0;
	for (uint32_t m = 0; m < d->member_count; m++) floors += g->held[m] / g->open;
	uint64_t placed = flow_run(&g->flow, g->source, g->sink);
	assert(placed == floors);
	for (uint32_t m = 0; m < d->member_count; m++)
		if (g->held[m] % g->open != 0) flow_widen(&g->flow, member_edge(g, m), 1);
	placed += flow_run(&g->flow, g->source, g->sink);
	assert(placed == d->partitions);
}

/* Bring each partition's choice to the front of its open places. */
static void graph_apply(const struct place_graph *g)
{
	for (uint32_t p = 0; p < g->draft->partitions; p++) {
		uint16_t *open = row_of(g->draft, p) + g->place;
		unsigned choice = 0;
		while (flow_on(&g->flow, choice_edge(g, p, choice)) == 0) choice++;
		assert(choice < g->open);
		uint16_t chosen = open[choice];
		open[choice] = open[0];
		open[0] = chosen;
	}
}

static bool order_places(const struct draft *d, struct arena *a)
{
	for (unsigned place = 0; place + 1 < d->replicas; place++) {
		struct arena_mark mark = arena_mark(a);
		struct place_graph g = {.draft = d, .place = place, .open = d->replicas - place};
		bool ok = graph_build(&g, a);
		if (ok) {
			graph_solve(&g);
			graph_apply(&g);
		}
		arena_release(a, mark);
		if (!ok) return false;
	}
	return true;
}

/* ---- all of it --------------------------------------------------------------------------- */

/* The table, with whatever it takes given back. */
static bool draw_up(const struct draft *d, struct arena *a)
{
	struct arena_mark mark = arena_mark(a);
	struct shares s;
	bool ok = share_compute(d->members, d->member_count, d->partitions, d->replicas, a, &s);
	if (ok) {
		deal(d, &s);
		scatter(d, &s);
		ok = order_places(d, a);
	}
	arena_release(a, mark);
	return ok;
}

enum err plan_first(const struct layout *wish, struct arena *a, struct layout *out)
{
	*out = (struct layout){0};
	if (!wish_can_be_met(wish)) return ERR_PLAN;
	size_t slots = (size_t)wish->partitions * wish->replicas;
	struct member *members = arena_take(a, wish->member_count * sizeof *members);
	uint16_t *table = arena_take(a, slots * sizeof *table);
	if (members == NULL || table == NULL) return ERR_BUSY;
	sort_members(members, wish->members, wish->member_count);
	struct draft d = {wish->partitions, wish->member_count, wish->replicas, members, table};
	if (!draw_up(&d, a)) return ERR_BUSY;
	struct layout made = *wish;
	made.members = members;
	made.primaries = table;
	if (!layout_is_sound(&made)) return ERR_PLAN; /* an id twice, a name too long, no epoch */
	*out = made;
	return ERR_OK;
}
