/* tracing.h - do traced requests tell the truth about themselves?
 *
 * The traces are the core's own (dunlin/trace.h); trace.h beside this prints what the simulator sees. */
#ifndef DUNLIN_SIM_TRACING_H
#define DUNLIN_SIM_TRACING_H

#include "tests/sim/world.h"

void tracing_init(struct world *w);
void tracing_free(struct world *w);
/* A step that a node told. */
void tracing_on_step(struct world *w, uint16_t proc, const struct trace_step *step);
/* The answer to a traced request, behind its steps. */
void tracing_on_reply(struct world *w, uint16_t proc, struct trace_id trace,
                      const struct reply *reply);
/* The run is over: what was begun by who still lives has ended. */
void tracing_check(struct world *w);

#endif
