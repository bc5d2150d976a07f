/* http_accept.h - what a client would like to be given (RFC 9110, section 12.5.1). */
#ifndef DUNLIN_WIRE_HTTP_ACCEPT_H
#define DUNLIN_WIRE_HTTP_ACCEPT_H

#include "dunlin/types.h"

enum http_accept_choice {
	HTTP_ACCEPT_NONE,
	HTTP_ACCEPT_TEXT,
	HTTP_ACCEPT_MULTIPART,
	HTTP_ACCEPT_JSON
};

/* How to show siblings. JSON if application/json is named first and multipart is not named; multipart if multipart is named, with q above 0 and not below that of
 * text/plain; else text if that is acceptable; else multipart if that is. An empty `accept` accepts
 * everything. */
enum http_accept_choice http_accept_siblings(struct bytes accept);

/* Is application/json named, and nothing that comes as text/html liked better? */
bool http_accept_prefers_json(struct bytes accept);

/* Is this content type (parameters and all) acceptable? */
bool http_accept_type(struct bytes accept, struct bytes content_type);

/* Type and subtype of a content type, without its parameters. */
struct bytes http_accept_media(struct bytes content_type);

#endif
