/* peer_link.h - an address that is dialled until it is forgotten; private to peer*.c.
 *
 *               +--------------------- RECONNECT_US_MIN .. MAX, doubling, with jitter ----+
 *               v                                                                         |
 *   WAITING --timer--> RESOLVING --> CONNECTING --their hello--> UP --broke--> (down) ----+
 *                           \_____________\__failed__________________________________-----+
 *   hello of ourselves -> SELF: never dialled again
 *   hello of a node that another link reaches -> TWIN: dialled again when that one breaks
 *
 * A link that is FIXED belongs to one node (a layout says so); the others (a join list) belong to
 * whoever says hello. At most one link of a node is in the table by node: the one that sends. */
#ifndef DUNLIN_DRIVE_PEER_LINK_H
#define DUNLIN_DRIVE_PEER_LINK_H

#include "drive/peer_conn.h"

enum link_state { LINK_WAITING, LINK_RESOLVING, LINK_CONNECTING, LINK_UP, LINK_SELF, LINK_TWIN };
/* What was last told of its node through the callbacks. */
enum link_told { LINK_TOLD_NOTHING, LINK_TOLD_UP, LINK_TOLD_DOWN };

struct link_resolve;

struct peer_link {
	struct peers *peers;
	struct peer_link *next;          /* all of them */
	struct peer_link *next_by_node;  /* in its bucket, if `listed` */
	struct peer_link *next_to_flush; /* if `to_flush` */
	struct node_id node;             /* 0: nobody has said hello there yet */
	bool fixed, listed, to_flush;
	bool gone; /* forgotten; freed by the sweep once nothing refers to it */
	enum link_state state;
	enum link_told told;
	struct peer_conn *conn;
	struct link_resolve *resolve;
	struct libevent_event *retry;
	struct peer_queue queue;
	uint64_t backoff_us, up_since_us;
	unsigned attempts; /* picks among the addresses of a name */
	const char *said;  /* why it failed, as last logged */
	uint64_t bytes_in, bytes_out, messages_in, messages_out, dropped;
	uint64_t connects, breaks, handshake_failures;
	char address[MEMBER_ADDRESS_BYTES_MAX + 1];
};

enum { LINK_BUCKETS = 256, LOG_LINE_BYTES = 640 };
struct evdns_base;
struct evconnlistener;

struct peers {
	struct event_base *base;
	struct peers_config config;
	struct evconnlistener *listener;
	struct evdns_base *dns; /* made when a name is first looked up */
	bool dns_failed;        /* make it anew before the next look-up: its files are read only then */
	struct link_resolve *look_ups; /* under way */
	struct peer_link *links;
	struct peer_link *by_node[LINK_BUCKETS];
	struct peer_link *flush_list;
	struct peer_conn *accepted; /* newest first */
	struct libevent_event *sweep, *accept_again;
	struct peers_totals totals;
	uint64_t quiet_until_us, unsaid; /* of lines that strangers can cause */
	struct scan_entry *entries;      /* scratch of msg_unpack */
};

/* host:port, of plain characters. */
bool peer_link_address_is_sound(struct bytes address);
/* Known from now on, and dialled at the next turn. NULL: no memory. */
struct peer_link *peer_link_new(struct peers *p, struct bytes address);
void peer_link_free(struct peer_link *l);
void peer_link_list(struct peer_link *l, struct node_id node);
void peer_link_unlist(struct peer_link *l);
struct peer_link *peer_link_find(const struct peers *p, struct node_id node);
/* Dial it within its shortest wait, if it is waiting, or if its name is being looked up still. */
void peer_link_hurry(struct peer_link *l);
/* Its connection brought a hello. Returns NULL, or why that is to be ended. */
const char *peer_link_opened(struct peer_link *l, struct peer_conn *c);
/* Its attempt or its connection has failed. The connection is freed already. */
void peer_link_failed(struct peer_link *l, const char *why);

/* Before the peers are freed: what is still looked up will find nobody. */
void peer_link_orphan_look_ups(struct peers *p);

uint64_t peers_now_us(void);
__attribute__((format(printf, 3, 4))) void peers_say(struct peers *p, const char *level,
                                                     const char *format, ...);

#endif
