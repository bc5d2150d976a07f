/* http_object.h - an HTTP request about one object, as a request to the core.
 *
 * Of several faults the first in this order decides: unknown method (501), method not offered here
 * (405), Content-MD5, no Content-Type, timeout, the query parameters, trace, Link, X-Riak-Index-*,
 * names, context (all 400), then the media type (415). Of a counter, behind the parameters: names,
 * context, conditions, and the number. */
#ifndef DUNLIN_WIRE_HTTP_OBJECT_H
#define DUNLIN_WIRE_HTTP_OBJECT_H

#include "dunlin/request.h"
#include "wire/http_failure.h"
#include "wire/http_target.h"

/* What the answer needs to know of the question. Views, into the request or the scratch: before
 * either goes, http_object_keep() moves it to memory of its own. */
struct http_object_want {
	enum request_op op;
	enum http_family family;
	bool head;        /* no body */
	bool choose_key;  /* POST without key: 201 and Location */
	bool return_body; /* of a write */
	bool counter;     /* the answer is its number, if anything */
	bool keep_alive;  /* else the answer closes the connection */
	bool http_1_0;    /* keep_alive must be said */
	struct bytes type, bucket, key;
	struct bytes content_type;    /* of a write: echoed by 201 and 204 */
	struct bytes accept;          /* of a read; all its lines joined */
	struct conditions conditions; /* of a read: judged by the answer */
	bool has_modified;            /* of a read: If-Modified-Since, without If-None-Match */
	uint64_t modified_s;
	struct trace_id trace; /* 0: not traced */
};

#define HTTP_OBJECT_RANDOM_BYTES 24

/* `r` complete, `t` parsed from it with route OBJECT, OBJECT_LIST or COUNTER, `body` whole. `random` makes
 * the key of a POST without one, and the id of a trace. True: `out` and `want` are set; `out` borrows from the request,
 * `body` and `scratch`. False: `why` is set. */
bool http_object_request(const struct http_request *r, const struct http_target *t,
                         struct bytes body, const uint8_t random[HTTP_OBJECT_RANDOM_BYTES],
                         struct http_scratch *scratch, struct request *out,
                         struct http_object_want *want, struct http_failure *why);

/* Everything that can be judged before the body has arrived: method and Content-Type. True: go on
 * (send "100 Continue" if it is expected). http_object_request judges it again. */
bool http_object_admit(const struct http_request *r, const struct http_target *t,
                       struct http_failure *why);

/* Bytes that a copy of `want` and all it points to takes; and make that copy at `to`, which must be
 * aligned as for malloc. Nothing in it points outside of it. */
size_t http_object_keep_bytes(const struct http_object_want *want);
struct http_object_want *http_object_keep(const struct http_object_want *want, void *to);

#endif
