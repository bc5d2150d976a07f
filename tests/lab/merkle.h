/* merkle.h - a hash tree over what a node holds, and one comparison of two nodes by it.
 *
 *   initiator                       responder
 *      ROOT scope, digest    ->                      makes its tree
 *                            <-  SAME                the round is over: both know
 *                            <-  NODES               the children of the root
 *      ASK   nodes that differ ->
 *                            <-  NODES               and so on, one level a round trip
 *      ASK_KEYS leaves       ->
 *                            <-  KEYS                all keys in them, with what was seen of each
 *      RECORDS               ->                      what is newer here, or not in that list
 *      WANT                  ->                      what is newer there; with none: over
 *                            <-  RECORDS             over
 *
 * Fan-out 16, digests of 8 bytes, a leaf is a range of key hashes, a node is the XOR of its children.
 * Each level crosses the link once, in one direction, which is as lean as such a comparison gets
 * without another idea; leaf lists carry whole keys and what was seen of them, as the write-up's do.
 *
 * A scope is part of all keys: those whose newest sibling is so old. The age is taken by each node's own
 * clock when it makes its tree, so at its edges two nodes mean different keys. */
#ifndef DUNLIN_LAB_MERKLE_H
#define DUNLIN_LAB_MERKLE_H

#include "tests/lab/letter.h"

#define MERKLE_BITS 4
#define MERKLE_FAN (1U << MERKLE_BITS)
#define MERKLE_DEPTH_MAX 5
#define MERKLE_SCOPES_MAX 4
/* Keys that a leaf holds on average, at most. */
#define MERKLE_LEAF_KEYS 16

struct merkle_scope {
	unsigned depth;                  /* of its leaves */
	uint64_t age_from_ms, age_to_ms; /* from <= age < to */
};
#define MERKLE_ALL_AGES 0, UINT64_MAX

/* The least depth at which a leaf holds MERKLE_LEAF_KEYS. */
unsigned merkle_depth(uint32_t keys);

struct merkle_tree {
	unsigned depth;
	uint64_t now_ms;                       /* when it was made, by the node's clock: 0: not yet */
	uint64_t *level[MERKLE_DEPTH_MAX + 1]; /* level[0] is the root */
};

/* The round that a node began last in a scope. */
struct merkle_round {
	uint64_t id; /* 0: none under way */
	uint16_t peer;
};

struct merkle {
	uint32_t scopes;
	struct merkle_scope scope[MERKLE_SCOPES_MAX];
	/* As initiator and as responder: the two may be under way at once. */
	struct merkle_tree asks[LAB_NODES][MERKLE_SCOPES_MAX], answers[LAB_NODES][MERKLE_SCOPES_MAX];
	struct merkle_round round[LAB_NODES][MERKLE_SCOPES_MAX];
};

void merkle_init(struct merkle *m, const struct merkle_scope *scopes, uint32_t count);
void merkle_free(struct merkle *m);
/* `node` compares with `peer`; a round of this scope that is under way is given up. */
void merkle_begin(struct lab *l, struct merkle *m, uint16_t node, uint16_t peer, uint32_t scope);

enum merkle_event {
	MERKLE_GOES_ON,
	MERKLE_ENDED, /* the round that this node began: it has all that the peer had, and the reverse */
	MERKLE_SERVED /* the peer has told that it has all that this node had when the round began */
};
enum merkle_event merkle_on_letter(struct lab *l, struct merkle *m, uint16_t node,
                                   struct letter_in *in);

#endif
