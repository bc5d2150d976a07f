/* quorum.h - count answers from distinct nodes. Pure; no time, no memory.
 *
 * Places are the targets of one request, each a distinct node. `primary` says which of them answer
 * as primaries. A place that was replaced by a fallback is marked bad, and the fallback is a place
 * of its own. */
#ifndef DUNLIN_QUORUM_H
#define DUNLIN_QUORUM_H

#include "dunlin/types.h"

struct quorum {
	uint32_t asked, ok, bad; /* bit i = place i; ok and bad are disjoint parts of asked */
	uint32_t primary;
};

enum quorum_verdict { QUORUM_WAIT, QUORUM_MET, QUORUM_LOST };

void quorum_ask(struct quorum *q, uint32_t place, bool primary);
/* Record a place's answer. A second answer from the same place changes nothing. */
void quorum_note(struct quorum *q, uint32_t place, bool good);
bool quorum_is_open(const struct quorum *q, uint32_t place);
uint32_t quorum_got(const struct quorum *q);
uint32_t quorum_got_primary(const struct quorum *q);
uint32_t quorum_open(const struct quorum *q);
/* LOST as soon as `need` can no longer be reached, so that nobody waits for a timeout to learn it. */
enum quorum_verdict quorum_verdict(const struct quorum *q, uint32_t need, uint32_t need_primary);

#endif
