/* noise.c - the Noise handshake NNpsk0 and what follows it; see noise.h.
 *
 * The names in the comments (MixHash, MixKey, HKDF, Split) are those of the Noise specification,
 * sections 4, 5 and 9. HASHLEN is 64 and BLOCKLEN 128 (BLAKE2b), DHLEN 32.
 *
 * Always true: `hash` covers all that was sent and received, so that any changed byte makes the next
 * tag fail; a cipher uses each nonce once; a failed read leaves the nonce where it was.
 * Not here: framing (frame.h), sockets, who the other end is beyond that it holds the key. */
#include "wire/noise.h"

#include <sodium.h>

#include "base/bytes.h"
#include "base/panic.h"

enum { BLOCK_BYTES = 128, OUTPUTS_MAX = 3 };

static_assert(NOISE_KEY_BYTES == crypto_scalarmult_BYTES, "DHLEN");
static_assert(NOISE_KEY_BYTES == crypto_aead_chacha20poly1305_ietf_KEYBYTES, "cipher key");
static_assert(NOISE_TAG_BYTES == crypto_aead_chacha20poly1305_ietf_ABYTES, "cipher tag");
static_assert(NOISE_HASH_BYTES == crypto_generichash_blake2b_BYTES_MAX, "HASHLEN");

static const char protocol_name[] = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b";
static_assert(sizeof protocol_name - 1 <= NOISE_HASH_BYTES, "the name is padded, not hashed");

/* Far below the 2^64 at which nonces would repeat; years at any speed. */
#define NONCES_MAX (1UL << 48)

/* ---- hashing ------------------------------------------------------------------------------ */

static void hash_two(uint8_t out[NOISE_HASH_BYTES], struct bytes a, struct bytes b)
{
	crypto_generichash_blake2b_state s;
	crypto_generichash_blake2b_init(&s, NULL, 0, NOISE_HASH_BYTES);
	if (a.len > 0) crypto_generichash_blake2b_update(&s, a.data, a.len);
	if (b.len > 0) crypto_generichash_blake2b_update(&s, b.data, b.len);
	crypto_generichash_blake2b_final(&s, out, NOISE_HASH_BYTES);
}

/* HMAC (RFC 2104) over BLAKE2b-512; the key is at most one block long. */
static void hmac(uint8_t out[NOISE_HASH_BYTES], struct bytes key, struct bytes a, struct bytes b)
{
	assert(key.len <= BLOCK_BYTES);
	uint8_t inner_pad[BLOCK_BYTES], outer_pad[BLOCK_BYTES], inner[NOISE_HASH_BYTES];
	memset(inner_pad, 0x36, BLOCK_BYTES);
	memset(outer_pad, 0x5c, BLOCK_BYTES);
	for (size_t i = 0; i < key.len; i++) {
		inner_pad[i] ^= key.data[i];
		outer_pad[i] ^= key.data[i];
	}
	crypto_generichash_blake2b_state s;
	crypto_generichash_blake2b_init(&s, NULL, 0, NOISE_HASH_BYTES);
	crypto_generichash_blake2b_update(&s, inner_pad, BLOCK_BYTES);
	if (a.len > 0) crypto_generichash_blake2b_update(&s, a.data, a.len);
	if (b.len > 0) crypto_generichash_blake2b_update(&s, b.data, b.len);
	crypto_generichash_blake2b_final(&s, inner, NOISE_HASH_BYTES);
	hash_two(out, bytes_of(outer_pad, BLOCK_BYTES), bytes_of(inner, NOISE_HASH_BYTES));
	sodium_memzero(inner_pad, sizeof inner_pad);
	sodium_memzero(outer_pad, sizeof outer_pad);
	sodium_memzero(&s, sizeof s);
}

/* HKDF(chaining key, material, count): output i is HMAC(temp, output i-1 || i). */
static void hkdf(uint8_t out[][NOISE_HASH_BYTES], unsigned count, const uint8_t *chaining,
                 struct bytes material)
{
	assert(count > 0 && count <= OUTPUTS_MAX);
	uint8_t temp[NOISE_HASH_BYTES];
	hmac(temp, bytes_of(chaining, NOISE_HASH_BYTES), material, BYTES_EMPTY);
	struct bytes last = BYTES_EMPTY;
	for (unsigned i = 0; i < count; i++) {
		uint8_t number = (uint8_t)(i + 1);
		hmac(out[i], bytes_of(temp, sizeof temp), last, bytes_of(&number, 1));
		last = bytes_of(out[i], NOISE_HASH_BYTES);
	}
	sodium_memzero(temp, sizeof temp);
}

/* ---- the cipher --------------------------------------------------------------------------- */

/* Four zero bytes and the counter, little-endian (Noise section 12.3). */
static void write_nonce(uint8_t out[crypto_aead_chacha20poly1305_ietf_NPUBBYTES], uint64_t n)
{
	memset(out, 0, crypto_aead_chacha20poly1305_ietf_NPUBBYTES);
	for (unsigned i = 0; i < 8; i++) out[4 + i] = (uint8_t)(n >> (8 * i));
}

static void seal(struct noise_cipher *c, struct bytes ad, struct bytes plain, uint8_t *out)
{
	assert(!noise_is_spent(c));
	uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
	write_nonce(nonce, c->nonce++);
	crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain.data, plain.len, ad.data, ad.len,
	                                          NULL, nonce, c->key.b);
}

static enum err open_sealed(struct noise_cipher *c, struct bytes ad, struct bytes sealed,
                            uint8_t *out)
{
	if (noise_is_spent(c) || sealed.len < NOISE_TAG_BYTES) return ERR_BAD_BYTES;
	uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
	write_nonce(nonce, c->nonce);
	if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.data, sealed.len, ad.data,
	                                              ad.len, nonce, c->key.b) != 0)
		return ERR_BAD_BYTES;
	c->nonce++;
	return ERR_OK;
}

bool noise_is_spent(const struct noise_cipher *c)
{
	return c->nonce >= NONCES_MAX;
}

void noise_seal(struct noise_cipher *c, struct bytes plain, uint8_t *out)
{
	seal(c, BYTES_EMPTY, plain, out);
}

enum err noise_open(struct noise_cipher *c, struct bytes sealed, uint8_t *out)
{
	return open_sealed(c, BYTES_EMPTY, sealed, out);
}

/* ---- the handshake ------------------------------------------------------------------------ */

static void mix_hash(struct noise_handshake *h, struct bytes data)
{
	hash_two(h->hash, bytes_of(h->hash, sizeof h->hash), data);
}

/* MixKey: the material goes into the chaining key and makes a new cipher key. */
static void mix_key(struct noise_handshake *h, struct bytes material)
{
	uint8_t out[2][NOISE_HASH_BYTES];
	hkdf(out, 2, h->chaining, material);
	memcpy(h->chaining, out[0], sizeof h->chaining);
	memcpy(h->cipher.key.b, out[1], NOISE_KEY_BYTES);
	h->cipher.nonce = 0;
	sodium_memzero(out, sizeof out);
}

/* MixKeyAndHash: how a pre-shared key enters. */
static void mix_key_and_hash(struct noise_handshake *h, struct bytes material)
{
	uint8_t out[3][NOISE_HASH_BYTES];
	hkdf(out, 3, h->chaining, material);
	memcpy(h->chaining, out[0], sizeof h->chaining);
	mix_hash(h, bytes_of(out[1], sizeof out[1]));
	memcpy(h->cipher.key.b, out[2], NOISE_KEY_BYTES);
	h->cipher.nonce = 0;
	sodium_memzero(out, sizeof out);
}

/* Up to and with the token `psk`, which begins the first message of both ends. */
static void begin(struct noise_handshake *h, bool initiator, const struct noise_key *psk,
                  struct bytes prologue)
{
	*h = (struct noise_handshake){.initiator = initiator};
	memcpy(h->hash, protocol_name, sizeof protocol_name - 1);
	memcpy(h->chaining, h->hash, sizeof h->chaining);
	mix_hash(h, prologue);
	mix_key_and_hash(h, bytes_of(psk->b, sizeof psk->b));
}

/* The token `e`: in patterns with a pre-shared key it goes into both hash and key. */
static void mix_ephemeral(struct noise_handshake *h, const uint8_t *public_half)
{
	mix_hash(h, bytes_of(public_half, NOISE_KEY_BYTES));
	mix_key(h, bytes_of(public_half, NOISE_KEY_BYTES));
}

/* The token `ee`. False: the other's public key is of small order, the result would be no secret. */
static bool mix_agreement(struct noise_handshake *h)
{
	uint8_t shared[crypto_scalarmult_BYTES];
	bool good = crypto_scalarmult(shared, h->secret.b, h->remote.b) == 0;
	if (good) mix_key(h, bytes_of(shared, sizeof shared));
	sodium_memzero(shared, sizeof shared);
	sodium_memzero(&h->secret, sizeof h->secret);
	return good;
}

static void write_payload(struct noise_handshake *h, struct bytes payload, uint8_t *out)
{
	seal(&h->cipher, bytes_of(h->hash, sizeof h->hash), payload, out);
	mix_hash(h, bytes_of(out, payload.len + NOISE_TAG_BYTES));
}

static enum err read_payload(struct noise_handshake *h, struct bytes sealed, uint8_t *payload)
{
	enum err e = open_sealed(&h->cipher, bytes_of(h->hash, sizeof h->hash), sealed, payload);
	if (e == ERR_OK) mix_hash(h, sealed);
	return e;
}

/* Our ephemeral's public half, mixed in and written. */
static void write_ephemeral(struct noise_handshake *h, const struct noise_key *ephemeral,
                            uint8_t *out)
{
	h->secret = *ephemeral;
	crypto_scalarmult_base(out, ephemeral->b);
	mix_ephemeral(h, out);
}

static void read_ephemeral(struct noise_handshake *h, struct bytes in)
{
	assert(in.len >= NOISE_KEY_BYTES);
	memcpy(h->remote.b, in.data, NOISE_KEY_BYTES);
	mix_ephemeral(h, h->remote.b);
}

static struct bytes after_ephemeral(struct bytes in)
{
	return bytes_of(in.data + NOISE_KEY_BYTES, in.len - NOISE_KEY_BYTES);
}

static enum err end_badly(struct noise_handshake *h)
{
	sodium_memzero(h, sizeof *h);
	h->phase = NOISE_OVER;
	return ERR_BAD_BYTES;
}

void noise_write_first(struct noise_handshake *h, const struct noise_key *psk,
                       const struct noise_key *ephemeral, struct bytes prologue,
                       struct bytes payload, uint8_t *out)
{
	begin(h, true, psk, prologue);
	write_ephemeral(h, ephemeral, out);
	write_payload(h, payload, out + NOISE_KEY_BYTES);
	h->phase = NOISE_WAITS;
}

enum err noise_read_first(struct noise_handshake *h, const struct noise_key *psks, unsigned count,
                          struct bytes prologue, struct bytes in, uint8_t *payload, unsigned *which)
{
	assert(count > 0);
	if (in.len < NOISE_HANDSHAKE_BYTES) return end_badly(h);
	for (unsigned i = 0; i < count; i++) {
		begin(h, false, &psks[i], prologue);
		read_ephemeral(h, in);
		if (read_payload(h, after_ephemeral(in), payload) != ERR_OK) continue;
		*which = i;
		h->phase = NOISE_WAITS;
		return ERR_OK;
	}
	return end_badly(h);
}

enum err noise_write_second(struct noise_handshake *h, const struct noise_key *ephemeral,
                            struct bytes payload, uint8_t *out)
{
	assert(h->phase == NOISE_WAITS && !h->initiator);
	write_ephemeral(h, ephemeral, out);
	if (!mix_agreement(h)) return end_badly(h);
	write_payload(h, payload, out + NOISE_KEY_BYTES);
	h->phase = NOISE_AGREED;
	return ERR_OK;
}

enum err noise_read_second(struct noise_handshake *h, struct bytes in, uint8_t *payload)
{
	assert(h->phase == NOISE_WAITS && h->initiator);
	if (in.len < NOISE_HANDSHAKE_BYTES) return end_badly(h);
	read_ephemeral(h, in);
	if (!mix_agreement(h)) return end_badly(h);
	if (read_payload(h, after_ephemeral(in), payload) != ERR_OK) return end_badly(h);
	h->phase = NOISE_AGREED;
	return ERR_OK;
}

void noise_split(struct noise_handshake *h, struct noise_cipher *send, struct noise_cipher *receive)
{
	assert(h->phase == NOISE_AGREED);
	uint8_t out[2][NOISE_HASH_BYTES];
	hkdf(out, 2, h->chaining, BYTES_EMPTY);
	*send = *receive = (struct noise_cipher){.nonce = 0};
	memcpy(send->key.b, out[h->initiator ? 0 : 1], NOISE_KEY_BYTES);
	memcpy(receive->key.b, out[h->initiator ? 1 : 0], NOISE_KEY_BYTES);
	sodium_memzero(out, sizeof out);
	sodium_memzero(h->chaining, sizeof h->chaining);
	sodium_memzero(&h->cipher, sizeof h->cipher);
	h->phase = NOISE_OVER;
}
