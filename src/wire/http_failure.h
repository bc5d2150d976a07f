/* http_failure.h - why a request was refused before the core saw it. */
#ifndef DUNLIN_WIRE_HTTP_FAILURE_H
#define DUNLIN_WIRE_HTTP_FAILURE_H

#include "dunlin/types.h"

/* http_reply_failure() renders it. */
struct http_failure {
	int status;
	bool write;        /* it would have stored something: the answer says that nothing was */
	const char *allow; /* of 405: the value of Allow; else NULL */
	char text[256];    /* one line, with its LF; ends with NUL */
};

/* Set status and text, and return false, so that a check can end with it. `format` has no LF. */
bool http_failure_set(struct http_failure *why, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
