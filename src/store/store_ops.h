/* store_ops.h - how store.c finds the implementation. Only the implementations include this.
 *
 * Every implementation's struct begins with `struct store`, and every handle with `struct
 * store_handle`; so one binary holds both stores and callers know neither. */
#ifndef DUNLIN_STORE_OPS_H
#define DUNLIN_STORE_OPS_H

#include "base/panic.h"
#include "store/store.h"

struct store_ops {
	enum err (*read)(struct store *s, enum store_family family, struct bytes key, bool cache_only,
	                 struct bytes *value, void **handle);
	enum err (*write)(struct store *s, const struct store_batch *batches, uint32_t count);
	enum err (*scan)(struct store *s, enum store_family family, struct bytes after,
	                 struct bytes until, store_each *each, void *context, bool *done);
	enum err (*checkpoint)(struct store *s, const char *path);
	void (*usage)(struct store *s, struct store_usage *out);
	void (*close)(struct store *s);
};

struct store {
	const struct store_ops *ops;
};

/* What a reader holds until store_release. */
struct store_handle {
	void (*release)(struct store_handle *h);
};

/* malloc that never gives NULL: a process without memory stops. */
void *store_alloc(size_t len);

#endif
