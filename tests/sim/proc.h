/* proc.h - the life of a node's process: boot from its store, run, stand still, die. */
#ifndef DUNLIN_SIM_PROC_H
#define DUNLIN_SIM_PROC_H

#include "tests/sim/world.h"

void proc_init(struct world *w, uint16_t proc);
void proc_free(struct world *w, uint16_t proc);
/* Boot: the meta family, then node_start. It is down. */
void proc_start(struct world *w, uint16_t proc);
/* Stand-in copies it refused and hints it dropped since it started. */
uint64_t proc_refused(const struct world *w, uint16_t proc);
/* P8: does it hold no more than it may? */
void proc_check_bounds(struct world *w, uint16_t proc);
/* At once, and up again after `restart_us`. It is not down. */
void proc_crash(struct world *w, uint16_t proc, uint64_t restart_us);
void proc_pause(struct world *w, uint16_t proc, uint64_t for_us);
/* See to it that a tick is on the agenda in time. */
void proc_arm(struct world *w, uint16_t proc);
void proc_on_resume(struct world *w, const struct agenda_item *item);
void proc_on_tick(struct world *w, const struct agenda_item *item);
/* Its wall clock is off by `off_us` from now on, and by `drift_ppm` us more with each second. */
void proc_set_clock(struct world *w, uint16_t proc, int64_t off_us, int64_t drift_ppm);
/* In such a run one node may go for ever: what it held is on other disks, and hints for it end. */
bool proc_may_be_lost(const struct world *w);

#endif
