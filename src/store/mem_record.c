/* mem_record.c - see mem_record.h. */
#include "store/mem_record.h"

#include <stdlib.h>

#include "store/record.h"

static void release_record(struct store_handle *h)
{
	mem_record_drop((struct mem_record *)h);
}

/* With room for `stored` bytes behind the key. */
static struct mem_record *record_new(struct bytes key, size_t stored)
{
	assert(key.len <= UINT32_MAX && stored <= UINT32_MAX);
	struct mem_record *r = store_alloc(sizeof(*r) + key.len + stored);
	r->handle.release = release_record;
	atomic_init(&r->holders, 1);
	r->key_len = (uint32_t)key.len;
	r->stored_len = (uint32_t)stored;
	r->deleted = false;
	memcpy(r->bytes, key.data, key.len);
	return r;
}

struct mem_record *mem_record_bare(struct bytes key, struct bytes payload)
{
	struct mem_record *r = record_new(key, payload.len);
	if (payload.len > 0) memcpy(r->bytes + key.len, payload.data, payload.len);
	return r;
}

struct mem_record *mem_record_new(enum store_family family, const struct store_op *op)
{
	bool deleted = op->value.data == NULL;
	struct mem_record *r = record_new(op->key, deleted ? 0 : op->value.len + RECORD_CHECK_BYTES);
	r->deleted = deleted;
	if (deleted) return r;
	uint8_t *payload = r->bytes + op->key.len;
	if (op->value.len > 0) memcpy(payload, op->value.data, op->value.len);
	record_check(family, op->key, op->value, payload + op->value.len);
	return r;
}

struct mem_record *mem_record_hold(struct mem_record *r)
{
	uint32_t before = atomic_fetch_add_explicit(&r->holders, 1, memory_order_relaxed);
	assert(before > 0);
	return r;
}

void mem_record_drop(struct mem_record *r)
{
	uint32_t before = atomic_fetch_sub_explicit(&r->holders, 1, memory_order_acq_rel);
	assert(before > 0);
	if (before == 1) free(r);
}

struct bytes mem_record_key(const struct mem_record *r)
{
	return bytes_of(r->bytes, r->key_len);
}

struct bytes mem_record_stored(const struct mem_record *r)
{
	assert(!r->deleted);
	return bytes_of(r->bytes + r->key_len, r->stored_len);
}
