/* server.h - one node as a process: open, boot, run, stop. */
#ifndef DUNLIN_DRIVE_SERVER_H
#define DUNLIN_DRIVE_SERVER_H

#include "drive/config.h"

/* Serve until SIGTERM or SIGINT. Returns the exit code: 0 after a clean stop, 1 when it could not start
 * or the store failed (logged), 2 when the configuration was wrong (said on stderr). */
int server_run(const struct config *config);

#endif
