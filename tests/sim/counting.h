/* counting.h - clients that count: increments of a few counters at a time, and reads of them. What must
 * hold of the numbers is in counts.h. */
#ifndef DUNLIN_SIM_COUNTING_H
#define DUNLIN_SIM_COUNTING_H

#include "tests/sim/world.h"

/* client_refs from here on are theirs. */
#define COUNTING_REF (1ULL << 60)

void counting_init(struct world *w);
void counting_free(struct world *w);
/* They act until counting_stop; then those under way end. */
void counting_start(struct world *w);
void counting_stop(struct world *w);
bool counting_is_idle(const struct world *w);

/* The final reads: one of each counter, r=all, kept up until it succeeds; how many are still to come. */
void counting_read_all(struct world *w, enum hist_view view);
uint32_t counting_reads_left(const struct world *w);

void counting_on_client(struct world *w, const struct agenda_item *item);
void counting_on_give_up(struct world *w, const struct agenda_item *item);
void counting_on_reply(struct world *w, uint16_t proc, struct client_ref client,
                       const struct reply *reply);
void counting_on_crash(struct world *w, uint16_t proc);
/* Increments that were acknowledged. */
uint64_t counting_acked(const struct world *w);
/* After the run. */
void counting_check(struct world *w);

#endif
