/* http_options.h - the query parameters of an object request, as request options. */
#ifndef DUNLIN_WIRE_HTTP_OPTIONS_H
#define DUNLIN_WIRE_HTTP_OPTIONS_H

#include "dunlin/request.h"
#include "wire/http_failure.h"
#include "wire/http_target.h"

/* Judged in this order: timeout, the quorum values, the booleans, sync_on_write (of a
 * PUT), consistency. False: `why` is set. */
bool http_options_read(const struct http_request *r, const struct http_target *t,
                       enum request_op op, struct request_options *out, struct http_failure *why);

#endif
