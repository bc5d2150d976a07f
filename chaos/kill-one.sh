#!/bin/sh
# kill-one.sh - kill -9 of one node, which stays away for the time.
# Takes what run.sh takes.
exec "$(dirname "$0")/run.sh" --minutes 1 --faults kill-one "$@"
