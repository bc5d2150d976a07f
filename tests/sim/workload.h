/* workload.h - the clients: what they ask, what they were told, and the keys they fight over. */
#ifndef DUNLIN_SIM_WORKLOAD_H
#define DUNLIN_SIM_WORKLOAD_H

#include "tests/sim/world.h"

/* Four kinds of keys, so that the strictest check that holds for each can be made. */
enum key_kind {
	KEY_VALUES,       /* puts only */
	KEY_SET,          /* each value is the set of all that its client saw, and one element more */
	KEY_DELETES,      /* puts, and deletes with a context */
	KEY_BLIND_DELETES /* puts, and deletes with and without a context */
};

struct workload_figures {
	uint64_t ops, reads, session_reads, not_seen, writes, conditional, refused, brief, acked,
		unknown, none;
	uint32_t siblings_max;
};

void workload_init(struct world *w);
void workload_free(struct world *w);
void workload_figures(const struct world *w, struct workload_figures *out);

/* The numbers of the turns that clients took (options.h). */
const uint64_t *workload_turns(const struct world *w);
/* Clients act until workload_stop; then those under way end. */
void workload_start(struct world *w);
void workload_stop(struct world *w);
bool workload_is_idle(const struct world *w);

/* The full key of number `key`; views into static memory of the workload. */
struct bytes workload_key(const struct world *w, uint32_t key);
/* The number of a full key, or -1. */
int workload_find_key(const struct world *w, struct bytes full);
/* Add what a sibling shows to the newest shown set. False, and a failure, if the bytes are wrong. */
bool workload_note_sibling(struct world *w, uint32_t key, const struct sibling *s);

/* The final reads: one of each key, r=all, kept up until it succeeds. */
void workload_read_all(struct world *w, enum hist_view view);
/* How many of them are still to come. */
uint32_t workload_reads_left(const struct world *w);

void workload_on_reply(struct world *w, uint16_t proc, struct client_ref client,
                       const struct reply *reply);
void workload_on_request(struct world *w, const struct agenda_item *item);
void workload_on_client(struct world *w, const struct agenda_item *item);
void workload_on_give_up(struct world *w, const struct agenda_item *item);
/* Connections of its clients break. */
void workload_on_crash(struct world *w, uint16_t proc);

#endif
