#!/bin/sh
# run.sh - build each seeded bug and show which check kills it.
#
#   tests/mutants/run.sh                 all mutants
#   tests/mutants/run.sh 5-of-40         a sample of 5, another one each day (SAMPLE=n chooses)
#   tests/mutants/run.sh NAME...         these
#
# A mutant is tests/mutants/NAME.patch: header lines, then a unified diff against this tree.
#
#   # what: a replica acknowledges before its store has answered
#   # kills: build/release/tests/unit/test_replica
#   # kills: build/release/dunlin-sim --seeds 40 --time 60s --faults crash,crashall
#   --- a/src/core/replica.c
#   +++ b/src/core/replica.c
#   ...
#
# Each `# kills:` line is a command that must fail on the mutant; the first that does, kills it.
# Without one, the simulator runs seeds until one fails. The tree is copied once, its objects with
# it, and each mutant builds there incrementally. Nothing outside the copy is touched. A patch that
# no longer applies, or no longer builds, is a failure of its own, not a kill.
#
# Last line: "mutants: K killed, S survived". Exit 0 only if every one was killed.
set -u

here=$(cd "$(dirname "$0")" && pwd)
tree=$(cd "$here/../.." && pwd)
jobs=${JOBS:-2}
seconds=${MUTANT_SECONDS:-180}
sim_default="build/release/dunlin-sim --seeds ${SEEDS:-160} --time 60s --stop --no-shrink"
work=$(mktemp -d "${TMPDIR:-/tmp}/dunlin-mutants.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# All patches, or the named ones, or n of them beginning at a place that moves.
choose() {
	case "${1:-}" in
	'') ls "$here"/*.patch 2>/dev/null ;;
	[0-9]*-of-[0-9]*)
		count=${1%%-of-*}
		ls "$here"/*.patch 2>/dev/null | awk -v n="$count" -v start="${SAMPLE:-$(date +%j)}" '
			{ all[NR] = $0 }
			END {
				if (n > NR) n = NR
				for (i = 0; i < n; i++) print all[(start * n + i) % NR + 1]
			}' ;;
	*) for name in "$@"; do echo "$here/${name%.patch}.patch"; done ;;
	esac
}

copy_tree() {
	mkdir -p "$work/tree"
	(cd "$tree" && tar cf - --exclude=.git --exclude=./build .) | (cd "$work/tree" && tar xf -)
	if [ -d "$tree/build/release" ]; then
		mkdir -p "$work/tree/build"
		cp -a "$tree/build/release" "$work/tree/build/"
	fi
}

# What the commands run is what has to be built.
targets_of() {
	printf '%s\n' "$1" | tr ' ' '\n' | grep '^build/' | sort -u
}

build() {
	# shellcheck disable=SC2086
	make -C "$work/tree" -j"$jobs" $1 >"$work/log" 2>&1
}

# Says "killed NAME by WHAT", "SURVIVED NAME", or why it could not be tried.
try() {
	patch_file=$1
	name=$(basename "$patch_file" .patch)
	commands=$(sed -n 's/^# kills: *//p' "$patch_file")
	[ -n "$commands" ] || commands=$sim_default
	if ! (cd "$work/tree" && patch -p1 -s -f --no-backup-if-mismatch) <"$patch_file" >"$work/log" 2>&1; then
		echo "SURVIVED $name: the patch does not apply"
		sed 's/^/    /' "$work/log" | head -5
		rm -rf "$work/tree"
		copy_tree
		return 1
	fi
	verdict=1
	if ! build "$(targets_of "$commands")"; then
		echo "SURVIVED $name: it does not build"
		sed 's/^/    /' "$work/log" | tail -5
	else
		printf '%s\n' "$commands" >"$work/commands"
		while IFS= read -r command; do
			(cd "$work/tree" && timeout "$seconds" sh -c "$command") >"$work/log" 2>&1 </dev/null
			if [ $? -ne 0 ]; then
				verdict=0
				echo "killed $name by $command"
				break
			fi
		done <"$work/commands"
		[ $verdict -eq 0 ] || echo "SURVIVED $name"
	fi
	# Backwards: the copy is as it was, and what make must build again is newer than its objects.
	(cd "$work/tree" && patch -p1 -s -R -f --no-backup-if-mismatch) <"$patch_file" >/dev/null 2>&1
	return $verdict
}

copy_tree
choose "$@" >"$work/list"
# A command that fails without any mutant kills nothing: show first that each one holds.
all=$(while IFS= read -r file; do
	sed -n 's/^# kills: *//p' "$file" 2>/dev/null
	grep -q '^# kills:' "$file" 2>/dev/null || echo "$sim_default"
done <"$work/list" | sort -u)
if [ -s "$work/list" ]; then
	if ! build "$(targets_of "$all")"; then
		sed 's/^/    /' "$work/log" | tail -20
		echo "mutants: the tree itself does not build"
		exit 2
	fi
	if [ "${BASELINE:-1}" = 1 ]; then
		printf '%s\n' "$all" >"$work/all"
		while IFS= read -r command; do
			if ! (cd "$work/tree" && timeout "$seconds" sh -c "$command") >"$work/log" 2>&1 </dev/null; then
				tail -5 "$work/log" | sed 's/^/    /'
				echo "mutants: without any mutant this fails already: $command"
				exit 2
			fi
		done <"$work/all"
	fi
fi
killed=0
survived=0
while IFS= read -r file; do
	if try "$file"; then killed=$((killed + 1)); else survived=$((survived + 1)); fi
done <"$work/list"
echo "mutants: $killed killed, $survived survived"
[ "$survived" -eq 0 ]
