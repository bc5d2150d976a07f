/* etag.h - the name of what a client is shown of a key: of one sibling its dot, of several a number
 * made of all their dots. Equal siblings, equal names; what was seen besides is not in it. */
#ifndef DUNLIN_ETAG_H
#define DUNLIN_ETAG_H

#include "dunlin/object.h"

enum { ETAG_BYTES = 16 };

/* Two numbers for a set of siblings, in any order; another `salt` gives others. */
void etag_mix(const struct sibling *siblings, uint32_t count, uint64_t salt, uint64_t out[2]);
/* The ETag of what is shown, as the two numbers of its text; count > 0. */
void etag_of(const struct sibling *shown, uint32_t count, uint64_t out[2]);
/* Is it one of `tags`, ETAG_BYTES each, big-endian? */
bool etag_in(struct bytes tags, const uint64_t etag[2]);

#endif
