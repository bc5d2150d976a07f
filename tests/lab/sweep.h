/* sweep.h - what it costs to find d keys of n that two replicas do not have alike.
 *
 *   random_missing  d keys of any age are not there on the second node
 *   random_stale    d keys have a later version on the first, of any age
 *   outage          the second was away for an hour: d keys were written on the first meanwhile
 *   partition       neither saw the other for an hour: d keys were written, each on either side
 *   half_hinted     an outage in which twice as many keys were written; hints have brought half of them
 *
 * Counted is all that is not the records themselves: what a policy sends to find them, to ask for them
 * and to say that it is over. Schemes of others are computed from what their sources send, over the same
 * two sets of keys (peers.h). */
#ifndef DUNLIN_LAB_SWEEP_H
#define DUNLIN_LAB_SWEEP_H

#include <stdio.h>

#include "tests/lab/lab.h"

enum sweep_kind { RANDOM_MISSING, RANDOM_STALE, OUTAGE, PARTITION, HALF_HINTED, SWEEP_KINDS };
extern const char *const sweep_kinds[SWEEP_KINDS];

struct scheme {
	const char *name;
	const char *missing; /* why it cannot be run yet */
	bool repairs;        /* the two nodes are equal afterwards */
	/* Of a world in which they differ in d keys. */
	uint64_t (*bytes)(struct lab *l, uint32_t d);
};

/* All kinds, d = 0, 1, 10, ... 10^4, n = 10^4, 10^5, 10^6 up to `most`. Tables to stdout, rows to `tsv`. */
void sweep_run(uint32_t most, FILE *tsv);

/* Make the two nodes differ in d keys. d is at most the number of keys. */
void sweep_diverge(struct lab *l, enum sweep_kind kind, uint32_t d);

#endif
