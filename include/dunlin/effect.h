/* effect.h - everything that a node can ask for.
 *
 * No effect depends on another in the same list: they may be done in any order and all at once,
 * except that store writes are committed in the order in which they were asked for (over all steps),
 * and steps of a trace are told in theirs.
 * Borrowing: a store effect's bytes belong to the slot of its ticket and are good until the event
 * with that ticket has been handled; every other effect's bytes are good until the next node_step. */
#ifndef DUNLIN_EFFECT_H
#define DUNLIN_EFFECT_H

#include "dunlin/msg.h"
#include "dunlin/trace.h"

enum effect_type {
	FX_SEND,
	FX_STORE_READ,
	FX_STORE_WRITE,
	FX_STORE_SCAN,
	FX_REPLY,
	FX_REPLY_COMPARE,
	FX_REPLY_PROPS,
	FX_REPLY_LIST,
	FX_TRACE /* of traced requests only */
};

/* Column families of the store. docs/WIRE.md has their keys and records. */
enum store_family { STORE_OBJECTS, STORE_AGES, STORE_HINTS, STORE_META, STORE_FAMILY_COUNT };

/* One operation of an atomic batch. A NULL value.data deletes. */
struct store_op {
	enum store_family family;
	struct bytes key, value;
};

/* What a compare of one partition found. */
struct compare_result {
	enum err err;          /* OK, or why it could not be finished */
	struct node_id silent; /* who did not answer, with ERR_UNREACHABLE or ERR_TIMEOUT */
	uint32_t replicas;
	uint64_t keys;                /* distinct keys over all replicas */
	uint64_t different;           /* of those, how many are not the same everywhere */
	uint32_t example_count;       /* the first of them */
	const struct bytes *examples; /* full keys */
};

/* A change of bucket properties is durable here, or why not. */
struct props_result {
	enum err err;
	struct node_id member; /* with ERR_HOLDS_DATA and ERR_SILENT: who */
	uint8_t n;             /* replicas of the layout */
};

/* One page of a listing. The next is made when EV_CLIENT_LIST_MORE brings the ticket. */
struct list_page {
	enum err err; /* not OK: it ends here, incomplete */
	bool done;    /* nothing follows, or `most` names were given */
	struct ticket ticket;
	uint32_t covered, partitions; /* of all partitions, how many were looked through */
	uint32_t count;
	const struct bytes *names;
	struct bytes next; /* with `done`, when `most` names were given: where to go on */
};

struct effect {
	enum effect_type type;
	struct ticket ticket; /* of store effects: comes back in the event */
	union {
		struct {
			struct node_id to;
			struct msg msg;
		} send;
		struct {
			enum store_family family;
			struct bytes key;
		} read;
		struct {
			const struct store_op *ops;
			uint32_t count;
		} write; /* durable (fdatasync) before it is answered OK */
		struct {
			enum store_family family;
			struct bytes after; /* exclusive lower bound */
			struct bytes until; /* exclusive upper bound; empty: none */
			size_t bytes_max;   /* stop after this much, but not before one record */
			uint32_t records_max;
		} scan;
		struct {
			struct client_ref client;
			struct reply reply;
		} reply;
		struct {
			struct client_ref client;
			struct compare_result result;
		} compare;
		struct {
			struct client_ref client;
			struct props_result result;
		} props;
		struct {
			struct client_ref client;
			struct list_page page;
		} list;
		struct trace_step trace;
	};
};

struct effects {
	uint32_t count;
	struct effect list[EFFECTS_PER_STEP_MAX];
};

#endif
