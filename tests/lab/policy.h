/* policy.h - a policy: what nodes tell each other so that they come to hold the same.
 *
 * One small file each; its head says what it does and what was decided where nobody had said. The lab
 * calls it when something happens at a node, and it calls lab_send, lab_merge and lab_alarm. NULL: it
 * does not want to know. A policy is told nothing that its node could not know. */
#ifndef DUNLIN_LAB_POLICY_H
#define DUNLIN_LAB_POLICY_H

#include "tests/lab/letter.h"

struct policy {
	const char *name;
	const char *missing; /* why it cannot be run yet; NULL: it can */
	/* Make l->state, for all nodes, and set the first alarms. */
	void (*open)(struct lab *l);
	void (*close)(struct lab *l);
	void (*on_alarm)(struct lab *l, uint16_t node, uint32_t what);
	void (*on_letter)(struct lab *l, uint16_t node, struct letter_in *in);
	/* A message of the server's has come. True: it was the policy's, and is dealt with; else it is taken
	 * for a write-through or its ack. */
	bool (*on_msg)(struct lab *l, uint16_t node, uint16_t from, const struct msg *m);
	/* This node took a client's write. */
	void (*on_written)(struct lab *l, uint16_t node, uint32_t key);
	/* `peer` confirmed the write-through of a write that this node took, and it holds no more since. */
	void (*on_confirmed)(struct lab *l, uint16_t node, uint16_t peer, uint32_t key);
	/* What this node holds of a key is not `before` any more, for whatever reason. */
	void (*on_changed)(struct lab *l, uint16_t node, uint32_t key, const struct held *before);
	/* The link was cut, or is whole again, and the node has noticed. */
	void (*on_link)(struct lab *l, uint16_t node, bool whole);
};

extern const struct policy eventual_constant, bounded_staleness, leader_hot_follower_cold,
	nearsight_age_tiered, dirty_key_push, time_radix;
/* Broken on purpose, so that one sees whether the tables show it. Never in them otherwise. */
extern const struct policy dirty_key_forget;

/* In the order of the tables; the first is what the others are measured by. */
#define POLICIES 6
extern const struct policy *const policies[POLICIES];

/* How often a policy compares that compares at a constant rate. Behind write-through comparing is a
 * safety net, and all of them compare less often. */
#define COMPARE_US SECONDS(2)
#define COMPARE_BEHIND_US SECONDS(10)
static inline uint64_t compare_us(const struct lab *l)
{
	return l->path == PATH_ONLY ? COMPARE_US : COMPARE_BEHIND_US;
}

#endif
