#!/bin/bash
# carrel host and carrel ctl: several guests in one process, every verb, and clients who behave badly.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
need_kvm host

CARREL=$(readlink -f "$CARREL")
socket=$scratch/s
host=

ctl() { timeout 60 "$CARREL" ctl --socket "$socket" "$@"; }

# begin JSON [OPTION…]: a host of these guests, answering.
begin() {
    printf '%s' "$1" >"$scratch/fleet.json"
    shift
    "$CARREL" host "$scratch/fleet.json" --socket "$socket" "$@" </dev/null >"$scratch/host.log" 2>&1 &
    host=$!
    for _ in {1..300}; do
        ctl list >/dev/null 2>&1 && grep -q 'carrel ctl asks' "$scratch/host.log" && return 0
        kill -0 "$host" 2>/dev/null || break
        sleep 0.1
    done
    cat "$scratch/host.log"
    return 1
}

# ended STATUS: SIGTERM ends it with that, and the socket is gone.
ended() {
    local got=0
    kill -TERM "$host"
    wait "$host" || got=$?
    cat "$scratch/host.log"
    same "$1" "$got" && [[ ! -e $socket ]]
}

state_is() { # NAME STATE
    for _ in {1..300}; do
        ctl list | grep -qE "^$1 +$2 " && return 0
        sleep 0.1
    done
    ctl list
    return 1
}

says() { # NAME WORDS
    for _ in {1..300}; do
        ctl console "$1" --once | grep -aq -- "$2" && return 0
        sleep 0.1
    done
    ctl console "$1" --once
    return 1
}

# refused STATUS WORDS ARGUMENT…
refused() {
    local wanted=$1 words=$2 got=0
    shift 2
    ctl "$@" </dev/null >"$scratch/out" 2>&1 || got=$?
    cat "$scratch/out"
    same "$wanted" "$got" && same 1 "$(wc -l <"$scratch/out")" && grep -q -- "$words" "$scratch/out"
}

two='{"guests": [{"name": "a", "memory": "32M", "cpu-cap": "50%"}, {"name": "b", "memory": "32M", "balloon": "0"}]}'
check 'host: two guests from one file' begin "$two"
check 'host: both come to their prompts' says a 'carrel> '
check 'host: its socket is its owner'"'"'s' same 600 "$(stat -c %a "$socket")"
second_host() {
    local got=0
    "$CARREL" host "$scratch/fleet.json" --socket "$socket" </dev/null >"$scratch/out" 2>&1 || got=$?
    cat "$scratch/out"
    same 35 "$got" && grep -q 'is in use by another process' "$scratch/out"
}
check 'host: a second one at the same socket is refused' second_host

(timeout 120 "$CARREL" ctl --socket "$socket" events >"$scratch/events" 2>&1) &
events=$!
sleep 0.5
check 'ctl: pause' ctl pause a
check 'ctl: a paused guest is paused' state_is a paused
check 'ctl: pausing it twice is refused' refused 35 'it is paused already' pause a
check 'ctl: resume' ctl resume a
check 'ctl: a cap may change' ctl set a cpu-cap=25% cpu-weight=200
changed() { ctl show a | grep -q 'cpu-cap *25%' && ctl show a | grep -q 'cpu-weight *200'; }
check 'ctl: and is shown' changed
check 'ctl: memory may not' refused 35 "can't change while the guest runs" set a memory=64M
check 'ctl: no such key' refused 35 'unknown key' set a cpu-cup=25%
check 'ctl: the balloon' ctl set b balloon.size=4M
check 'ctl: the policy' ctl policy fcfs
sums() { ctl show host | grep -qE '^memory +[0-9]+[MG] +64M ' && ctl show host | grep -q 'policy fcfs'; }
check 'ctl: what is promised' sums
check 'ctl: no such policy' refused 35 'is no policy' policy best
check 'ctl: figures' eval 'ctl stats a | grep -qE "^0 +[0-9]+ "'
page() { timeout 60 "$CARREL" top --socket "$socket" --once >"$scratch/out" 2>&1 && grep -qE '^a +run ' "$scratch/out" && grep -qE '^CPU .*used' "$scratch/out"; }
check 'top: one page' page
page_json() {
    timeout 60 "$CARREL" top --socket "$socket" --once --json |
        python3 -c 'import json, sys; top = json.load(sys.stdin); print(top); sys.exit(sorted(guest["name"] for guest in top["guests"]) != ["a", "b"])'
}
check 'top: the same for programs' page_json
no_terminal() {
    local got=0
    "$CARREL" top --socket "$socket" </dev/null >"$scratch/out" 2>&1 || got=$?
    cat "$scratch/out"
    same 35 "$got" && grep -q 'no terminal' "$scratch/out"
}
check 'top: without a terminal it says so' no_terminal
check 'ctl: a guest is made' eval "printf '%s' '{\"name\": \"c\", \"memory\": \"32M\"}' | ctl create -"
check 'ctl: not twice' eval "printf '%s' '{\"name\": \"c\"}' >$scratch/c.json; refused 35 'one of that name already' create $scratch/c.json"
check 'ctl: a guest that does not fit' eval \
    "printf '%s' '{\"name\": \"d\", \"memory\": \"4000G\"}' >$scratch/d.json; refused 37 \"doesn't fit: it wants 4000G\" create $scratch/d.json"
check 'ctl: nonsense' eval "printf '%s' '{\"name\": 1' >$scratch/d.json; refused 35 'line 1' create $scratch/d.json"
check 'ctl: start' ctl start c
check 'ctl: a guest that runs is not deleted' refused 35 'stop or kill it first' delete c
check 'ctl: kill' ctl kill c
check 'ctl: a killed guest has ended' state_is c ended
check 'ctl: delete' ctl delete c
check 'ctl: then it is nobody' refused 35 'no such guest' show c
check 'ctl: stop' ctl stop b
check 'ctl: a stopped guest has powered off' state_is b ended
check 'ctl: start again' ctl start b
check 'ctl: it runs again' state_is b running

attached() { # what is typed there reaches the guest, from who attaches twice
    (sleep 1; printf 'echo one\n'; sleep 2) | timeout 10 "$CARREL" ctl --socket "$socket" console a >"$scratch/first"
    (sleep 1; printf 'echo two\n'; sleep 2) | timeout 10 "$CARREL" ctl --socket "$socket" console a >"$scratch/second"
    ctl console a --once >"$scratch/whole"
    cat "$scratch/second"
    grep -aqx 'one.*' "$scratch/first" && cmp -n "$(stat -c %s "$scratch/first")" "$scratch/first" "$scratch/whole" &&
        cmp "$scratch/second" "$scratch/whole"
}
check 'console: nothing is lost by leaving and coming back' attached

neighbours() { # a triple fault beside a guest that goes on
    printf '%s' '{"name": "bad", "memory": "32M", "kernel": "'"$GUESTS"'/triple_fault.elf"}' | ctl create - && ctl start bad &&
        state_is bad ended && ctl list | grep '^bad .*triple fault' && ctl delete bad && state_is a running || return 1
    (sleep 0.5; printf 'echo alive\n'; sleep 2) | timeout 10 "$CARREL" ctl --socket "$socket" console a >"$scratch/out"
    grep -aqx 'alive.*' "$scratch/out"
}
check 'host: a triple fault is no matter to a neighbour' neighbours
deaf() { # a guest that doesn't hear its button is ended after 10 s
    printf '%s' '{"name": "deaf", "memory": "32M", "kernel": "'"$GUESTS"'/hang_spin.elf"}' | ctl create - && ctl start deaf &&
        ctl stop deaf && state_is deaf stopping && refused 35 'on its way out' pause deaf && state_is deaf ended && ctl delete deaf
}
check 'ctl: a deaf guest is ended after its time' deaf
check 'ctl: hostile clients' python3 tests/kvm/hostile_clients.py "$socket" "$host" "$CARREL"
check 'ctl: and it answers as before' ctl list
told() {
    kill "$events"
    cat "$scratch/events"
    for words in 'a paused' 'a resumed' 'a changed' 'c created' 'c started' 'c ended' 'c deleted' 'b stopping' 'b ended' 'bad ended'; do
        grep -q " $words" "$scratch/events" || { printf 'not told: %s\n' "$words"; return 1; }
    done
}
check 'ctl: events told of all of it' told
check 'host: SIGTERM ends it' ended 0
check 'ctl: nobody is there then' refused 35 'no host answers' list

killed_host() { # a socket that a killed host left behind is no obstacle
    begin "$two" && kill -KILL "$host" && ! wait "$host" && [[ -e $socket ]] && begin "$two" && ended 0
} 2>/dev/null
check 'host: a dead one'"'"'s socket is replaced' killed_host
too_large() {
    local got=0
    printf '%s' '{"guests": [{"name": "a"}, {"name": "b", "memory": "4000G"}]}' >"$scratch/fleet.json"
    timeout 60 "$CARREL" host "$scratch/fleet.json" --socket "$socket" </dev/null >"$scratch/out" 2>&1 || got=$?
    cat "$scratch/out"
    same 37 "$got" && grep -q "b doesn't fit: it wants 4000G of memory, and 64M of the host's" "$scratch/out"
}
check 'host: a fleet that does not fit is refused with the sums' too_large
few_files() {
    local got=0
    printf '%s' "$two" >"$scratch/fleet.json"
    (ulimit -n 500; timeout 60 "$CARREL" host "$scratch/fleet.json" --socket "$socket" </dev/null >"$scratch/out" 2>&1) || got=$?
    cat "$scratch/out"
    same 37 "$got" && grep -qE '2 guests need up to [0-9]+ open files, and this process may have 500' "$scratch/out"
}
check 'host: too few open files are refused with the sum' few_files
finish
