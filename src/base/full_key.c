/* full_key.c - see full_key.h. */
#include "base/full_key.h"

#include "base/panic.h"

enum { PART_HEADER_BYTES = 2, PARTS = 3 };

static_assert(TYPE_BYTES_MAX <= UINT16_MAX && BUCKET_BYTES_MAX <= UINT16_MAX &&
                  NAME_BYTES_MAX <= UINT16_MAX,
              "a part's length is 16 bits");
static_assert(FULL_KEY_BYTES_MAX ==
                  TYPE_BYTES_MAX + BUCKET_BYTES_MAX + NAME_BYTES_MAX + PARTS * PART_HEADER_BYTES,
              "a full key is its three parts and their lengths");

size_t full_key_len(struct bytes type, struct bytes bucket, struct bytes name)
{
	return PARTS * PART_HEADER_BYTES + type.len + bucket.len + name.len;
}

static uint8_t *part_write(uint8_t *to, struct bytes part, size_t max)
{
	assert(part.len > 0 && part.len <= max);
	put_u16be(to, (uint16_t)part.len);
	memcpy(to + PART_HEADER_BYTES, part.data, part.len);
	return to + PART_HEADER_BYTES + part.len;
}

void full_key_write(uint8_t *to, struct bytes type, struct bytes bucket, struct bytes name)
{
	to = part_write(to, type, TYPE_BYTES_MAX);
	to = part_write(to, bucket, BUCKET_BYTES_MAX);
	part_write(to, name, NAME_BYTES_MAX);
}

/* Take one part off the front of *rest. */
static bool part_split(struct bytes *rest, size_t max, struct bytes *part)
{
	if (rest->len < PART_HEADER_BYTES) return false;
	size_t len = get_u16be(rest->data);
	if (len == 0 || len > max || len > rest->len - PART_HEADER_BYTES) return false;
	*part = bytes_of(rest->data + PART_HEADER_BYTES, len);
	size_t taken = PART_HEADER_BYTES + len;
	*rest = bytes_of(rest->data + taken, rest->len - taken);
	return true;
}

bool full_key_split(struct bytes full, struct bytes *type, struct bytes *bucket, struct bytes *name)
{
	bool ok = part_split(&full, TYPE_BYTES_MAX, type) &&
	          part_split(&full, BUCKET_BYTES_MAX, bucket) &&
	          part_split(&full, NAME_BYTES_MAX, name) && full.len == 0;
	if (!ok) *type = *bucket = *name = BYTES_EMPTY;
	return ok;
}
