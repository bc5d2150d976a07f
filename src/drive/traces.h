/* traces.h - the traces of the last requests that asked for one, in memory, until they are old.
 *
 * A node that is asked for none has no memory of any. TRACES_KEPT_MAX, TRACE_STEPS_MAX and
 * TRACE_KEPT_US bound them; a newer trace takes the place of the oldest. */
#ifndef DUNLIN_DRIVE_TRACES_H
#define DUNLIN_DRIVE_TRACES_H

#include "dunlin/trace.h"

/* Of one request, on this node. */
struct trace_kept {
	struct trace_id id; /* 0: the place is free */
	struct instant began;
	struct wall began_wall;
	bool ended;
	uint8_t *key; /* full key; NULL without memory for it */
	size_t key_len;
	char http[MEMBER_ADDRESS_BYTES_MAX + 1]; /* where the node it was forwarded to tells its part */
	uint32_t count, dropped;                 /* steps; and ones there was no room for */
	struct trace_step steps[TRACE_STEPS_MAX]; /* without the views */
};

struct traces {
	struct trace_kept *list; /* [TRACES_KEPT_MAX], or NULL before the first */
	uint32_t next;           /* whose place the next one takes */
};

/* A step that the core told, now. */
void traces_note(struct traces *t, const struct trace_step *step, struct wall wall);
/* NULL: unknown, or told too long ago. */
const struct trace_kept *traces_find(const struct traces *t, struct trace_id id,
                                     struct instant now);
/* The i-th newest, or NULL when there are no more. */
const struct trace_kept *traces_at(const struct traces *t, uint32_t i, struct instant now);
void traces_free(struct traces *t);

/* Ids are 16 hex digits for people. False: that is none. */
bool trace_id_read(struct bytes text, struct trace_id *out);
#define TRACE_ID_CHARS 16

#endif
