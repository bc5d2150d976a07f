#!/bin/sh
# short.sh - the part of chaos that CI runs, in two to three minutes: the checker on histories that it must
# refuse; a run with some faults of each kind; one that is interrupted and one that is killed. Nothing may
# be left behind by any.
#
#   tests/chaos/short.sh [SEED]      the seed moves by the day otherwise
#
# Last line: "N passed, N failed". Lines "skipped: ..." say what was not possible, and why.
set -u
cd "$(dirname "$0")/../.." || exit 1
[ -n "${CHAOS_BUILD:-}" ] || make -s --no-print-directory -j2 chaos || exit 1
seed=${1:-$(date +%j)}
work=$(mktemp -d "${TMPDIR:-/tmp}/dunlin-chaos-short.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
passed=0 failed=0

check() {
	if [ "$1" = 0 ]; then
		echo "ok $2"
		passed=$((passed + 1))
	else
		echo "not ok $2"
		failed=$((failed + 1))
	fi
}

# What a run could leave behind: processes that know its directory, namespaces, mounts, loop devices.
traces() {
	for p in /proc/[0-9]*; do
		cat "$p/cmdline" 2>/dev/null | tr '\0' ' ' | grep -q "$work/run" && echo "process ${p#/proc/}"
	done
	ip netns list 2>/dev/null | grep -E '^(n[0-9]+|clients)\b'
	ip link show br0 2>/dev/null | grep -q 'to-n' && echo 'a bridge'
	grep "$work" /proc/mounts
	losetup -a | grep "$work"
}

nothing_left() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		left=$(traces)
		[ -z "$left" ] && break
		sleep 0.5
	done
	[ -z "$left" ] || echo "$left"
	[ -z "$left" ]
	check $? "$1 leaves nothing behind"
}

python3 tests/chaos/test_check.py >"$work/log"
grep -v '^ok' "$work/log" | grep -v passed
set -- $(awk '/passed,/ { print $1, $3 }' "$work/log")
passed=$((passed + ${1:-0})) failed=$((failed + ${2:-1}))

python3 chaos/chaos.py --seed "$seed" --minutes 1.1 --dir "$work/run" \
	--faults kill-one,kill-all,pause,partition-halves,partition-one-way,delay,disk-full >"$work/log" 2>&1
code=$?
grep '^skipped: ' "$work/log"
if [ $code != 77 ]; then
	check $code "seven kinds of fault break no promise: $(tail -1 "$work/log")"
	if [ $code != 0 ]; then
		tail -60 "$work/log"
		mkdir -p build/chaos && rm -rf build/chaos/short && mv "$work/run" build/chaos/short
	fi
	nothing_left "a whole run"
	rm -rf "$work/run"

	for how in INT KILL; do
		python3 chaos/chaos.py --minutes 5 --dir "$work/run" --faults disk-full,reorder >"$work/log" 2>&1 &
		pid=$!
		sleep 8
		# A shell starts what is in the background with SIGINT ignored; TERM is taken the same way.
		[ $how = INT ] && kill -TERM $pid || kill -KILL $pid
		wait $pid 2>/dev/null
		code=$?
		if [ $how = INT ]; then
			[ $code = 130 ]
			check $? "an interrupted run says so"
		fi
		nothing_left "a run ended by $how"
		rm -rf "$work/run"
	done
fi
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
