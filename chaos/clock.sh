#!/bin/sh
# clock.sh - wall clocks are apart by seconds, and jump; one is a minute off.
# Takes what run.sh takes.
exec "$(dirname "$0")/run.sh" --minutes 1 --faults clock "$@"
