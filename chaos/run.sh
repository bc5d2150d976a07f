#!/bin/sh
# run.sh - all faults, one after another in an order that the seed decides; see README.md.
#
#   chaos/run.sh [--seed 1] [--minutes 5] [--nodes 5] [--clients 16] [--faults NAME,...] [--dir D] [--keep]
#   chaos/run.sh --docker [--image NAME] ...       the nodes are containers, of the image of docker/Dockerfile
#
# Last line: "verdict: PASS ..." or "verdict: FAIL ...". Exit 0 only for PASS; 77: not possible here.
cd "$(dirname "$0")/.." || exit 1
[ -n "${CHAOS_BUILD:-}" ] || make -s --no-print-directory -j2 chaos || exit 1
exec python3 chaos/chaos.py "$@"
