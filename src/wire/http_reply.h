/* http_reply.h - answers as bytes. Each is prepared once, which fixes its length, and then written
 * to a buffer of exactly that length; a value is copied once. */
#ifndef DUNLIN_WIRE_HTTP_REPLY_H
#define DUNLIN_WIRE_HTTP_REPLY_H

#include "wire/http_object.h"
#include "wire/http_out.h"

/* ---- answers about one object ------------------------------------------------------------ */

enum http_shape {
	HTTP_SHAPE_TEXT,      /* `text`: an error, or nothing */
	HTTP_SHAPE_ONE,       /* the one value, as it was stored */
	HTTP_SHAPE_LIST,      /* "Siblings:" and a vtag a line */
	HTTP_SHAPE_MULTIPART, /* every sibling with its fields */
	HTTP_SHAPE_JSON       /* the same as one document */
};

#define HTTP_BOUNDARY_CHARS 22

struct http_object_reply {
	const struct http_object_want *want; /* both must live until it has been written */
	const struct reply *reply;
	uint64_t unix_ms;
	int status;
	enum http_shape shape;
	size_t body_bytes;
	size_t bytes; /* of the whole answer */
	char boundary[HTTP_BOUNDARY_CHARS + 1];
	char text[512];
};

/* Choose status and shape. `unix_ms` is the time for Date. */
void http_object_reply_prepare(struct http_object_reply *a, const struct http_object_want *want,
                               const struct reply *reply, uint64_t unix_ms);
/* Appends a->bytes bytes. */
void http_object_reply_write(const struct http_object_reply *a, struct http_out *out);

/* ---- every other answer ------------------------------------------------------------------ */

/* In place of a body's length: it comes in pieces, by http_reply_chunk, and ends with an empty one. On
 * HTTP/1.0 it ends with the connection. */
#define HTTP_REPLY_STREAM SIZE_MAX

struct http_reply {
	int status;
	const char *content_type; /* NULL: "text/plain; charset=utf-8" */
	struct bytes body;
	const char *headers; /* further lines, each with its CRLF; NULL: none */
	bool head;           /* no body, but its length */
	bool stream;         /* no `body` yet: HTTP_REPLY_STREAM */
	bool keep_alive, http_1_0;
};

/* Appends the answer. With capacity 0 it only counts. */
void http_reply_write(const struct http_reply *a, uint64_t unix_ms, struct http_out *out);

/* One piece of a body that is streamed; empty: its end. */
void http_reply_chunk(bool http_1_0, struct bytes piece, struct http_out *out);

/* A refusal by http_object_request or http_object_admit. `r`: the request it refused. */
void http_reply_failure(const struct http_failure *why, const struct http_request *r,
                        uint64_t unix_ms, struct http_out *out);
/* A request that http_parse or http_chunks_decode called bad; it always closes the connection. */
void http_reply_bad(int status, const char *reason, uint64_t unix_ms, struct http_out *out);
/* The end of the status line: "404" is "Not Found". */
const char *http_reply_reason(int status);

#endif
