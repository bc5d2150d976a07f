#!/bin/sh
# partition-rotating.sh - another random split every two seconds.
# Takes what run.sh takes.
exec "$(dirname "$0")/run.sh" --minutes 1 --faults partition-rotating "$@"
