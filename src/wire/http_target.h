/* http_target.h - what a request target names: a route, names in it, and query parameters.
 *
 * The path is split on '/', empty segments are dropped, then each is percent-decoded once, and '+'
 * is a space. The same data has three families of paths:
 *   /riak/B/K    /buckets/B/keys/K    /types/T/buckets/B/keys/K */
#ifndef DUNLIN_WIRE_HTTP_TARGET_H
#define DUNLIN_WIRE_HTTP_TARGET_H

#include "wire/http.h"
#include "wire/http_scratch.h"

enum http_route {
	HTTP_ROUTE_UNKNOWN,
	HTTP_ROUTE_ROOT,        /* / */
	HTTP_ROUTE_OBJECT,      /* an object by its key */
	HTTP_ROUTE_OBJECT_LIST, /* POST to a bucket: the server chooses the key */
	HTTP_ROUTE_KEYS,        /* any other method there */
	HTTP_ROUTE_BUCKETS,
	HTTP_ROUTE_COUNTER,  /* an object as a number, of the type "default" */
	HTTP_ROUTE_PREFLIST, /* of a key: who holds it */
	HTTP_ROUTE_PROPS,
	HTTP_ROUTE_TYPE_PROPS,
	HTTP_ROUTE_PING,
	HTTP_ROUTE_READY,
	HTTP_ROUTE_METRICS,
	HTTP_ROUTE_STATS,
	HTTP_ROUTE_ADMIN, /* segments[1] onwards say what */
	HTTP_ROUTE_COUNT
};

enum http_family { HTTP_FAMILY_V1, HTTP_FAMILY_V2, HTTP_FAMILY_V3 };

struct http_param {
	struct bytes name, value;
};

struct http_target {
	enum http_route route;
	enum http_family family;
	struct bytes type, bucket, key; /* decoded; type is "default" where the path has none */
	uint32_t segment_count;         /* at most HTTP_PATH_SEGMENTS_MAX; more is HTTP_ROUTE_UNKNOWN */
	uint32_t param_count;
	struct bytes segments[HTTP_PATH_SEGMENTS_MAX];
	struct http_param params[HTTP_QUERY_PARAMS_MAX];
};

/* Decode r->target; r must be complete. Where something was escaped the decoded bytes are in
 * `scratch`, else in r's buffer. NULL, or a sentence that says why it is answered 400. */
const char *http_target_parse(const struct http_request *r, struct http_scratch *scratch,
                              struct http_target *out);

/* The first parameter of that name. False: there is none (*value is then empty). */
bool http_target_param(const struct http_target *t, const char *name, struct bytes *value);

/* Percent-decode into `to` (room for from.len); '+' becomes a space. False: a bad escape. */
bool http_target_decode(struct bytes from, uint8_t *to, size_t *len);

#endif
