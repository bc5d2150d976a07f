/* asks.h - every question that a client asked of a node, and whether it was served as promised.
 *
 * P6: while nothing is wrong every request succeeds. P7: each is answered once, in time, and an answer
 * says what was done. Pure: a table of facts, and functions that look at it; each has tables that it must
 * refuse in tests/unit/test_sim_asks.c. */
#ifndef DUNLIN_SIM_ASKS_H
#define DUNLIN_SIM_ASKS_H

#include "dunlin/request.h"
#include "tests/sim/check.h"

enum ask_state {
	ASK_OPEN,     /* its client waits */
	ASK_ANSWERED, /* once */
	ASK_TWICE,
	ASK_LOST,   /* the node died, or stood still: nothing was owed */
	ASK_OVERDUE /* the node lived, and never answered */
};

struct ask {
	const char *what;    /* "a read" */
	const char *of;      /* which node */
	uint32_t key, write; /* HIST_NOBODY where there is none */
	bool writes, puts;   /* puts: a value or an increment, which mints when it is done */
	bool conditional;
	bool excused; /* P6 does not hold for it: see the callers */
	enum ask_state state;
	uint64_t began_us, ended_us;
	enum err err;
	enum outcome outcome;
	bool minted;
};

struct asks {
	struct ask *list;
	uint32_t count, room;
	uint64_t calm_from_us; /* nothing is wrong from then on; UINT64_MAX: not yet */
};

void asks_init(struct asks *a);
void asks_free(struct asks *a);
/* Its number. What became of it is set later. */
uint32_t asks_add(struct asks *a, const struct ask *ask);
void asks_answered(struct asks *a, uint32_t id, enum err err, uint64_t now_us);
/* What the answer says was done. */
void asks_outcome(struct asks *a, uint32_t id, enum outcome outcome, bool minted);
/* No answer is waited for any more. `owed`: the node lived all the while. */
void asks_given_up(struct asks *a, uint32_t id, bool owed, uint64_t now_us);

/* P6 and P7, of one; `out` is filled when it fails. */
bool ask_is_served(const struct asks *a, uint32_t id, struct check_failure *out);
bool ask_is_answered(const struct asks *a, uint32_t id, struct check_failure *out);
/* Of all, P7 first. */
bool check_asks(const struct asks *a, struct check_failure *out);

#endif
