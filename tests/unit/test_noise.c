/* test_noise.c - the handshake against published vectors, then against everything that is not it.
 *
 * Vector: "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b" of vectors/cacophony.txt in
 * https://github.com/haskell-cryptography/cacophony, which snow and noise-c test with too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "wire/noise.h"

#include <cmocka.h>

enum { ROOM = 256 };

static const char prologue_hex[] = "4a6f686e2047616c74";
static const char psk_hex[] = "54686973206973206d7920417573747269616e20706572737065637469766521";
static const char initiator_hex[] =
	"893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a";
static const char responder_hex[] =
	"bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b";
static const char hash_hex[] = "ed5e9692d0ab507b6c2beec3f584fd5b127817a9d20b26cd50aa72c507260fa3"
							   "1aa7d88dd3723316338af37ce0b4cfb2923aeb848bbf2b934911306f01ffc963";

/* Alternating, the initiator first; two of handshake, four after it. */
static const struct {
	const char *payload, *ciphertext;
} vector[] = {
	{"4c756477696720766f6e204d69736573",
     "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944"
     "ed63df2f5a12aee1185ee9c50305f2ecf12421dcb53c047a63b784cf7c54a105"},
	{"4d757272617920526f746862617264",
     "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843"
     "0e0fe7d5c0c9b92f7478716c8852f1b4f389edb75e3ebe546fafafd5b6f0f7"},
	{"462e20412e20486179656b", "0fe04b26dcfbb69f8a6a94c61f1a26ef88769218d32f5d17c068a6"},
	{"4361726c204d656e676572", "2239e0c540c01f09eb1f4cc5258fd5acfefff18a5a3773f21b7bfe"},
	{"4a65616e2d426170746973746520536179",
     "f216cb03d30fb8af1e561fe02a07552d09b416e27a75e62c77d193718b0bdaae9f"},
	{"457567656e2042f6686d20766f6e2042617765726b",
     "6e8baf98b944184dd7dc5ef14d8108cbeca626de118a5460f3308e294d61e17238bce29bd9"},
};

static struct bytes from_hex(const char *hex, uint8_t *room)
{
	size_t len;
	assert_int_equal(sodium_hex2bin(room, ROOM, hex, strlen(hex), NULL, &len, NULL), 0);
	return bytes_of(room, len);
}

static struct noise_key key_from_hex(const char *hex)
{
	uint8_t room[ROOM];
	struct noise_key k;
	assert_int_equal(from_hex(hex, room).len, sizeof k.b);
	memcpy(k.b, room, sizeof k.b);
	return k;
}

static void expect_hex(const uint8_t *got, size_t len, const char *hex)
{
	uint8_t room[ROOM];
	struct bytes want = from_hex(hex, room);
	assert_int_equal(len, want.len);
	assert_memory_equal(got, want.data, len);
}

/* Two ends that finished the vector's handshake, and the two messages. */
struct pair {
	struct noise_handshake a, b;
	struct noise_cipher a_send, a_receive, b_send, b_receive;
	uint8_t first[ROOM], second[ROOM];
	size_t first_len, second_len;
};

static void shake_hands(struct pair *p)
{
	uint8_t r1[ROOM], r2[ROOM], r3[ROOM], out[ROOM];
	struct noise_key psk = key_from_hex(psk_hex);
	struct noise_key ea = key_from_hex(initiator_hex), eb = key_from_hex(responder_hex);
	struct bytes prologue = from_hex(prologue_hex, r1);
	struct bytes one = from_hex(vector[0].payload, r2), two = from_hex(vector[1].payload, r3);
	unsigned which = 99;
	noise_write_first(&p->a, &psk, &ea, prologue, one, p->first);
	p->first_len = one.len + NOISE_HANDSHAKE_BYTES;
	assert_int_equal(
		noise_read_first(&p->b, &psk, 1, prologue, bytes_of(p->first, p->first_len), out, &which),
		ERR_OK);
	assert_int_equal(which, 0);
	assert_memory_equal(out, one.data, one.len);
	assert_int_equal(noise_write_second(&p->b, &eb, two, p->second), ERR_OK);
	p->second_len = two.len + NOISE_HANDSHAKE_BYTES;
	assert_int_equal(noise_read_second(&p->a, bytes_of(p->second, p->second_len), out), ERR_OK);
	assert_memory_equal(out, two.data, two.len);
	noise_split(&p->a, &p->a_send, &p->a_receive);
	noise_split(&p->b, &p->b_send, &p->b_receive);
}

static void the_published_vector_is_met_byte_for_byte(void **state)
{
	(void)state;
	struct pair p;
	shake_hands(&p);
	expect_hex(p.first, p.first_len, vector[0].ciphertext);
	expect_hex(p.second, p.second_len, vector[1].ciphertext);
	expect_hex(p.a.hash, sizeof p.a.hash, hash_hex);
	expect_hex(p.b.hash, sizeof p.b.hash, hash_hex);
	for (size_t i = 2; i < sizeof vector / sizeof *vector; i++) {
		uint8_t room[ROOM], sealed[ROOM], opened[ROOM];
		struct bytes plain = from_hex(vector[i].payload, room);
		bool from_a = i % 2 == 0;
		noise_seal(from_a ? &p.a_send : &p.b_send, plain, sealed);
		expect_hex(sealed, plain.len + NOISE_TAG_BYTES, vector[i].ciphertext);
		assert_int_equal(noise_open(from_a ? &p.b_receive : &p.a_receive,
		                            bytes_of(sealed, plain.len + NOISE_TAG_BYTES), opened),
		                 ERR_OK);
		assert_memory_equal(opened, plain.data, plain.len);
	}
}

static enum err read_first(struct bytes in, const struct noise_key *psks, unsigned count,
                           unsigned *which)
{
	uint8_t room[ROOM], out[ROOM];
	struct noise_handshake h;
	return noise_read_first(&h, psks, count, from_hex(prologue_hex, room), in, out, which);
}

static void either_of_two_keys_is_accepted_while_keys_are_changed(void **state)
{
	(void)state;
	struct pair p;
	struct noise_key keys[2] = {{{1}}, key_from_hex(psk_hex)}, swapped[2] = {keys[1], keys[0]};
	unsigned which = 99;
	shake_hands(&p);
	struct bytes first = bytes_of(p.first, p.first_len);
	assert_int_equal(read_first(first, keys, 2, &which), ERR_OK);
	assert_int_equal(which, 1);
	assert_int_equal(read_first(first, swapped, 2, &which), ERR_OK);
	assert_int_equal(which, 0);
	assert_int_equal(read_first(first, keys, 1, &which), ERR_BAD_BYTES);
}

static void another_key_is_refused_by_both_ends(void **state)
{
	(void)state;
	struct noise_key right = key_from_hex(psk_hex), wrong = right, e = {{5}};
	wrong.b[31] ^= 1;
	struct noise_handshake a, b;
	uint8_t first[ROOM], out[ROOM];
	unsigned which;
	noise_write_first(&a, &wrong, &e, BYTES_EMPTY, BYTES_EMPTY, first);
	struct bytes in = bytes_of(first, NOISE_HANDSHAKE_BYTES);
	assert_int_equal(noise_read_first(&b, &right, 1, BYTES_EMPTY, in, out, &which), ERR_BAD_BYTES);
	/* A stranger's answer to our first message. */
	noise_write_first(&a, &right, &e, BYTES_EMPTY, BYTES_EMPTY, first);
	uint8_t noise[NOISE_HANDSHAKE_BYTES];
	randombytes_buf(noise, sizeof noise);
	assert_int_equal(noise_read_second(&a, bytes_of(noise, sizeof noise), out), ERR_BAD_BYTES);
}

static void another_prologue_is_refused(void **state)
{
	(void)state;
	struct pair p;
	struct noise_key psk = key_from_hex(psk_hex);
	struct noise_handshake b;
	uint8_t out[ROOM];
	unsigned which;
	shake_hands(&p);
	assert_int_equal(noise_read_first(&b, &psk, 1, BYTES("dunlin 2"),
	                                  bytes_of(p.first, p.first_len), out, &which),
	                 ERR_BAD_BYTES);
}

/* An initiator that has sent the vector's first message, and what it says to `in`. */
static enum err read_second(struct bytes in)
{
	uint8_t room[ROOM], payload[ROOM], out[ROOM], first[ROOM];
	struct noise_key psk = key_from_hex(psk_hex), e = key_from_hex(initiator_hex);
	struct noise_handshake a;
	noise_write_first(&a, &psk, &e, from_hex(prologue_hex, room),
	                  from_hex(vector[0].payload, payload), first);
	return noise_read_second(&a, in, out);
}

static void a_flipped_bit_in_any_byte_of_the_handshake_is_refused(void **state)
{
	(void)state;
	struct pair p;
	struct noise_key psk = key_from_hex(psk_hex);
	unsigned which;
	shake_hands(&p);
	for (size_t i = 0; i < p.first_len; i++) {
		p.first[i] ^= (uint8_t)(1U << (i % 8));
		assert_int_equal(read_first(bytes_of(p.first, p.first_len), &psk, 1, &which),
		                 ERR_BAD_BYTES);
		p.first[i] ^= (uint8_t)(1U << (i % 8));
	}
	assert_int_equal(read_second(bytes_of(p.second, p.second_len)), ERR_OK);
	for (size_t i = 0; i < p.second_len; i++) {
		p.second[i] ^= (uint8_t)(1U << (i % 8));
		assert_int_equal(read_second(bytes_of(p.second, p.second_len)), ERR_BAD_BYTES);
		p.second[i] ^= (uint8_t)(1U << (i % 8));
	}
}

static void a_handshake_message_cut_anywhere_is_refused(void **state)
{
	(void)state;
	struct pair p;
	struct noise_key psk = key_from_hex(psk_hex);
	unsigned which;
	shake_hands(&p);
	for (size_t len = 0; len < p.first_len; len++)
		assert_int_equal(read_first(bytes_of(p.first, len), &psk, 1, &which), ERR_BAD_BYTES);
	for (size_t len = 0; len < p.second_len; len++)
		assert_int_equal(read_second(bytes_of(p.second, len)), ERR_BAD_BYTES);
}

/* Public keys of small order would make the agreed secret a known one: zero. */
static void a_public_key_of_small_order_is_refused(void **state)
{
	(void)state;
	struct noise_key psk = key_from_hex(psk_hex), e = {{9}};
	struct noise_handshake a, b;
	uint8_t first[ROOM], out[ROOM];
	unsigned which;
	noise_write_first(&a, &psk, &e, BYTES_EMPTY, BYTES_EMPTY, first);
	struct bytes in = bytes_of(first, NOISE_HANDSHAKE_BYTES);
	assert_int_equal(noise_read_first(&b, &psk, 1, BYTES_EMPTY, in, out, &which), ERR_OK);
	memset(&b.remote, 0, sizeof b.remote); /* as a holder of the key could have sent */
	assert_int_equal(noise_write_second(&b, &e, BYTES_EMPTY, out), ERR_BAD_BYTES);
}

static void a_sealed_message_opens_once_in_order_and_unchanged(void **state)
{
	(void)state;
	struct pair p;
	uint8_t one[ROOM], two[ROOM], out[ROOM];
	shake_hands(&p);
	noise_seal(&p.a_send, BYTES("one"), one);
	noise_seal(&p.a_send, BYTES("two"), two);
	struct bytes first = bytes_of(one, 3 + NOISE_TAG_BYTES);
	struct bytes second = bytes_of(two, 3 + NOISE_TAG_BYTES);
	assert_int_equal(noise_open(&p.b_receive, second, out), ERR_BAD_BYTES);
	for (size_t i = 0; i < first.len; i++) {
		one[i] ^= 0x10;
		assert_int_equal(noise_open(&p.b_receive, first, out), ERR_BAD_BYTES);
		one[i] ^= 0x10;
	}
	assert_int_equal(noise_open(&p.b_receive, bytes_of(one, first.len - 1), out), ERR_BAD_BYTES);
	assert_int_equal(noise_open(&p.b_receive, bytes_of(one, 3), out), ERR_BAD_BYTES);
	assert_int_equal(noise_open(&p.b_receive, first, out), ERR_OK);
	assert_int_equal(noise_open(&p.b_receive, first, out), ERR_BAD_BYTES);
	assert_int_equal(noise_open(&p.a_receive, second, out), ERR_BAD_BYTES);
	assert_int_equal(noise_open(&p.b_receive, second, out), ERR_OK);
	assert_memory_equal(out, "two", 3);
}

static void a_message_is_sealed_and_opened_in_its_own_place(void **state)
{
	(void)state;
	struct pair p;
	uint8_t room[ROOM] = "in place";
	shake_hands(&p);
	noise_seal(&p.b_send, bytes_of(room, 8), room);
	assert_memory_not_equal(room, "in place", 8);
	assert_int_equal(noise_open(&p.a_receive, bytes_of(room, 8 + NOISE_TAG_BYTES), room), ERR_OK);
	assert_memory_equal(room, "in place", 8);
}

static void a_cipher_is_spent_long_before_its_nonces_repeat(void **state)
{
	(void)state;
	struct pair p;
	uint8_t sealed[ROOM], out[ROOM];
	shake_hands(&p);
	p.a_send.nonce = p.b_receive.nonce = (1UL << 48) - 1;
	assert_false(noise_is_spent(&p.a_send));
	noise_seal(&p.a_send, BYTES("last"), sealed);
	assert_true(noise_is_spent(&p.a_send));
	struct bytes in = bytes_of(sealed, 4 + NOISE_TAG_BYTES);
	assert_int_equal(noise_open(&p.b_receive, in, out), ERR_OK);
	/* What another implementation, which goes on, would send next. */
	const uint8_t nonce[12] = {[10] = 1};
	crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, (const uint8_t *)"more", 4, NULL, 0,
	                                          NULL, nonce, p.a_send.key.b);
	assert_int_equal(noise_open(&p.b_receive, in, out), ERR_BAD_BYTES);
}

static void no_secret_is_left_in_a_finished_handshake(void **state)
{
	(void)state;
	struct pair p;
	static const struct noise_key zero;
	shake_hands(&p);
	assert_memory_equal(&p.a.secret, &zero, sizeof zero);
	assert_memory_equal(&p.b.secret, &zero, sizeof zero);
	assert_memory_equal(&p.a.cipher.key, &zero, sizeof zero);
	assert_memory_equal(p.b.chaining, &zero, sizeof zero);
	assert_memory_not_equal(&p.a_send.key, &p.a_receive.key, sizeof zero);
	assert_memory_equal(&p.a_send.key, &p.b_receive.key, sizeof zero);
}

int main(void)
{
	if (sodium_init() < 0) return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_vector_is_met_byte_for_byte),
		cmocka_unit_test(either_of_two_keys_is_accepted_while_keys_are_changed),
		cmocka_unit_test(another_key_is_refused_by_both_ends),
		cmocka_unit_test(another_prologue_is_refused),
		cmocka_unit_test(a_flipped_bit_in_any_byte_of_the_handshake_is_refused),
		cmocka_unit_test(a_handshake_message_cut_anywhere_is_refused),
		cmocka_unit_test(a_public_key_of_small_order_is_refused),
		cmocka_unit_test(a_sealed_message_opens_once_in_order_and_unchanged),
		cmocka_unit_test(a_message_is_sealed_and_opened_in_its_own_place),
		cmocka_unit_test(a_cipher_is_spent_long_before_its_nonces_repeat),
		cmocka_unit_test(no_secret_is_left_in_a_finished_handshake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
