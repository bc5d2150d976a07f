/* trace.h - what a traced request tells of itself, step by step.
 *
 * A request with a trace id has its coordinator emit an FX_TRACE for everything that happens to it:
 * who was asked, who answered what and when, what was decided, what was repaired. One that is
 * forwarded bears the same id on both nodes. Who keeps the steps, and for how long, is the outside's
 * business (drive/traces.h). Nothing is decided by a trace but this: replicas that a traced read
 * repairs are asked to confirm it.
 * Times are the event's clock. docs/TRACE.md is for its readers. */
#ifndef DUNLIN_TRACE_H
#define DUNLIN_TRACE_H

#include "dunlin/request.h"

/* The life of a trace: ADMITTED, any of the others, REPLIED once, late ones, ENDED. */
#define TRACE_KINDS(X)                                                                             \
	X(ADMITTED, "admitted")   /* taken here; `node`: who forwarded it; key, op, quorums */         \
	X(FORWARDED, "forwarded") /* to `node`, because of `err` (OK: it judges the conditions) */     \
	X(ANSWER_OF_FORWARD, "forward_answered")                                                       \
	X(TURN, "turn")         /* a write waits for its turn on the key */                            \
	X(CLOCK, "clock")       /* and then for a reservation of the clock */                          \
	X(MINTED, "minted")     /* its version has a name: `dot` */                                    \
	X(DOWN, "down")         /* `node` should be asked, is believed down, and nobody stands in */   \
	X(ASKED, "asked")       /* `node`, which may be this one */                                    \
	X(ANSWERED, "answered") /* `node`: `err`; of a read, what it holds */                          \
	X(DIGEST, "digest")     /* `node` holds a large object, and says what kind of one */           \
	X(LATE, "late")         /* `node` takes longer than it usually does to answer a read */        \
	X(LOST, "lost")         /* `node` was asked, and went down */                                  \
	X(QUORUM, "quorum")     /* met (err OK) or lost */                                             \
	X(JUDGED, "judged")     /* do the conditions of the write hold? */                             \
	X(HINTED, "hinted")     /* `node` misses the write: an extra hint for it is kept here */       \
	X(REPLIED, "replied")   /* to the client, or to who forwarded */                               \
	X(REPAIR, "repair")     /* `node` was stale and is sent what was found */                      \
	X(REPAIRED, "repaired") /* `node` holds it (err OK), or could not take it */                   \
	X(SILENT, "silent")     /* `node` had not answered when the request was over */                \
	X(ENDED, "ended")       /* nothing follows */

enum trace_kind {
#define X(name, text) TRACE_##name,
	TRACE_KINDS(X)
#undef X
		TRACE_KIND_COUNT
};

struct trace_step {
	struct trace_id trace;
	enum trace_kind kind;
	struct instant at;
	struct node_id node;       /* whom it is about; 0: nobody else than this node */
	struct node_id stands_for; /* `node` is a fallback for this primary */
	uint8_t place; /* which primary of the key it is, or stands for, from 1; 0: neither */
	bool write;    /* ASKED, ANSWERED, QUORUM: of the write, else of a read */
	bool counted;  /* ANSWERED: towards the quorum */
	bool vouched;  /* ANSWERED, of a read: it vouches for its memory of the key */
	bool late;     /* the client had its answer already */
	enum err err;
	enum outcome outcome; /* REPLIED */
	/* QUORUM, REPLIED: answers that counted, of primaries, and how many of each were needed. */
	uint8_t got, got_primary, need, need_primary;
	uint8_t fallbacks; /* REPLIED */
	/* ANSWERED by who found something, REPLIED: what; the newest version of it. MINTED: that. */
	uint32_t siblings, tombstones; /* of these, so many are tombstones */
	uint64_t bytes;
	struct dot dot;
	/* ADMITTED */
	enum request_op op;
	uint8_t n, r, pr, w, pw, dw, confirms;
	struct bytes key;  /* full; good until the next step */
	struct bytes http; /* ANSWER_OF_FORWARD: where `node` tells the rest; the same */
};

/* "asked". */
const char *trace_kind_name(enum trace_kind kind);

#endif
