/* peers.h - what others would send for the same two sets of keys, computed, and the least that anybody
 * must. Their sources are named in peers.c. */
#ifndef DUNLIN_LAB_PEERS_H
#define DUNLIN_LAB_PEERS_H

#include "tests/lab/lab.h"

/* log2 of the number of ways in which d of n keys can differ, in whole bytes. */
uint64_t bytes_information(struct lab *l, uint32_t d);
/* riak_core's hashtree. */
uint64_t bytes_riak(struct lab *l, uint32_t d);
/* Cassandra's repair: its tree; and what it streams of ranges that differ though it is the same. */
uint64_t bytes_cassandra(struct lab *l, uint32_t d);
uint64_t bytes_cassandra_overstream(struct lab *l, uint32_t d);

#endif
