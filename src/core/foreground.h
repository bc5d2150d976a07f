/* foreground.h - how long clients wait, and what that leaves to work in the background.
 *
 * A window of the node's own client requests gives a p99. While it is more than twice what has been
 * usual of late, the byte budget of background work is halved in each window; else it grows again, by a
 * step (Dynamo, section 6.6, has a fixed threshold; additive increase and multiplicative decrease are
 * Chiu and Jain's, 1989). What lasts becomes the usual: it falls quickly and rises slowly, so a load that
 * stays does not keep the budget down for good. Pure. */
#ifndef DUNLIN_CORE_FOREGROUND_H
#define DUNLIN_CORE_FOREGROUND_H

#include "dunlin/types.h"

/* Four classes for each doubling, from 64 us on; the last takes the rest. */
enum { FOREGROUND_CLASSES = 72 };

struct foreground {
	uint32_t counts[FOREGROUND_CLASSES]; /* of this window */
	uint32_t count;
	struct instant began;      /* the window; 0: none has */
	uint64_t p99_us, usual_us; /* of the last window; of late. 0: never measured */
};

/* A client's request was answered well after so long. */
void foreground_note(struct foreground *f, uint64_t us);
/* The rate from now on: the one before, unless a window ends now. */
uint64_t foreground_rate(struct foreground *f, struct instant now, uint64_t rate);

#endif
