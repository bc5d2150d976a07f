/* bounds.h - P8: what a node holds stays below the limits that it was given.
 *
 * Pure; each bound has a node that it must refuse in tests/unit/test_sim_bounds.c. */
#ifndef DUNLIN_SIM_BOUNDS_H
#define DUNLIN_SIM_BOUNDS_H

#include "dunlin/node.h"
#include "tests/sim/check.h"

struct bounds {
	uint64_t coord_slots, replica_slots, pool_bytes;
	uint64_t hints, hint_bytes, stand_ins, stand_in_bytes;
};

/* Of a node with that configuration and so large a pool. */
struct bounds bounds_of(const struct node_config *c, uint64_t pool_bytes);
bool check_bounds(const struct bounds *b, const char *node, const struct node_metrics *m,
                  struct check_failure *out);
/* An answer, as its client gets it. */
bool check_reply_bounds(const struct reply *r, struct check_failure *out);

#endif
