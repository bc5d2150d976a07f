#!/bin/sh
# delay.sh - each packet between nodes takes 100 to 110 ms.
# Takes what run.sh takes.
exec "$(dirname "$0")/run.sh" --minutes 1 --faults delay "$@"
