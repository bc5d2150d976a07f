/* flow.h - maximum flow in a graph with whole capacities (Dinic, 1970): the planner's solver.
 *
 * Edges are in pairs: edge e and its reverse e ^ 1, which has room for what flows on e. Two rules
 * the planner leans on: a flow may be continued after capacities grew, and continuing it never
 * takes flow away from an edge into the sink or out of the source. */
#ifndef DUNLIN_FLOW_H
#define DUNLIN_FLOW_H

#include "base/arena.h"

struct flow {
	uint32_t nodes, edges, edges_max; /* edges count both of a pair */
	uint32_t *newest;                 /* by node: its newest edge */
	uint32_t *older;                  /* by edge: the next of its node */
	uint32_t *to, *room;              /* by edge */
	uint32_t *level, *at, *queue;     /* by node: working state of flow_run */
};

/* Room for `edges` edges, from the arena; false when that is full. */
bool flow_init(struct flow *f, struct arena *a, uint32_t nodes, uint32_t edges);
/* Its number, for the two below. */
uint32_t flow_edge(struct flow *f, uint32_t from, uint32_t to, uint32_t capacity);
void flow_widen(struct flow *f, uint32_t edge, uint32_t more);
/* What flows on it now. */
uint32_t flow_on(const struct flow *f, uint32_t edge);
/* Push until nothing more gets through; returns how much was added. source != sink. */
uint64_t flow_run(struct flow *f, uint32_t source, uint32_t sink);

#endif
