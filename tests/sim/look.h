/* look.h - looking into the stores, which no client can: what is on the disks, sound or not. */
#ifndef DUNLIN_SIM_LOOK_H
#define DUNLIN_SIM_LOOK_H

#include "tests/sim/world.h"

void look_init(struct world *w);
void look_free(struct world *w);
/* What every primary holds of every key, into the history. */
void look_into_all(struct world *w, bool before_reads);
/* Objects on that disk with something dead in them for long enough that rounds of reaping came by. */
uint32_t look_for_dead(struct world *w, uint16_t proc);
/* On how many disks that write of that key (a full key) is durable: it, or what has seen it. The one disk
 * that this run may spoil counts, whatever is on it. No more than `enough` are looked for. */
uint8_t look_for_durable(struct world *w, struct bytes full_key, struct dot dot, uint8_t enough);

#endif
