/* record.c - see record.h. MurmurHash3 x64 128 twice: a checksum against accidents, not against
 * people. Changing one block of its input always changes its state, so no single damaged stretch of
 * eight bytes goes unseen, and any other damage with probability 2^-64. */
#include "store/record.h"

#include <murmurhash.h>

#include "base/bytes.h"
#include "base/panic.h"

/* The key's hash, salted with the family, is the seed of the payload's, and is added to it whole. */
static uint64_t check_of(enum store_family family, struct bytes key, struct bytes payload)
{
	assert(key.len <= UINT32_MAX && payload.len <= UINT32_MAX);
	uint64_t of_key[2], of_payload[2];
	lmmh_x64_128(key.data, (unsigned)key.len, (uint32_t)family, of_key);
	lmmh_x64_128(payload.data, (unsigned)payload.len, (uint32_t)of_key[0], of_payload);
	return of_payload[0] + of_key[1];
}

void record_check(enum store_family family, struct bytes key, struct bytes payload,
                  uint8_t check[RECORD_CHECK_BYTES])
{
	put_u64be(check, check_of(family, key, payload));
}

bool record_open(enum store_family family, struct bytes key, struct bytes stored,
                 struct bytes *payload)
{
	*payload = BYTES_EMPTY;
	if (stored.len < RECORD_CHECK_BYTES) return false;
	struct bytes inner = {stored.data, stored.len - RECORD_CHECK_BYTES};
	if (get_u64be(stored.data + inner.len) != check_of(family, key, inner)) return false;
	*payload = inner;
	return true;
}
