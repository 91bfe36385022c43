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
# What disks and networks may do together is divided, where the host says how much it is.
with_disk() { printf '{"name": "%s", "memory": "32M", "disk": "%s"}' "$1" "$scratch/$1.img,$2"; }
rates() {
    truncate -s 1M "$scratch/a.img" "$scratch/b.img"
    begin "{\"host\": {\"disk-bps\": \"10M\", \"net-ops\": 100}, \"guests\": [$(with_disk a bps=6M)]}"
}
shown() {
    ctl show host | tee "$scratch/out"
    grep -qE '^disk +10M/s +6M/s +4M/s$' "$scratch/out" && grep -qE '^disk-ops +unlimited +0/s +unlimited$' "$scratch/out" &&
        grep -qE '^net +unlimited +0/s +unlimited$' "$scratch/out" && grep -qE '^net-ops +100/s +0/s +100/s$' "$scratch/out"
}
create_b() { with_disk b "$1" >"$scratch/b.json" && shift && refused 37 "$1" create "$scratch/b.json"; }
rate_set() {
    refused 37 'a doesn.t fit: it wants 11M of disk traffic a second, and 0 of the host.s 10M are promised' set a 'disk[0].bps=11M' &&
        refused 37 'one of its disks has no bps=' set a 'disk[0].bps=default' && ctl set a 'disk[0].bps=10M' && ctl show host | grep -qE '^disk +10M/s +10M/s +0/s$'
}
check 'host: the total of a rate' rates
check 'host: show has totals, promises and what is unlimited' shown
check 'host: a disk without a limit is refused then' create_b ops=50 "b doesn't fit: one of its disks has no bps="
check 'host: one that is too much is refused with the sums' create_b bps=5M "b doesn't fit: it wants 5M of disk traffic a second, and 6M of the host's 10M are promised"
check 'ctl: set checks a rate against the total, too' rate_set
check 'host: it ends' ended 0
few_files() {
    local got=0
    printf '%s' "$two" >"$scratch/fleet.json"
    (ulimit -n 500; timeout 60 "$CARREL" host "$scratch/fleet.json" --socket "$socket" </dev/null >"$scratch/out" 2>&1) || got=$?
    cat "$scratch/out"
    same 37 "$got" && grep -qE '2 guests need up to [0-9]+ open files, and this process may have 500' "$scratch/out"
}
check 'host: too few open files are refused with the sum' few_files
finish
