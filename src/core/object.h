/* object.h - a key's siblings: merging, writing, showing, and the bytes they are kept as.
 *
 * Merge keeps a sibling that both sides have, or that one has and the other has not seen. It is
 * commutative, associative and idempotent. A client's write removes the siblings that its context
 * covers and adds one sibling with one new dot.
 *
 * All functions are pure. Results are made in the arena and may share bytes with the inputs; `false`
 * or ERR_BUSY means that the arena has no room, or that the result would be past what a decoder takes
 * (SIBLINGS_DECODE_MAX, VECTOR_ENTRIES_MAX). Encoded form: docs/WIRE.md, "Object". */
#ifndef DUNLIN_CORE_OBJECT_H
#define DUNLIN_CORE_OBJECT_H

#include "base/arena.h"
#include "core/dvv.h"

/* ERR_BAD_BYTES unless it is one sound object in canonical form, and all of `in`. Empty `in` is the
 * absent object: no siblings, nothing seen. Values are views into `in`. */
enum err object_decode(struct arena *a, struct bytes in, struct object *out);
void object_pack(struct packer *p, const struct object *o);
/* Encode into the arena. */
bool object_encode(struct arena *a, const struct object *o, struct bytes *out);

bool object_merge(struct arena *a, const struct object *x, const struct object *y,
                  struct object *out);
/* Without the siblings at or below `horizon` that `by` does not hold: `by` is of a replica that counts all
 * of these as seen (reap.c). With none left it is the absent object. */
bool object_without_covered(struct arena *a, const struct object *o, const struct object *by,
                            struct hlc horizon, struct object *out);
/* Without what is dead at or below the horizon: tombstones, and what has expired by then. All of it stays
 * while something that it has seen is above. The same on all replicas, whenever they ask. False: no room. */
bool object_reap(struct arena *a, const struct object *o, struct hlc horizon, struct object *out);
/* Does it hold a tombstone, or what will be one? */
bool object_is_mortal(const struct object *o);
/* Do both hold the same siblings? What they have seen besides does not matter. */
bool object_same_siblings(const struct object *x, const struct object *y);

/* `added` joins what `context` does not cover. Its dot must follow all dots of its actor. */
bool object_write(struct arena *a, const struct object *state, const struct dvv *context,
                  const struct sibling *added, struct object *out);
/* Last-write-wins: keep only the greatest dot. Returns how many siblings went. */
uint32_t object_keep_newest(struct object *o);

/* What a client is shown: siblings with the same bytes, type, metadata and expiry once, by their
 * greatest dot; tombstones once. */
bool object_show(struct arena *a, const struct object *o, const struct sibling **out,
                 uint32_t *count);
bool object_is_deleted(const struct object *o); /* siblings, and all of them tombstones */
/* What it is at that time (ms, of the hybrid clock): a sibling whose time has come is a tombstone, under
 * its own dot and without a value. Only for showing and judging: what is stored, sent, compared and
 * repaired is the object itself. 0: nothing has expired. */
bool object_as_of(struct arena *a, const struct object *o, uint64_t now_ms, struct object *out);

/* SipHash-128 under the cluster secret of the full key and the siblings' dots, tombstone flags and
 * expiries, in order. Equal siblings, equal digest; what was seen besides is not in it. */
bool object_digest(struct arena *a, const uint8_t secret[16], struct bytes full_key,
                   const struct object *o, uint8_t out[16]);

#endif
