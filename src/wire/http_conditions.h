/* http_conditions.h - If-Match and its kin (RFC 9110, section 13.1), and X-Riak-If-Not-Modified.
 *
 * An ETag that is none of ours matches nothing; quotes are not insisted on, and a weak tag is taken for
 * a strong one. A date that is none is passed over, as the RFC asks. */
#ifndef DUNLIN_WIRE_HTTP_CONDITIONS_H
#define DUNLIN_WIRE_HTTP_CONDITIONS_H

#include "dunlin/request.h"
#include "wire/http.h"
#include "wire/http_failure.h"
#include "wire/http_scratch.h"

/* What a request asks of the object; views are in the scratch. False: `why` is set (400). */
bool http_conditions_read(const struct http_request *r, struct http_scratch *scratch,
                          struct conditions *out, struct http_failure *why);
/* If-Modified-Since, unless If-None-Match is there too. */
bool http_conditions_modified(const struct http_request *r, uint64_t *unix_s);
/* One of the three forms of a date (RFC 9110, section 5.6.7). */
bool http_date_read(struct bytes text, uint64_t *unix_s);

#endif
