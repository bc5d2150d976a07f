/* final.h - the stages of a run: form, suffer, heal and demand progress, check. */
#ifndef DUNLIN_SIM_FINAL_H
#define DUNLIN_SIM_FINAL_H

#include "tests/sim/world.h"

void final_begin(struct world *w);
void final_on_stage(struct world *w, const struct agenda_item *item);
/* A compare of a partition is done. */
void final_on_compare(struct world *w, const struct compare_result *result);

#endif
