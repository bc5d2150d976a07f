/* http_reply_parts.h - pieces of answers that http_reply.c and http_reply_object.c share. */
#ifndef DUNLIN_WIRE_HTTP_REPLY_PARTS_H
#define DUNLIN_WIRE_HTTP_REPLY_PARTS_H

#include "base/bytes.h"
#include "wire/http_reply.h"

#define HTTP_REPLY_TEXT BYTES("text/plain; charset=utf-8")

struct http_reply_head {
	int status;
	struct bytes content_type;
	size_t
		body_bytes; /* HTTP_REPLY_STREAM: not known; chunked, or up to the end of the connection */
	bool keep_alive, http_1_0;
	uint64_t unix_ms;
};

/* Status line, and what every answer has. The caller goes on with its own fields. */
void http_reply_head(struct http_out *out, const struct http_reply_head *head);
/* One field line. */
void http_reply_field(struct http_out *out, const char *name, struct bytes value);

#endif
