#!/bin/sh
# docker.sh - chaos on containers, as CI runs it, in some three minutes: a run with a fault of each sort,
# which must break no promise and must have been felt; runs that are interrupted, and whose halves are
# killed. None may leave anything behind.
#
#   tests/chaos/docker.sh [SEED]      the seed moves by the day otherwise
#
# IMAGE=name takes that image; else it is built. Last line: "N passed, N failed". Lines "skipped: ..." say
# what was not possible, and why.
set -u
cd "$(dirname "$0")/../.." || exit 1
[ -n "${CHAOS_BUILD:-}" ] || make -s --no-print-directory -j2 chaos || exit 1
seed=${1:-$(date +%j)}
work=$(mktemp -d "${TMPDIR:-/tmp}/dunlin-chaos-docker.XXXXXX")
pid=
trap '[ -z "$pid" ] || { kill $pid && wait $pid; } 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
passed=0 failed=0
faults=kill-all,pause,partition-one-way,delay,unplug,rolling-restart
kinds=6

check() {
	if [ "$1" = 0 ]; then
		echo "ok $2"
		passed=$((passed + 1))
	else
		echo "not ok $2"
		failed=$((failed + 1))
	fi
}

# In the background: $pid.
start() {
	: >"$work/log"
	python3 chaos/chaos.py --docker --nodes 3 --dir "$work/run" ${IMAGE:+--image "$IMAGE"} "$@" >"$work/log" 2>&1 &
	pid=$!
}

# Its exit code is $code.
end() {
	wait $pid 2>/dev/null
	code=$?
	pid=
}

# Until the log says so, or the run has ended.
until_log() {
	while ! grep -q "$1" "$work/log" && kill -0 $pid 2>/dev/null; do
		sleep 0.1
	done
}

# While it runs: its name, and the devices that the engine made for it. Others may use the engine too.
note_run() {
	run=$(sed -n 's/.*containers \(dunlin-chaos-[0-9a-f-]*\)-\*.*/\1/p' "$work/log")
	bridge=br-$(docker network inspect --format '{{.Id}}' "$run-net" | cut -c 1-12)
	{
		echo "$bridge"
		ip -o link show master "$bridge" | awk -F'[:@] *' '{ print $2 }'
	} >"$work/devices"
	running=$(docker ps -q --filter "name=$run" | wc -l)
}

# What a run could leave behind.
traces() {
	docker ps -a --filter "name=$run" --format 'container {{.Names}}'
	docker network ls --filter "name=$run" --format 'network {{.Name}}'
	docker volume ls --filter "name=$run" --format 'volume {{.Name}}'
	for p in /proc/[0-9]*; do
		words=$(cat "$p/cmdline" 2>/dev/null | tr '\0' ' ')
		case $words in *"$work/run"* | *"$run"*) echo "process ${p#/proc/}: $words" ;; esac
	done
	grep "$work" /proc/mounts
	while read -r device; do
		[ ! -e "/sys/class/net/$device" ] || echo "device $device"
	done <"$work/devices"
}

nothing_left() {
	[ "$running" = 4 ] && [ "$(wc -l <"$work/devices")" -ge 2 ]
	check $? "$1 had its containers and devices"
	for _ in $(seq 20); do
		left=$(traces)
		[ -z "$left" ] && break
		sleep 0.5
	done
	[ -z "$left" ] || echo "$left"
	[ -z "$left" ]
	check $? "$1 leaves nothing behind"
	rm -rf "$work/run"
}

# ---- without an engine -----------------------------------------------------------------------------

DOCKER_HOST=unix://$work/nobody
export DOCKER_HOST
start --minutes 1
unset DOCKER_HOST
end
why='no Docker engine answers'
[ "$(id -u)" = 0 ] || why='not root'
[ $code = 77 ] && grep -qx "skipped: $why" "$work/log"
check $? 'where no engine answers, a run says so and tries nothing'
if [ "$(id -u)" != 0 ] || ! docker version >/dev/null 2>&1; then
	echo "skipped: $why"
	echo "$passed passed, $failed failed"
	[ $failed -eq 0 ]
	exit
fi

# ---- a whole run -----------------------------------------------------------------------------------

figure() { sed -n "s/^verdict: .* $1=\([0-9]*\).*/\1/p" "$work/log"; }

# During that fault the counters gained one of peers that were down.
down_during() {
	awk -F '] ' -v f="$1" 'index($2, f ": ") == 1 { on = 1 }
		on && /meanwhile: / { on = 0; seen += /peers_down_events=/ } END { exit !seen }' "$work/log"
}

count() { grep -c "$1" "$work/run/$2/log"; }

start --seed "$seed" --minutes 1.3 --faults $faults,disk-full
until_log 'formed a cluster'
note_run
end
check $code "faults of $kinds kinds break no promise: $(tail -1 "$work/log")"
[ "$(figure ops)" -gt 0 ] && [ "$(figure acked)" -gt 0 ]
check $? 'operations were made, and acknowledged'
[ "$(figure lost)" = 0 ] && [ "$(figure lost_elements)" = 0 ]
check $? 'nothing was lost'
for f in pause partition-one-way unplug; do
	down_during $f
	check $? "$f was felt: peers were down"
done
for n in n1 n2 n3; do
	[ "$(count 'msg="stopping" signal=SIGTERM' $n)" -ge 2 ]
	check $? "rolling-restart was felt: $n stopped by SIGTERM, and once more at the end"
	# Each start but those after a SIGTERM followed a kill; the last SIGTERM stands for the first start.
	[ $(($(count 'msg="serving"' $n) - $(count 'msg="stopping"' $n))) -ge 2 ]
	check $? "kill-all was felt: $n was started again without having stopped, twice"
done
awk '$3 == "delay" { slowest = $NF } END { exit !(slowest >= 0.2) }' "$work/log"
check $? 'delay was felt: some operation took the time of a round trip'
grep -q 'skipped: disk-full (.*): containers share' "$work/log"
check $? 'what containers cannot have is skipped, and the reason is printed'
[ -s "$work/run/history.jsonl" ] &&
	[ "$(grep -c '^   "ExitCode": 0,$' "$work/run/containers.json")" -ge 3 ]
check $? 'the history is kept; SIGTERM ended the containers with code 0'
if [ $failed != 0 ]; then
	tail -60 "$work/log"
	mkdir -p build/chaos && rm -rf build/chaos/docker && cp -a "$work/run" build/chaos/docker
fi
nothing_left 'a whole run'

# ---- runs that are ended ---------------------------------------------------------------------------

# INT ends a run as ^C does. KILL takes its outer half, INNER its inner one: each cleans up after the other.
for how in INT KILL INNER; do
	start --minutes 5 --faults delay,unplug
	until_log '\] unplug: \|\] delay: '
	note_run
	case $how in
	INNER) kill -KILL "$(ps -o pid= --ppid $pid | tr -d ' ')" ;;
	*) kill -$how $pid ;;
	esac
	end
	if [ $how = INT ]; then
		[ $code = 130 ] && grep -q 'verdict: INTERRUPTED' "$work/log"
		check $? 'an interrupted run says so'
	fi
	nothing_left "a run ended by $how"
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
