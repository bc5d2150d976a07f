/* http_out.h - where answers are written: counts everything, writes what fits. Run a writer with
 * capacity 0 to learn the length, then again with that much room. */
#ifndef DUNLIN_WIRE_HTTP_OUT_H
#define DUNLIN_WIRE_HTTP_OUT_H

#include "dunlin/types.h"

struct http_out {
	uint8_t *data;
	size_t capacity, len;
};

void http_out_bytes(struct http_out *o, struct bytes b);
void http_out_string(struct http_out *o, const char *s);
void http_out_uint(struct http_out *o, uint64_t v);
/* RFC 9110 date: "Sun, 06 Nov 1994 08:49:37 GMT". */
void http_out_date(struct http_out *o, uint64_t unix_s);
/* Percent-encoded but for RFC 3986 "unreserved" bytes; a space is %20. */
void http_out_escaped(struct http_out *o, struct bytes b);
/* Standard alphabet, padded. */
void http_out_base64(struct http_out *o, struct bytes b);

#endif
