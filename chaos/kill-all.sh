#!/bin/sh
# kill-all.sh - kill -9 of all nodes at once, started again at once; twice.
# Takes what run.sh takes.
exec "$(dirname "$0")/run.sh" --minutes 1 --faults kill-all "$@"
