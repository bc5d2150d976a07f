/* admin.h - what a node says of itself as JSON: /admin/status, layout, ring, compare and trace. */
#ifndef DUNLIN_DRIVE_ADMIN_H
#define DUNLIN_DRIVE_ADMIN_H

#include "drive/loop.h"
#include "wire/http_target.h"

/* Answer /admin/`what`. Returns the HTTP status; 404 and nothing appended: there is no such thing. */
int admin_answer(struct loop *l, struct bytes what, const struct http_target *t, struct buffer *to);
/* /admin/drain: how far it is. A POST (`change`) begins it, with cancel=true ends it. */
int admin_drain(struct loop *l, const struct http_target *t, bool change, struct buffer *to);
/* Read the parameters of /admin/compare into an event. 200: *ev is set, its prefix is in `prefix`
 * (FULL_KEY_BYTES_MAX). Else an answer was appended. */
int admin_compare_request(struct loop *l, const struct http_target *t, uint8_t *prefix,
                          struct event *ev, struct buffer *to);
int admin_compare(struct loop *l, const struct compare_result *result, struct buffer *to);

/* admin_trace.c: /admin/trace (which traces are kept) and /admin/trace/ID. */
int admin_trace(struct loop *l, const struct http_target *t, struct buffer *to);

#endif
