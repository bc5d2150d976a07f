/* mem_table.h - a sorted map of records in memory: a skip list (Pugh, 1990) whose towers are as high
 * as a hash of the key says, so that its shape is a function of what is in it and not of chance.
 *
 *   head --------------------------> d ---------> end       level 1: one in four
 *   head --> a --> b --> c --------> d --> e ---> end       level 0: all, in key order
 *
 * Records are immutable and counted: a reader, the log and any number of tables may share one. */
#ifndef DUNLIN_MEM_TABLE_H
#define DUNLIN_MEM_TABLE_H

#include "store/mem_record.h"

#define MEM_TABLE_LEVELS 12

struct mem_node {
	uint64_t order; /* the key's first eight bytes: decides nearly every comparison */
	struct mem_record *record;
	struct mem_node *next[];
};

struct mem_table {
	struct mem_node *first[MEM_TABLE_LEVELS];
	uint64_t count, bytes;
};

/* The record of that key, or NULL. Still the table's. */
struct mem_record *mem_table_find(const struct mem_table *t, struct bytes key);
/* Put in, replace, or (a deleted one) take out. Takes over one hold of `r`. */
void mem_table_apply(struct mem_table *t, struct mem_record *r);
/* The first node with a key above `key`; empty: the first of all. NULL: none. */
const struct mem_node *mem_table_after(const struct mem_table *t, struct bytes key);
void mem_table_clear(struct mem_table *t);
/* `to` must be empty. Shares the records. */
void mem_table_copy(struct mem_table *to, const struct mem_table *from);

#endif
