/* fault.h - when trouble strikes, whom, and for how long. */
#ifndef DUNLIN_SIM_FAULT_H
#define DUNLIN_SIM_FAULT_H

#include "tests/sim/world.h"

/* Set up what is so from the start, and put the first trouble of each kind on the agenda. */
void fault_init(struct world *w);
void fault_on_strike(struct world *w, const struct agenda_item *item);
void fault_on_end(struct world *w, const struct agenda_item *item);
/* A first start that could not be written ends the server, and whoever watches over it starts it
 * again. The core says so in its trouble only. */
void fault_watch(struct world *w);
/* At the end of a life: it must not have taken its own sound disk for an old copy. */
void fault_check_memory(struct world *w, uint16_t proc);
/* May this run lose what is on one disk only? */
bool fault_spoils_a_disk(const struct world *w);
/* All trouble ends now: links, disks, clocks; whoever is down or stands still goes on. */
void fault_heal(struct world *w);

#endif
