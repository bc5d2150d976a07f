/* props.h - bucket properties: what a bucket, or all buckets of a type, does with its keys.
 *
 * One row each: name, kind, least, most, default, help. The number of a row is part of what is stored
 * and sent (docs/WIRE.md): add at the end, never renumber. The defaults are those of every type; the
 * core knows the two that depend on the type. Who overrides whom: bucket > type > configuration of
 * the type > this table. */
#ifndef DUNLIN_PROPS_H
#define DUNLIN_PROPS_H

#include "dunlin/request.h"

enum prop_kind {
	PROP_BOOL,   /* 0, 1 */
	PROP_QUORUM, /* a count, or a QUORUM_ word but QUORUM_DEFAULT */
	PROP_NUMBER,
	PROP_SYNC /* enum prop_sync */
};

/* How durable a write is to be. Stored and shown; every write is durable before it is acknowledged. */
enum prop_sync { PROP_SYNC_DEFAULT, PROP_SYNC_BACKEND, PROP_SYNC_ONE, PROP_SYNC_ALL };

#define PROPS(X)                                                                                   \
	X(n_val, NUMBER, 1, REPLICAS_MAX, 0, "replicas of a key; at most the layout's")                \
	X(allow_mult, BOOL, 0, 1, 1, "concurrent writes are kept as siblings")                         \
	X(last_write_wins, BOOL, 0, 1, 0, "of concurrent writes only the newest is kept")              \
	X(dvv_enabled, BOOL, 0, 1, 1, "kept for clients; causality is always tracked by dots")         \
	X(r, QUORUM, 1, INT16_MAX, QUORUM_QUORUM, "replies that a read waits for")                     \
	X(w, QUORUM, 1, INT16_MAX, QUORUM_QUORUM, "acknowledgements that a write waits for")           \
	X(dw, QUORUM, 0, INT16_MAX, QUORUM_QUORUM, "durable ones among them")                          \
	X(rw, QUORUM, 1, INT16_MAX, QUORUM_QUORUM, "kept for clients")                                 \
	X(pr, QUORUM, 0, INT16_MAX, 0, "replies of primaries")                                         \
	X(pw, QUORUM, 0, INT16_MAX, 0, "acknowledgements of primaries")                                \
	X(node_confirms, QUORUM, 0, INT16_MAX, 0, "acknowledgements of distinct nodes")                \
	X(basic_quorum, BOOL, 0, 1, 0, "a read ends when a majority found nothing")                    \
	X(notfound_ok, BOOL, 0, 1, 1, "a not-found counts as a reply")                                 \
	X(sync_on_write, SYNC, 0, PROP_SYNC_ALL, PROP_SYNC_BACKEND, "kept for clients")                \
	X(old_vclock, NUMBER, 0, UINT32_MAX, 86400, "kept for clients; nothing is pruned")             \
	X(young_vclock, NUMBER, 0, UINT32_MAX, 20, "kept for clients")                                 \
	X(big_vclock, NUMBER, 0, UINT32_MAX, 50, "kept for clients")                                   \
	X(small_vclock, NUMBER, 0, UINT32_MAX, 50, "kept for clients")                                 \
	X(require_context, BOOL, 0, 1, 0, "a write over a value needs a context; else 428")            \
	X(write_once, BOOL, 0, 1, 0, "a key is written once; a second write is 409")                   \
	X(ttl, NUMBER, 0, TTL_SECONDS_MAX, 0, "seconds that a value lives; 0: for ever")

enum prop {
#define X(name, kind, least, most, value, help) PROP_##name,
	PROPS(X)
#undef X
		PROP_COUNT
};

/* The value of each, in force. */
struct props {
	int64_t v[PROP_COUNT];
};

struct prop_row {
	const char *name, *help;
	enum prop_kind kind;
	int64_t least, most, value;
};
/* Total: a number out of range gives the first row. */
struct prop_row prop_row(unsigned prop);
/* PROP_COUNT: there is no property of that name. */
unsigned prop_find(struct bytes name);
/* May the property have this value? */
bool prop_fits(unsigned prop, int64_t value);

/* One override: set it to `value`, or let go of it. */
struct prop_change {
	uint8_t prop; /* below PROP_COUNT */
	bool unset;
	int64_t value; /* prop_fits */
};

/* A bucket type as the configuration declares it. "default" exists without being declared. */
struct bucket_type {
	struct bytes name;
	uint32_t change_count;
	struct prop_change changes[PROP_COUNT];
};

#endif
