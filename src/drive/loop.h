/* loop.h - one shard: a core, the event loop that drives it, and everything it asks for.
 *
 *   socket, completion, timer -> loop_step(event) -> node_step -> effects -> storer, peers, clients
 *
 * One thread. A turn is one round of libevent callbacks; at its end what was produced for peers and
 * clients is sent, and the one timer is set to node_deadline(). */
#ifndef DUNLIN_DRIVE_LOOP_H
#define DUNLIN_DRIVE_LOOP_H

#include "drive/config.h"
#include "drive/log.h"
#include "drive/metrics.h"
#include "drive/traces.h"
#include "dunlin/node.h"

struct event_base;
struct storer;
struct peers;
struct clients;
struct libevent_event;
struct peers_config;
struct store;

struct loop {
	const struct config *config;
	const struct log *log;
	struct event_base *base;
	struct node *node;
	struct storer *storer;
	struct peers *peers;
	struct clients *clients;
	struct metrics metrics;
	struct traces traces;
	struct libevent_event *timer, *signals[2];
	uint64_t epoch;   /* of the layout that the peers were told */
	bool stopping;    /* a signal came */
	bool quiet;       /* since then clients have been answered: the core is told to take no more */
	bool unsent;      /* then: something waits to be written to a peer that is there */
	bool stopped;     /* another came, or all is answered */
	bool in_step;     /* the core is at work, or its effects are being performed */
	bool in_delivery; /* storage hands over what is complete */
	struct instant stop_at;
	struct effects effects; /* of the step under way */
};

/* Puts together and starts what the configuration says: storage threads, peers, clients, and the
 * core's first step. `node` has its boot records. False: *error says why; loop_close frees. */
struct loop_parts {
	struct store *store;
	struct node *node;
	const struct peers_config *peers; /* keys and cluster; the rest is filled in here */
};
bool loop_open(struct loop *l, const struct config *config, const struct log *log,
               const struct loop_parts *parts, struct config_error *error);
void loop_close(struct loop *l);
/* Until SIGTERM or SIGINT, and then until what was accepted is answered, DRAIN_US at most (or until
 * the next signal). */
void loop_run(struct loop *l);

/* Let the core handle one event; its clocks are filled in here. Not below an effect. */
void loop_step(struct loop *l, struct event *ev);
/* Have the core coordinate nothing new and get rid of what it keeps for others; or end that. */
void loop_drain(struct loop *l, bool on);

/* Monotonic, and the wall clock. */
struct instant loop_now(void);
struct wall loop_wall(void);

#endif
