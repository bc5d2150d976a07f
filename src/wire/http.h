/* http.h - a strict HTTP/1.x request parser that owns nothing, and a decoder of chunked bodies.
 *
 * Views point into the caller's buffer and die with it. Every form that two readers could take for
 * different requests is refused (RFC 9112, sections 2.2, 5, 6 and 11.2): a bare CR or LF, a folded
 * line, space before a colon, two lengths, a length beside Transfer-Encoding, a coding other than
 * "chunked". */
#ifndef DUNLIN_WIRE_HTTP_H
#define DUNLIN_WIRE_HTTP_H

#include "dunlin/types.h"

enum http_verdict {
	HTTP_COMPLETE, /* all there */
	HTTP_MORE,     /* good so far; come back with more bytes */
	HTTP_BAD       /* `status` and `reason` say why; answer it and close the connection */
};

/* HTTP_OTHER: a method that we have not heard of (501). */
enum http_method {
	HTTP_OTHER,
	HTTP_GET,
	HTTP_HEAD,
	HTTP_PUT,
	HTTP_POST,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_TRACE,
	HTTP_CONNECT
};

/* The header fields that somebody here reads. */
enum http_name {
	HTTP_NAME_OTHER,
	HTTP_NAME_ACCEPT,
	HTTP_NAME_CONNECTION,
	HTTP_NAME_CONTENT_ENCODING,
	HTTP_NAME_CONTENT_LENGTH,
	HTTP_NAME_CONTENT_MD5,
	HTTP_NAME_CONTENT_TYPE,
	HTTP_NAME_EXPECT,
	HTTP_NAME_HOST,
	HTTP_NAME_IF_MATCH,
	HTTP_NAME_IF_MODIFIED,
	HTTP_NAME_IF_NONE_MATCH,
	HTTP_NAME_IF_UNMODIFIED,
	HTTP_NAME_LINK,
	HTTP_NAME_ORIGIN,
	HTTP_NAME_REFERER,
	HTTP_NAME_TRANSFER_ENCODING,
	HTTP_NAME_AT_LEAST,    /* X-Dunlin-At-Least */
	HTTP_NAME_CONSISTENCY, /* X-Dunlin-Consistency */
	HTTP_NAME_TTL,         /* X-Dunlin-TTL */
	HTTP_NAME_IF_CONTEXT,  /* X-Riak-If-Not-Modified */
	HTTP_NAME_VCLOCK,      /* X-Riak-Vclock */
	HTTP_NAME_META,        /* X-Riak-Meta-<anything> */
	HTTP_NAME_INDEX,       /* X-Riak-Index-<anything>, or nothing behind it */
	HTTP_NAME_COUNT
};

struct http_header {
	struct bytes name, value; /* value without the white space around it */
	enum http_name id;
};

struct http_request {
	enum http_method method;
	uint8_t minor;            /* HTTP/1.minor; above 1 is taken as 1 */
	bool has_content_length;  /* else, and unless chunked, there is no body */
	bool chunked;             /* never together with has_content_length */
	bool expect_continue;     /* the client waits for "100 Continue" */
	bool keep_alive;          /* the client would use the connection again */
	int status;               /* HTTP_BAD: 400, 414, 417, 431, 501 or 505 */
	const char *reason;       /* HTTP_BAD: a sentence, without line end */
	struct bytes method_text; /* as sent */
	struct bytes target;      /* "/path?query"; of an absolute form what follows the authority */
	uint64_t content_length;
	size_t head_bytes; /* HTTP_COMPLETE: where the body begins */
	uint32_t header_count;
	uint16_t first[HTTP_NAME_COUNT]; /* index of the first of that name; HTTP_HEADERS_MAX: none */
	struct http_header headers[HTTP_HEADERS_MAX];
};

/* Parse the head of the request that `data` begins with. `last_len`: how many of these bytes an
 * earlier call answered HTTP_MORE to (0: none), so that a slow sender costs no second look at them.
 * `out` holds nothing of use after HTTP_MORE. */
enum http_verdict http_parse(const uint8_t *data, size_t len, size_t last_len,
                             struct http_request *out);

/* The value of the first field of that name; *found tells an empty one from none (may be NULL). */
struct bytes http_header(const struct http_request *r, enum http_name id, bool *found);
/* Was a field of that name sent more than once? */
bool http_header_repeated(const struct http_request *r, enum http_name id);

/* ---- chunked bodies ---------------------------------------------------------------------- */

/* Starts as {0}. */
struct http_chunks {
	uint8_t state;
	uint8_t digits;
	uint32_t line_bytes;  /* of the chunk line under way */
	uint32_t extra_bytes; /* of all extensions and trailers so far */
	uint64_t left;        /* of the chunk under way */
	uint64_t body_bytes;  /* decoded so far, and what the chunk under way promises */
	const char *reason;   /* HTTP_BAD: a sentence; the status is 400 */
};

/* Decode data[0, len) in place: data[0, *body) is body, *used bytes were consumed (all of them
 * unless complete or bad). Check `body_bytes` against your limit after each call: it already counts
 * the whole of a chunk whose size was read. */
enum http_verdict http_chunks_decode(struct http_chunks *c, uint8_t *data, size_t len, size_t *body,
                                     size_t *used);

#endif
