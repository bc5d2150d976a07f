/* mem_record.h - one record in memory: immutable and counted. A reader, the log of the memory store and any
 * number of tables and caches may share one; whoever lets go of it last frees it. */
#ifndef DUNLIN_MEM_RECORD_H
#define DUNLIN_MEM_RECORD_H

#include <stdatomic.h>

#include "base/bytes.h"
#include "store/store_ops.h"

/* A record, or (deleted) the wish that there be none. */
struct mem_record {
	struct store_handle handle; /* first: a reader's handle is the record itself */
	_Atomic uint32_t holders;
	uint32_t key_len, stored_len;
	bool deleted;
	uint8_t
		bytes[]; /* the key, then the stored value: payload and check, or (bare) payload alone */
};

/* Sealed, with one holder. */
struct mem_record *mem_record_new(enum store_family family, const struct store_op *op);
/* Without a check: of what was checked already. */
struct mem_record *mem_record_bare(struct bytes key, struct bytes payload);
/* Another holder. */
struct mem_record *mem_record_hold(struct mem_record *r);
void mem_record_drop(struct mem_record *r);
struct bytes mem_record_key(const struct mem_record *r);
struct bytes mem_record_stored(const struct mem_record *r);

#endif
