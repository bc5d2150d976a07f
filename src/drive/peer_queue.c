/* peer_queue.c - what waits to be sent to one peer; see peer_queue.h.
 *
 * An item of `urgent` and `plain` is the plaintext of one frame, filled up while it is the last. An
 * item of `bulk` is one message behind one byte of room:
 *
 *   data -> [kind | 64 KiB | 64 KiB | rest]     `done` bytes of the message have been sent: the byte
 *                     ^ data + done             before the next piece is free for that piece's kind
 *
 * Always true: `bytes` and `messages` are the sums over all items; no item is empty. */
#include "drive/peer_queue.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "wire/frame.h"
#include "wire/msg.h"

struct queued {
	struct queued *next;
	size_t len, done; /* plaintext; of bulk: the message without the byte of room */
	uint32_t messages;
	uint8_t data[];
};

static void append(struct queue_line *l, struct queued *item)
{
	item->next = NULL;
	if (l->last == NULL)
		l->first = item;
	else
		l->last->next = item;
	l->last = item;
}

static struct queued *take_first(struct queue_line *l)
{
	struct queued *item = l->first;
	assert(item != NULL);
	l->first = item->next;
	if (l->first == NULL) l->last = NULL;
	return item;
}

/* An empty frame of whole messages. NULL: no memory. */
static struct queued *new_frame(struct peer_queue *q)
{
	struct queued *f = q->spare;
	q->spare = NULL;
	if (f == NULL) f = malloc(sizeof *f + FRAME_PLAIN_BYTES_MAX);
	if (f == NULL) return NULL;
	*f = (struct queued){.len = 1};
	f->data[0] = FRAME_WHOLE;
	return f;
}

static void free_frame(struct peer_queue *q, struct queued *f)
{
	if (q->spare == NULL)
		q->spare = f;
	else
		free(f);
}

/* Packs into what room the frame has. Returns the message's length, which may be more than that: then
 * nothing is added. */
static size_t pack_into(struct peer_queue *q, struct queued *f, const struct msg *m)
{
	size_t at = f->len + FRAME_LENGTH_BYTES;
	size_t room = at < FRAME_PLAIN_BYTES_MAX ? FRAME_PLAIN_BYTES_MAX - at : 0;
	struct packer p = {f->data + at, room, 0};
	msg_pack(&p, m);
	if (!pack_fits(&p)) return p.len;
	put_u32be(f->data + f->len, (uint32_t)p.len);
	f->len += FRAME_LENGTH_BYTES + p.len;
	f->messages++;
	q->bytes += FRAME_LENGTH_BYTES + p.len;
	q->messages++;
	return p.len;
}

static bool add_bulk(struct peer_queue *q, const struct msg *m, size_t len)
{
	if (len > MSG_BYTES_MAX) return false;
	if (q->bulk.first != NULL && q->bytes + len > PEER_QUEUE_BYTES_MAX) return false;
	struct queued *item = malloc(sizeof *item + 1 + len);
	if (item == NULL) return false;
	*item = (struct queued){.len = len, .messages = 1};
	struct packer p = {item->data + 1, len, 0};
	msg_pack(&p, m);
	assert(p.len == len);
	append(&q->bulk, item);
	q->bytes += len;
	q->messages++;
	return true;
}

static bool add_to_new_frame(struct peer_queue *q, struct queue_line *l, const struct msg *m)
{
	struct queued *f = new_frame(q);
	if (f == NULL) return false;
	size_t len = pack_into(q, f, m);
	if (f->messages == 1) {
		append(l, f);
		return true;
	}
	free_frame(q, f);
	return add_bulk(q, m, len);
}

bool peer_queue_add(struct peer_queue *q, const struct msg *m)
{
	struct queue_line *l = m->type == MSG_HEARTBEAT ? &q->urgent : &q->plain;
	if (q->bytes >= PEER_QUEUE_BYTES_MAX) return false;
	if (l->last != NULL) {
		uint32_t before = l->last->messages;
		size_t len = pack_into(q, l->last, m);
		if (l->last->messages > before) return true;
		if (len > FRAME_WHOLE_BYTES_MAX) return add_bulk(q, m, len);
	}
	return add_to_new_frame(q, l, m);
}

static struct queue_line *choose(struct peer_queue *q)
{
	if (q->urgent.first != NULL) return &q->urgent;
	bool both = q->plain.first != NULL && q->bulk.first != NULL;
	if (both) return q->bulk_next ? &q->bulk : &q->plain;
	return q->plain.first != NULL ? &q->plain : &q->bulk;
}

static size_t piece_bytes(const struct queued *item)
{
	size_t left = item->len - item->done;
	return left < FRAME_BYTES_MAX ? left : FRAME_BYTES_MAX;
}

struct bytes peer_queue_front(struct peer_queue *q)
{
	q->chosen = choose(q);
	struct queued *item = q->chosen->first;
	if (item == NULL) return BYTES_EMPTY;
	if (q->chosen != &q->bulk) return bytes_of(item->data, item->len);
	size_t n = piece_bytes(item);
	item->data[item->done] = item->done + n == item->len ? FRAME_LAST_PIECE : FRAME_PIECE;
	return bytes_of(item->data + item->done, 1 + n);
}

static unsigned pop_piece(struct peer_queue *q)
{
	struct queued *item = q->bulk.first;
	size_t n = piece_bytes(item);
	item->done += n;
	q->bytes -= n;
	q->bulk_next = false;
	if (item->done < item->len) return 0;
	free(take_first(&q->bulk));
	q->messages--;
	return 1;
}

unsigned peer_queue_pop(struct peer_queue *q)
{
	assert(q->chosen != NULL && q->chosen->first != NULL);
	if (q->chosen == &q->bulk) return pop_piece(q);
	struct queued *f = take_first(q->chosen);
	unsigned messages = f->messages;
	q->bytes -= f->len - 1;
	q->messages -= messages;
	if (q->chosen == &q->plain) q->bulk_next = true;
	free_frame(q, f);
	return messages;
}

static void clear_line(struct queue_line *l)
{
	while (l->first != NULL) free(take_first(l));
}

uint64_t peer_queue_clear(struct peer_queue *q)
{
	uint64_t dropped = q->messages;
	clear_line(&q->urgent);
	clear_line(&q->plain);
	clear_line(&q->bulk);
	free(q->spare);
	*q = (struct peer_queue){0};
	return dropped;
}
