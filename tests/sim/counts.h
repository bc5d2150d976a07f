/* counts.h - increments of counters, their answers, and the numbers that were read; and is that a history
 * that the promises allow?
 *
 * The i'th increment of a key adds 3^i, or takes it away (of every other key). So a number that is read
 * says of each increment how often it is in it: its digit, in base 3, is 0, 1 or 2. */
#ifndef DUNLIN_SIM_COUNTS_H
#define DUNLIN_SIM_COUNTS_H

#include "tests/sim/check.h"

#define COUNTS_PER_KEY 39 /* all of them twice are less than 2^63 */
#define COUNTS_KEYS 128
#define COUNTS_NOBODY UINT32_MAX

struct count_op {
	uint32_t key, place;
	enum hist_outcome outcome;
	bool fragile; /* may be on one disk only, and this run spoils one */
	uint8_t pw;
	uint64_t began_us, ended_us;
};

struct count_read {
	enum hist_view view;
	uint32_t key;
	uint32_t of; /* the increment whose answer it is, or COUNTS_NOBODY */
	uint8_t pr;
	uint64_t began_us, ended_us;
	char number[COUNTER_TEXT_BYTES]; /* "": not found */
};

struct counts {
	uint32_t replicas_n;
	struct count_op *ops;
	struct count_read *reads;
	uint32_t op_count, op_room, read_count, read_room;
	uint32_t of_key[COUNTS_KEYS][COUNTS_PER_KEY], in_key[COUNTS_KEYS];
};

void counts_free(struct counts *c);
/* A client asks for the next increment of a key, which has fewer than COUNTS_PER_KEY: its id. */
uint32_t counts_add(struct counts *c, uint32_t key, uint64_t now_us);
/* By how much. */
int64_t counts_delta(const struct counts *c, uint32_t id);
/* Its answer, or that there will be none; the first of them stands. */
void counts_answer(struct counts *c, uint32_t id, enum hist_outcome outcome, uint64_t now_us);
void counts_read(struct counts *c, const struct count_read *read);

/* P2: at the end each acknowledged increment is counted. P5: with pr + pw > n also by a read that began
 * after its answer. P7: none is counted that was answered "nothing was stored", or before it was asked
 * for. Always: none is counted twice, nothing else is counted, and an answer counts its own. */
bool check_counts(const struct counts *c, struct check_failure *out);

#endif
