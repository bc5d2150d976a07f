/* peer_conn.h - one connection between two nodes, dialled or accepted; private to peer*.c.
 *
 *   dialled   CONNECTING --connected--> SHAKING --keys agreed--> GREETING --their hello--> OPEN
 *   accepted                            SHAKING --keys agreed--> GREETING --their hello--> OPEN
 *      any --error, timeout, bad bytes, peer_conn_doom--> peers_on_broken, then freed
 *
 * It calls back into peer.c, through the four functions at the end, only out of its own libevent
 * callbacks, never out of a function that is called here. */
#ifndef DUNLIN_DRIVE_PEER_CONN_H
#define DUNLIN_DRIVE_PEER_CONN_H

#include "drive/libevent.h"
#include "drive/peer.h"
#include "drive/peer_queue.h"
#include "wire/frame.h"

enum peer_conn_phase { CONN_CONNECTING, CONN_SHAKING, CONN_GREETING, CONN_OPEN };

struct peer_link;

struct peer_conn {
	struct peers *peers;
	struct peer_link *link;        /* dialled for it; NULL: accepted */
	struct peer_conn *next, *prev; /* accepted ones, newest first */
	enum peer_conn_phase phase;
	int fd;
	struct libevent_event *readable, *writable, *deadline;
	const char *doom; /* why it is to be ended at the next turn, or NULL */
	struct noise_handshake handshake;
	struct noise_cipher send, receive;
	struct hello hello; /* theirs, once OPEN */
	uint8_t *in;
	size_t in_len, in_capacity;
	uint8_t *out; /* sealed, [out_at, out_len) not yet written */
	size_t out_at, out_len, out_capacity;
	struct frame_join join;
	uint64_t bytes_in, bytes_out; /* on the wire */
	uint64_t bytes_in_told;       /* of bytes_in, counted for the node they came from */
};

/* Both take the socket over, also when they fail (NULL: no memory). */
struct peer_conn *peer_conn_dialled(struct peers *p, struct peer_link *link, int fd);
struct peer_conn *peer_conn_accepted(struct peers *p, int fd);
/* Nothing is called back. */
void peer_conn_free(struct peer_conn *c);
/* End it, for a reason (a literal), from its own callback at the next turn of the loop. */
void peer_conn_doom(struct peer_conn *c, const char *why);
/* Seal and write what is queued, as much as the socket takes; the rest follows when it can. Returns
 * how many messages were sealed. */
uint64_t peer_conn_flush(struct peer_conn *c, struct peer_queue *q);

/* ---- what peer.c does for a connection ------------------------------------------------------- */

const struct peers_config *peers_config_of(const struct peers *p);
struct event_base *peers_base_of(const struct peers *p);
/* Their hello has come. Returns NULL, or why the connection is to be ended. */
const char *peers_on_open(struct peer_conn *c);
/* Returns false if it is no message. */
bool peers_on_message(struct peer_conn *c, struct bytes message);
/* The socket takes bytes again. */
void peers_on_writable(struct peer_conn *c);
/* It is over; peer.c frees it. */
void peers_on_broken(struct peer_conn *c, const char *why);

#endif
