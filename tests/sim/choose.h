/* choose.h - what a client asks for, by chance: quorums, timeouts, conditions, lives. */
#ifndef DUNLIN_SIM_CHOOSE_H
#define DUNLIN_SIM_CHOOSE_H

#include "tests/sim/world.h"

struct request_options choose_options(struct world *w);
/* A quorum as asked, as a number. */
uint8_t choose_quorum(const struct world *w, int16_t asked, uint8_t otherwise);
/* An IF_ bit for a put, or 0: by what its client holds. */
uint8_t choose_condition(struct world *w, bool with_context, bool has_etag, bool has_context);
/* Seconds that a value of this key lives; 0: for ever. */
uint32_t choose_ttl_s(struct world *w, uint32_t key);

#endif
