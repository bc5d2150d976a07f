/* bounded.h - compare when a write has waited for so long, and not before: what bounded_staleness is, and
 * what leader_hot_follower_cold does with cold keys. */
#ifndef DUNLIN_LAB_BOUNDED_H
#define DUNLIN_LAB_BOUNDED_H

#include "tests/lab/merkle.h"
#include "tests/lab/policy.h"

/* How old a write may get with nobody having compared, and how often is compared though nobody wrote. */
#define BOUNDED_US SECONDS(10)
#define BOUNDED_QUIET_US SECONDS(30)
/* A comparison that takes longer was lost. */
#define BOUNDED_ROUND_US SECONDS(2)

struct bounded {
	struct merkle merkle;
	/* By node, by place: since when a write that was taken there waits; 0: none does. */
	uint64_t *since_us[LAB_NODES];
	/* When the last comparison began that this node began, or answers. */
	uint64_t began_us[LAB_NODES], answered_us[LAB_NODES];
	bool answers[LAB_NODES]; /* and that one is not over yet */
};

void bounded_init(struct lab *l, struct bounded *b);
void bounded_free(struct bounded *b);
void bounded_on_alarm(struct lab *l, struct bounded *b, uint16_t node, uint32_t what);
void bounded_on_letter(struct lab *l, struct bounded *b, uint16_t node, struct letter_in *in);
void bounded_on_written(struct lab *l, struct bounded *b, uint16_t node, uint32_t key);
void bounded_on_confirmed(struct bounded *b, uint16_t node, uint32_t key);

#endif
