#!/bin/sh
# rolling-restart.sh - each node in turn is stopped by SIGTERM and started again.
# Takes what run.sh takes.
exec "$(dirname "$0")/run.sh" --minutes 1 --faults rolling-restart "$@"
