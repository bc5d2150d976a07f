/* clients.h - the connections of HTTP clients: who listens, who is connected, who waits for what.
 *
 * A request that goes to the core is named by a client_ref: the connection's place in the table and
 * the request's serial number, so that an answer for a connection that has gone, or for an earlier
 * request of it, finds nobody and is dropped with a count. */
#ifndef DUNLIN_DRIVE_CLIENTS_H
#define DUNLIN_DRIVE_CLIENTS_H

#include "drive/loop.h"
#include "dunlin/effect.h"

struct clients;

/* Listen on `address` (numeric host:port). NULL: *error says why. Everything is dropped by close. */
struct clients *clients_open(struct loop *loop, const char *address, struct config_error *error);
void clients_close(struct clients *all);

/* Effects of the core. */
void clients_reply(struct clients *all, struct client_ref to, const struct reply *reply);
void clients_reply_compare(struct clients *all, struct client_ref to,
                           const struct compare_result *result);

void clients_reply_props(struct clients *all, struct client_ref to,
                         const struct props_result *result);
void clients_reply_list(struct clients *all, struct client_ref to, const struct list_page *page);

/* The end of a turn: go on with requests that wait in buffers, write what is to be written. True: there
 * is more to do at once. */
bool clients_turn(struct clients *all);
/* Stop accepting, close what is idle; each connection is closed after its answer. */
void clients_drain(struct clients *all);
/* No request in flight and nothing left to write? */
bool clients_are_quiet(const struct clients *all);

#endif
