#!/bin/bash
# carrel host --placement: guests that spin, on the CPUs of this machine.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/kvm/host_lib.bash
. "$(dirname "$0")/host_lib.bash"
need_kvm placement
if (($(nproc) < 2)); then
    skip placement 'this machine has one CPU'
    finish
fi

all=$(awk '/^Cpus_allowed_list/ {print $2}' /proc/self/status)

# host_says PYTHON, guest_says NAME PYTHON: what is told as `it`, held against an expression.
host_says() { ctl --json show host | holds "$1"; }
guest_says() { ctl --json stats "$1" | holds "$2"; }
holds() {
    python3 -c '
import json, sys
it = json.load(sys.stdin)
sys.exit(0 if eval(sys.argv[1].strip()) else "not so: " + json.dumps(it))' "$1"
}

thread_of() { ctl --json stats "$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["vcpus"][0]["thread"])'; }

allowed() { awk '/^Cpus_allowed_list/ {print $2}' "/proc/$(thread_of "$1")/status"; } # NAME: by the kernel

soon() { # COMMAND…: within half a minute
    for _ in {1..100}; do
        "$@" >"$scratch/soon" 2>&1 && return 0
        sleep 0.3
    done
    cat "$scratch/soon"
    return 1
}

fleet() { # KEYS NAME…: guests that spin
    local keys=$1 guests='' name
    shift
    for name; do guests+="${guests:+, }{\"name\": \"$name\", \"memory\": \"32M\", \"kernel\": \"$GUESTS/hang_spin.elf\", \"serial\": \"none\"$keys}"; done
    printf '{"guests": [%s]}' "$guests"
}

# all_gone NAME…: these hear no power button.
all_gone() {
    local name
    for name; do ctl kill "$name" || return 1; done
    ended 0
}

one_each() { [[ $(allowed "$1") =~ ^[0-9]+$ && $(allowed "$2") =~ ^[0-9]+$ ]]; }
apart() { one_each "$1" "$2" && [[ $(allowed "$1") != "$(allowed "$2")" ]]; }
together() { one_each "$1" "$2" && same "$(allowed "$1")" "$(allowed "$2")"; }

unplaced() {
    begin "$(fleet '' a)" && sleep 2 && same "$all" "$(allowed a)" && host_says '"placement" not in it' &&
        guest_says a '"placement" not in it' && all_gone a
}
check 'placement: without it, affinity is never set' unplaced

# Three guests on two CPUs; then the one goes that was alone, and the others share a CPU while the other one is idle.
crowd() {
    begin "$(fleet '' a b c)" --placement spread --log info || return 1
    soon apart a b && soon together a c || return 1
    "$CARREL" ctl --socket "$socket" events >"$scratch/events" &
    events=$!
    sleep 1
    ctl kill b
}
check 'placement: spread gives each new guest the CPU with the fewest' crowd
check 'placement: spread relieves a crowded CPU' soon apart a c
check 'placement: ... and says what was before and after' soon host_says '
    it["placement"]["last"]["before"]["waited"] > 100000 and it["placement"]["last"]["after"]["run"] > 0'
check 'placement: ... of each CPU, too' host_says '
    it["placement"]["how"] == "spread" and it["placement"]["moves"] == 1 and sorted(cpu["guests"] for cpu in it["placement"]["cpus"])[-1] == 1'
check 'placement: ... and of the guest' guest_says "$(ctl --json show host | python3 -c 'import json, sys; print(json.load(sys.stdin)["placement"]["last"]["guest"])')" '
    it["placement"]["moves"] == 1 and it["placement"]["last"]["to"] == it["placement"]["cpus"]'
event_told() {
    kill "$events"
    wait "$events" 2>/dev/null
    grep ' moved' "$scratch/events" | tee "$scratch/moved"
    same 1 "$(wc -l <"$scratch/moved")" && grep -qE '[ac] moved: from CPU [0-9]+ to [0-9]+: it was crowded, its guests wanted [0-9]+% of one' "$scratch/moved"
}
check 'placement: ... with one event' event_told
on_top() {
    "$CARREL" top --socket "$socket" --once | tee "$scratch/top"
    grep -qE '^spread: CPU [0-9]+ is wanted most, by 1 guests: ' "$scratch/top" &&
        grep -qE '^1 moves, last [ac] from [0-9]+ to [0-9]+: .*% used .*% waited for, then .*% used' "$scratch/top" &&
        "$CARREL" top --socket "$socket" --once --json | holds 'it["placement"]["moves"] == 1 and it["placement"]["last"]["after"] is not None'
}
check 'placement: top shows it' on_top
outside() { # who moves a thread from outside has his way
    local thread to
    thread=$(thread_of a)
    to=$(allowed c)
    python3 -c 'import os, sys; os.sched_setaffinity(int(sys.argv[1]), [int(sys.argv[2])])' "$thread" "$to"
    sleep 1.5
    same "$to" "$(allowed a)" && all_gone a c
}
check 'placement: a thread that is moved from outside stays there' outside

quarters() {
    begin "$(fleet ', "cpu-cap": "25%"' a b)" --placement pack && soon together a b && sleep 4 && together a b &&
        host_says 'sorted(cpu["guests"] for cpu in it["placement"]["cpus"])[-1] == 2'
}
check 'placement: pack has two guests of 25% share a CPU' quarters
uncapped() { ctl set a cpu-cap=100% && ctl set b cpu-cap=100% && soon apart a b; }
check 'placement: ... until they want more than one' uncapped
capped_again() { ctl set a cpu-cap=25% && ctl set b cpu-cap=25% && soon together a b && all_gone a b; }
check 'placement: ... and again when they want less' capped_again

last=${all##*[,-]}
own_cpus() {
    begin "$(fleet ", \"cpus-allowed\": \"$last\"" a b)" --placement spread && sleep 4 && same "$last" "$(allowed a)" &&
        same "$last" "$(allowed b)" && guest_says a 'it["placement"]["moves"] == 0' && all_gone a b
}
check 'placement: --cpus-allowed is a guest'"'"'s own limit' own_cpus

isolated() {
    begin "$(fleet '' a b)" --placement spread --isolate && soon apart a b && all_gone a b
}
check 'placement: guests in processes of their own, too' isolated
finish
