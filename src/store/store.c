/* store.c - the door to the store: checks what every caller owes, and hands on to the
 * implementation behind it. */
#include "store/store_ops.h"

#include <stdlib.h>

static void check_batch(const struct store_batch *b)
{
	assert(b->ops != NULL && b->count > 0);
	for (uint32_t i = 0; i < b->count; i++) {
		assert((unsigned)b->ops[i].family < STORE_FAMILY_COUNT);
		assert(b->ops[i].key.data != NULL && b->ops[i].key.len > 0);
	}
}

enum err store_read(struct store *s, enum store_family family, struct bytes key, bool cache_only,
                    struct bytes *value, void **handle)
{
	assert((unsigned)family < STORE_FAMILY_COUNT && key.len > 0);
	*value = (struct bytes){NULL, 0};
	*handle = NULL;
	enum err e = s->ops->read(s, family, key, cache_only, value, handle);
	assert((e == ERR_OK) == (*handle != NULL));
	assert(implies(e == ERR_OK, value->data != NULL));
	return e;
}

void store_release(void *handle)
{
	struct store_handle *h = handle;
	if (h != NULL) h->release(h);
}

enum err store_write(struct store *s, const struct store_batch *batches, uint32_t count)
{
	assert(batches != NULL && count > 0);
	for (uint32_t i = 0; i < count; i++) check_batch(&batches[i]);
	return s->ops->write(s, batches, count);
}

enum err store_scan(struct store *s, enum store_family family, struct bytes after,
                    struct bytes until, store_each *each, void *context, bool *done)
{
	assert((unsigned)family < STORE_FAMILY_COUNT && each != NULL);
	*done = false;
	return s->ops->scan(s, family, after, until, each, context, done);
}

enum err store_checkpoint(struct store *s, const char *path)
{
	assert(path != NULL && path[0] != 0);
	return s->ops->checkpoint(s, path);
}

void store_usage(struct store *s, struct store_usage *out)
{
	*out = (struct store_usage){0};
	s->ops->usage(s, out);
}

void store_close(struct store *s)
{
	if (s != NULL) s->ops->close(s);
}

void *store_alloc(size_t len)
{
	void *p = malloc(len == 0 ? 1 : len);
	if (p == NULL) dunlin_panic(__FILE__, __LINE__, "out of memory");
	return p;
}
