#!/bin/sh
# kill-minority.sh - kill -9 of as many nodes as leave a majority.
# Takes what run.sh takes.
exec "$(dirname "$0")/run.sh" --minutes 1 --faults kill-minority "$@"
