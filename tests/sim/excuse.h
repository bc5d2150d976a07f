/* excuse.h - what a request may be refused for though nothing is wrong any more: what the trouble has
 * spoiled for good. */
#ifndef DUNLIN_SIM_EXCUSE_H
#define DUNLIN_SIM_EXCUSE_H

#include "tests/sim/world.h"

/* So long after its answer a write may still be on its way to some replicas. */
#define ON_ITS_WAY_US SECONDS(2)

/* Of a request for that key (a full key) with those options that was answered so. */
bool excuse_holds(const struct world *w, struct bytes full_key, const struct request_options *o,
                  enum err err);

#endif
