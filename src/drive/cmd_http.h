/* cmd_http.h - the command line's own HTTP client: one request, one connection, blocking. */
#ifndef DUNLIN_DRIVE_CMD_HTTP_H
#define DUNLIN_DRIVE_CMD_HTTP_H

#include "drive/buffer.h"
#include "dunlin/types.h"

struct cmd_http_request {
	const char *url;     /* http://host:port of a node */
	const char *method;  /* "GET" */
	const char *path;    /* with its query, escaped */
	const char *headers; /* further lines, each with CRLF; NULL: none */
	struct bytes body;
	bool has_body;
	unsigned timeout_ms; /* for all of it; 0: 65 s, more than the server waits for a quorum */
};

struct cmd_http_answer {
	int status;
	struct buffer all; /* head, then body */
	size_t head_len;
	struct bytes body;
};

/* True: there is an answer, whatever its status; free it. False: *why says what failed, one line. */
bool cmd_http(const struct cmd_http_request *request, struct cmd_http_answer *answer, char *why,
              size_t why_len);
void cmd_http_free(struct cmd_http_answer *answer);
/* A header field of the answer; false: there is none. */
bool cmd_http_field(const struct cmd_http_answer *answer, const char *name, struct bytes *value);
/* Append, percent-encoded. */
void cmd_http_escape(struct buffer *to, const char *text);

#endif
