/* value.h - the bytes that the workload writes: each value names the write that it belongs to. */
#ifndef DUNLIN_SIM_VALUE_H
#define DUNLIN_SIM_VALUE_H

#include "tests/sim/world.h"

#define VALUE_META_BYTES 12

/* The value of a write, and its metadata, in memory that the caller frees. For a key that is a set
 * it holds every element that the write's client had seen, and its own. */
struct bytes value_make(const struct history *h, uint32_t write, bool set);
void value_meta(uint32_t write, uint8_t meta[VALUE_META_BYTES]);
/* Which write is it? HIST_NOBODY unless these are, to the last byte, what one of `key` wrote. */
uint32_t value_write(const struct history *h, uint32_t key, bool set, struct bytes value,
                     struct bytes meta);

#endif
