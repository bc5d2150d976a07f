#!/bin/sh
# run.sh - run the checks and count them.
#
#   tests/run.sh          what CI runs: everything, seeds and mutants and fuzzing sampled
#   tests/run.sh long     the same with all seeds, all mutants, long fuzzing (LONG_SEEDS=3000 of them,
#                         LONG_FUZZ=600 s for each decoder), and chaos on mutants
#   tests/run.sh asan     the compiled tests and some seeds under that sanitizer (also: tsan)
#   tests/run.sh quick    the compiled tests alone
#
# Each check writes build/logs/NAME.log. A check counts as many tests as it says it ran (cmocka's
# summary, or a last line "N passed, N failed"), else as one. One that ran nothing has failed.
set -u
cd "$(dirname "$0")/.."
mode=${1:-ci}
logs=build/logs
mkdir -p $logs
passed=0 failed=0 failures=

# How many tests a log says passed and failed.
count() {
	awk '/^\[  PASSED  \] [0-9]+ test/ { p += $4; seen = 1 }
	     /^\[  FAILED  \] [0-9]+ test/ { f += $4; seen = 1 }
	     /^[0-9]+ passed, [0-9]+ failed/ { p += $1; f += $3; s += $5; seen = 1 }
	     END { if (seen) print p + 0, f + 0, s + 0; else print "none" }' "$1"
}

check() {
	name=$1
	shift
	log=$logs/$(echo "$name" | tr '/ ' '--').log
	start=$(date +%s)
	"$@" >"$log" 2>&1
	code=$?
	took=$(($(date +%s) - start))
	set -- $(count "$log")
	if [ "$1" = none ]; then
		[ $code = 0 ] && set -- 1 0 || set -- 0 1
	elif [ $code != 0 ] && [ "$2" = 0 ]; then
		set -- "$1" 1
	elif [ "$1" = 0 ] && [ "$2" = 0 ] && [ "${3:-0}" = 0 ]; then
		set -- 0 1
		echo "no test ran" >>"$log"
	fi
	passed=$((passed + $1)) failed=$((failed + $2))
	if [ "$2" = 0 ]; then
		echo "ok      $name  ($1 passed, ${took}s)$(grep -h '^skipped' "$log" | sed 's/^/\n        /')"
	else
		echo "FAILED  $name  ($1 passed, $2 failed, ${took}s): see $log"
		grep -hE 'FAILED|not ok|error|Error|ERROR|assert|SURVIVED|sim:' "$log" | head -20 | sed 's/^/        /'
		tail -n 8 "$log" | sed 's/^/        | /'
		failures="$failures $name"
	fi
}

compiled() {
	for t in build/"$1"/tests/*/test_*; do
		[ -x "$t" ] && check "$1/$(basename "$t")" "$t"
	done
}

build() {
	check "build/$1" make --no-print-directory -j2 VARIANT="$1" "$2"
	case $failures in *"build/$1") finish ;; esac
}

finish() {
	echo
	[ -z "$failures" ] || echo "failed:$failures"
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ]
	exit
}

sanitized() {
	if [ "$1" = tsan ]; then
		threads
		return
	fi
	compiled "$1"
	check "$1/sim" build/"$1"/dunlin-sim --seeds "$2" --first 1000 --time 60s --jobs 2
}

# What has threads: the storer, and the whole server under requests. Reports of the server go to files.
threads() {
	for t in storer record_cache store_damage store_rebuild; do
		for b in build/tsan/tests/*/test_$t; do check "tsan/test_$t" env \
			TSAN_OPTIONS="suppressions=$PWD/tests/tidy/tsan.supp" "$b"; done
	done
	rm -f build/logs/tsan-report.*
	check tsan/server env DUNLIN=build/tsan/dunlin \
		TSAN_OPTIONS="suppressions=$PWD/tests/tidy/tsan.supp log_path=$PWD/build/logs/tsan-report" python3 tests/wire/test_objects.py
	check tsan/no-reports sh -c 'cat build/logs/tsan-report.* 2>/dev/null; ! ls build/logs/tsan-report.* >/dev/null 2>&1'
}

case $mode in
asan) sanitized asan 20; finish ;;
tsan) sanitized tsan 0; finish ;;
quick) build release tests; compiled release; finish ;;
long) seeds=${LONG_SEEDS:-3000} fuzz=${LONG_FUZZ:-600} sample= sanitized_seeds=200 lab=full ;;
ci) seeds=300 fuzz=8 sample=4-of-99 sanitized_seeds=16 lab= ;;
*) echo "run.sh: ci, long, asan, tsan or quick" >&2; exit 2 ;;
esac

build release tests
check walls sh tests/tidy/walls.sh
check walls-can-fail sh tests/tidy/test_walls.sh
compiled release
for t in tests/wire/test_*.py; do
	check "wire/$(basename "$t")" python3 "$t"
done
for t in tests/docs/test_*.py; do
	check "docs/$(basename "$t")" python3 "$t"
done
check lab python3 tests/lab/test_lab.py $lab
check chaos sh tests/chaos/short.sh
check docker/metrics python3 tests/docker/test_metrics.py
check docker/chaos sh tests/chaos/docker.sh
check docker/compose python3 tests/docker/test_compose.py
check sim build/release/dunlin-sim --seeds $seeds --time 60s --jobs 2
check sim/once-failed sh tests/sim/seeds.sh
check sim/parts sh tests/sim/parts.sh
# Without the faults that can lose a hint, hints alone must reach a majority of the primaries.
check sim/hints-deliver build/release/dunlin-sim --seeds $((seeds / 4)) --time 60s --jobs 2 \
	--faults delay,loss,dup,reorder,partition,partial,oneway,slowlink,flap,pause,skew,jump,drift,stop,slowdisk,readerr,noroom,drain
check sim/three-nodes build/release/dunlin-sim --seeds $((seeds / 4)) --nodes 3 --time 60s --jobs 2
check sim/same-seed-same-run build/release/dunlin-sim --seed 7 --time 60s --twice
build asan tests
sanitized asan $sanitized_seeds
build tsan threads
sanitized tsan 0
check tidy sh tests/tidy/tidy.sh
check fuzz make --no-print-directory fuzz FUZZ_SECONDS=$fuzz
[ $mode = ci ] || check chaos/mutants sh chaos/test_mutants.sh
check mutants make --no-print-directory mutants SAMPLE="$sample"
finish
