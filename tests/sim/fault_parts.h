/* fault_parts.h - what the files of the faults share.
 *
 *   fault.c        when each kind strikes, and the heal
 *   fault_net.c    delay, loss, duplicates, order; splits and links
 *   fault_proc.c   deaths, pauses, drains, clocks
 *   fault_disk.c   full, slow, unreadable and rotten disks; old copies
 *
 * What lasts is a `struct trouble` on the agenda, whose end undoes it. */
#ifndef DUNLIN_SIM_FAULT_PARTS_H
#define DUNLIN_SIM_FAULT_PARTS_H

#include "tests/sim/fault.h"

struct trouble {
	enum fault_kind kind;
	struct prng chance;          /* the strike's stream goes on in it */
	uint16_t a;                  /* whom */
	uint16_t cut[SIM_NODES_MAX]; /* bit j of the i'th: i -> j carries nothing */
	uint16_t slow[SIM_NODES_MAX];
	uint64_t slow_us;
	uint32_t left; /* of a flapping link: turns to go; even: it is cut now */
};

/* Puts its end on the agenda. */
void fault_until(struct world *w, struct trouble t, uint64_t for_us);
uint16_t fault_any_proc(struct world *w);
/* From -max to max. */
int64_t fault_either_way(struct world *w, uint64_t max_us);

void fault_net_strike(struct world *w, enum fault_kind kind);
void fault_net_end(struct world *w, const struct trouble *t);

void fault_proc_strike(struct world *w, enum fault_kind kind);
void fault_proc_end(struct world *w, const struct trouble *t);
/* It is told to coordinate again, or will be. */
void fault_end_drain(struct world *w, uint16_t proc);

void fault_disk_strike(struct world *w, enum fault_kind kind);
void fault_disk_end(struct world *w, const struct trouble *t);
void fault_disk_heal(struct world *w, uint16_t proc);

#endif
