/* budget.h - bytes that background work may read: so many a second, and a burst after a rest.
 *
 * Work asks before a page and pays what the page cost afterwards, so that a page larger than was
 * thought is owed, and the next one waits longer. */
#ifndef DUNLIN_BUDGET_H
#define DUNLIN_BUDGET_H

#include "dunlin/types.h"

struct budget {
	int64_t left; /* below zero: owed */
	struct instant counted;
};

/* The instant from which the next page may be read: now, or later. */
struct instant budget_ready(struct budget *b, struct instant now);
void budget_pay(struct budget *b, uint64_t bytes);

#endif
