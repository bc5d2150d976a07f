/* http_md5.h - Content-MD5: did the body arrive as it was sent? */
#ifndef DUNLIN_WIRE_HTTP_MD5_H
#define DUNLIN_WIRE_HTTP_MD5_H

#include "wire/http.h"
#include "wire/http_failure.h"

/* `body` whole. True also if the request has no such field. False: `why` is set (400). */
bool http_md5_check(const struct http_request *r, struct bytes body, struct http_failure *why);

#endif
