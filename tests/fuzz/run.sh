#!/bin/sh
# run.sh SECONDS - each fuzzer of build/fuzz/fuzz for that long, on a copy of its corpus, which grows in
# build/fuzz/corpus. At the end a line each: executions, edges reached of those that there are in the whole
# binary, features (edges with how often), and inputs kept. Last line: N passed, N failed. A failing input is
# left in build/fuzz/found: make it a test, then put it into tests/fuzz/corpus.
cd "$(dirname "$0")/../.." || exit 2
seconds=${1:-10}
passed=0 failed=0
table=build/logs/fuzz-table
mkdir -p build/fuzz/found build/logs
: >$table

# What libFuzzer's log says, as a row of the table.
row() {
	awk -v name="$1" '
	function after(word,   i) { for (i = 1; i < NF; i++) if ($i == word) return $(i + 1); return "" }
	/INFO: Loaded .* inline 8-bit counters/ { if (match($0, /\([0-9]+ inline/)) all = substr($0, RSTART + 1, RLENGTH - 8) }
	/ cov: / { edges = after("cov:"); features = after("ft:"); split(after("corp:"), kept, "/") }
	/stat::number_of_executed_units/ { executions = $2 }
	END { printf "%-14s %10d executions %6d of %d edges %7d features %6d inputs\n", name, executions, edges, all, features, kept[1] }
	' "$2"
}

for fuzzer in build/fuzz/fuzz/fuzz_*; do
	name=$(basename "$fuzzer")
	case $name in *.*) continue ;; esac
	[ -x "$fuzzer" ] || continue
	corpus=build/fuzz/corpus/$name
	mkdir -p "$corpus"
	given=tests/fuzz/corpus/${name#fuzz_}
	[ -d "$given" ] || given=
	log=build/logs/$name.log
	# shellcheck disable=SC2086
	if "$fuzzer" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=70000 \
		-artifact_prefix=build/fuzz/found/"$name"- -print_final_stats=1 "$corpus" $given >"$log" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "$name: failed: $log"
		grep -E 'ERROR|assert|SUMMARY|fatal' "$log" | head -5
	fi
	row "$name" "$log" >>$table
done
cat $table
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
