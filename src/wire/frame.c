/* frame.c - frames between nodes; see frame.h.
 *
 * Always true: no length is believed before it is compared with its limit and with the bytes that are
 * there; what is kept of a long message is what has arrived of it, in memory at most twice that.
 * Not here: when to send what (drive/peer_queue.h), messages (msg.h). */
#include "wire/frame.h"

#include "base/bytes.h"
#include "base/panic.h"

/* The shortest plaintext is a kind alone. */
enum { SEALED_BYTES_MIN = 1 + NOISE_TAG_BYTES };

static_assert(MSG_BYTES_MAX > FRAME_BYTES_MAX, "or pieces would have no use");
static_assert(MSG_BYTES_MAX <= UINT32_MAX, "lengths are four bytes");
static_assert((int)HELLO_PLAIN_BYTES <= (int)FRAME_PLAIN_BYTES_MAX, "hello is one frame");

/* ---- sealed frames in a stream of bytes ---------------------------------------------------- */

size_t frame_seal(struct noise_cipher *c, struct bytes plain, uint8_t *out)
{
	assert(plain.len >= 1 && plain.len <= FRAME_PLAIN_BYTES_MAX);
	put_u32be(out, (uint32_t)(plain.len + NOISE_TAG_BYTES));
	noise_seal(c, plain, out + FRAME_LENGTH_BYTES);
	return FRAME_LENGTH_BYTES + plain.len + NOISE_TAG_BYTES;
}

enum err frame_measure(struct bytes in, size_t *total)
{
	if (in.len < FRAME_LENGTH_BYTES) return ERR_NOT_FOUND;
	size_t sealed = get_u32be(in.data);
	if (sealed < SEALED_BYTES_MIN || sealed > FRAME_SEALED_BYTES_MAX) return ERR_BAD_BYTES;
	if (in.len - FRAME_LENGTH_BYTES < sealed) return ERR_NOT_FOUND;
	*total = FRAME_LENGTH_BYTES + sealed;
	return ERR_OK;
}

enum err frame_open(struct noise_cipher *c, uint8_t *in, size_t total, struct bytes *plain)
{
	assert(total >= FRAME_LENGTH_BYTES + SEALED_BYTES_MIN);
	uint8_t *at = in + FRAME_LENGTH_BYTES;
	size_t sealed = total - FRAME_LENGTH_BYTES;
	if (noise_open(c, bytes_of(at, sealed), at) != ERR_OK) return ERR_BAD_BYTES;
	*plain = bytes_of(at, sealed - NOISE_TAG_BYTES);
	return ERR_OK;
}

/* ---- whole messages of one frame ------------------------------------------------------------ */

enum err frame_split(struct bytes plain, struct frame *out)
{
	if (plain.len == 0 || plain.data[0] >= FRAME_KIND_COUNT) return ERR_BAD_BYTES;
	out->kind = (enum frame_kind)plain.data[0];
	out->body = bytes_of(plain.data + 1, plain.len - 1);
	/* Nothing is ever sent that says nothing. */
	return out->body.len == 0 ? ERR_BAD_BYTES : ERR_OK;
}

enum err frame_next(struct frame *f, struct bytes *message)
{
	assert(f->kind == FRAME_WHOLE);
	if (f->body.len == 0) return ERR_NOT_FOUND;
	if (f->body.len < FRAME_LENGTH_BYTES) return ERR_BAD_BYTES;
	size_t len = get_u32be(f->body.data);
	size_t left = f->body.len - FRAME_LENGTH_BYTES;
	if (len > left) return ERR_BAD_BYTES;
	*message = bytes_of(f->body.data + FRAME_LENGTH_BYTES, len);
	f->body = bytes_of(message->data + len, left - len);
	return ERR_OK;
}

/* ---- the pieces of a long message ----------------------------------------------------------- */

size_t frame_join_capacity(const struct frame_join *j, size_t more)
{
	assert(j->len <= MSG_BYTES_MAX && more <= FRAME_BYTES_MAX);
	size_t want = (j->open ? j->len : 0) + more;
	if (want > MSG_BYTES_MAX) return 0;
	if (want <= j->capacity) return j->capacity;
	size_t twice = 2 * want;
	return twice > MSG_BYTES_MAX ? MSG_BYTES_MAX : twice;
}

enum err frame_join_add(struct frame_join *j, const struct frame *f)
{
	assert(f->kind == FRAME_PIECE || f->kind == FRAME_LAST_PIECE);
	if (f->body.len == 0) return ERR_BAD_BYTES;
	if (!j->open) j->len = 0;
	assert(f->body.len <= j->capacity - j->len);
	memcpy(j->data + j->len, f->body.data, f->body.len);
	j->len += f->body.len;
	j->open = f->kind == FRAME_PIECE;
	return j->open ? ERR_NOT_FOUND : ERR_OK;
}

/* ---- hello ---------------------------------------------------------------------------------- */

void hello_write(const struct hello *h, uint8_t out[HELLO_PLAIN_BYTES])
{
	assert(h->node.v != 0);
	out[0] = FRAME_HELLO;
	put_u64be(out + 1, h->node.v);
	memcpy(out + 9, h->cluster, sizeof h->cluster);
	put_u64be(out + 25, h->features);
	put_u64be(out + 33, h->start_nonce);
}

enum err hello_read(const struct frame *f, struct hello *out)
{
	if (f->kind != FRAME_HELLO || f->body.len < HELLO_PLAIN_BYTES - 1) return ERR_BAD_BYTES;
	const uint8_t *at = f->body.data;
	out->node.v = get_u64be(at);
	memcpy(out->cluster, at + 8, sizeof out->cluster);
	out->features = get_u64be(at + 24);
	out->start_nonce = get_u64be(at + 32);
	return out->node.v == 0 ? ERR_BAD_BYTES : ERR_OK;
}

bool hello_clusters_differ(const uint8_t a[16], const uint8_t b[16])
{
	static const uint8_t none[16];
	if (memcmp(a, none, 16) == 0 || memcmp(b, none, 16) == 0) return false;
	return memcmp(a, b, 16) != 0;
}
