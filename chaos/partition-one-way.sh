#!/bin/sh
# partition-one-way.sh - one node is heard by the others and does not hear them.
# Takes what run.sh takes.
exec "$(dirname "$0")/run.sh" --minutes 1 --faults partition-one-way "$@"
