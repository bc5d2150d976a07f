/* frame.h - what a connection between nodes carries after the handshake. Pure: no memory, no I/O.
 *
 *   u32 big-endian: n | n bytes sealed by noise.h, of this plaintext:
 *
 *   kind 0  whole messages    u32 length, message | u32 length, message | ...
 *   kind 1  a piece of a long message, more follows
 *   kind 2  its last piece
 *   kind 3  hello: who I am; the first frame of each direction, and only that
 *
 * Frames of kind 0 may come between the pieces of one long message, pieces of a second one may not. */
#ifndef DUNLIN_WIRE_FRAME_H
#define DUNLIN_WIRE_FRAME_H

#include "dunlin/types.h"
#include "wire/noise.h"

enum {
	FRAME_LENGTH_BYTES = 4,
	FRAME_PLAIN_BYTES_MAX = 1 + FRAME_BYTES_MAX, /* the kind is not counted in FRAME_BYTES_MAX */
	FRAME_SEALED_BYTES_MAX = FRAME_PLAIN_BYTES_MAX + NOISE_TAG_BYTES,
	/* A message longer than this travels in pieces. */
	FRAME_WHOLE_BYTES_MAX = FRAME_BYTES_MAX - FRAME_LENGTH_BYTES
};

enum frame_kind { FRAME_WHOLE, FRAME_PIECE, FRAME_LAST_PIECE, FRAME_HELLO, FRAME_KIND_COUNT };

/* ---- sealed frames in a stream of bytes ---------------------------------------------------- */

/* Writes length and sealed plaintext: plain.len + FRAME_LENGTH_BYTES + NOISE_TAG_BYTES. `out` and the
 * plaintext do not overlap. Returns how much. */
size_t frame_seal(struct noise_cipher *c, struct bytes plain, uint8_t *out);
/* Is there a whole frame at the start of `in`? ERR_OK: *total is its size on the wire. ERR_NOT_FOUND:
 * not yet. ERR_BAD_BYTES: its length is out of bounds. */
enum err frame_measure(struct bytes in, size_t *total);
/* Opens the frame of `total` bytes at `in`, in its place. *plain then points into it. */
enum err frame_open(struct noise_cipher *c, uint8_t *in, size_t total, struct bytes *plain);

/* ---- whole messages of one frame ------------------------------------------------------------ */

/* For walking: `at` moves from message to message. */
struct frame {
	enum frame_kind kind;
	struct bytes body;
};

/* The kind, and what follows it. ERR_BAD_BYTES: no kind, or an unknown one. */
enum err frame_split(struct bytes plain, struct frame *out);
/* The next message of a FRAME_WHOLE: ERR_OK, ERR_NOT_FOUND at the end, ERR_BAD_BYTES. It is taken off
 * the body. A frame without any message is bad; ask until the end. */
enum err frame_next(struct frame *f, struct bytes *message);

/* ---- the pieces of a long message ----------------------------------------------------------- */

/* What has arrived of the one long message under way. The memory is the caller's. */
struct frame_join {
	uint8_t *data;
	size_t len, capacity;
	bool open; /* pieces have come, the last has not */
};

/* How much capacity is wanted to add `more` bytes: what is there, if it suffices, else about twice
 * what has really arrived. 0: the message would be longer than MSG_BYTES_MAX. */
size_t frame_join_capacity(const struct frame_join *j, size_t more);
/* Adds a piece; its capacity has been seen to. ERR_OK: the message is complete in data, len, and the
 * next piece begins another. ERR_NOT_FOUND: more follows. ERR_BAD_BYTES: an empty piece. */
enum err frame_join_add(struct frame_join *j, const struct frame *f);

/* ---- hello ---------------------------------------------------------------------------------- */

struct hello {
	struct node_id node;
	uint8_t cluster[16]; /* zeroes: none yet */
	uint64_t features;   /* what this version can do; docs/WIRE.md names the bits */
	uint64_t start_nonce;
};

enum { HELLO_PLAIN_BYTES = 1 + 8 + 16 + 8 + 8 };

void hello_write(const struct hello *h, uint8_t out[HELLO_PLAIN_BYTES]);
/* Of a FRAME_HELLO. A longer one is a later version's: the rest is ignored. Nobody (node 0) says no
 * hello. */
enum err hello_read(const struct frame *f, struct hello *out);
/* Both know their cluster, and they are two. */
bool hello_clusters_differ(const uint8_t a[16], const uint8_t b[16]);

#endif
