/* layout.h - one layout: the numbered table that says which members hold which partition.
 *
 * A layout is immutable. It is decoded into an arena once, everybody reads it, and a later epoch is
 * another layout. Its encoding is canonical (equal layouts have equal bytes), which is what lets
 * members compare layouts, and vote for one, by hash.
 *
 *   [ version 1, cluster bin16, secret bin16, epoch, partitions, replicas,
 *     [ [ id, weight, state, name, address, zone ] ... ],      by rising id
 *     [ member index ... ],   partitions * replicas of them, first place first
 *     [ retired id ... ] ]                                     by rising id */
#ifndef DUNLIN_LAYOUT_H
#define DUNLIN_LAYOUT_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/cursor.h"

#define LAYOUT_VERSION 1
#define LAYOUT_HASH_BYTES 16

enum member_state {
	MEMBER_SERVING, /* holds partitions and stands in for others */
	MEMBER_LEAVING, /* gives up what it holds; no new work */
	MEMBER_STATES
};

/* The views point into memory that the layout's owner keeps. */
struct member {
	struct node_id id;
	uint32_t weight;                  /* its share of the ring is weight / sum of weights */
	uint8_t state;                    /* enum member_state */
	struct bytes name, address, zone; /* each may be empty; an empty zone is a zone */
};

struct layout {
	uint8_t cluster[16];
	uint8_t secret[16];
	struct epoch epoch;
	uint32_t partitions; /* Q, a power of two */
	uint8_t replicas;    /* N */
	uint32_t member_count;
	const struct member *members; /* by rising id */
	/* partitions * replicas member indexes: the primaries of partition p begin at p * replicas. */
	const uint16_t *primaries;
	uint32_t retired_count;
	const struct node_id *retired; /* ids that were members and will not be again; by rising id */
};

/* Is everything about it as the decoder demands? What the planner made always is. */
bool layout_is_sound(const struct layout *l);
/* Write it. The layout is sound. */
void layout_encode(struct packer *p, const struct layout *l);
/* Read it into the arena, so that it outlives `in`. ERR_BAD_BYTES if it is not one sound layout and
 * nothing else, ERR_BUSY when the arena is full; then *out is all zero, and the arena may have been
 * taken from (its owner frees or releases it). */
enum err layout_decode(struct bytes in, struct arena *a, struct layout *out);
/* A copy of everything it points to, in the arena. ERR_BUSY when that is full. */
enum err layout_copy(const struct layout *l, struct arena *a, struct layout *out);
/* MurmurHash3 x64 128 of an encoded layout. It tells layouts of honest members apart; it is no
 * defence against one who makes collisions. */
void layout_hash(struct bytes encoded, uint8_t out[LAYOUT_HASH_BYTES]);
/* Index of a member, or -1. */
int layout_find(const struct layout *l, struct node_id id);
/* Was this id a member once, never to be one again? */
bool layout_is_retired(const struct layout *l, struct node_id id);

#endif
