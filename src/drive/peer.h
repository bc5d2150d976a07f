/* peer.h - the connections to the other nodes: messages in, messages out, who can be reached.
 *
 * A node dials every address it knows and sends on the connections that it dialled; it receives on
 * those that it accepted. So a pair of nodes has two TCP connections, and "up" means: a connection of
 * ours to that node has brought its hello. Delivery is at most once; what was queued for a connection
 * that breaks is dropped, with a count, and the core is told that the node is down.
 *
 * One thread, the one of its event base. The callbacks come only out of that loop, never out of a
 * function that is called here; in them everything but peers_free may be called. */
#ifndef DUNLIN_DRIVE_PEER_H
#define DUNLIN_DRIVE_PEER_H

#include "dunlin/msg.h"
#include "wire/noise.h"

struct event_base;
struct peers;

enum { PEER_KEYS_MAX = 2 };

struct peers_config {
	struct node_id self;
	uint64_t start_nonce; /* drawn at each start */
	uint64_t features;    /* docs/WIRE.md */
	uint8_t cluster[16];  /* zeroes: none yet */
	const char *listen;   /* address:port, [address]:port; port 0: any. NULL: do not listen */
	/* The cluster key. Dials with the first, accepts any: to change it, give every node the new one
	 * as second, then as first, then take the old one away. */
	struct noise_key keys[PEER_KEYS_MAX];
	unsigned key_count;
	const char *resolv_conf; /* NULL: the system's */
	void *ctx;               /* of all callbacks */
	void (*up)(void *ctx, struct node_id node);
	/* Once after each up, and once when a known node cannot be reached at first. */
	void (*down)(void *ctx, struct node_id node);
	/* Views are good for the call. `from` is who said hello on that connection. */
	void (*message)(void *ctx, struct node_id from, const struct msg *m);
	/* level: "info", "warn"; a logfmt line without level and time. No secrets. */
	void (*log)(void *ctx, const char *level, const char *line);
};

/* NULL: cannot listen there (logged), or no memory. */
struct peers *peers_new(struct event_base *base, const struct peers_config *config);
/* Closes everything; nothing is called back. Not in a callback. */
void peers_free(struct peers *p);
/* The port it listens on. */
unsigned peers_port(const struct peers *p);

/* Dial host:port, whoever is there (a `join` list). A second time: nothing happens. */
void peers_dial(struct peers *p, struct bytes address);
/* This node is a member and is to be found at host:port (a layout). Told again, it may have moved. */
void peers_know(struct peers *p, struct node_id node, struct bytes address);
/* No longer a member: its connection is closed, also one that was found by peers_dial. */
void peers_forget(struct peers *p, struct node_id node);
/* The cluster has formed. Connections to nodes of another are ended. */
void peers_set_cluster(struct peers *p, const uint8_t id[16]);

/* Encodes into what waits for that node. False: it is not up, or its queue is full; the message is
 * dropped with a count. */
bool peers_send(struct peers *p, struct node_id to, const struct msg *m);
/* At the end of each turn of the loop: for each node that was sent something, seal it as few frames and
 * write once. */
void peers_flush(struct peers *p);
bool peers_is_up(const struct peers *p, struct node_id node);

/* ---- for /metrics and /admin ------------------------------------------------------------------- */

/* One dialled address. Counters since it became known. */
struct peer_stats {
	struct node_id node; /* 0: not known yet */
	const char *address;
	const char *state; /* "waiting" "resolving" "connecting" "up" "self" "twin" */
	uint64_t bytes_in, bytes_out, messages_in, messages_out;
	uint64_t queued_bytes, queued_messages, dropped, connects, breaks, handshake_failures;
};
void peers_each(const struct peers *p, void (*visit)(void *ctx, const struct peer_stats *s),
                void *ctx);

struct peers_totals {
	uint64_t accepted, handshake_failures, bad_messages; /* on accepted connections */
	unsigned handshakes_open;                            /* now */
};
struct peers_totals peers_totals(const struct peers *p);

#endif
