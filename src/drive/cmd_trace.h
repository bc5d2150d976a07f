/* cmd_trace.h - `--trace` of put, get and del: how the request went, told by the nodes that took part. */
#ifndef DUNLIN_DRIVE_CMD_TRACE_H
#define DUNLIN_DRIVE_CMD_TRACE_H

#include <jansson.h>

#include "drive/cmd.h"
#include "drive/cmd_http.h"

#define CMD_OPTION_TRACE                                                                           \
	{                                                                                              \
		"trace", NULL, "say who was asked, who answered what and when, and what was repaired"      \
	}

/* What the nodes tell of the request that was answered so: an array, its own node first, then the
 * one that it was forwarded to. Waits, CLI_TRACE_WAIT_MS at most, until the request is over. NULL:
 * *why says why there is none. */
json_t *cmd_trace_fetch(const struct cmd *cmd, const struct cmd_args *args,
                        const struct cmd_http_answer *answer, char *why, size_t why_len);
/* The same as tables on stderr. */
void cmd_trace_print(const struct cmd *cmd, const struct cmd_args *args,
                     const struct cmd_http_answer *answer);

#endif
