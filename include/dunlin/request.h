/* request.h - what a client asks and what it is answered, without HTTP.
 *
 * The same two structs cross from the HTTP side to the core, from a node to the one it forwards to,
 * and from the simulator's workload to the core. */
#ifndef DUNLIN_REQUEST_H
#define DUNLIN_REQUEST_H

#include "dunlin/object.h"

enum request_op {
	REQUEST_GET,
	REQUEST_PUT,
	REQUEST_DELETE,
	REQUEST_INCREMENT, /* of a counter, by `value` */
	REQUEST_OP_COUNT
};

/* A quorum value as asked: a count from 0 up, or one of these words. */
enum { QUORUM_DEFAULT = -1, QUORUM_ONE = -2, QUORUM_QUORUM = -3, QUORUM_ALL = -4 };
/* A boolean as asked: 0, 1, or this. */
enum { BOOL_DEFAULT = -1 };

struct request_options {
	int16_t r, w, pr, pw, dw, rw, node_confirms; /* a count or a QUORUM_ word */
	int8_t notfound_ok, basic_quorum;            /* 0, 1 or BOOL_DEFAULT */
	bool return_body; /* PUT, INCREMENT: answer with what is stored now */
	bool has_vtag;    /* GET: only the sibling named `vtag` */
	bool has_context; /* `context` was sent, be it empty */
	struct dot vtag;
	uint64_t timeout_us; /* 0: REQUEST_TIMEOUT_US */
};
#define REQUEST_OPTIONS_DEFAULT                                                                    \
	((struct request_options){.r = QUORUM_DEFAULT,                                                 \
	                          .w = QUORUM_DEFAULT,                                                 \
	                          .pr = QUORUM_DEFAULT,                                                \
	                          .pw = QUORUM_DEFAULT,                                                \
	                          .dw = QUORUM_DEFAULT,                                                \
	                          .rw = QUORUM_DEFAULT,                                                \
	                          .node_confirms = QUORUM_DEFAULT,                                     \
	                          .notfound_ok = BOOL_DEFAULT,                                         \
	                          .basic_quorum = BOOL_DEFAULT})

/* What must hold of the object for a write to be done (RFC 9110, section 13). */
enum {
	IF_MATCH_TAG = 1,      /* its ETag is one of `match` */
	IF_MATCH_ANY = 2,      /* it is there */
	IF_UNMODIFIED = 4,     /* it is not newer than `unmodified_s` */
	IF_NONE_MATCH_TAG = 8, /* its ETag is none of `none_match` */
	IF_NONE_MATCH_ANY = 16,
	IF_CONTEXT = 32, /* it is as `context` saw it */
	IF_ALL = 63
};
struct conditions {
	uint8_t what;                   /* IF_ bits; 0: none */
	struct bytes match, none_match; /* ETags, ETAG_BYTES each (base/etag.h) */
	uint64_t unmodified_s;          /* Unix seconds */
	struct bytes context;
};

#define INCREMENT_BYTES 8

struct request {
	enum request_op op;
	struct bytes key; /* the full key: type, bucket and name, each behind a u16 big-endian length */
	struct bytes context;  /* as given out earlier, decoded from base64 */
	struct bytes meta;     /* PUT */
	struct bytes value;    /* PUT; INCREMENT: INCREMENT_BYTES, two's complement, big-endian */
	struct bytes at_least; /* GET: a context; what is answered has seen all of it. Empty: none */
	bool as_counter;       /* GET: the number that the counter among the siblings stands at */
	uint64_t ttl_s;        /* PUT, INCREMENT: seconds it lives; 0: as the bucket says */
	struct conditions conditions;
	struct request_options options;
	struct trace_id trace; /* tell how it goes (trace.h); 0: do not */
};

/* What is known of a write that was not acknowledged. */
enum outcome {
	OUTCOME_DONE,    /* it was, or the request was no write */
	OUTCOME_NONE,    /* nothing was stored, nothing will be */
	OUTCOME_UNKNOWN, /* it may be stored, now or later */
	OUTCOME_COUNT
};

struct reply {
	enum err err; /* ERR_OK, ERR_NOT_FOUND (also for a tombstone), or why not */
	enum outcome outcome;
	uint8_t got, need, n; /* for the *_UNMET errors; n for ERR_ABOVE_N */
	uint8_t fallbacks;    /* how many fallbacks were among those that answered */
	bool deleted;         /* ERR_NOT_FOUND because of a tombstone */
	bool written;         /* a PUT, DELETE or INCREMENT that minted `dot` */
	struct dot dot;
	struct bytes context; /* authenticated, ready for base64; empty where nothing was shown */
	/* GET, or PUT with return_body: what is shown, equal ones once. NULL otherwise. */
	const struct sibling *siblings;
	uint32_t sibling_count;
	/* A read as a counter, or an increment with return_body: the number, in decimal. "" otherwise. */
	char number[COUNTER_TEXT_BYTES];
};

#endif
