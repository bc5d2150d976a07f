/* workload_parts.h - what the files of the workload share.
 *
 *   workload.c          keys, and requests as they are sent
 *   workload_turns.c    whose turn it is, and what it does with it
 *   workload_answers.c  what is answered, and what is noted of it */
#ifndef DUNLIN_SIM_WORKLOAD_PARTS_H
#define DUNLIN_SIM_WORKLOAD_PARTS_H

#include "tests/sim/letter.h"
#include "tests/sim/workload.h"

#define KEY_BYTES 32
#define NO_OP UINT32_MAX
/* Of so many requests one is traced (tracing.c). */
#define TRACED_ONE_IN 4

enum intent { INTENT_NONE, INTENT_PUT, INTENT_DELETE };

enum next { TURN_DUE, TURN_BEGINS, TURN_GOES_ON };

struct client {
	uint32_t turns; /* that were due */
	bool acting;
	struct prng chance; /* of this turn */
	bool has_next;      /* one more came due meanwhile: */
	struct prng next;
	uint32_t op; /* under way, or NO_OP */
	uint32_t tries;
	enum intent then; /* what follows the read that is under way, or was just answered */
	uint32_t then_key;
	struct held held[SIM_KEYS];
};

struct op {
	enum request_op op;
	enum hist_view view;
	uint16_t client, proc;
	uint32_t key, write, shown;       /* shown: of the context sent, by a read as at_least */
	uint32_t proc_start, proc_pauses; /* UINT32_MAX: it stood still when it was asked */
	uint8_t pr;
	uint32_t ttl_s;
	uint8_t condition; /* one IF_ bit, of a conditional write */
	bool closed;
	uint32_t ask; /* its number among all that was asked */
	uint64_t began_us, timeout_us;
	struct request_options options;
};

struct workload {
	uint32_t clients; /* the one behind them makes the final reads */
	bool running;
	uint64_t taken[NUMBERS_WORDS(SIM_TURNS_MAX)]; /* turns */
	struct client client[SIM_CLIENTS_MAX + 1];
	struct op *ops;
	uint32_t op_count, op_room;
	uint8_t keys[SIM_KEYS][KEY_BYTES];
	size_t key_len[SIM_KEYS];
	enum hist_view view;
	uint32_t reads_left, read_next;
	struct workload_figures figures;
};

static inline enum key_kind workload_kind(uint32_t key)
{
	return (enum key_kind)(key % 4);
}

static inline struct trace_id workload_trace(uint32_t op)
{
	return (struct trace_id){op / TRACED_ONE_IN + 1};
}

/* ---- workload.c ----------------------------------------------------------------------------- */

/* Ask a node that takes connections. False: there is none. */
bool client_reads(struct world *w, uint16_t client, uint32_t key);
bool client_writes(struct world *w, uint16_t client, uint32_t key, enum request_op what,
                   bool with_context);

/* ---- workload_turns.c ----------------------------------------------------------------------- */

void client_soon(struct world *w, uint16_t client, enum next next, uint64_t after_us);
uint64_t client_think_us(struct world *w);
void client_turn_ends(struct world *w, uint16_t client);

#endif
