#!/bin/sh
# parts.sh - dunlin-sim by its command line: parts of a run can be left out, what was chosen and did not happen
# is said, and a failure is shrunk to a run that its command line gives again. Last line: N passed, N failed.
#
# The failure is no bug: --forbid siblings takes two values at once for one.
cd "$(dirname "$0")/../.." || exit 2
sim=${SIM:-build/release/dunlin-sim}
log=build/logs/sim-parts
mkdir -p build/logs
passed=0 failed=0

holds() {
	name=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
	else
		echo "FAILED: $name"
		failed=$((failed + 1))
	fi
}

run() {
	$sim "$@" >"$log" 2>&1
}

says() {
	grep -q -- "$1" "$log"
}

says_not() {
	! grep -q -- "$1" "$log"
}

# What never happened is said, and nothing else is.
run --nodes 1 --time 10s --faults partition,crash
holds 'one node cannot be parted from others, and that is said' says 'the fault partition was chosen and never fired'
holds 'what fired is not said to have not' says_not 'the fault crash was'
run --seeds 40 --time 60s --jobs 2 --no-shrink
holds 'some of forty seeds meet each fault' says_not 'never fired'
holds 'and they hold' says '40 seeds, 0 failed'

# Left out is left out.
run --seed 5 --time 20s --faults crash,pause --strikes pause
holds 'strikes of a kind can be left out' says_not 'crash='
holds 'and those of another stay' says 'pause='
run --seed 5 --time 20s --faults none --turns none --counters 0
holds 'without turns nobody writes' says 'writes=0'
holds 'without those who count nobody counts' says 'increments=0'
for bad in '--strikes crash.64' '--strikes crush' '--turns 7-' '--keys 24' '--until 0' '--counters 6' '--forbid joy'; do
	# shellcheck disable=SC2086
	run $bad
	holds "$bad makes no sense" [ $? = 2 ]
done

# A failure is shrunk, always to the same run, and that run fails in the same way.
run --seed 7 --time 60s --forbid siblings
holds 'a failure is told' says 'FAILED seed=7 promise=siblings'
smallest=$(sed -n 's/^sim: smallest found: dunlin-sim //p' "$log")
turns=$(echo "$smallest" | sed -n 's/.*--turns \([0-9,-]*\).*/\1/p' | tr ',' '\n' |
	awk -F- '{ n += NF == 2 ? $2 - $1 + 1 : 1 } END { print n + 0 }')
holds 'it is shrunk to no fault at all' sh -c "echo '$smallest' | grep -q -- '--faults none'"
holds "and to a few turns: $turns" [ "$turns" -ge 1 -a "$turns" -le 4 ]
holds 'the trace of it is told' says 'answers client'
mv "$log" "$log-first"
run --seed 7 --time 60s --forbid siblings
sed 's/virtual=.*steps/steps/' "$log-first" >"$log-1"
sed 's/virtual=.*steps/steps/' "$log" >"$log-2"
holds 'twice the same' cmp -s "$log-1" "$log-2"
# shellcheck disable=SC2086
run $smallest --no-shrink
holds 'the smallest run fails as it was said' says 'FAILED seed=7 promise=siblings'

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
