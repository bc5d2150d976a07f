/* trace.h - what happens to one key, as lines on stdout. */
#ifndef DUNLIN_SIM_TRACE_H
#define DUNLIN_SIM_TRACE_H

#include "tests/sim/world.h"

/* Something about processes, links or clocks. */
void trace_world(const struct world *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The strike that happens now: "crash.3: ...", as --strikes names it. */
void trace_strike(const struct world *w, enum fault_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Something about this full key; printed if it is the one. */
void trace_key(const struct world *w, struct bytes key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A message that is sent ("->") or arrives ("<-"). */
void trace_msg(const struct world *w, uint16_t at, const char *arrow, uint16_t other,
               const struct msg *m);

#endif
