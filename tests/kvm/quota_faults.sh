#!/bin/bash
# Caps hold whatever one guest, the host or a client does: two capped guests beside it are watched each time, second by second
# (watch_shares.py). Where this may be done, the host runs before the machine's other work, so that few seconds are noisy.
# Alone: whole seconds are judged to 0.08 points.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/kvm/host_lib.bash
. "$(dirname "$0")/host_lib.bash"
need_kvm quota_faults

GUESTS=$(readlink -f "$GUESTS")
helpers=()
# shellcheck disable=SC2154  # scratch: lib.bash
trap 'kill -KILL "${helpers[@]}" 2>/dev/null; rm -rf "$scratch"' EXIT

# first COMMAND…: before all else on this machine (a session's processes are one group to the kernel: sched(7), autogroup).
first() { exec setsid bash -c '(echo -20 >/proc/self/autogroup) 2>/dev/null; renice -n -20 $$ >/dev/null 2>&1; exec "$@"' first "$@"; }
watch() { (first timeout 120 python3 tests/kvm/watch_shares.py "$socket" "$@"); }

# make NAME KERNEL KEYS: a guest that runs, its other keys as JSON.
make() {
    printf '{"name": "%s", "kernel": "%s/%s.elf", %s}' "$1" "$GUESTS" "$2" "$3" >"$scratch/$1.json"
    ctl create "$scratch/$1.json" && ctl start "$1"
}
gone() { ctl kill "$1"; state_is "$1" ended && ctl delete "$1"; }

spinner() { printf '{"name": "%s", "kernel": "%s/hang_spin.elf", "memory": "32M", "cpu-cap": "%s%%"}' "$1" "$GUESTS" "$2"; }
printf '{"guests": [%s, %s]}' "$(spinner a 25)" "$(spinner b 40)" >"$scratch/fleet.json"
mkdir "$scratch/tmp"
TMPDIR=$scratch/tmp first "$CARREL" host "$scratch/fleet.json" --socket "$socket" </dev/null >"$scratch/host.log" 2>&1 &
host=$!
helpers+=("$host")
begun() { state_is a running && state_is b running && sleep 0.5; }
check 'faults: a host with two capped guests' begun
both=(a=25 b=40)
check 'faults: their caps hold' watch 3 "${both[@]}"
sed 's/^/# /' "$scratch/check.log"

spins() { make t hang_spin '"memory": "32M", "cpus": 1, "cpu-cap": "10%"' && watch 3 "${both[@]}" t=10 && gone t; }
check 'faults: a third guest spins with interrupts off' spins
exits() { make t port_hammer '"memory": "32M", "append": "ms=0", "cpu-cap": "10%"' && watch 3 "${both[@]}" t=10 && gone t; }
check 'faults: it exits at full speed' exits

# It runs into its quota, is held, is let go by a larger one, ends well, and all again.
touches() {
    for _ in 1 2; do
        ctl start t && state_is t held && ctl set t memory-quota=64M && state_is t ended && ctl list | grep '^t .*ended' &&
            ctl console t --once | grep -aq PASS && ctl set t memory-quota=24M || return 1
    done
}
memory() {
    make t touch_memory '"memory": "64M", "memory-quota": "24M", "append": "mib=48", "cpu-cap": "20%"' || return 1
    state_is t held && watch 2 "${both[@]}" && ctl kill t && state_is t ended || return 1
    touches & # while they are watched
    local job=$!
    watch 3 "${both[@]}"
    local kept=$?
    wait "$job" && ctl delete t && return "$kept"
}
if [[ -r /dev/userfaultfd ]] || [[ $(cat /proc/sys/vm/unprivileged_userfaultfd 2>/dev/null) == 1 ]]; then
    check 'faults: it touches all its memory at once, and again' memory
else
    skip 'faults: it touches all its memory at once' "userfaultfd isn't permitted here"
fi

# Its vCPU's thread ends on a triple fault, and on an instruction that KVM gives it up at.
dies() {
    make t triple_fault '"memory": "32M", "cpu-cap": "10%"' && make u bad_insn '"memory": "32M", "cpu-cap": "10%"' || return 1
    for _ in {1..15}; do
        state_is t ended && state_is u ended && ctl start t && ctl start u || return 1
    done
}
deaths() {
    dies &
    local job=$!
    watch 4 "${both[@]}"
    local kept=$?
    wait "$job" && gone t && gone u && return "$kept"
}
check 'faults: vCPU threads die' deaths

# thread NAME: the host's thread of that name.
thread() { grep -lsx "$1" /proc/"$host"/task/*/comm | cut -d/ -f5; }
# One process a CPU that spins before the host's own threads, and `sched` only where nothing else wants to run.
starved() {
    local sched hogs=() cpu kept
    sched=$(thread sched)
    for ((cpu = 0; cpu < $(nproc); ++cpu)); do
        (first timeout 60 taskset -c "$cpu" sh -c 'while :; do :; done') &
        hogs+=($!)
    done
    helpers+=("${hogs[@]}")
    chrt --idle -p 0 "$sched" || return 1
    watch 4 --held "${both[@]}"
    kept=$?
    chrt --rr -p 1 "$sched" || chrt --other -p 0 "$sched"
    kill "${hogs[@]}"
    wait "${hogs[@]}"
    return "$kept"
} 2>/dev/null
check 'faults: the scheduler starves, and nobody overspends' starved
sed 's/^/# /' "$scratch/check.log"
check 'faults: afterwards all is as before' watch 2 "${both[@]}"

stops() {
    for _ in 1 2 3; do
        kill -STOP "$host"
        sleep 0.7
        kill -CONT "$host"
        sleep 0.5
    done
}
stopped() {
    stops &
    local job=$!
    watch 4 --held "${both[@]}"
    local kept=$?
    wait "$job"
    return "$kept"
}
check 'faults: the process is stopped and continued' stopped
check 'faults: afterwards all is as before, too' watch 2 "${both[@]}"

# Everything at once, and clients who change what there is to change.
changes() {
    local i policies=(fcfs sjf round-robin priority weighted-fair)
    for ((i = 0; i < 25; ++i)); do
        ctl set c cpu-cap=$((1 + i % 10))% cpu-weight=$((1 + i * 37)) && ctl set d cpu-cap=$((3 + i % 7))% cpu-priority="$i" &&
            ctl policy "${policies[i % 5]}" || return 1
    done
}
storm() {
    make c hang_spin '"memory": "32M", "cpu-cap": "10%"' && make d port_hammer '"memory": "32M", "append": "ms=0", "cpu-cap": "10%"' &&
        make t triple_fault '"memory": "32M"' && make u bad_insn '"memory": "32M"' || return 1
    changes &
    local change=$!
    dies_again &
    local die=$! kept
    watch 5 "${both[@]}"
    kept=$?
    wait "$change" && wait "$die" && gone c && gone d && gone t && gone u && ctl policy weighted-fair && return "$kept"
}
dies_again() {
    for _ in {1..8}; do
        state_is t ended && state_is u ended && ctl start t && ctl start u || return 1
    done
}
check 'faults: caps, weights and policies change while all of it runs' storm
sed 's/^/# /' "$scratch/check.log"

check 'faults: 1,000 guests made and deleted leave nothing' python3 tests/kvm/many_guests.py "$socket" "$host" 1000 "$scratch/tmp" "$GUESTS"
sed 's/^/# /' "$scratch/check.log"
check 'faults: and the two go on' watch 2 "${both[@]}"
check 'faults: the host ends' ended 0
finish
