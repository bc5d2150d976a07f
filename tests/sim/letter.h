/* letter.h - a request on its way to a node, with bytes of its own; and what a client keeps of an answer. */
#ifndef DUNLIN_SIM_LETTER_H
#define DUNLIN_SIM_LETTER_H

#include "base/etag.h"
#include "dunlin/request.h"
#include "tests/sim/history.h"
#include "tests/sim/value.h"

/* The last context that a client was given of a key, and what it was shown with it. */
struct held {
	uint8_t *bytes;
	size_t len;
	uint32_t shown;
	bool has, has_etag;
	uint8_t etag[ETAG_BYTES]; /* of what was shown, if that was a value */
};

struct letter {
	struct request request;
	struct client_ref client;
	uint8_t *context, *value;
	uint8_t etag[ETAG_BYTES];
	uint8_t meta[VALUE_META_BYTES];
};

/* Keep an answer's context, and what was shown with it. */
void held_take(struct held *held, struct bytes context, uint32_t shown);
void held_free(struct held *held);

/* `request` without context, conditions and value; its key outlives the letter. `held`: what its client
 * goes by, or NULL. `condition`: one IF_ bit, or 0. */
struct letter *letter_new(struct client_ref client, const struct request *request,
                          const struct held *held, uint8_t condition);
/* The value that this write of the history writes. */
void letter_value(struct letter *l, const struct history *h, uint32_t write, bool set);
void letter_free(void *letter);

#endif
