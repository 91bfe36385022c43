#!/bin/bash
# carrel host and carrel ctl: several guests in one process, every verb, and clients who behave badly.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/kvm/host_lib.bash
. "$(dirname "$0")/host_lib.bash"
need_kvm host

check_verbs '' switch=lan

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
