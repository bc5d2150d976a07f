#!/bin/sh
# run.sh SECONDS - each fuzzer of build/fuzz/fuzz for that long, on a copy of its corpus, which grows in
# build/fuzz/corpus. Last line: N passed, N failed. A failing input is left in build/fuzz/found: make it a
# test, then put it into tests/fuzz/corpus.
cd "$(dirname "$0")/../.." || exit 2
seconds=${1:-10}
passed=0 failed=0
mkdir -p build/fuzz/found build/logs
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
		grep -E 'ERROR|assert|SUMMARY|fatal' "$log" | head -5
	fi
	echo "$name: $(awk '/stat::number_of_executed_units/ { print $2 }' "$log") executions," \
		"$(grep -oE 'cov: [0-9]+' "$log" | tail -1)"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
