#!/bin/sh
# disk-full.sh - the disk of one node is full.
# Takes what run.sh takes.
exec "$(dirname "$0")/run.sh" --minutes 1 --faults disk-full "$@"
