/* event.h - everything that can happen to a node.
 *
 * Borrowing: the bytes that an event points to belong to the caller and are good until node_step
 * returns. What the core wants to keep it copies into a slot. `now` and `wall` are the only clocks
 * that the core knows. */
#ifndef DUNLIN_EVENT_H
#define DUNLIN_EVENT_H

#include "dunlin/msg.h"
#include "dunlin/props.h"

enum event_type {
	EV_TICK, /* the instant of node_deadline() has come */
	EV_CLIENT_REQUEST,
	EV_CLIENT_COMPARE, /* compare the replicas of one partition; ends in FX_REPLY_COMPARE */
	EV_CLIENT_PROPS,   /* change bucket properties; ends in FX_REPLY_PROPS */
	EV_CLIENT_LIST,    /* list keys or buckets; ends in the last of several FX_REPLY_LIST */
	EV_CLIENT_LIST_MORE,
	EV_PEER_UP,   /* a connection to this node stands */
	EV_PEER_DOWN, /* it broke, or cannot be made */
	EV_PEER_MESSAGE,
	EV_STORE_READ,    /* an FX_STORE_READ is answered */
	EV_STORE_WRITTEN, /* an FX_STORE_WRITE is durable, or failed */
	EV_STORE_SCANNED,
	EV_DRAIN /* coordinate nothing new and stand in for nobody, or do so again */
};

struct store_record {
	struct bytes key, value;
	bool damaged; /* its checksum does not hold; `value` is empty */
};

struct event {
	enum event_type type;
	struct instant now;
	struct wall wall;
	union {
		struct {
			struct client_ref client;
			struct request request;
		} request;
		struct {
			struct client_ref client;
			struct partition_id partition;
			struct bytes prefix; /* full keys that begin so (type and bucket); empty: all */
		} compare;
		struct {
			struct client_ref client;
			struct bytes type, bucket; /* bucket empty: of the type */
			bool reset;                /* let go of all overrides first */
			uint32_t change_count;
			const struct prop_change *changes;
			uint64_t timeout_us; /* 0: REQUEST_TIMEOUT_US */
		} props;
		struct {
			struct client_ref client;
			struct bytes type, bucket; /* bucket empty: list buckets */
			struct bytes after;        /* a list_page's `next`; empty: from the start */
			uint32_t most;             /* names in all; 0: no limit */
			uint64_t timeout_us;       /* 0: LIST_TIMEOUT_US */
		} list;
		struct {
			struct ticket ticket; /* of the page before */
			bool stop;            /* nobody wants more */
		} list_more;
		struct {
			struct node_id node;
		} peer;
		struct {
			struct node_id from;
			struct msg msg;
		} message;
		struct {
			struct ticket ticket;
			enum err err;       /* OK, NOT_FOUND, CORRUPT, STORE */
			struct bytes value; /* with OK */
		} read;
		struct {
			struct ticket ticket;
			enum err err; /* OK, FULL, STORE */
		} written;
		struct {
			struct ticket ticket;
			enum err err; /* OK, STORE */
			bool done;    /* nothing of the range follows */
			uint32_t count;
			const struct store_record *records;
		} scanned;
		struct {
			bool on;
		} drain;
	};
};

#endif
