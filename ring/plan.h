/* plan.h - computes layout 1: who holds which partition. Pure; memory from an arena.
 *
 * What a plan promises, Q partitions, N replicas:
 *   L1  the N replicas of a partition are on N distinct members;
 *   L2  no zone holds more replicas of one partition than it must: at most c, the least number for
 *       which the sum over zones of min(members of the zone, c) reaches N. c is 1 when there are N
 *       zones or more, and ceil(N / zones) when each zone has that many members;
 *   L3  each member holds its share (share.h), rounded down or up: Q * N * weight / sum of weights,
 *       unless L1 or L2 forbid that much;
 *   L4  each member that holds h replicas is the first place of floor(h / N) or ceil(h / N)
 *       partitions;
 *   L5  the same members, in whatever order, give the same layout on every machine. */
#ifndef DUNLIN_PLAN_H
#define DUNLIN_PLAN_H

#include "ring/layout.h"

/* `wish` says everything but the primaries (which are not looked at): Q, N, members in any order,
 * all of them serving, weights from 1 to MEMBER_WEIGHT_MAX, ids distinct; it need not be sorted.
 * `out` has members and primaries in the arena; names and retired ids are the wish's.
 * ERR_PLAN if it cannot be done (fewer than N members, a weight of 0, ...), ERR_BUSY when the arena
 * is full. What it needs for working is given back: about 24 bytes * Q * (N + 2) and 60 a member, up
 * to twice that by the pool's rounding. */
enum err plan_first(const struct layout *wish, struct arena *a, struct layout *out);

#endif
