/* trace.h - what the coordinator tells of a traced request (dunlin/trace.h).
 *
 * Callers ask traced() first, so that a request that is not traced pays one test of a flag. */
#ifndef DUNLIN_CORE_TRACE_H
#define DUNLIN_CORE_TRACE_H

#include "core/core.h"

static inline bool traced(const struct coord *c)
{
	return c->request.trace.v != 0;
}

/* The request was taken, or refused at once because of `e`. `key` as it was asked. */
void trace_admitted(struct node *n, const struct coord *c, struct bytes key, enum err e);
/* There was no slot for it: all there is to tell. `from`: who forwarded it; 0: a client asked. */
void trace_refused(struct node *n, const struct request *r, struct node_id from, enum err e);

void trace_forwarded(struct node *n, struct coord *c);
void trace_forward_answered(struct node *n, const struct coord *c,
                            const struct msg_forward_reply *f);

/* Steps of which nothing more is to be said: TURN, CLOCK. */
void trace_plain(struct node *n, struct coord *c, enum trace_kind kind);
/* It has its dot and is being written here. The others are asked behind this. */
void trace_minted(struct node *n, struct coord *c);
/* The targets that are down, and for which nobody stands. */
void trace_down(struct node *n, const struct coord *c);
void trace_asked(struct node *n, struct coord *c, uint16_t member);
/* DIGEST, LATE: of a target, and nothing more is to be said. */
void trace_about(struct node *n, const struct coord *c, uint32_t target, enum trace_kind kind);
/* A read's answer, once it is noted. With ERR_OK the target's object is what it holds. */
void trace_found(struct node *n, struct coord *c, uint32_t target, enum err e, bool vouched);
/* A write's answer, before it is noted. */
void trace_acked(struct node *n, const struct coord *c, uint32_t target, enum err e);
/* Before it is noted, too. */
void trace_lost(struct node *n, const struct coord *c, uint32_t target);
void trace_quorum(struct node *n, const struct coord *c, enum quorum_verdict v);
void trace_judged(struct node *n, const struct coord *c, enum err e);
void trace_hinted(struct node *n, const struct coord *c, struct node_id primary);
void trace_replied(struct node *n, const struct coord *c, const struct reply *r);
void trace_ended(struct node *n, const struct coord *c);

/* A stale target is sent what was found; what its confirmation is to bring back. */
struct ticket trace_repair(struct node *n, struct coord *c, uint32_t target);
/* The read has nothing left to do but to hear who was repaired. False: nobody was. */
bool trace_awaits_repairs(struct node *n, struct coord *c);
void trace_on_repaired(struct node *n, struct coord *c, uint16_t member, enum err e);

#endif
