/* load.h - a history as real clients wrote it (docs/HISTORY.md), as the simulator's checkers read it.
 *
 * A context is named by the operation whose answer gave it: what that answer showed is what a write
 * sent with it had been shown. Everything the loader takes goes with load_free. */
#ifndef DUNLIN_CHAOS_LOAD_H
#define DUNLIN_CHAOS_LOAD_H

#include "tests/sim/history.h"

/* Numbers above these are no history of ours. */
#define LOAD_OPS_MAX 50000000U
#define LOAD_KEYS_MAX 5000000U

enum load_verb { LOAD_GET, LOAD_PUT, LOAD_DELETE };

struct load_op {
	bool known, answered; /* invoked; answered OK */
	bool demanded;        /* nothing was wrong when it was sent: it must be served */
	bool excused;         /* it is repeated elsewhere, or it asked for too much */
	enum load_verb verb;
	enum hist_view view;
	uint32_t key, write, shown; /* write: HIST_NOBODY for a read; shown: with its answer */
	uint32_t at_least;          /* the shown set that a read's answer must have seen */
	uint8_t pr;
	uint64_t began_us;
};

struct loaded {
	struct history history;
	struct load_op *ops;
	uint32_t op_count;
	uint32_t *op_of_write; /* for naming a write in words */
	uint32_t foreign_op;   /* the first whose answer showed bytes that nobody wrote */
	uint32_t final_reads, quorum_reads, session_reads;
	bool drained, undrained; /* hints had all gone; or had not, though there was time */
	bool compared;           /* replicas were compared after the reads */
	uint64_t compared_keys, different, not_compared;
	char why[200]; /* of the first line that is wrong, or of what did not drain */
	uint64_t line;
};

/* False: it is not such a history, and `line` and `why` say where. */
bool load_history(struct loaded *l, const char *path);
void load_free(struct loaded *l);

#endif
