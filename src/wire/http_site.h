/* http_site.h - does a write come from a page of another site?
 *
 * A browser sends along whatever a page of any site tells it to, and says in Origin (RFC 6454, section
 * 7) and Referer (RFC 9110, section 10.1.3) where that page is from. What is no browser sends neither. */
#ifndef DUNLIN_WIRE_HTTP_SITE_H
#define DUNLIN_WIRE_HTTP_SITE_H

#include "wire/http.h"

/* True of reads, of requests without those fields, and where both name the host of the request over http,
 * at any port. */
bool http_site_is_same(const struct http_request *r);

#endif
