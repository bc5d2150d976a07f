/* fault_net.c - faults of the network: see fault_parts.h.
 *
 *   partition    A B | C D E      halves, one alone, or at random
 *   partial      A - B - C        who are not joined here do not hear each other: a bridge between two
 *                D /     \ E      halves, a ring of neighbours, or at random, and some links one way
 *   oneway       A -> B           and nothing back
 *   flap         A - B            cut and mended again and again */
#include "tests/sim/fault_parts.h"

#include "base/panic.h"
#include "tests/sim/net.h"
#include "tests/sim/trace.h"

/* ---- bad for all links ---------------------------------------------------------------------- */

static void strike_rate(struct world *w, enum fault_kind kind, uint32_t *ppm, uint32_t min,
                        uint32_t max)
{
	*ppm = (uint32_t)world_between(w, min, max);
	trace_strike(w, kind, "%u in a million", *ppm);
	fault_until(w, (struct trouble){.kind = kind}, world_about(w, SECONDS(6)));
	if (kind == FAULT_DELAY) w->fault_count[kind]++;
}

/* ---- cuts ----------------------------------------------------------------------------------- */

static void cut_both(struct trouble *t, uint16_t a, uint16_t b)
{
	t->cut[a] |= (uint16_t)(1U << b);
	t->cut[b] |= (uint16_t)(1U << a);
}

static void split(const struct world *w, struct trouble *t, uint32_t side)
{
	for (uint16_t i = 0; i < w->options.nodes; i++)
		for (uint16_t j = 0; j < i; j++)
			if ((side >> i & 1) != (side >> j & 1)) cut_both(t, i, j);
}

static void for_cuts(struct world *w, const struct trouble *t,
                     void (*act)(struct world *, uint16_t, uint16_t))
{
	for (uint16_t i = 0; i < w->options.nodes; i++)
		for (uint16_t j = 0; j < w->options.nodes; j++)
			if ((t->cut[i] >> j & 1) != 0) act(w, i, j);
}

/* Does it cut anything? Then it does so, for a while. */
static void cut(struct world *w, const struct trouble *t, uint64_t for_us, const char *how)
{
	uint32_t cuts = 0;
	for (uint16_t i = 0; i < w->options.nodes; i++) cuts += (uint32_t)__builtin_popcount(t->cut[i]);
	if (cuts == 0) return;
	trace_strike(w, t->kind, "%s: %u ways are cut", how, cuts);
	for_cuts(w, t, net_cut);
	fault_until(w, *t, for_us);
	w->fault_count[t->kind]++;
}

static void strike_partition(struct world *w)
{
	struct trouble t = {.kind = FAULT_PARTITION};
	uint32_t n = w->options.nodes, everyone = (1U << n) - 1;
	uint32_t side = (uint32_t)prng_below(w->prng, everyone + 1);
	switch (prng_below(w->prng, 3)) {
	case 0: side = 1U << fault_any_proc(w); break;
	case 1: side = everyone >> n / 2; break;
	default: break;
	}
	split(w, &t, side);
	cut(w, &t, world_about(w, SECONDS(8)), "it splits");
}

/* One sees all; the others are two halves that do not see each other. */
static void bridge(struct world *w, struct trouble *t)
{
	uint16_t middle = fault_any_proc(w);
	uint32_t side = (uint32_t)prng_below(w->prng, 1U << w->options.nodes);
	split(w, t, side);
	for (uint16_t i = 0; i < w->options.nodes; i++) t->cut[i] &= (uint16_t) ~(1U << middle);
	t->cut[middle] = 0;
}

static void ring(struct world *w, struct trouble *t)
{
	uint16_t n = (uint16_t)w->options.nodes;
	for (uint16_t i = 0; i < n; i++)
		for (uint16_t j = 0; j < i; j++)
			if (i - j != 1 && i - j != n - 1) cut_both(t, i, j);
}

static void holes(struct world *w, struct trouble *t, bool ways)
{
	for (uint16_t i = 0; i < w->options.nodes; i++) {
		for (uint16_t j = 0; j < i; j++) {
			uint64_t dice = prng_below(w->prng, 6);
			if (dice < 2) cut_both(t, i, j);
			if (ways && dice == 2) t->cut[i] |= (uint16_t)(1U << j);
			if (ways && dice == 3) t->cut[j] |= (uint16_t)(1U << i);
		}
	}
}

static void strike_partial(struct world *w)
{
	struct trouble t = {.kind = FAULT_PARTIAL};
	uint64_t for_us = world_about(w, SECONDS(8));
	switch (prng_below(w->prng, 4)) {
	case 0:
		bridge(w, &t);
		cut(w, &t, for_us, "one bridges two halves");
		break;
	case 1:
		ring(w, &t);
		cut(w, &t, for_us, "a ring");
		break;
	case 2:
		holes(w, &t, false);
		cut(w, &t, for_us, "holes");
		break;
	default:
		holes(w, &t, true);
		cut(w, &t, for_us, "holes, some of them one way");
		break;
	}
}

/* ---- one link ------------------------------------------------------------------------------- */

static void strike_link(struct world *w, enum fault_kind kind)
{
	struct trouble t = {.kind = kind};
	uint32_t n = w->options.nodes;
	if (n < 2) return;
	uint16_t a = fault_any_proc(w);
	uint16_t b = (uint16_t)((a + 1 + prng_below(w->prng, n - 1)) % n);
	if (kind == FAULT_ONEWAY) {
		t.cut[a] = (uint16_t)(1U << b);
		cut(w, &t, world_about(w, SECONDS(8)), "a link carries one way only");
	} else {
		assert(kind == FAULT_FLAP);
		cut_both(&t, a, b);
		t.left = 2 * (uint32_t)world_between(w, 2, 8);
		cut(w, &t, world_about(w, MS(700)), "a link comes and goes");
	}
}

static void flap_on(struct world *w, const struct trouble *t)
{
	struct trouble next = *t;
	bool was_cut = t->left % 2 == 0;
	for_cuts(w, t, was_cut ? net_mend : net_cut);
	if (--next.left == 0) {
		assert(!was_cut);
		for_cuts(w, t, net_mend);
		return;
	}
	fault_until(w, next, world_about(w, MS(700)));
}

/* One link, or all links of one node. */
static void strike_slow(struct world *w)
{
	struct trouble t = {.kind = FAULT_SLOWLINK, .slow_us = world_between(w, MS(5), MS(900))};
	uint32_t n = w->options.nodes;
	if (n < 2) return;
	uint16_t a = fault_any_proc(w), everyone = (uint16_t)((1U << n) - 1);
	uint16_t b = (uint16_t)((a + 1 + prng_below(w->prng, n - 1)) % n);
	uint16_t others = (uint16_t)(prng_below(w->prng, 4) == 0 ? everyone : 1U << b);
	t.slow[a] = others & (uint16_t) ~(1U << a);
	for (uint16_t i = 0; i < n; i++)
		if ((t.slow[a] >> i & 1) != 0) t.slow[i] = (uint16_t)(1U << a);
	for (uint16_t i = 0; i < n; i++)
		for (uint16_t j = 0; j < n; j++)
			if ((t.slow[i] >> j & 1) != 0) w->net.link[i][j].slow_us += t.slow_us;
	trace_strike(w, t.kind, "%u links of %s take %.3f s more",
	             (unsigned)__builtin_popcount(t.slow[a]), w->procs[a].name,
	             (double)t.slow_us / 1e6);
	fault_until(w, t, world_about(w, SECONDS(8)));
	w->fault_count[FAULT_SLOWLINK]++;
}

static void end_slow(struct world *w, const struct trouble *t)
{
	for (uint16_t i = 0; i < w->options.nodes; i++)
		for (uint16_t j = 0; j < w->options.nodes; j++)
			if ((t->slow[i] >> j & 1) != 0) w->net.link[i][j].slow_us -= t->slow_us;
}

/* ---- striking and ending -------------------------------------------------------------------- */

void fault_net_strike(struct world *w, enum fault_kind kind)
{
	struct net *net = &w->net;
	switch (kind) {
	case FAULT_DELAY: strike_rate(w, kind, &net->delay_ppm, 10000, 200000); break;
	case FAULT_LOSS: strike_rate(w, kind, &net->loss_ppm, 10000, 250000); break;
	case FAULT_DUP: strike_rate(w, kind, &net->dup_ppm, 10000, 150000); break;
	case FAULT_REORDER: strike_rate(w, kind, &net->reorder_ppm, 50000, 500000); break;
	case FAULT_PARTITION: strike_partition(w); break;
	case FAULT_PARTIAL: strike_partial(w); break;
	case FAULT_ONEWAY:
	case FAULT_FLAP: strike_link(w, kind); break;
	case FAULT_SLOWLINK: strike_slow(w); break;
	default: unreachable();
	}
}

void fault_net_end(struct world *w, const struct trouble *t)
{
	switch (t->kind) {
	case FAULT_DELAY: w->net.delay_ppm = 0; break;
	case FAULT_LOSS: w->net.loss_ppm = 0; break;
	case FAULT_DUP: w->net.dup_ppm = 0; break;
	case FAULT_REORDER: w->net.reorder_ppm = 0; break;
	case FAULT_PARTITION:
	case FAULT_PARTIAL:
	case FAULT_ONEWAY:
		trace_world(w, "%s: it ends", options_fault_word(t->kind));
		for_cuts(w, t, net_mend);
		break;
	case FAULT_FLAP: flap_on(w, t); break;
	case FAULT_SLOWLINK: end_slow(w, t); break;
	default: unreachable();
	}
}
