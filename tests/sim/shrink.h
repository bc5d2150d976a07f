/* shrink.h - the smallest run that still breaks the same promise.
 *
 * A failing run is taken apart and tried again and again: without kinds of faults, without clients that only
 * add to the noise, with fewer keys, a shorter trouble, single strikes, single turns. What is not needed stays
 * out. The rest of a run happens as nearly as it did before as may be (chance.h), so most of what is left
 * out is not missed.
 *
 * It is a function of the options and of what the runs say, so it finds the same each time. */
#ifndef DUNLIN_SIM_SHRINK_H
#define DUNLIN_SIM_SHRINK_H

#include "tests/sim/run.h"

/* Runs that it may cost. */
#define SHRINK_RUNS_MAX 600

struct shrunk {
	struct sim_options options;
	struct run_result result;
	uint32_t runs;
};

typedef void shrink_run(const struct sim_options *o, struct run_result *out);

/* `result` is what `o` gave: a failure. */
void shrink(const struct sim_options *o, const struct run_result *result, shrink_run *run,
            struct shrunk *out);

#endif
