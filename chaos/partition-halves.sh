#!/bin/sh
# partition-halves.sh - two halves that do not hear each other.
# Takes what run.sh takes.
exec "$(dirname "$0")/run.sh" --minutes 1 --faults partition-halves "$@"
