#!/bin/sh
# disk-readonly.sh - the file system of one node meets an error and becomes read-only.
# Takes what run.sh takes.
exec "$(dirname "$0")/run.sh" --minutes 1 --faults disk-readonly "$@"
