/* record.h - the checksum around every stored value, the same in both stores.
 *
 *   stored value:  | payload, 0 or more bytes | check, 8 bytes |
 *
 * The check covers family, key and payload, so that a record that is found under a key it was not
 * written for is as damaged as one with a flipped bit. docs/WIRE.md has the byte table. */
#ifndef DUNLIN_RECORD_H
#define DUNLIN_RECORD_H

#include "dunlin/effect.h"

#define RECORD_CHECK_BYTES 8

/* The check that belongs behind `payload`. */
void record_check(enum store_family family, struct bytes key, struct bytes payload,
                  uint8_t check[RECORD_CHECK_BYTES]);
/* A view of the payload; false (and nothing) if the check does not hold. */
bool record_open(enum store_family family, struct bytes key, struct bytes stored,
                 struct bytes *payload);

#endif
