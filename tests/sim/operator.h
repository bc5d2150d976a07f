/* operator.h - one more client: changes bucket properties, lists keys, and is told the truth or that
 * it was not. Not of any promise's history; what must hold is said in operator.c. */
#ifndef DUNLIN_SIM_OPERATOR_H
#define DUNLIN_SIM_OPERATOR_H

#include "tests/sim/world.h"

void operator_init(struct world *w);
void operator_free(struct world *w);
void operator_act(struct world *w);
/* The next page of a listing. */
void operator_more(struct world *w, const struct agenda_item *item);

/* A key's last read of all replicas found a value, or not. */
void operator_note_final(struct world *w, uint32_t key, bool live);
/* One last listing, which must be exact. */
void operator_list_finally(struct world *w);
/* Has it ended, and do all nodes agree on the properties? False, and a failure if they never will. */
bool operator_is_content(struct world *w);

void operator_on_props(struct world *w, uint16_t proc, struct client_ref client,
                       const struct props_result *result);
void operator_on_list(struct world *w, uint16_t proc, struct client_ref client,
                      const struct list_page *page);
void operator_on_crash(struct world *w, uint16_t proc);
uint64_t operator_changes(const struct world *w);
uint64_t operator_lists(const struct world *w);

#endif
