/* run.h - one run as a value: what it did, whether everything held, and smaller runs that fail. */
#ifndef DUNLIN_SIM_RUN_H
#define DUNLIN_SIM_RUN_H

#include "tests/sim/options.h"
#include "tests/sim/workload.h"

struct run_result {
	bool held;
	bool crashed; /* the process died: an assertion of the core, or a sanitizer */
	char promise[16], text[440];
	uint32_t key, write;
	uint64_t seed, hash, virtual_us, cpu_us, steps;
	struct workload_figures figures;
	uint64_t increments; /* acknowledged */
	uint64_t fault_count[FAULT_KINDS];
	uint32_t strikes[FAULT_KINDS];                /* that were due */
	uint64_t turns[NUMBERS_WORDS(SIM_TURNS_MAX)]; /* that were taken */
};

/* In this process. With `trace_key` below SIM_KEYS the events of that key are printed. */
void run_here(const struct sim_options *o, uint32_t trace_key, struct run_result *out);
/* In a child, so that a crash is a result. */
void run_in_child(const struct sim_options *o, struct run_result *out);
/* `count` runs of seeds from o->first, in o->jobs children at once; `each` gets every result and
 * says whether to go on. Returns how many it got. */
uint32_t run_many(const struct sim_options *o, uint32_t count,
                  bool (*each)(void *context, const struct run_result *), void *context);
/* A smaller run that fails too, found greedily: shorter, fewer faults, fewer clients. */
struct sim_options run_shrink(const struct sim_options *o, struct run_result *result);

#endif
