/* net.h - the network between the nodes: delay, loss, duplication, order, cuts, connections. */
#ifndef DUNLIN_SIM_NET_H
#define DUNLIN_SIM_NET_H

#include "tests/sim/world.h"

/* Encode and send. */
void net_send(struct world *w, uint16_t from, struct node_id to, const struct msg *m);
void net_packet_free(void *packet);
/* Try to connect every pair that is not; at start and after a heal. */
void net_connect_all(struct world *w, uint16_t proc);
/* The process died: whoever can see it is told, sooner or later. */
void net_died(struct world *w, uint16_t proc);
/* One more, or one less, reason why from -> to carries nothing. */
void net_cut(struct world *w, uint16_t from, uint16_t to);
void net_mend(struct world *w, uint16_t from, uint16_t to);

void net_on_packet(struct world *w, const struct agenda_item *item);
void net_on_connect(struct world *w, const struct agenda_item *item);
void net_on_peer_up(struct world *w, const struct agenda_item *item);
void net_on_peer_down(struct world *w, const struct agenda_item *item);
void net_on_break(struct world *w, const struct agenda_item *item);

#endif
