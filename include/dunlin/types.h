/* types.h - the words of the system. Ids and times are one-member structs, so that mixing two of
 * them does not compile. */
#ifndef DUNLIN_TYPES_H
#define DUNLIN_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dunlin/err.h"
#include "dunlin/limits.h"

/* A view: pointer and length, owned by somebody else. {NULL, 0} is the empty view. */
struct bytes {
	const uint8_t *data;
	size_t len;
};

/* A process with an identity: random, drawn at the first start, kept for life. 0 is nobody. */
struct node_id {
	uint64_t v;
};

/* Who mints dots: random, drawn anew at every start (docs/ARCHITECTURE.md, "Causality"). */
struct actor_id {
	uint64_t v;
};

/* Hybrid logical clock: 48 bits of Unix milliseconds, 16 bits of counter. */
struct hlc {
	uint64_t v;
};

/* The name of one write. Ordered by (at, actor); 0,0 is no dot. */
struct dot {
	struct actor_id actor;
	struct hlc at;
};

/* Monotonic time in microseconds; its zero means nothing. Deadlines are instants. */
struct instant {
	uint64_t us;
};
#define INSTANT_NEVER ((struct instant){UINT64_MAX})

/* Wall clock: Unix milliseconds. Only the hybrid clock and people look at it. */
struct wall {
	uint64_t ms;
};

/* The number of a layout. 0: not formed. */
struct epoch {
	uint64_t v;
};

/* Position on the ring: first 64 bits of MurmurHash3 x64 128 of the full key. */
struct key_hash {
	uint64_t v;
};

/* A partition: an arc of the ring, the top bits of a key hash. */
struct partition_id {
	uint32_t v;
};

/* Names one life of one slot: index in the low 16 bits, pool in the next 4, generation above, which
 * begins at a random number at each start. An answer that bears a dead ticket is recognised as late.
 * 0 is no ticket. */
struct ticket {
	uint64_t v;
};

/* Names one traced request on every node that takes part in it (trace.h). 0: not traced. */
struct trace_id {
	uint64_t v;
};

/* A client's request as the outside names it; comes back in the reply, unread. */
struct client_ref {
	uint64_t v;
};

#endif
