/* noise.h - Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b (https://noiseprotocol.org/noise.html, revision
 * 34), out of libsodium's parts: two messages prove that both ends hold the key, and give each
 * connection keys of its own. Pure: no memory, no I/O; keys and randomness come from the caller.
 *
 *   initiator                                 responder
 *   noise_write_first  --- psk, e, payload -->  noise_read_first
 *   noise_read_second  <-- e, ee, payload ----  noise_write_second
 *   noise_split                                 noise_split
 *   noise_seal         ======================>  noise_open             and the other way
 *
 * The first message can be replayed by a stranger (all psk0 patterns): say nothing in its payload, and
 * believe the other end only once a sealed message of it has been opened. */
#ifndef DUNLIN_WIRE_NOISE_H
#define DUNLIN_WIRE_NOISE_H

#include "dunlin/types.h"

enum {
	NOISE_KEY_BYTES = 32,
	NOISE_TAG_BYTES = 16,
	NOISE_HASH_BYTES = 64,
	/* What a handshake message is longer than its payload. */
	NOISE_HANDSHAKE_BYTES = NOISE_KEY_BYTES + NOISE_TAG_BYTES
};

struct noise_key {
	uint8_t b[NOISE_KEY_BYTES];
};

/* One direction of one connection. */
struct noise_cipher {
	struct noise_key key;
	uint64_t nonce;
};

enum noise_phase { NOISE_FRESH, NOISE_WAITS, NOISE_AGREED, NOISE_OVER };

struct noise_handshake {
	enum noise_phase phase;
	bool initiator;
	uint8_t chaining[NOISE_HASH_BYTES], hash[NOISE_HASH_BYTES];
	struct noise_cipher cipher;
	struct noise_key secret, remote; /* our ephemeral's secret half, their public half */
};

/* `ephemeral`: 32 random bytes, never used before. `out` has room for payload.len +
 * NOISE_HANDSHAKE_BYTES; so everywhere. */
void noise_write_first(struct noise_handshake *h, const struct noise_key *psk,
                       const struct noise_key *ephemeral, struct bytes prologue,
                       struct bytes payload, uint8_t *out);
/* Tries each of `count` keys and says in *which of them fitted. `payload` has room for in.len -
 * NOISE_HANDSHAKE_BYTES. ERR_BAD_BYTES: another key, another prologue, or damaged. It costs a few
 * hashes a key; the curve is not touched before the key is proven. */
enum err noise_read_first(struct noise_handshake *h, const struct noise_key *psks, unsigned count,
                          struct bytes prologue, struct bytes in, uint8_t *payload,
                          unsigned *which);
/* ERR_BAD_BYTES: the other end's public key is none that this curve allows. */
enum err noise_write_second(struct noise_handshake *h, const struct noise_key *ephemeral,
                            struct bytes payload, uint8_t *out);
enum err noise_read_second(struct noise_handshake *h, struct bytes in, uint8_t *payload);
/* The two directions, as this end sees them. Wipes the handshake but for `hash`, which names the
 * connection and is the same at both ends. */
void noise_split(struct noise_handshake *h, struct noise_cipher *send,
                 struct noise_cipher *receive);

/* True when the cipher has sealed or opened as many messages as one key may: end the connection. */
bool noise_is_spent(const struct noise_cipher *c);
/* Writes plain.len + NOISE_TAG_BYTES; out may be plain.data. The cipher is not spent. */
void noise_seal(struct noise_cipher *c, struct bytes plain, uint8_t *out);
/* Writes sealed.len - NOISE_TAG_BYTES; out may be sealed.data. ERR_BAD_BYTES: nothing of `out` is to be
 * used, and the connection is to be ended. */
enum err noise_open(struct noise_cipher *c, struct bytes sealed, uint8_t *out);

#endif
