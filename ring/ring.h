/* ring.h - where a key lives: hash, partition, preference list. Pure; no time, no memory.
 *
 * A partition is the top bits of a key's hash: Q equal arcs. Its primaries are in the layout; behind
 * them come the fallbacks, every other member, in an order that rendezvous hashing gives. */
#ifndef DUNLIN_RING_H
#define DUNLIN_RING_H

#include "base/full_key.h"
#include "ring/layout.h"

/* First 64 bits of MurmurHash3 x64 128, seed 0. */
struct key_hash key_hash_of(struct bytes full_key);

/* ---- partitions -------------------------------------------------------------------------- */

struct partition_id partition_of(const struct layout *l, struct key_hash hash);
/* The hashes of a partition, both ends included. */
void partition_range(const struct layout *l, struct partition_id partition, uint64_t *first,
                     uint64_t *last);

/* ---- members ----------------------------------------------------------------------------- */

/* Members of one layout, by index. {0} is the empty set. */
struct member_set {
	uint64_t bits[MEMBERS_MAX / 64];
};

static inline void member_set_add(struct member_set *s, uint32_t member)
{
	s->bits[member / 64 % (MEMBERS_MAX / 64)] |= 1ULL << member % 64;
}

static inline void member_set_remove(struct member_set *s, uint32_t member)
{
	s->bits[member / 64 % (MEMBERS_MAX / 64)] &= ~(1ULL << member % 64);
}

static inline bool member_set_has(const struct member_set *s, uint32_t member)
{
	return (s->bits[member / 64 % (MEMBERS_MAX / 64)] >> member % 64 & 1) != 0;
}

unsigned member_set_count(const struct member_set *s);

/* ---- preference lists -------------------------------------------------------------------- */

struct preference {
	uint16_t member;     /* who to ask */
	uint16_t stands_for; /* the primary of this place; `member` itself unless `fallback` */
	bool fallback;
	bool up; /* false: a primary that cannot be reached, with no fallback left to stand in */
};

/* The first n primaries in their order, each that is not in `up` replaced by the next fallback that
 * is. Distinct members; always n of them, which is what it returns. 1 <= n <= replicas.
 * O(n) while all primaries are up, else O(members) for each that is not. */
unsigned ring_preference(const struct layout *l, struct partition_id partition, unsigned n,
                         const struct member_set *up, struct preference out[REPLICAS_MAX]);
/* The first fallback that is in `up` and not in `used` (where the caller puts the primaries too).
 * False if there is none. */
bool ring_next_fallback(const struct layout *l, struct partition_id partition,
                        const struct member_set *up, const struct member_set *used, uint16_t *out);
/* Is it one of the first n primaries? */
bool ring_is_primary(const struct layout *l, struct partition_id partition, unsigned n,
                     uint32_t member);

#endif
