/* history.h - what the clients did and saw, and the true causal past of every write.
 *
 * Nothing here looks into the implementation's vectors. A write's past is built only from what its
 * client had been shown together with the context that it sent: those writes, and their pasts.
 * A *shown set* is what came with one context; a context is an index into the table of them. A
 * tombstone is shown by its dot, which is matched with a delete when that delete's answer is known.
 * Memory grows with the run and goes with history_free. */
#ifndef DUNLIN_SIM_HISTORY_H
#define DUNLIN_SIM_HISTORY_H

#include "dunlin/types.h"

enum hist_op { HIST_PUT, HIST_DELETE };

enum hist_outcome {
	HIST_OPEN,    /* no answer yet; at the end the same as unknown */
	HIST_ACKED,   /* answered OK */
	HIST_NONE,    /* answered: nothing was stored and nothing will be */
	HIST_UNKNOWN, /* answered so, or never answered */
};

#define HIST_NOBODY UINT32_MAX /* no write */
#define HIST_NOTHING 0U        /* the shown set of one who was shown nothing */

struct hist_write {
	uint32_t key, place; /* the place'th write of its key, by when it began */
	enum hist_op op;
	enum hist_outcome outcome;
	bool blind_delete; /* a DELETE without a context: it covers what is there */
	bool fragile;      /* may sit on one disk only, and this run spoils one */
	uint8_t pw;        /* primaries that its answer promises */
	uint8_t promised;  /* disks that its answer promises, */
	uint8_t durable;   /* and those that it was on by then; no more are looked for */
	bool appeared;     /* some read or store showed it */
	uint64_t ttl_us;   /* it lives so long; 0: for ever */
	uint64_t dies_us;  /* by what it bears itself; 0: nobody was shown it yet, or for ever */
	struct dot dot;    /* 0 until known */
	uint32_t shown;    /* what its client had been shown */
	uint64_t began_us, ended_us;
	uint64_t *past; /* bit per place below its own */
};

/* One thing shown: a value (write), or a tombstone (dot). */
struct hist_ref {
	uint32_t write; /* HIST_NOBODY: a tombstone */
	struct dot dot;
};

struct hist_shown {
	uint32_t key, first, count; /* slice of refs */
};

enum hist_view {
	HIST_READ,       /* a client's read, at any time */
	HIST_FINAL,      /* r=all, after the heal and the first convergence */
	HIST_FINAL_AGAIN /* the same some time later */
};

/* A read that was answered OK or NOT_FOUND. */
struct hist_read {
	enum hist_view view;
	uint32_t key, shown;
	uint32_t at_least; /* the shown set of the context that it had to have seen */
	uint8_t pr;
	uint64_t began_us, ended_us;
};

/* What one primary's store held of one key: at the end, or when all had come to rest and nobody had
 * read yet. */
struct hist_stored {
	uint32_t key, replica, shown;
	bool before_reads;
	uint64_t at_us;
	uint64_t digest; /* of the siblings, bytes included; 0: nothing */
};

/* A dot, and the write that bears it. Two writes with one dot, or the reverse, is a failure. */
struct hist_dot {
	uint32_t key, write;
	struct dot dot;
};

struct history {
	uint32_t keys, replicas_n;
	struct hist_write *writes;
	struct hist_shown *shown;
	struct hist_ref *refs;
	struct hist_read *reads;
	struct hist_stored *stored;
	struct hist_dot *dots; /* every (key, dot, write) seen, hashed */
	uint32_t write_count, shown_count, ref_count, read_count, stored_count, dot_count;
	uint32_t write_room, shown_room, ref_room, read_room, stored_room, dot_room;
	uint32_t **by_key; /* writes of each key, by place */
	uint32_t *by_key_count, *by_key_room;
	uint32_t dot_clash_a, dot_clash_b; /* the first two writes that share a dot, or one twice */
	bool dot_clash;
	bool disks_fail; /* one of them may lose what it holds */
};

/* n: replicas of a key. */
void history_init(struct history *h, uint32_t keys, uint32_t n);
void history_free(struct history *h);

/* Begin a shown set, then add to it. */
uint32_t history_shown_new(struct history *h, uint32_t key);
void history_shown_value(struct history *h, uint32_t write, struct dot dot);
void history_shown_tombstone(struct history *h, struct dot dot);

/* A client sends a write. `shown` belongs to the context that goes with it. Its id comes back. */
uint32_t history_write(struct history *h, uint32_t key, enum hist_op op, uint32_t shown,
                       uint64_t now_us);
/* Its answer, or that there will be none. An answer after that is noted for its dot only. */
void history_answer(struct history *h, uint32_t write, enum hist_outcome outcome, struct dot dot,
                    uint64_t now_us);
void history_read(struct history *h, const struct hist_read *read);
void history_stored(struct history *h, const struct hist_stored *stored);

/* After the run: match tombstones with deletes, and work out all pasts anew. */
void history_settle(struct history *h);

/* Is `earlier` in the past of `later`? Both of one key. */
bool history_is_before(const struct history *h, uint32_t earlier, uint32_t later);
/* The delete that bears this dot, or HIST_NOBODY. */
uint32_t history_find_dot(const struct history *h, uint32_t key, struct dot dot);

#endif
