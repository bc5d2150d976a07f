/* check.h - is a history one that the promises allow? One function a promise.
 *
 * All are pure functions of a settled history (history_settle). None knows a vector, a clock or a
 * replica's reasons: only what clients asked, what they were shown and what they were answered.
 * Each has a history that it must refuse in tests/unit/test_sim_check.c. */
#ifndef DUNLIN_SIM_CHECK_H
#define DUNLIN_SIM_CHECK_H

#include "tests/sim/history.h"

struct check_failure {
	const char *promise; /* "P2", ... */
	uint32_t key, write; /* HIST_NOBODY where there is none */
	char text[400];
};

/* P1: an acknowledged write is on as many disks as its answer promises, when it is answered. */
bool check_durable(const struct history *h, struct check_failure *out);
/* P2: at the end every acknowledged value is there, or a write covered it whose client had been
 * shown it (or a DELETE without a context, by its meaning). */
bool check_no_loss(const struct history *h, struct check_failure *out);
/* P2, wrong coverage: no view shows a value beside a successor of it, and a dot names one write. */
bool check_causality(const struct history *h, struct check_failure *out);
/* P3: what an acknowledged write covered is not there at the end, and does not come back. */
bool check_no_resurrection(const struct history *h, struct check_failure *out);
/* P4: all replicas of a key hold the same siblings. */
bool check_convergence(const struct history *h, struct check_failure *out);
/* P4, hints: where no process died and no disk failed, more than half of the replicas have every
 * acknowledged value, or what covered it, before anyone reads. (A copy that stood in goes once so
 * many have it; histories hold such views only of runs of that kind.) */
bool check_delivered(const struct history *h, struct check_failure *out);
/* P5: with pr + pw > n a read that began after the answer to a write sees it or its successor. */
bool check_quorum(const struct history *h, struct check_failure *out);
/* Sessions: a read that named a context shows what came with it, or what covered that. */
bool check_sessions(const struct history *h, struct check_failure *out);
/* P7: a write answered "nothing was stored" appears nowhere; nothing appears before it was sent. */
bool check_honest(const struct history *h, struct check_failure *out);

/* All of them, in the order above; false at the first that fails. */
bool check_all(const struct history *h, struct check_failure *out);

#endif
