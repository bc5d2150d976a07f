/* mem_table.c - see mem_table.h.
 *
 * Always true: level 0 holds every node in strictly ascending key order; each level above is a
 * subsequence of the one below; count and bytes are of level 0. Not here: locks, faults, the log. */
#include "store/mem_table.h"

#include <stdlib.h>

static uint64_t record_bytes(const struct mem_record *r)
{
	return (uint64_t)r->key_len + r->stored_len;
}

/* ---- order --------------------------------------------------------------------------------- */

/* Big-endian, so that it orders as the keys do; a short key is padded with zeroes, and ties go to
 * the whole keys. */
static uint64_t order_of(struct bytes key)
{
	uint8_t first[8] = {0};
	memcpy(first, key.data, key.len < 8 ? key.len : 8);
	return get_u64be(first);
}

static int compare(const struct mem_node *n, uint64_t order, struct bytes key)
{
	if (n->order != order) return n->order < order ? -1 : 1;
	return bytes_compare(mem_record_key(n->record), key);
}

/* One in four keys is on level 1, one in sixteen on level 2, and so on. */
static unsigned height_of(struct bytes key)
{
	uint64_t h = 0x9e3779b97f4a7c15U ^ key.len;
	for (size_t i = 0; i < key.len; i++) h = (h ^ key.data[i]) * 0x100000001b3U;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93U;
	unsigned height = 1;
	for (h >>= 32; height < MEM_TABLE_LEVELS && (h & 3) == 0; h >>= 2) height++;
	return height;
}

/* ---- the list ------------------------------------------------------------------------------ */

/* For each level, the link that leads to the first node at or above `key`. */
static void seek(struct mem_table *t, struct bytes key, struct mem_node **links[MEM_TABLE_LEVELS])
{
	uint64_t order = order_of(key);
	struct mem_node **row = t->first;
	for (unsigned level = MEM_TABLE_LEVELS; level-- > 0;) {
		while (row[level] != NULL && compare(row[level], order, key) < 0) row = row[level]->next;
		links[level] = &row[level];
	}
}

/* The first node at or above `key`, or only above it. */
static struct mem_node *seek_read(const struct mem_table *t, struct bytes key, bool above)
{
	uint64_t order = order_of(key);
	struct mem_node *const *row = t->first;
	for (unsigned level = MEM_TABLE_LEVELS; level-- > 0;)
		while (row[level] != NULL && compare(row[level], order, key) < (above ? 1 : 0))
			row = row[level]->next;
	return row[0];
}

struct mem_record *mem_table_find(const struct mem_table *t, struct bytes key)
{
	struct mem_node *n = seek_read(t, key, false);
	if (n == NULL || n->order != order_of(key)) return NULL;
	return bytes_equal(mem_record_key(n->record), key) ? n->record : NULL;
}

const struct mem_node *mem_table_after(const struct mem_table *t, struct bytes key)
{
	return key.len == 0 ? t->first[0] : seek_read(t, key, true);
}

static struct mem_node *node_new(struct mem_record *r, unsigned height)
{
	assert(height >= 1 && height <= MEM_TABLE_LEVELS);
	struct mem_node *n = store_alloc(sizeof(*n) + height * sizeof(n->next[0]));
	n->order = order_of(mem_record_key(r));
	n->record = r;
	return n;
}

static void insert(struct mem_table *t, struct mem_node **links[], struct mem_record *r)
{
	unsigned height = height_of(mem_record_key(r));
	struct mem_node *n = node_new(r, height);
	for (unsigned level = 0; level < height; level++) {
		n->next[level] = *links[level];
		*links[level] = n;
	}
	t->count++;
	t->bytes += record_bytes(r);
}

static void take_out(struct mem_table *t, struct mem_node **links[], struct mem_node *n)
{
	assert(t->count > 0 && t->bytes >= record_bytes(n->record));
	for (unsigned level = height_of(mem_record_key(n->record)); level-- > 0;) {
		assert(*links[level] == n);
		*links[level] = n->next[level];
	}
	t->count--;
	t->bytes -= record_bytes(n->record);
	mem_record_drop(n->record);
	free(n);
}

static void replace(struct mem_table *t, struct mem_node *n, struct mem_record *r)
{
	t->bytes = t->bytes - record_bytes(n->record) + record_bytes(r);
	mem_record_drop(n->record);
	n->record = r;
}

void mem_table_apply(struct mem_table *t, struct mem_record *r)
{
	struct mem_node **links[MEM_TABLE_LEVELS];
	struct bytes key = mem_record_key(r);
	seek(t, key, links);
	struct mem_node *n = *links[0];
	bool found = n != NULL && bytes_equal(mem_record_key(n->record), key);
	if (found && r->deleted)
		take_out(t, links, n);
	else if (found)
		replace(t, n, r);
	else if (!r->deleted)
		insert(t, links, r);
	if (r->deleted) mem_record_drop(r);
}

void mem_table_clear(struct mem_table *t)
{
	for (struct mem_node *n = t->first[0], *next; n != NULL; n = next) {
		next = n->next[0];
		mem_record_drop(n->record);
		free(n);
	}
	*t = (struct mem_table){0};
}

void mem_table_copy(struct mem_table *to, const struct mem_table *from)
{
	assert(to->count == 0);
	struct mem_node **tail[MEM_TABLE_LEVELS];
	for (unsigned level = 0; level < MEM_TABLE_LEVELS; level++) tail[level] = &to->first[level];
	for (const struct mem_node *n = from->first[0]; n != NULL; n = n->next[0]) {
		unsigned height = height_of(mem_record_key(n->record));
		struct mem_node *copy = node_new(mem_record_hold(n->record), height);
		for (unsigned level = 0; level < height; level++) {
			copy->next[level] = NULL;
			*tail[level] = copy;
			tail[level] = &copy->next[level];
		}
	}
	to->count = from->count;
	to->bytes = from->bytes;
}
