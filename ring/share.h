/* share.h - how many replicas each member is to hold.
 *
 * One level rises for all: a member's share is level * weight, until it has all Q partitions, or
 * until its zone has all that the zone may hold (c_z * Q, see plan.h L2); then it, or the whole zone,
 * stands still and the rest rises on, to Q * N in all. That is weighted max-min fairness; with
 * nobody standing still it is Q * N * weight / sum of weights.
 *
 * Shares are then rounded to whole replicas by largest remainder, zones first and then members inside
 * a zone, so that every share and every zone is rounded down or up and no further. */
#ifndef DUNLIN_SHARE_H
#define DUNLIN_SHARE_H

#include "ring/layout.h"

struct shares {
	uint32_t member_count, zone_count;
	uint16_t *zone_of;  /* by member */
	uint32_t *share;    /* by member: replicas it is to hold, at most Q */
	uint8_t *zone_cap;  /* by zone: replicas of one partition it may hold, c_z */
	uint64_t *zone_sum; /* by zone: the shares of its members, at most c_z * Q */
};

/* Of members by rising id, at least `replicas` of them, no weight 0. Arrays from the arena; false when
 * that is full. */
bool share_compute(const struct member *members, uint32_t count, uint32_t partitions,
                   unsigned replicas, struct arena *a, struct shares *out);

#endif
