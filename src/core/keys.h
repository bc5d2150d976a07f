/* keys.h - one key at a time: reading, minting and merging are serialised per key, over the newest
 * state that was handed to the store, not the last one that it committed.
 *
 *   entry of a key:   LOADING --read--> READY --last write done, nobody waits--> gone
 *                        ^                |
 *                        +---a write failed, and all writes have ended---+
 *
 *   op on a key:      IDLE -> WAITING -> WRITING -> finished     it changed the object
 *                                \-----> RIDING --> finished     it changed nothing, but what it found
 *                                                                is not durable yet: it waits for it
 * An op belongs to a slot (a coordinated write, a peer's write, a hint); what it does when its turn
 * comes is that slot's business (key_apply), and so is what follows (key_finished). */
#ifndef DUNLIN_KEYS_H
#define DUNLIN_KEYS_H

#include "base/arena.h"
#include "dunlin/effect.h"
#include "dunlin/event.h"

struct node;

enum key_op_state { KEY_OP_IDLE, KEY_OP_WAITING, KEY_OP_WRITING, KEY_OP_RIDING };

struct key_op {
	enum key_op_state state;
	struct ticket slot;  /* whose op it is */
	struct ticket entry; /* of the key, while not idle */
	struct ticket next;  /* waiting or riding behind it */
	uint64_t write;      /* number of the write that it waits for */
};

/* The state of a key as an op finds it. */
struct key_state {
	struct bytes object; /* encoded; empty: absent */
	bool damaged;        /* the stored record is, so what it held is unknown */
	bool pending;        /* `object` is not durable yet */
};

enum key_verdict {
	KEY_WRITE,     /* it emitted a store write of `*object` (empty: a deletion) under its ticket */
	KEY_UNCHANGED, /* the state already holds what it brought */
	KEY_ENDED      /* it will not change anything: refused, or to begin again later */
};

/* Take a turn on a key. False: no entry or no room (ERR_BUSY); nothing happened. */
bool key_begin(struct node *n, struct key_op *op, struct bytes full_key, struct effects *fx);
/* EV_STORE_READ with a key's ticket. */
void key_on_read(struct node *n, const struct event *ev, struct effects *fx);
/* The store's answer to the op's write; the op is idle afterwards, key_finished is not called. */
void key_on_written(struct node *n, struct key_op *op, enum err e, struct effects *fx);
/* Turns that found no room for their effects in an earlier step. */
void key_run_ready(struct node *n, struct effects *fx);
bool key_is_ready(const struct node *n);

#endif
