/* eventual_constant.c - compare all, at a constant rate: what most systems do, and what the others are
 * measured by.
 *
 * One flat tree over all keys (fan-out 16, leaves of at most 16 keys on average); the first node compares
 * with each other every 2 s, behind write-through every 10 s. Nothing else is sent. */
#include <stdlib.h>

#include "tests/lab/merkle.h"
#include "tests/lab/policy.h"

static void open(struct lab *l)
{
	struct merkle *m = l->state = malloc(sizeof *m);
	assert(m != NULL);
	struct merkle_scope all = {merkle_depth(l->ground->keys.count), MERKLE_ALL_AGES};
	merkle_init(m, &all, 1);
	lab_alarm(l, 0, prng_below(&l->chance, compare_us(l)), 0);
}

static void close(struct lab *l)
{
	merkle_free(l->state);
	free(l->state);
}

static void on_alarm(struct lab *l, uint16_t node, uint32_t what)
{
	(void)what;
	for (uint16_t peer = 1; peer < LAB_NODES; peer++) merkle_begin(l, l->state, node, peer, 0);
	lab_alarm(l, node, compare_us(l), 0);
}

static void on_letter(struct lab *l, uint16_t node, struct letter_in *in)
{
	merkle_on_letter(l, l->state, node, in);
}

const struct policy eventual_constant = {.name = "eventual_constant",
                                         .open = open,
                                         .close = close,
                                         .on_alarm = on_alarm,
                                         .on_letter = on_letter};
