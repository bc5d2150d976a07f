#!/bin/sh
# tidy.sh - the linters: clang-format, clang-tidy, cppcheck. Prints each finding once; red if any.
#
#   sh tests/tidy/tidy.sh [format | clang-tidy | cppcheck]...      all three if none is named
#
# Which checks are on, and why others are off: .clang-tidy, and the two lists below. One finding is
# silenced where it stands, with its reason: // NOLINT(check): why  or  // cppcheck-suppress id ; why

set -u
cd "$(dirname "$0")/../.." || exit 2
LC_ALL=C
export LC_ALL

flags='-std=c11 -D_GNU_SOURCE -Iinclude -Isrc -I. -Itests/unit'
out=build/tidy
failed=0
mkdir -p "$out"

sources()
{
	find "$@" -type f | sort
}

# verdict TOOL LOG FILES: red if the log names anything, or if nothing was looked at.
verdict()
{
	if [ "$3" = 0 ]; then
		echo "tidy: $1: found no files"
		failed=1
	elif [ -s "$2" ]; then
		cat "$2"
		echo "tidy: $1: $(wc -l <"$2") findings in $3 files"
		failed=1
	else
		echo "tidy: $1: $3 files"
	fi
}

run_format()
{
	sources src ring include tests -name '*.[ch]' >"$out/files"
	xargs -P2 -n8 clang-format --dry-run -Werror <"$out/files" >"$out/format.full" 2>&1
	status=$?
	sed -n 's/:[0-9]*:[0-9]*: error: code should be clang-formatted.*/: not in the house format/p' \
		"$out/format.full" | sed "s|^$PWD/||" | sort -u >"$out/format"
	[ $status = 0 ] || [ -s "$out/format" ] || tail -5 "$out/format.full" >"$out/format"
	verdict format "$out/format" "$(wc -l <"$out/files")"
}

# In tests less is asked; a wrong test mostly shows itself, and what stays on is what hides a failure.
#   clang-analyzer-*  the tests run under the sanitizers, which see what the analyzer guesses
#   bugprone-*        but for values used after their end, loops without one, and suspicious calls;
#                     suspicious-include: a test of private functions includes the .c file
#   cert-*            is about programs that meet strangers
#   misc-*, performance-*, readability-*   a story may be long, slow, and say the same twice
tests_less='-clang-analyzer-*,-bugprone-*,bugprone-use*,bugprone-infinite-loop,bugprone-suspicious*'
tests_less=$tests_less',-bugprone-suspicious-include,-cert-*,-misc-*,-performance-*,-readability-*'

# One line per finding; a header's is seen from many files, and counts once. A tool that cannot read
# a file says "error", which is a finding as well.
run_clang_tidy()
{
	sources src ring -name '*.c' >"$out/files"
	sources tests -name '*.c' >"$out/test-files"
	{
		xargs -P2 -I{} clang-tidy --quiet {} -- $flags <"$out/files" &&
			xargs -P2 -I{} clang-tidy --quiet --checks="$tests_less" {} -- $flags <"$out/test-files"
	} >"$out/clang-tidy.full" 2>"$out/clang-tidy.err"
	status=$?
	grep -E '^[^ ]+:[0-9]+:[0-9]+: (warning|error): ' "$out/clang-tidy.full" |
		sed "s|^$PWD/||" | sort -u >"$out/clang-tidy"
	[ $status = 0 ] || [ -s "$out/clang-tidy" ] || tail -5 "$out/clang-tidy.err" >"$out/clang-tidy"
	verdict clang-tidy "$out/clang-tidy" "$(cat "$out/files" "$out/test-files" | wc -l)"
}

# Off, with the reason:
#   missingIncludeSystem  it has its own idea of the C library
#   variableScope         a declaration at the top of its block is the house style where it reads well
#   unusedStructMember    it does not see designated initialisers and layouts of records
#   knownConditionTrueFalse, badBitmaskCheck  do not follow a value through a call or a bound loop
#   unreadVariable        does not see a struct that is read as a whole
#   constParameter        does not follow a pointer that is handed on
#   unknownMacro          of json_array_foreach and cmocka's
# tests/ are left out: cppcheck cannot expand cmocka's assertions, and guesses.
run_cppcheck()
{
	sources src ring include -name '*.[ch]' >"$out/files"
	set --
	for id in missingIncludeSystem variableScope unusedStructMember knownConditionTrueFalse \
		badBitmaskCheck unreadVariable constParameter unknownMacro; do
		set -- "$@" --suppress="$id"
	done
	cppcheck --std=c11 -D_GNU_SOURCE -Iinclude -Isrc -I. -j2 --quiet --inline-suppr \
		--enable=warning,performance,portability,style --error-exitcode=1 "$@" \
		--template='{file}:{line}: {severity}: {message} [{id}]' --file-list="$out/files" \
		>"$out/cppcheck.full" 2>&1
	status=$?
	sort -u "$out/cppcheck.full" >"$out/cppcheck"
	[ $status = 0 ] || [ -s "$out/cppcheck" ] || echo "cppcheck failed" >"$out/cppcheck"
	verdict cppcheck "$out/cppcheck" "$(wc -l <"$out/files")"
}

for tool in clang-format clang-tidy cppcheck; do
	command -v $tool >/dev/null || { echo "tidy: $tool is not installed (make deps)"; exit 2; }
done
[ $# -gt 0 ] || set -- format clang-tidy cppcheck
for tool in "$@"; do
	case $tool in
	format) run_format ;;
	clang-tidy) run_clang_tidy ;;
	cppcheck) run_cppcheck ;;
	*)
		echo "usage: tidy.sh [format | clang-tidy | cppcheck]..." >&2
		exit 2
		;;
	esac
done
[ $failed = 0 ] && echo "tidy: ok"
exit $failed
