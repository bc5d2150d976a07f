#!/bin/sh
# new-address.sh - nodes come back to the network at other addresses; wants --docker.
# Takes what run.sh takes.
exec "$(dirname "$0")/run.sh" --minutes 1 --faults new-address "$@"
