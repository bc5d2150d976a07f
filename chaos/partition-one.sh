#!/bin/sh
# partition-one.sh - one node is cut off from all others.
# Takes what run.sh takes.
exec "$(dirname "$0")/run.sh" --minutes 1 --faults partition-one "$@"
