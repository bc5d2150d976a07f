/* counter.h - a counter that several nodes count at once: the value of a sibling, as a map of what each
 * of them counted, and the pure rules of reading, merging and adding.
 *
 *   sibling one:  (A, born 10): +7 -2   (B, born 12): +1       merged:  A +7 -2, B +4 = 9
 *   sibling two:  (A, born 10): +3 -2   (B, born 12): +4
 *
 * An *entry* has one writer: the actor that it names. It is born with a dot of that actor, and only
 * grows, so of two states of it the greater has all that the other has; merging is the greater of each
 * number, which is commutative, associative and idempotent. What holds it up:
 *
 *   C1  an actor goes on with an entry only if its `last` is the last dot that this actor minted for
 *       the key: then no state of the entry that was ever sent is ahead of the one it adds to. Else
 *       (another write of that actor, perhaps a delete, came in between) it begins a new entry;
 *   C2  the sibling that an increment writes covers exactly the counters that it has merged, and the
 *       tombstones beside them, so nothing that was counted elsewhere goes with them;
 *   C3  actors never mint what they cannot prove to follow all that they minted (actor.h), so a state
 *       that was lost is not counted on from.
 *
 * Source: Shapiro, Preguica, Baquero, Zawirski, "A comprehensive study of convergent and commutative
 * replicated data types" (2011), the PN-counter. Encoded form: docs/WIRE.md, "Counter". */
#ifndef DUNLIN_CORE_COUNTER_H
#define DUNLIN_CORE_COUNTER_H

#include "base/arena.h"
#include "core/object.h"

struct counter_entry {
	struct actor_id actor;
	struct hlc birth; /* the dot of its first increment; (actor, birth) names it */
	struct hlc last;  /* of its latest */
	uint64_t plus, minus;
};

/* Entries ascend by (actor, birth). */
struct counter {
	const struct counter_entry *entries;
	uint32_t count;
};

/* What the counter stands at: sums of entries may be past 64 bits. */
__extension__ typedef __int128 counter_number;

/* The metadata that a counter's sibling bears: its content type and nothing else, as wire/meta.h packs
 * it. */
#define COUNTER_TYPE "application/x-dunlin-counter"
extern const struct bytes counter_meta;

/* ERR_BAD_BYTES unless it is one counter in canonical form, and all of `in`. ERR_BUSY: no room. */
enum err counter_decode(struct arena *a, struct bytes in, struct counter *out);
bool counter_encode(struct arena *a, const struct counter *c, struct bytes *out);
bool counter_merge(struct arena *a, const struct counter *x, const struct counter *y,
                   struct counter *out);
counter_number counter_value(const struct counter *c);
void counter_text(counter_number value, char to[COUNTER_TEXT_BYTES]);

/* Add `delta` under `dot`, newly minted; `before` is the last dot that its actor minted for the key, 0:
 * none. ERR_COUNTER_RANGE: the number would go, or go farther, out of 64 bits with sign. ERR_COUNTER_FULL:
 * COUNTER_ENTRIES_MAX. */
enum err counter_add(struct arena *a, const struct counter *c, struct dot dot, struct hlc before,
                     int64_t delta, struct counter *out);

/* All siblings that are counters, merged. `count` 0: there is none. A value that says it is one and
 * cannot be decoded is none. ERR_BUSY. */
enum err counter_of(struct arena *a, const struct sibling *siblings, uint32_t count,
                    struct counter *out);
/* An increment of an object as it is now: the new sibling's value, and what it covers. */
enum err counter_increment(struct arena *a, const struct object *now, struct dot dot, int64_t delta,
                           struct bytes *value, struct dvv *covers);

#endif
