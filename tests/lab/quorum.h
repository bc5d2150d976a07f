/* quorum.h - how stale a read is, soon after a write: measured on real nodes, and predicted.
 *
 * A write of a new key is acknowledged by W of N replicas; `t` later each node is asked for it with R. Stale
 * is an answer without it. R + W > N: never, which is asserted. Otherwise it depends on how long messages
 * and disks take; Bailis et al., "Probabilistically Bounded Staleness for Practical Partial Quorums" (VLDB
 * 2012), compute it from these latencies alone. Two such predictions:
 *
 *   predicted    as Dunlin does it: a replica coordinates, so its own copy costs no message; a read asks it
 *                and R - 1 others
 *   the paper    its own model: who coordinates holds no copy, all N are asked, the first R answers count */
#ifndef DUNLIN_LAB_QUORUM_H
#define DUNLIN_LAB_QUORUM_H

#include <stdio.h>

#include "tests/lab/cluster.h"

struct place {
	struct surroundings around;
	struct duration write; /* a message and a disk in one, as the paper has them */
};
enum { PLACE_SSD, PLACE_DISK, PLACE_WAN, PLACES };
extern const struct place places[PLACES];

enum asking { ASKS_AS_DUNLIN, ASKS_AS_PAPER };
/* Stale reads in per cent, computed from `trials` writes. */
double quorum_predict(const struct place *place, enum asking how, uint16_t n, unsigned r,
                      unsigned w, unsigned after_ms, unsigned trials);

/* `trials` writes for each line. Tables to stdout, rows to `tsv`. */
void quorum_run(unsigned trials, FILE *tsv);

#endif
