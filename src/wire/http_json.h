/* http_json.h - JSON texts written to an answer: strings, and names that may be any bytes. */
#ifndef DUNLIN_WIRE_HTTP_JSON_H
#define DUNLIN_WIRE_HTTP_JSON_H

#include "wire/http_out.h"

/* Is it UTF-8 (RFC 3629), and so fit for a JSON string? */
bool http_json_is_text(struct bytes text);
/* In quotes, escaped; http_json_is_text. At most 6 * len + 2 bytes. */
void http_json_string(struct http_out *o, struct bytes text);
/* In quotes: as it is, or percent-encoded when it is no text. */
void http_json_any(struct http_out *o, struct bytes bytes);

#endif
