#!/bin/sh
# pause.sh - a process stands still for half of the time, and short moments after that.
# Takes what run.sh takes.
exec "$(dirname "$0")/run.sh" --minutes 1 --faults pause "$@"
