/* ring.c - see ring.h.
 *
 * Always true of a preference list:
 *   R1  n entries, n distinct members;
 *   R2  entry i is primary i, or a fallback in `up` that stands for it, which is none of the first n;
 *   R3  the order of the fallbacks depends on the partition and the members' ids only, so a member
 *       that comes or goes changes no list but those in which it stands. */
#include "ring/ring.h"

#include <murmurhash.h>

#include "base/panic.h"

struct key_hash key_hash_of(struct bytes full_key)
{
	assert(full_key.len <= UINT32_MAX);
	uint64_t h[2];
	lmmh_x64_128(full_key.data, (unsigned)full_key.len, 0, h);
	return (struct key_hash){h[0]};
}

/* ---- partitions -------------------------------------------------------------------------- */

/* How many top bits of a hash number its partition. */
static unsigned partition_bits(const struct layout *l)
{
	assert(l->partitions > 0 && (l->partitions & (l->partitions - 1)) == 0);
	return (unsigned)__builtin_ctz(l->partitions);
}

/* Two shifts, since one by 64 (a ring of one partition) is undefined. */
struct partition_id partition_of(const struct layout *l, struct key_hash hash)
{
	return (struct partition_id){(uint32_t)((hash.v >> 1) >> (63 - partition_bits(l)))};
}

void partition_range(const struct layout *l, struct partition_id partition, uint64_t *first,
                     uint64_t *last)
{
	assert(partition.v < l->partitions);
	unsigned bits = partition_bits(l);
	*first = ((uint64_t)partition.v << (63 - bits)) << 1;
	*last = *first + (UINT64_MAX >> bits);
}

/* ---- members ----------------------------------------------------------------------------- */

/* Each turn of the inner loop takes the lowest bit away. (The compiler's own count would be a call
 * into its library on a plain x86-64.) */
unsigned member_set_count(const struct member_set *s)
{
	unsigned count = 0;
	for (size_t i = 0; i < sizeof s->bits / sizeof s->bits[0]; i++)
		for (uint64_t bits = s->bits[i]; bits != 0; bits &= bits - 1) count++;
	return count;
}

/* ---- preference lists -------------------------------------------------------------------- */

static const uint16_t *primaries_of(const struct layout *l, struct partition_id partition)
{
	assert(partition.v < l->partitions);
	return l->primaries + (size_t)partition.v * l->replicas;
}

/* Rendezvous hashing (Thaler and Ravishankar, 1998): the members of a partition in the order of this
 * score. It is of the arc's first point, not its number, so that doubling Q keeps the fallbacks of
 * the lower half. */
static uint64_t fallback_score(uint64_t arc, struct node_id id)
{
	uint8_t b[16];
	uint64_t h[2];
	put_u64be(b, arc);
	put_u64be(b + 8, id.v);
	lmmh_x64_128(b, sizeof b, 0, h);
	return h[0];
}

bool ring_next_fallback(const struct layout *l, struct partition_id partition,
                        const struct member_set *up, const struct member_set *used, uint16_t *out)
{
	uint64_t arc, last, best = 0;
	partition_range(l, partition, &arc, &last);
	bool found = false;
	for (uint32_t m = 0; m < l->member_count; m++) {
		if (!member_set_has(up, m) || member_set_has(used, m)) continue;
		if (l->members[m].state != MEMBER_SERVING) continue;
		uint64_t score = fallback_score(arc, l->members[m].id);
		if (found && score <= best) continue; /* equal scores: the lower id */
		found = true;
		best = score;
		*out = (uint16_t)m;
	}
	return found;
}

unsigned ring_preference(const struct layout *l, struct partition_id partition, unsigned n,
                         const struct member_set *up, struct preference out[REPLICAS_MAX])
{
	assert(n > 0 && n <= l->replicas);
	const uint16_t *primaries = primaries_of(l, partition);
	struct member_set used = {0};
	for (unsigned i = 0; i < n; i++) member_set_add(&used, primaries[i]);
	for (unsigned i = 0; i < n; i++) {
		uint16_t primary = primaries[i], fallback;
		out[i] = (struct preference){.member = primary, .stands_for = primary};
		out[i].up = member_set_has(up, primary);
		if (out[i].up || !ring_next_fallback(l, partition, up, &used, &fallback)) continue;
		out[i] = (struct preference){fallback, primary, true, true};
		member_set_add(&used, fallback);
	}
	return n;
}

bool ring_is_primary(const struct layout *l, struct partition_id partition, unsigned n,
                     uint32_t member)
{
	assert(n <= l->replicas);
	const uint16_t *primaries = primaries_of(l, partition);
	for (unsigned i = 0; i < n; i++)
		if (primaries[i] == member) return true;
	return false;
}
