/* http_fields.h - the header fields of a write that are stored with its value. */
#ifndef DUNLIN_WIRE_HTTP_FIELDS_H
#define DUNLIN_WIRE_HTTP_FIELDS_H

#include "wire/http_failure.h"
#include "wire/http_target.h"

/* Content-Type, Content-Encoding, Link and X-Riak-Meta-* as meta.h packs them. False: `why` is set
 * (400 for a bad Link and for any X-Riak-Index-*, 431 for more than META_BYTES_MAX). */
bool http_fields_pack(const struct http_request *r, const struct http_target *t,
                      struct http_scratch *scratch, struct bytes *meta, struct http_failure *why);

/* All fields of that name as one: values joined with ", ". Empty if there is none. */
struct bytes http_fields_join(const struct http_request *r, enum http_name id,
                              struct http_scratch *scratch);

#endif
