/* disk.h - a node's disk: latency, group commit, what a crash keeps. The store itself is
 * store/store_mem.h, the same contract that the server's engine keeps. */
#ifndef DUNLIN_SIM_DISK_H
#define DUNLIN_SIM_DISK_H

#include "tests/sim/world.h"

void disk_init(struct world *w, uint16_t proc);
void disk_free(struct world *w, uint16_t proc);

void disk_read(struct world *w, uint16_t proc, const struct effect *fx);
void disk_scan(struct world *w, uint16_t proc, const struct effect *fx);
void disk_write(struct world *w, uint16_t proc, const struct effect *fx);
/* Does the disk give no sound copy of what a process reads before it can start? */
bool disk_boot_fails(struct world *w, uint16_t proc);
/* The process dies: of what was asked for and not yet durable, a prefix stays. */
void disk_crash(struct world *w, uint16_t proc);
void disk_item_free(enum agenda_kind kind, void *p);

void disk_on_read(struct world *w, const struct agenda_item *item);
void disk_on_scan(struct world *w, const struct agenda_item *item);
void disk_on_commit(struct world *w, const struct agenda_item *item);

#endif
