#!/bin/sh
# replaced-node.sh - a node is replaced by an empty one.
# Takes what run.sh takes.
exec "$(dirname "$0")/run.sh" --minutes 1 --faults replaced-node "$@"
