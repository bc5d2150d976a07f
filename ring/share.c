/* share.c - see share.h. In whole numbers throughout, so that every machine gets the same.
 *
 * A *pot* is what some members divide: units * weight / pot.weight replicas each. Members who would
 * get more than Q are *capped*: taken out of it first, with Q each. The open zones divide one pot; a
 * zone for which that is more than it may hold is *closed* and divides a pot of its own.
 *
 * Why closing and capping are never regretted: each leaves more for the others, so the level only
 * rises, and what was too much at a lower level is too much at a higher one. */
#include "ring/share.h"

#include "base/panic.h"

#define OPEN_ZONES UINT32_MAX

struct pot {
	uint64_t units, weight;
};

struct work {
	const struct member *members;
	uint64_t partitions; /* wide, since it is multiplied */
	struct shares *out;
	uint32_t *order;       /* members by falling weight */
	bool *capped;          /* by member */
	uint32_t *zone_size;   /* by zone: its members */
	bool *closed;          /* by zone */
	uint64_t *zone_weight; /* by zone: weights of its members that are not capped */
	uint64_t *rest;        /* by member or zone: remainders, while one group is rounded */
};

/* ---- zones ------------------------------------------------------------------------------- */

/* Number the zones in the order in which they first appear. */
static void number_zones(struct work *w)
{
	struct shares *out = w->out;
	for (uint32_t m = 0; m < out->member_count; m++) {
		uint32_t same = 0;
		while (!bytes_equal(w->members[same].zone, w->members[m].zone)) same++;
		assert(same <= m);
		uint32_t z = same < m ? out->zone_of[same] : out->zone_count++;
		out->zone_of[m] = (uint16_t)z;
		w->zone_size[z] = same < m ? w->zone_size[z] + 1 : 1;
	}
}

/* c_z = min(members of the zone, c), for the least c with which the zones together hold N. */
static void cap_zones(struct work *w, unsigned replicas)
{
	struct shares *out = w->out;
	uint32_t held = 0;
	for (uint8_t c = 1; held < replicas; c++) {
		assert(c <= replicas);
		held = 0;
		for (uint32_t z = 0; z < out->zone_count; z++) {
			out->zone_cap[z] = w->zone_size[z] < c ? (uint8_t)w->zone_size[z] : c;
			held += out->zone_cap[z];
		}
	}
}

static uint64_t zone_most(const struct work *w, uint32_t zone)
{
	return w->out->zone_cap[zone] * w->partitions;
}

/* ---- shares, exact ----------------------------------------------------------------------- */

/* By insertion: a layout has few members, and they mostly weigh the same. */
static void order_by_weight(struct work *w)
{
	for (uint32_t i = 0; i < w->out->member_count; i++) {
		uint32_t at = i;
		for (; at > 0 && w->members[w->order[at - 1]].weight < w->members[i].weight; at--)
			w->order[at] = w->order[at - 1];
		w->order[at] = i;
	}
}

/* Does it divide the pot of `zone` (or that of the open zones)? */
static bool divides(const struct work *w, uint32_t member, uint32_t zone)
{
	uint32_t z = w->out->zone_of[member];
	return zone == OPEN_ZONES ? !w->closed[z] : z == zone;
}

/* The pot that is left of `units` when those who would get more than Q have their Q. Heaviest
 * first: once one is not above Q, no later one is. */
static struct pot fill(struct work *w, uint32_t zone, uint64_t units)
{
	struct pot pot = {units, 0};
	for (uint32_t m = 0; m < w->out->member_count; m++)
		if (divides(w, m, zone)) pot.weight += w->members[m].weight;
	for (uint32_t i = 0; i < w->out->member_count; i++) {
		uint32_t m = w->order[i];
		if (!divides(w, m, zone)) continue;
		w->capped[m] = w->members[m].weight * pot.units >= w->partitions * pot.weight;
		if (!w->capped[m]) continue;
		pot.units -= w->partitions;
		pot.weight -= w->members[m].weight;
	}
	assert(implies(pot.weight == 0, pot.units == 0));
	return pot;
}

/* Per zone, what its capped members hold, and the weight of the others. */
static void sum_zones(struct work *w)
{
	memset(w->zone_weight, 0, w->out->zone_count * sizeof *w->zone_weight);
	memset(w->out->zone_sum, 0, w->out->zone_count * sizeof *w->out->zone_sum);
	for (uint32_t m = 0; m < w->out->member_count; m++) {
		uint32_t z = w->out->zone_of[m];
		if (w->capped[m])
			w->out->zone_sum[z] += w->partitions;
		else
			w->zone_weight[z] += w->members[m].weight;
	}
}

/* Close the zones that would get too much of this pot; *left loses what they hold instead. */
static bool close_zones(struct work *w, struct pot pot, uint64_t *left)
{
	bool any = false;
	sum_zones(w);
	for (uint32_t z = 0; z < w->out->zone_count; z++) {
		if (w->closed[z]) continue;
		uint64_t wants = pot.units * w->zone_weight[z] + w->out->zone_sum[z] * pot.weight;
		if (wants <= zone_most(w, z) * pot.weight && w->out->zone_sum[z] <= zone_most(w, z))
			continue;
		assert(*left >= zone_most(w, z));
		*left -= zone_most(w, z);
		w->closed[z] = any = true;
	}
	return any;
}

/* ---- shares, rounded --------------------------------------------------------------------- */

/* The largest remainder of `count`, the first of equals; it is used up. */
static uint32_t take_largest_rest(uint64_t *rest, uint32_t count)
{
	uint32_t best = 0;
	for (uint32_t i = 1; i < count; i++)
		if (rest[i] > rest[best]) best = i;
	assert(rest[best] > 0); /* so nobody whose share is whole is rounded up */
	rest[best] = 0;
	return best;
}

/* Whole sums for the open zones, `left` together. */
static void round_zones(struct work *w, struct pot pot, uint64_t left)
{
	struct shares *out = w->out;
	sum_zones(w);
	for (uint32_t z = 0; z < out->zone_count; z++) {
		w->rest[z] = 0;
		if (w->closed[z]) continue;
		uint64_t product = pot.units * w->zone_weight[z];
		if (pot.weight > 0) {
			out->zone_sum[z] += product / pot.weight;
			w->rest[z] = product % pot.weight;
		}
		left -= out->zone_sum[z];
	}
	for (; left > 0; left--) out->zone_sum[take_largest_rest(w->rest, out->zone_count)]++;
}

/* Whole shares for the members of a zone, zone_sum together. */
static void round_members(struct work *w, uint32_t zone, struct pot pot)
{
	struct shares *out = w->out;
	uint64_t left = out->zone_sum[zone];
	for (uint32_t m = 0; m < out->member_count; m++) {
		w->rest[m] = 0;
		if (out->zone_of[m] != zone) continue;
		out->share[m] = w->capped[m] ? (uint32_t)w->partitions : 0;
		if (!w->capped[m]) {
			assert(pot.weight > 0);
			uint64_t product = pot.units * w->members[m].weight;
			out->share[m] = (uint32_t)(product / pot.weight);
			w->rest[m] = product % pot.weight;
		}
		assert(left >= out->share[m]);
		left -= out->share[m];
	}
	for (; left > 0; left--) out->share[take_largest_rest(w->rest, out->member_count)]++;
}

/* ---- all of it --------------------------------------------------------------------------- */

static void compute(struct work *w, unsigned replicas)
{
	number_zones(w);
	cap_zones(w, replicas);
	order_by_weight(w);
	memset(w->closed, 0, w->out->zone_count);
	uint64_t left = w->partitions * replicas;
	struct pot open;
	do {
		open = fill(w, OPEN_ZONES, left);
	} while (close_zones(w, open, &left));
	round_zones(w, open, left);
	for (uint32_t z = 0; z < w->out->zone_count; z++) {
		struct pot pot = open;
		if (w->closed[z]) {
			w->out->zone_sum[z] = zone_most(w, z);
			pot = fill(w, z, zone_most(w, z));
		}
		round_members(w, z, pot);
	}
}

static bool take_results(struct arena *a, uint32_t count, struct shares *out)
{
	out->zone_of = arena_take(a, count * sizeof *out->zone_of);
	out->share = arena_take(a, count * sizeof *out->share);
	out->zone_cap = arena_take(a, count * sizeof *out->zone_cap);
	out->zone_sum = arena_take(a, count * sizeof *out->zone_sum);
	return out->zone_of != NULL && out->share != NULL && out->zone_cap != NULL &&
	       out->zone_sum != NULL;
}

static bool take_work(struct arena *a, uint32_t count, struct work *w)
{
	w->order = arena_take(a, count * sizeof *w->order);
	w->capped = arena_take(a, count * sizeof *w->capped);
	w->zone_size = arena_take(a, count * sizeof *w->zone_size);
	w->closed = arena_take(a, count * sizeof *w->closed);
	w->zone_weight = arena_take(a, count * sizeof *w->zone_weight);
	w->rest = arena_take(a, count * sizeof *w->rest);
	return w->order != NULL && w->capped != NULL && w->zone_size != NULL && w->closed != NULL &&
	       w->zone_weight != NULL && w->rest != NULL;
}

bool share_compute(const struct member *members, uint32_t count, uint32_t partitions,
                   unsigned replicas, struct arena *a, struct shares *out)
{
	assert(replicas > 0 && replicas <= REPLICAS_MAX && count >= replicas && count <= MEMBERS_MAX);
	*out = (struct shares){.member_count = count};
	if (!take_results(a, count, out)) return false;
	struct arena_mark mark = arena_mark(a);
	struct work w = {.members = members, .partitions = partitions, .out = out};
	bool ok = take_work(a, count, &w);
	if (ok) compute(&w, replicas);
	arena_release(a, mark);
	return ok;
}
