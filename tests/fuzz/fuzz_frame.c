/* fuzz_frame.c - any bytes to what reads a connection: the plaintext of frames, and the stream of
 * sealed ones. The first byte says which. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk_messages(struct frame *f)
{
	struct bytes m;
	size_t sum = 0, body = f->body.len;
	enum err e;
	while ((e = frame_next(f, &m)) == ERR_OK) sum += FRAME_LENGTH_BYTES + m.len;
	assert(e == ERR_BAD_BYTES || sum == body);
}

static void join_pieces(struct frame_join *j, const struct frame *f)
{
	size_t want = frame_join_capacity(j, f->body.len);
	assert(want == j->capacity || want <= 2 * (j->len + f->body.len));
	if (want == 0) return;
	if (want > j->capacity) {
		j->data = realloc(j->data, want);
		assert(j->data != NULL);
		j->capacity = want;
	}
	frame_join_add(j, f);
	assert(j->len <= j->capacity);
}

/* The input is plaintexts, each behind a u16 length. */
static void plaintexts(struct bytes in)
{
	struct frame_join j = {0};
	while (in.len >= 2) {
		size_t len = get_u16be(in.data);
		if (len > in.len - 2) len = in.len - 2;
		struct frame f;
		struct hello h;
		if (frame_split(bytes_of(in.data + 2, len), &f) == ERR_OK) {
			if (f.kind == FRAME_WHOLE) walk_messages(&f);
			if (f.kind == FRAME_PIECE || f.kind == FRAME_LAST_PIECE) join_pieces(&j, &f);
			if (f.kind == FRAME_HELLO && hello_read(&f, &h) == ERR_OK) assert(h.node.v != 0);
		}
		in = bytes_of(in.data + 2 + len, in.len - 2 - len);
	}
	free(j.data);
}

/* Bytes that nobody with the key has sealed never open. */
static void sealed(uint8_t *in, size_t len)
{
	struct noise_cipher c = {.key = {{1, 2, 3}}};
	struct noise_handshake h;
	uint8_t *payload = malloc(len + 1);
	unsigned which;
	size_t total;
	struct bytes plain;
	assert(payload != NULL);
	assert(noise_read_first(&h, &c.key, 1, BYTES_EMPTY, bytes_of(in, len), payload, &which) ==
	       ERR_BAD_BYTES);
	if (frame_measure(bytes_of(in, len), &total) == ERR_OK) {
		assert(total <= len);
		assert(frame_open(&c, in, total, &plain) == ERR_BAD_BYTES);
	}
	free(payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0) return 0;
	uint8_t *in = malloc(size);
	assert(in != NULL);
	memcpy(in, data + 1, size - 1);
	if (data[0] % 2 == 0)
		plaintexts(bytes_of(in, size - 1));
	else
		sealed(in, size - 1);
	free(in);
	return 0;
}
