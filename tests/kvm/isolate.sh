#!/bin/bash
# carrel host --isolate: the same verbs with each guest in a process of its own, and what ends one of these ends that guest alone.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/kvm/host_lib.bash
. "$(dirname "$0")/host_lib.bash"
need_kvm isolate

host_options=(--isolate)
check_verbs ' --isolate' ''

process_of() { # NAME: of the guest's process
    local pid
    for pid in $(ps -o pid= --ppid "$host"); do
        tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q -- "--name $1 " && printf '%s\n' "$pid"
    done
}
check 'isolate: a host again' begin "$two"
check 'isolate: both come to their prompts' eval "says a 'carrel> ' && says b 'carrel> '"

ends_alone() { # SIGNAL WORDS: b's process dies of it, is told of and leaves its console, a goes on, b starts again
    local pid
    pid=$(process_of b) && [[ $(wc -w <<<"$pid") == 1 ]] || return 1
    ctl console b --once >"$scratch/before"
    kill "-$1" "$pid"
    state_is b ended || return 1
    ctl show b | tee "$scratch/shown" && grep -q "can't go on: its process was ended by signal.*$2" "$scratch/shown" || return 1
    ctl console b --once | cmp - "$scratch/before" || return 1
    [[ -z $(process_of b) ]] || return 1
    (sleep 0.5; printf 'echo alive %s\n' "$1"; sleep 2) | timeout 10 "$CARREL" ctl --socket "$socket" console a >"$scratch/out"
    says a "^alive $1" && ctl start b && state_is b running && has_figures b
}
has_figures() { # NAME: its vCPU's thread has begun
    for _ in {1..100}; do
        ctl stats "$1" | grep -qE '^0 +[0-9]+ ' && return 0
        sleep 0.1
    done
    ctl stats "$1"
    return 1
}
check 'isolate: SIGKILL ends one guest' ends_alone KILL Killed
check 'isolate: SIGSEGV ends one guest' ends_alone SEGV 'Segmentation fault'
check 'isolate: SIGABRT, a CHECK of ours, ends one guest' ends_alone ABRT Aborted
stuck() { # a process that stands still is killed with its guest, and keeps nobody waiting
    local pid
    pid=$(process_of b)
    kill -STOP "$pid"
    ctl list >/dev/null && ctl stats a >/dev/null && ctl kill b && state_is b ended && [[ ! -e /proc/$pid ]] && ctl start b
}
check 'isolate: one that stands still can be killed' stuck
switch_refused() {
    printf '%s' '{"name": "n", "memory": "32M", "net": ["switch=lan"]}' >"$scratch/n.json"
    refused 35 'switch=lan is within one process, and --isolate gives each guest its own' create "$scratch/n.json"
}
check 'isolate: a network within one process is refused' switch_refused
typed_command() {
    local got=0
    "$CARREL" guest </dev/null >"$scratch/out" 2>&1 || got=$?
    cat "$scratch/out"
    same 35 "$got" && grep -q 'what carrel host --isolate begins by itself' "$scratch/out"
}
check 'isolate: the process of a guest is not for people' typed_command
orphans() { # a host that is killed takes all with it
    local pids pid
    pids="$(process_of a) $(process_of b)"
    [[ $(wc -w <<<"$pids") == 2 ]] || return 1
    kill -KILL "$host"
    wait "$host"
    for _ in {1..100}; do
        for pid in $pids; do [[ ! -e /proc/$pid ]] || { sleep 0.05; continue 2; }; done
        return 0
    done
    return 1
} 2>/dev/null
check 'isolate: nothing outlives a host that is killed' orphans

finish
