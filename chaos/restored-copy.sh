#!/bin/sh
# restored-copy.sh - a node comes back with an old copy of its disk.
# Takes what run.sh takes.
exec "$(dirname "$0")/run.sh" --minutes 1 --faults restored-copy "$@"
