/* list.h - listings of keys and buckets, and the pages of the store that they are made of. Private to
 * the core; core.h includes it. */
#ifndef DUNLIN_CORE_LIST_H
#define DUNLIN_CORE_LIST_H

#include "base/arena.h"
#include "dunlin/effect.h"
#include "dunlin/event.h"
#include "ring/ring.h"

struct node;
struct coord;
struct replica;

/* A listing (list.c), in the slot's arena. */
struct listing {
	struct bytes prefix, type;
	bool buckets;
	uint32_t left; /* names that may still be given, if `most` */
	uint32_t most;
	uint8_t
		places; /* any of the first so many primaries of a partition holds all that is asked for */
	struct partition_id at;
	struct bytes after; /* in `cursor`: store key within `at` */
	struct arena cursor, page;
	uint8_t failed;             /* places of this partition that did not answer as they should */
	struct member_set too_late; /* never asked again: an old answer could be taken for a new one */
	bool asked;
	uint16_t member; /* who is asked */
	struct instant give_up;
	/* Buckets: those that were given, by a hash of 128 bits; or, with `most`, the least so many. */
	uint64_t (*seen)[2];
	uint32_t seen_count, seen_room;
	struct bytes *least;
	uint32_t least_count;
	struct bytes from; /* buckets: names after this */
};

/* list.c */
void list_on_request(struct node *n, const struct event *ev, struct effects *fx);
void list_on_more(struct node *n, const struct event *ev, struct effects *fx);
void list_on_page(struct node *n, struct coord *c, uint16_t member, const struct msg_list_reply *r,
                  struct effects *fx);
void list_on_timer(struct node *n, struct coord *c, struct effects *fx);
void list_on_peers_changed(struct node *n, struct coord *c, struct effects *fx);

/* browse.c: pages of the store, for listings and for the search for a bucket's data */
enum err browse_begin(struct node *n, struct replica *r, const struct msg *m, struct effects *fx);
void browse_on_timer(struct node *n, struct replica *r, struct effects *fx);
void browse_on_scanned(struct node *n, struct replica *r, const struct event *ev,
                       struct effects *fx);
/* The same asked by ourselves: the answer goes to the coordinator with the ticket in `m`. */
bool browse_own(struct node *n, const struct msg *m, struct effects *fx);

#endif
