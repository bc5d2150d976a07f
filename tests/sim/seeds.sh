#!/bin/sh
# seeds.sh - run the seeds of seeds.txt. Last line: N passed, N failed.
cd "$(dirname "$0")/../.." || exit 2
mkdir -p build/logs
sed 's/#.*//' tests/sim/seeds.txt | {
	passed=0 failed=0
	while read -r seed options; do
		[ -n "$seed" ] || continue
		# shellcheck disable=SC2086
		if build/release/dunlin-sim --seed "$seed" $options --no-shrink >build/logs/seed.log 2>&1; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
			grep FAILED build/logs/seed.log
		fi
	done
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}
