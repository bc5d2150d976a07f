/* run.h - one run as a value: what it did, and whether everything held. */
#ifndef DUNLIN_SIM_RUN_H
#define DUNLIN_SIM_RUN_H

#include "tests/sim/options.h"
#include "tests/sim/workload.h"

struct run_result {
	bool held;
	bool crashed; /* the process died: an assertion of the core, or a sanitizer */
	char promise[16], text[440];
	uint32_t key, write;
	uint64_t seed, hash, virtual_us, cpu_us, steps, trace_lines;
	struct workload_figures figures;
	uint64_t increments; /* acknowledged */
	uint64_t fault_count[FAULT_KINDS];
	uint32_t strikes[FAULT_KINDS];                /* that were due */
	uint64_t turns[NUMBERS_WORDS(SIM_TURNS_MAX)]; /* that were taken */
};

/* What of a run is printed as it happens (trace.h): the events of one key, or only those of no key; and of
 * those lines the last so many. */
struct run_trace {
	bool on;
	uint32_t key;  /* HIST_NOBODY: of none */
	uint64_t skip; /* lines */
};
#define RUN_UNTRACED ((struct run_trace){.on = false})

/* In this process. */
void run_here(const struct sim_options *o, struct run_trace trace, struct run_result *out);
/* In a child, so that a crash is a result. */
void run_in_child(const struct sim_options *o, struct run_trace trace, struct run_result *out);
/* `count` runs of seeds from o->first, in o->jobs children at once; `each` gets every result and
 * says whether to go on. Returns how many it got. */
uint32_t run_many(const struct sim_options *o, uint32_t count,
                  bool (*each)(void *context, const struct run_result *), void *context);
#endif
