#!/bin/sh
# unplug.sh - one node is taken off the network, and put back where it was.
# Takes what run.sh takes.
exec "$(dirname "$0")/run.sh" --minutes 1 --faults unplug "$@"
