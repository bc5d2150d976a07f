/* object.h - the shapes of what is stored under one key. Merging and encoding: src/core/object.h.
 * Sources: Preguica et al., "Dotted Version Vectors" (2010); docs/ARCHITECTURE.md, "Causality". */
#ifndef DUNLIN_OBJECT_H
#define DUNLIN_OBJECT_H

#include "dunlin/types.h"

/* What has been seen of one key: for each actor every dot up to `vector[i].at`, and the single dots
 * besides. Both sorted by (actor, at); a vector has one entry an actor; no single dot is at or below
 * its actor's entry. */
struct dvv {
	const struct dot *vector;
	const struct dot *dots;
	uint32_t vector_count;
	uint32_t dot_count;
};

/* One value, or its absence. */
struct sibling {
	struct dot dot;        /* its name */
	struct node_id origin; /* the node that minted the dot */
	uint64_t expires_ms;   /* 0: never */
	bool tombstone;        /* then meta and value are empty */
	struct bytes meta;     /* header fields as wire/ packed them; the core only compares them */
	struct bytes value;
};

/* Siblings are sorted by dot: (actor, at). An object without siblings does not exist. */
struct object {
	struct dvv seen;
	const struct sibling *siblings;
	uint32_t sibling_count;
};

#endif
