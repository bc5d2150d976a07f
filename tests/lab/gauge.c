/* gauge.c - what is measured: see lab.h.
 *
 * Stale reads are not sampled. At each moment it is known which keys each node has not seen the newest
 * acknowledged write of, and how likely a read is to be of each; the share of stale reads is the mean
 * of that over time and nodes. Weights are whole numbers, so adding and taking away is exact. */
#include <stdlib.h>

#include "tests/lab/scenario.h"

/* Of 100 reads, those of keys as they are being written; the rest is of any key. */
#define READS_AS_WRITTEN 5
#define WHOLE ((double)(1ULL << 40))

void gauge_init(struct lab *l)
{
	uint32_t count = l->ground->keys.count;
	struct gauge *g = &l->gauge;
	g->acked = calloc(count, sizeof *g->acked);
	g->stale = calloc(count, sizeof *g->stale);
	g->owed = calloc(count, sizeof *g->owed);
	assert(g->acked != NULL && g->stale != NULL && g->owed != NULL);
	g->settled_us = UINT64_MAX;
}

void gauge_free(struct lab *l)
{
	for (uint32_t k = 0; k < l->ground->keys.count; k++)
		free((void *)(uintptr_t)l->gauge.owed[k].data);
	free(l->gauge.acked);
	free(l->gauge.stale);
	free(l->gauge.owed);
}

/* ---- stale reads ---------------------------------------------------------------------------- */

/* Which part of the reads at this node would be stale, with the rates of that time. */
static double stale_share(const struct lab *l, uint16_t node, uint64_t at_us)
{
	const struct gauge *g = &l->gauge;
	double any = (double)g->stale_count[node] / l->ground->keys.count, written = 0, rates = 0;
	for (uint32_t i = 0; i < LAB_STREAMS; i++) {
		const struct stream *s = &l->scenario->stream[i];
		if (s->per_1000_s == 0 || at_us < s->from_us || at_us >= s->until_us) continue;
		rates += (double)s->per_1000_s;
		written += (double)s->per_1000_s * (double)g->stale_weight[node][i] / WHOLE;
	}
	if (rates > 0) written /= rates;
	return (READS_AS_WRITTEN * written + (100 - READS_AS_WRITTEN) * any) / 100;
}

void gauge_advance(struct lab *l)
{
	struct gauge *g = &l->gauge;
	uint64_t until = l->now_us < LAB_END_US ? l->now_us : LAB_END_US;
	if (l->scenario == NULL || until <= g->integrated_us) return;
	double share = 0;
	for (uint16_t i = 0; i < LAB_NODES; i++)
		share += stale_share(l, i, g->integrated_us) / LAB_NODES;
	g->stale_us += share * (double)(until - g->integrated_us);
	g->integrated_us = until;
}

static void set_stale(struct lab *l, uint16_t node, uint32_t key, bool stale)
{
	struct gauge *g = &l->gauge;
	bool was = (g->stale[key] >> node & 1) != 0;
	if (was == stale) return;
	g->stale[key] ^= (uint8_t)(1U << node);
	g->stale_count[node] += stale ? 1 : (uint64_t)-1;
	for (uint32_t i = 0; i < LAB_STREAMS; i++)
		if (l->weight[i] != NULL)
			g->stale_weight[node][i] += stale ? l->weight[i][key] : -l->weight[i][key];
}

static bool has_seen(struct lab *l, uint16_t node, uint32_t key, struct dot dot)
{
	if (dot_equal(l->node[node].held[key].newest, dot)) return true;
	struct arena_mark mark = arena_mark(&l->arena);
	struct object o = lab_object(l, lab_held(l, node, key));
	bool seen = dvv_covers(&o.seen, dot);
	arena_release(&l->arena, mark);
	return seen;
}

void gauge_on_ack(struct lab *l, uint32_t key, struct dot dot)
{
	l->gauge.acked[key] = dot;
	for (uint16_t i = 0; i < LAB_NODES; i++) set_stale(l, i, key, !has_seen(l, i, key, dot));
}

double gauge_stale_pct(const struct lab *l)
{
	return l->gauge.stale_us / (double)LAB_END_US * 100;
}

/* ---- sameness ------------------------------------------------------------------------------- */

static bool same(const struct held *a, const struct held *b)
{
	return a->x == b->x && a->y == b->y;
}

static bool differs(const struct lab *l, uint32_t key)
{
	for (uint16_t i = 1; i < LAB_NODES; i++)
		if (!same(&l->node[i].held[key], &l->node[0].held[key])) return true;
	return false;
}

static bool differed(const struct lab *l, uint16_t node, uint32_t key, const struct held *before)
{
	const struct held *first = node == 0 ? before : &l->node[0].held[key];
	for (uint16_t i = 1; i < LAB_NODES; i++)
		if (!same(i == node ? before : &l->node[i].held[key], first)) return true;
	return false;
}

/* ---- what is owed --------------------------------------------------------------------------- */

static void owe(struct lab *l, uint32_t key)
{
	struct arena_mark mark = arena_mark(&l->arena);
	struct object all = {0};
	for (uint16_t i = 0; i < LAB_NODES; i++) {
		struct object o = lab_object(l, lab_held(l, i, key));
		bool room = object_merge(&l->arena, &all, &o, &all);
		assert(room);
	}
	struct packer measure = {0};
	object_pack(&measure, &all);
	struct packer p = {.to = malloc(measure.len), .capacity = measure.len};
	assert(p.to != NULL);
	object_pack(&p, &all);
	l->gauge.owed[key] = bytes_of(p.to, p.len);
	l->gauge.owed_count++;
	arena_release(&l->arena, mark);
}

static bool all_have_seen(struct lab *l, uint32_t key, struct bytes what)
{
	struct arena_mark mark = arena_mark(&l->arena);
	struct object owed = lab_object(l, what);
	bool all = true;
	for (uint16_t i = 0; i < LAB_NODES && all; i++) {
		struct object o = lab_object(l, lab_held(l, i, key));
		all = dvv_includes(&o.seen, &owed.seen);
	}
	arena_release(&l->arena, mark);
	return all;
}

static void settle(struct lab *l, uint32_t key)
{
	struct gauge *g = &l->gauge;
	if (g->owed[key].len == 0 || !all_have_seen(l, key, g->owed[key])) return;
	free((void *)(uintptr_t)g->owed[key].data);
	g->owed[key] = BYTES_EMPTY;
	if (--g->owed_count == 0) g->settled_us = l->now_us;
}

void gauge_owe(struct lab *l)
{
	struct gauge *g = &l->gauge;
	assert(!g->owing);
	g->owing = true;
	g->owed_from_us = l->now_us;
	for (uint32_t k = 0; k < l->ground->keys.count; k++)
		if (differs(l, k)) owe(l, k);
	if (g->owed_count == 0) g->settled_us = l->now_us;
}

void gauge_on_change(struct lab *l, uint16_t node, uint32_t key, const struct held *before)
{
	struct gauge *g = &l->gauge;
	bool was = differed(l, node, key, before), is = differs(l, key);
	if (is && !was) g->differing++;
	if (was && !is) g->differing--;
	if (g->acked[key].at.v != 0) set_stale(l, node, key, !has_seen(l, node, key, g->acked[key]));
	settle(l, key);
}

double gauge_converge_s(const struct lab *l)
{
	const struct gauge *g = &l->gauge;
	/* What was written after the heal must have arrived as well, in the end. */
	if (g->settled_us == UINT64_MAX || g->differing > 0) return -1;
	return (double)(g->settled_us - g->owed_from_us) / 1e6;
}
