/* full_key.h - bucket type, bucket and name as one: what is hashed, stored and sent.
 *
 * Each part stands behind a u16 big-endian length:
 *   00 07 d e f a u l t   00 05 c a r t s   00 03 b o b */
#ifndef DUNLIN_FULL_KEY_H
#define DUNLIN_FULL_KEY_H

#include "base/bytes.h"

size_t full_key_len(struct bytes type, struct bytes bucket, struct bytes name);
/* Writes full_key_len bytes. The parts are not empty and inside their limits (limits.h). */
void full_key_write(uint8_t *to, struct bytes type, struct bytes bucket, struct bytes name);
/* Views into `full`. False, and empty views, if it is not exactly three parts, none empty, each
 * inside its limit. */
bool full_key_split(struct bytes full, struct bytes *type, struct bytes *bucket,
                    struct bytes *name);

#endif
