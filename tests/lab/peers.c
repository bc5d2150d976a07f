/* peers.c - see peers.h.
 *
 * Riak: riak_core, src/hashtree.erl. 1024 * 1024 segments, width 1024: three levels, of which one bucket is
 * fetched at a time, each a list of {id, SHA-1} of the children that are not empty; then {key, hash} of
 * each segment that differs, the key behind 32 bytes of tree and segment. Sizes are those of Erlang's
 * external term format. A request counts 32 bytes and the head of an answer 16, less than distributed
 * Erlang needs.
 *
 * Cassandra: 4.x, utils/MerkleTree.java. A leaf with rows is 34 bytes, one without is 2, an inner node is 13
 * (its token); as many leaves as rows, rounded up to a power of two, at most 2^15. One of the two replicas
 * compares, so one tree crosses the link. Of each leaf that differs both send all rows. */
#include "tests/lab/peers.h"

#include <math.h>
#include <stdlib.h>

/* ---- the least ------------------------------------------------------------------------------ */

uint64_t bytes_information(struct lab *l, uint32_t d)
{
	double n = l->ground->keys.count;
	double nats = lgamma(n + 1) - lgamma(d + 1.0) - lgamma(n - d + 1);
	return (uint64_t)ceil(nats / log(2) / 8 - 1e-6);
}

/* ---- both ----------------------------------------------------------------------------------- */

/* Keys in buckets: how many of them a node holds, and the XOR of their digests. */
struct bucket {
	uint64_t x;
	uint32_t keys;
};

static struct bucket *buckets_new(const struct lab *l, uint16_t node, unsigned bits)
{
	struct bucket *b = calloc((size_t)1 << bits, sizeof *b);
	assert(b != NULL);
	for (uint32_t k = 0; k < l->ground->keys.count; k++) {
		const struct held *h = &l->node[node].held[k];
		if (h->data == NULL) continue;
		struct bucket *to = &b[l->ground->keys.hash[k].v >> (64 - bits)];
		to->x ^= h->x;
		to->keys++;
	}
	return b;
}

/* ---- Riak ----------------------------------------------------------------------------------- */

enum {
	RIAK_SEGMENT_BITS = 20,
	RIAK_WIDTH_BITS = 10,
	RIAK_ASK = 32,
	RIAK_HEAD = 16,
	ETF_LIST = 6,  /* tag, length, end */
	ETF_TUPLE = 2, /* tag, arity */
	ETF_BYTE = 2,  /* an integer up to 255 */
	ETF_INTEGER = 5,
	ETF_BINARY = 5,     /* tag, length */
	RIAK_HASH = 20,     /* SHA-1 */
	RIAK_KEY_HEAD = 32, /* 't', tree id, 's', segment */
	RIAK_OBJECT_HASH = 6
};

/* {id, hash} */
static uint64_t riak_child(uint32_t id)
{
	return ETF_TUPLE + (id < 256 ? ETF_BYTE : ETF_INTEGER) + ETF_BINARY + RIAK_HASH;
}

static uint64_t riak_keys(uint32_t keys)
{
	uint64_t each = ETF_TUPLE + 2 * ETF_BINARY + RIAK_KEY_HEAD + LAB_KEY_BYTES + RIAK_OBJECT_HASH;
	return RIAK_ASK + RIAK_HEAD + ETF_LIST + keys * each;
}

/* The buckets of level 2, and the segments below one of them. */
static uint64_t riak_list(const struct bucket *children, uint32_t first, uint32_t count)
{
	uint64_t bytes = RIAK_ASK + RIAK_HEAD + ETF_LIST;
	for (uint32_t i = first; i < first + count; i++)
		if (children[i].keys > 0) bytes += riak_child(i);
	return bytes;
}

static bool bucket_differs(const struct bucket *a, const struct bucket *b)
{
	return a->x != b->x || a->keys != b->keys;
}

static uint64_t riak_exchange(struct bucket *segment[2], struct bucket *group[2])
{
	enum { GROUPS = 1 << (RIAK_SEGMENT_BITS - RIAK_WIDTH_BITS), WIDTH = 1 << RIAK_WIDTH_BITS };
	uint64_t bytes = RIAK_ASK + RIAK_HEAD + ETF_LIST + riak_child(0);
	bool same = true;
	for (uint32_t g = 0; g < GROUPS; g++) same &= !bucket_differs(&group[0][g], &group[1][g]);
	if (same) return bytes;
	bytes += riak_list(group[1], 0, GROUPS);
	for (uint32_t g = 0; g < GROUPS; g++) {
		if (!bucket_differs(&group[0][g], &group[1][g])) continue;
		bytes += riak_list(segment[1], g * WIDTH, WIDTH);
		for (uint32_t s = g * WIDTH; s < (g + 1) * WIDTH; s++)
			if (bucket_differs(&segment[0][s], &segment[1][s]))
				bytes += riak_keys(segment[1][s].keys);
	}
	return bytes;
}

uint64_t bytes_riak(struct lab *l, uint32_t d)
{
	struct bucket *segment[2], *group[2];
	(void)d;
	for (uint16_t i = 0; i < 2; i++) {
		segment[i] = buckets_new(l, i, RIAK_SEGMENT_BITS);
		group[i] = buckets_new(l, i, RIAK_SEGMENT_BITS - RIAK_WIDTH_BITS);
	}
	uint64_t bytes = riak_exchange(segment, group);
	for (uint16_t i = 0; i < 2; i++) {
		free(segment[i]);
		free(group[i]);
	}
	return bytes;
}

/* ---- Cassandra ------------------------------------------------------------------------------ */

enum {
	CASSANDRA_DEPTH_MAX = 15,
	CASSANDRA_LEAF = 34,
	CASSANDRA_EMPTY = 2,
	CASSANDRA_INNER = 13,
	CASSANDRA_HEAD = 86 /* depth, sizes, the partitioner's name, two tokens */
};

static unsigned cassandra_depth(uint32_t rows)
{
	unsigned depth = 0;
	while (depth < CASSANDRA_DEPTH_MAX && 1U << depth < rows) depth++;
	return depth;
}

uint64_t bytes_cassandra(struct lab *l, uint32_t d)
{
	unsigned depth = cassandra_depth(l->ground->keys.count);
	struct bucket *leaf = buckets_new(l, 1, depth);
	uint64_t bytes = CASSANDRA_HEAD + ((1ULL << depth) - 1) * CASSANDRA_INNER;
	(void)d;
	for (uint32_t i = 0; i < 1U << depth; i++)
		bytes += leaf[i].keys > 0 ? CASSANDRA_LEAF : CASSANDRA_EMPTY;
	free(leaf);
	return bytes;
}

static uint64_t record_bytes(const struct lab *l, uint16_t node, uint32_t key)
{
	return l->node[node].held[key].data == NULL ? 0 : LAB_KEY_BYTES + l->node[node].held[key].len;
}

/* What of a key is streamed in vain, when both send what they have. */
static uint64_t in_vain(const struct lab *l, uint32_t key)
{
	const struct held *a = &l->node[0].held[key], *b = &l->node[1].held[key];
	uint64_t both = record_bytes(l, 0, key) + record_bytes(l, 1, key);
	if (a->x == b->x) return both;
	uint16_t newer = dot_compare_age(a->newest, b->newest) > 0 ? 0 : 1;
	return both - record_bytes(l, newer, key);
}

uint64_t bytes_cassandra_overstream(struct lab *l, uint32_t d)
{
	unsigned depth = cassandra_depth(l->ground->keys.count);
	struct bucket *a = buckets_new(l, 0, depth), *b = buckets_new(l, 1, depth);
	uint64_t bytes = 0;
	(void)d;
	for (uint32_t k = 0; k < l->ground->keys.count; k++) {
		uint64_t leaf = l->ground->keys.hash[k].v >> (64 - depth);
		if (bucket_differs(&a[leaf], &b[leaf])) bytes += in_vain(l, k);
	}
	free(a);
	free(b);
	return bytes;
}
