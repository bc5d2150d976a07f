/* budget.h - bytes that work may read or send: so many a second, and a burst after a rest.
 *
 * Work asks before a page and pays what the page cost afterwards, so that a page larger than was
 * thought is owed, and the next one waits longer. What was paid by an estimate is put right later, by
 * the difference. */
#ifndef DUNLIN_BUDGET_H
#define DUNLIN_BUDGET_H

#include "dunlin/types.h"

struct budget {
	uint64_t rate, burst; /* bytes a second; at once after a rest */
	int64_t left;         /* below zero: owed */
	struct instant counted;
};

/* Must be called before the others; again at any time. */
void budget_set(struct budget *b, uint64_t rate, uint64_t burst);
/* The instant from which the next page may be read: now, or later. */
struct instant budget_ready(struct budget *b, struct instant now);
/* Below zero: given back. */
void budget_pay(struct budget *b, int64_t bytes);

#endif
