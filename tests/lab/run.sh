#!/bin/sh
# run.sh BINARY [full | quick] - the laboratory: tables to the screen, everything to build/lab.
set -eu
cd "$(dirname "$0")/../.."
out=build/lab
mkdir -p $out
case ${2:-full} in
full) flags= ;;
quick) flags=--quick ;;
*) echo "make lab: LAB is full or quick" >&2; exit 2 ;;
esac
"$1" $flags --out $out >$out/tables.txt
cat $out/tables.txt
python3 tests/lab/plots.py $out
echo
echo "written: $out/tables.txt policies.tsv sweep.tsv quorum.tsv, and plots"
