#!/bin/sh
# partition-bridge.sh - two halves, and one node that hears both.
# Takes what run.sh takes.
exec "$(dirname "$0")/run.sh" --minutes 1 --faults partition-bridge "$@"
