/* peer_queue.h - what waits to be sent to one peer, and in which order.
 *
 *   urgent  heartbeats            frames of whole messages  }  urgent first; then, in turn, one frame
 *   plain   everything else       frames of whole messages  }  of plain messages and one piece of the
 *   bulk    what is too long for a frame: pieces            }  oldest bulk message
 *
 * So a heartbeat waits for one frame at most, and neither of the others can starve the other. What is
 * over PEER_QUEUE_BYTES_MAX is refused; the longest message still finds its place in an otherwise
 * empty bulk queue. */
#ifndef DUNLIN_DRIVE_PEER_QUEUE_H
#define DUNLIN_DRIVE_PEER_QUEUE_H

#include "dunlin/msg.h"

struct queued;

struct queue_line {
	struct queued *first, *last;
};

struct peer_queue {
	struct queue_line urgent, plain, bulk;
	struct queue_line *chosen; /* by peer_queue_front, for peer_queue_pop */
	struct queued *spare;      /* one empty frame, so that a turn does not allocate */
	bool bulk_next;
	size_t bytes;      /* waiting, as plaintext */
	uint64_t messages; /* waiting, the one under way included */
};

/* Encodes at once; the message's views are not kept. False: no room, or no memory; it is not kept. */
bool peer_queue_add(struct peer_queue *q, const struct msg *m);
/* The plaintext of the next frame, or the empty view. Good until peer_queue_pop. */
struct bytes peer_queue_front(struct peer_queue *q);
/* That frame is sealed. Returns how many messages ended with it. */
unsigned peer_queue_pop(struct peer_queue *q);
/* Drops everything; returns how many messages. */
uint64_t peer_queue_clear(struct peer_queue *q);
static inline bool peer_queue_is_empty(const struct peer_queue *q)
{
	return q->bytes == 0;
}

#endif
