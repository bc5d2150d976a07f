/* msg.h - what nodes say to each other. Bytes: src/wire/msg.h and docs/WIRE.md.
 *
 * A question carries the asker's ticket in `id`, and its answer brings it back. `hlc` is the
 * sender's hybrid clock, on every message. Views in a message that arrives are borrowed for the call
 * of node_step that brings it; views in one that is sent are copied before the next step. */
#ifndef DUNLIN_MSG_H
#define DUNLIN_MSG_H

#include "dunlin/request.h"

enum msg_type {
	MSG_HEARTBEAT = 1, /* I am alive; my wall clock; who I am, for a cluster that is forming */
	MSG_PUT,           /* merge this object into yours and say when it is durable */
	MSG_PUT_ACK,
	MSG_GET, /* your object under this key */
	MSG_GET_REPLY,
	MSG_FORWARD, /* coordinate this client's write for me; never forward it again */
	MSG_FORWARD_REPLY,
	MSG_SCAN, /* a page of what you hold of a partition */
	MSG_SCAN_REPLY,
	MSG_PROPOSE,   /* forming: vote for this layout 1 */
	MSG_VOTE,      /* forming: the hash of the layout I durably voted for */
	MSG_LAYOUT,    /* this layout stands */
	MSG_PROPS_ASK, /* your bucket properties, from this entry on */
	MSG_PROPS,     /* a page of them; or, unasked, what has just changed */
	MSG_HELD_ASK,  /* do you hold a record of these keys? take no writes there until told */
	MSG_HELD,
	MSG_LIST, /* a page of the names that you hold of a partition */
	MSG_LIST_REPLY,
	MSG_REAP,      /* a round of reaping: do this step, and say when it is done */
	MSG_REAP_DONE, /* it is; with REAP_IDLE: I have gone over to another round */
	MSG_TYPE_END
};

/* Of a round; see core/reap.c. */
enum reap_step { REAP_IDLE, REAP_PROMISE, REAP_MATCH, REAP_PROVE, REAP_SWEEP, REAP_STEP_END };

struct msg_heartbeat {
	uint64_t wall_ms;
	uint64_t start_nonce;             /* drawn at each start of the process */
	uint64_t beat;                    /* the sender's newest durable one */
	struct hlc horizon;               /* what the sender knows to be proven for reaping */
	struct hlc fence;                 /* writes that say they have promised less are late to it */
	bool mortal;                      /* it may hold tombstones */
	uint64_t heard_nonce, heard_beat; /* the receiver's, as the sender heard them last; 0: never */
	struct epoch epoch;               /* of the sender's layout; 0 while it has none */
	bool answer; /* the receiver has not heard from this start yet: please answer at once */
	uint8_t props_hash[16]; /* of all bucket properties; zeroes until formed */
	/* What a forming cluster needs to know; empty once formed. */
	uint16_t expect, join_count;
	uint32_t weight;
	struct bytes name, address, zone;
};
struct msg_put {
	struct bytes key;
	struct bytes object;
	struct hlc fence; /* what the sender had promised to mint above, with all before ended */
};
struct msg_put_ack {
	enum err err;
};
struct msg_get {
	struct bytes key;
	bool whole; /* the object, however large; else READ_WHOLE_BYTES of it at most */
};
struct msg_get_reply {
	enum err err;        /* OK, NOT_FOUND, or why there is no answer */
	bool vouched;        /* the replica vouches for its memory of this key's partition */
	struct bytes object; /* with OK; or empty, and instead of it its digest and what it has seen */
	uint8_t digest[16];  /* object_digest() */
	struct bytes seen;   /* a causal state, packed */
};
struct msg_forward {
	struct request request;
};
struct msg_forward_reply {
	enum err err;
	enum outcome outcome;
	uint8_t got, need, n, fallbacks;
	bool deleted, written, minted;
	struct dot dot;
	struct bytes context;
	struct bytes object; /* the siblings shown, as an object; empty: none */
	struct bytes http;   /* of a traced request: host:port where the rest of its trace is told */
};
struct msg_scan {
	struct partition_id partition;
	struct bytes after; /* the store key after which to go on; empty: from the start */
	bool objects;       /* with the objects, or only their digests */
	struct hlc round;   /* of reaping, for which it is read; 0: of none */
	struct hlc horizon; /* is proven: a digest is of what then stays of an object (reap.c) */
};
/* One record of a page. */
struct scan_entry {
	struct bytes store_key; /* key hash, then full key, as in the objects family */
	uint8_t digest[16];     /* of the siblings: object_digest() */
	struct bytes object;    /* empty unless asked for, or when `damaged` */
	bool damaged;
};
struct msg_scan_reply {
	enum err err;
	bool vouched;
	bool done;          /* nothing of the partition follows */
	struct hlc horizon; /* of the digests: what was named, or a later one */
	uint32_t count;
	const struct scan_entry *entries; /* in order of store_key */
};
struct msg_propose {
	struct bytes layout;
};
struct msg_vote {
	uint8_t hash[16];
};
struct msg_layout {
	struct bytes layout;
};
/* Places of entries are the answering node's, for as long as it runs. */
struct msg_props_ask {
	uint32_t from;
};
struct msg_props {
	uint32_t next; /* where to go on */
	bool done;
	struct bytes entries; /* packed; docs/WIRE.md, "Bucket properties" */
};
struct msg_held_ask {
	struct bytes prefix; /* of full keys: a type, or a type and a bucket */
	bool open;           /* no question: take writes again */
};
struct msg_held {
	enum err err;
	bool held;
};
struct msg_list {
	struct partition_id partition;
	struct bytes after;  /* the store key after which to go on; empty: from the start */
	struct bytes prefix; /* of full keys */
	bool buckets;        /* names of buckets, else of keys */
	uint32_t most;       /* names in the answer */
};
struct msg_list_reply {
	enum err err;
	struct partition_id partition;
	bool vouched;
	bool done;          /* nothing of the partition follows */
	struct bytes after; /* the store key up to which was looked */
	struct bytes names; /* a packed array */
};

struct msg_reap {
	struct hlc horizon;
	enum reap_step step;
	struct node_id waits_for; /* who has not answered this step yet; to tell people. 0: an answer */
};

struct msg {
	enum msg_type type;
	struct ticket id;
	struct epoch epoch;
	struct hlc hlc;
	union {
		struct msg_heartbeat heartbeat;
		struct msg_put put;
		struct msg_put_ack put_ack;
		struct msg_get get;
		struct msg_get_reply get_reply;
		struct msg_forward forward;
		struct msg_forward_reply forward_reply;
		struct msg_scan scan;
		struct msg_scan_reply scan_reply;
		struct msg_propose propose;
		struct msg_vote vote;
		struct msg_layout layout;
		struct msg_props_ask props_ask;
		struct msg_props props;
		struct msg_held_ask held_ask;
		struct msg_held held;
		struct msg_list list;
		struct msg_list_reply list_reply;
		struct msg_reap reap;
	};
};

#endif
