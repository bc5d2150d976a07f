/* nearsight.c - nearsight_age_tiered, the write-up's own idea: what is young is compared often.
 *
 * Four trees, each over the keys of an age, compared every 1, 4, 15 and 60 s by the first node. The ages
 * are taken by each node's own clock at the moment of the comparison, so keys move from tree to tree as
 * they age, and at the edges the two nodes mean different keys. That is what it loses by: a key that
 * is on this side of an edge here and on that side there counts as missing and is sent, though the
 * other has it.
 *
 * Not said by the write-up, and decided here: the edges (10 s, 1 min, 10 min); that a tree of the young has
 * 256 leaves and that of the old as many as a flat one; that each tier is a comparison of its own. The
 * rates are the same behind write-through: they are what makes it what it is. */
#include <stdlib.h>

#include "tests/lab/merkle.h"
#include "tests/lab/policy.h"

enum { TIERS = 4, YOUNG_DEPTH = 2 };

static const uint64_t period_us[TIERS] = {SECONDS(1), SECONDS(4), SECONDS(15), SECONDS(60)};

static void open(struct lab *l)
{
	struct merkle *m = l->state = malloc(sizeof *m);
	assert(m != NULL);
	unsigned depth = merkle_depth(l->ground->keys.count);
	struct merkle_scope tier[TIERS] = {{YOUNG_DEPTH, 0, 10000},
	                                   {YOUNG_DEPTH, 10000, 60000},
	                                   {YOUNG_DEPTH, 60000, 600000},
	                                   {depth, 600000, UINT64_MAX}};
	merkle_init(m, tier, TIERS);
	for (uint32_t i = 0; i < TIERS; i++) lab_alarm(l, 0, prng_below(&l->chance, period_us[i]), i);
}

static void close(struct lab *l)
{
	merkle_free(l->state);
	free(l->state);
}

static void on_alarm(struct lab *l, uint16_t node, uint32_t tier)
{
	for (uint16_t peer = 1; peer < LAB_NODES; peer++) merkle_begin(l, l->state, node, peer, tier);
	lab_alarm(l, node, period_us[tier], tier);
}

static void on_letter(struct lab *l, uint16_t node, struct letter_in *in)
{
	merkle_on_letter(l, l->state, node, in);
}

const struct policy nearsight_age_tiered = {.name = "nearsight_age_tiered",
                                            .open = open,
                                            .close = close,
                                            .on_alarm = on_alarm,
                                            .on_letter = on_letter};
