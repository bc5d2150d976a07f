#!/bin/sh
# loss.sh - a tenth of all packets between nodes is lost.
# Takes what run.sh takes.
exec "$(dirname "$0")/run.sh" --minutes 1 --faults loss "$@"
