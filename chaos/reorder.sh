#!/bin/sh
# reorder.sh - each packet between nodes takes a random time up to 30 ms, so many overtake others.
# Takes what run.sh takes.
exec "$(dirname "$0")/run.sh" --minutes 1 --faults reorder "$@"
