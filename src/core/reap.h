/* reap.h - rounds that let go of tombstones and of what has expired; see reap.c. */
#ifndef DUNLIN_REAP_H
#define DUNLIN_REAP_H

#include "dunlin/msg.h"
#include "ring/ring.h"

struct reap {
	/* Durable. */
	struct hlc horizon;  /* proven: everything dead at or below it may go */
	struct hlc promised; /* this node mints above it */
	bool writing;        /* the record of both is */
	struct hlc told;  /* what its writes say that it has promised: what was open before has ended */
	struct hlc fence; /* a write that says less is late */
	uint64_t fence_barrier;
	struct hlc others_fence; /* the latest that was heard of */
	bool catching_up;        /* with it, after an old copy */
	/* Of the round that this node takes part in. */
	struct hlc round;
	uint64_t barrier; /* births of slots up to when it was asked */
	bool ended;       /* what was open then */
	bool fenced;      /* matching has begun */
	bool walking;     /* through its partitions, to match or to sweep them */
	bool matched, swept;
	struct msg_reap asked; /* what the proposer said last, and when */
	struct instant asked_at;
	/* Of the round that it proposes. */
	struct hlc proposal;
	enum reap_step step; /* REAP_IDLE: none */
	struct member_set answered;
	struct instant next; /* when one may begin */

	bool mortal;         /* it may hold tombstones, or what expires */
	uint64_t sweep_left; /* such keys that a sweep had to leave */
};

#endif
