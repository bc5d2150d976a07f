#!/bin/sh
# test_mutants.sh - does a chaos run see it when the server is wrong? Builds seeded bugs of tests/mutants
# in a copy of the tree, and expects a red verdict for each, and for the right promise.
#
#   chaos/test_mutants.sh [--docker] [MUTANT...]       three of them, or those named
#
# With --docker the nodes are containers of an image that is built of the mutant, and removed again.
# A run of half a minute sees fallback-counts-as-primary only every other time; the others so far always.
# Last line: "N passed, N failed". Skips, and says why, where a run is not possible.
set -u
cd "$(dirname "$0")/.." || exit 1

# mutant                         faults                        what must be found broken
table='
merge-by-clock                   kill-one                      P2
answer-covers-unseen             kill-one                      P2
none-after-mint                  kill-one,partition-rotating   P7
fallback-counts-as-primary       partition-halves              P5
merge-keeps-what-was-seen        kill-one                      P3|P2
'
docker=
if [ "${1:-}" = --docker ]; then
	docker=dunlin:chaos-mutant-$$
	shift
fi
chosen=${*:-merge-by-clock none-after-mint merge-keeps-what-was-seen}

work=$(mktemp -d "${TMPDIR:-/tmp}/dunlin-chaos-mutants.XXXXXX")
trap '[ ! -s "$work/log" ] || forget_image; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mkdir "$work/tree"
tar cf - --exclude=./.git --exclude=./build . | (cd "$work/tree" && tar xf -)
if [ -d build/release ]; then
	mkdir "$work/tree/build"
	cp -a build/release "$work/tree/build/"
fi

build() {
	make -s -C "$work/tree" -j2 chaos >"$work/log" 2>&1 && image >>"$work/log" 2>&1 && return
	tail -5 "$work/log"
	return 1
}

image() {
	[ -n "$docker" ] || return 0
	docker image inspect debian:bookworm-slim >/dev/null 2>&1 || docker/base-image.sh || return 1
	docker build --force-rm -t "$docker" -f "$work/tree/docker/Dockerfile" "$work/tree"
}

# The image, and the stage that it was built in, which is nobody's cache.
forget_image() {
	[ -n "$docker" ] || return 0
	stage=$(awk '/^ ---> / { id = $2 } /^Step .* : FROM / && n++ { print id }' "$work/log")
	docker rmi "$docker" $stage >/dev/null 2>&1
}

# Exit 0: the mutant was seen.
try() {
	faults=$(echo "$table" | awk -v n="$1" '$1 == n { print $2 }')
	promise=$(echo "$table" | awk -v n="$1" '$1 == n { print $3 }')
	[ -n "$promise" ] || { echo "no such mutant here: $1"; return 1; }
	patch=tests/mutants/$1.patch
	(cd "$work/tree" && patch -p1 -s -f --no-backup-if-mismatch) <"$patch" || return 1
	verdict=
	if build; then
		verdict=$(CHAOS_BUILD="$work/tree/build/release" python3 chaos/chaos.py --seed "${SEED:-1}" \
			--minutes "${MINUTES:-0.4}" --faults "$faults" --dir "$work/run" \
			${docker:+--docker --image "$docker"} 2>&1 | tail -1)
	fi
	forget_image
	(cd "$work/tree" && patch -p1 -s -R -f --no-backup-if-mismatch) <"$patch"
	rm -rf "$work/run"
	echo "$verdict"
	case $verdict in 'skipped: '*) exit 0 ;; esac
	echo "$verdict" | grep -Eq "^verdict: FAIL .* broken=.*($promise)"
}

passed=0 failed=0
for mutant in $chosen; do
	if try "$mutant"; then
		echo "ok $mutant is seen"
		passed=$((passed + 1))
	else
		echo "not ok $mutant is not seen"
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
