/* context.h - what a client was shown, as opaque bytes that only this cluster can make.
 *
 *   SipHash-2-4 (8 bytes) under the cluster secret of (full key, rest) | rest = a packed dvv
 *
 * A context for another key, or one that was forged or cut, is ERR_BAD_CONTEXT. */
#ifndef DUNLIN_CONTEXT_H
#define DUNLIN_CONTEXT_H

#include "base/arena.h"
#include "dunlin/object.h"

enum err context_open(struct arena *a, const uint8_t secret[16], struct bytes full_key,
                      struct bytes context, struct dvv *out);
/* false: the arena has no room. The result may exceed CONTEXT_BYTES_MAX; see coord.c. */
bool context_seal(struct arena *a, const uint8_t secret[16], struct bytes full_key,
                  const struct dvv *shown, struct bytes *out);

#endif
