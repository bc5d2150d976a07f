/* context.c - see context.h. */
#include "core/context.h"

#include <sodium/crypto_shorthash_siphash24.h>

#include "base/bytes.h"
#include "base/cursor.h"
#include "base/panic.h"
#include "core/dvv.h"

enum { MAC_BYTES = crypto_shorthash_siphash24_BYTES };
static_assert(crypto_shorthash_siphash24_KEYBYTES == 16, "the cluster secret is the key");

/* Full keys say their own lengths, so key and rest can simply follow each other. */
static bool context_mac(struct arena *a, const uint8_t secret[16], struct bytes full_key,
                        struct bytes rest, uint8_t out[MAC_BYTES])
{
	struct arena_mark mark = arena_mark(a);
	uint8_t *both = arena_take(a, full_key.len + rest.len);
	if (both == NULL) return false;
	memcpy(both, full_key.data, full_key.len);
	memcpy(both + full_key.len, rest.data, rest.len);
	crypto_shorthash_siphash24(out, both, full_key.len + rest.len, secret);
	arena_release(a, mark);
	return true;
}

enum err context_open(struct arena *a, const uint8_t secret[16], struct bytes full_key,
                      struct bytes context, struct dvv *out)
{
	*out = (struct dvv){0};
	if (context.len == 0) return ERR_OK;
	if (context.len <= MAC_BYTES || context.len > CONTEXT_BYTES_MAX) return ERR_BAD_CONTEXT;
	struct bytes rest = bytes_of(context.data + MAC_BYTES, context.len - MAC_BYTES);
	uint8_t mac[MAC_BYTES];
	if (!context_mac(a, secret, full_key, rest, mac)) return ERR_BUSY;
	uint8_t differs = 0; /* compared in constant time: the client may be guessing */
	for (unsigned i = 0; i < MAC_BYTES; i++) differs |= (uint8_t)(mac[i] ^ context.data[i]);
	if (differs != 0) return ERR_BAD_CONTEXT;
	struct cursor c = cursor_of(rest);
	enum err e = dvv_unpack(&c, a, out);
	if (e == ERR_OK && !cursor_finished(&c)) e = ERR_BAD_BYTES;
	return e == ERR_BAD_BYTES ? ERR_BAD_CONTEXT : e;
}

bool context_seal(struct arena *a, const uint8_t secret[16], struct bytes full_key,
                  const struct dvv *shown, struct bytes *out)
{
	struct packer measure = {0};
	dvv_pack(&measure, shown);
	uint8_t *to = arena_take(a, MAC_BYTES + measure.len);
	if (to == NULL) return false;
	struct packer p = {.to = to + MAC_BYTES, .capacity = measure.len};
	dvv_pack(&p, shown);
	assert(p.len == measure.len);
	*out = bytes_of(to, MAC_BYTES + p.len);
	return context_mac(a, secret, full_key, bytes_of(p.to, p.len), to);
}
