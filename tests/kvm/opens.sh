#!/bin/bash
# DESIGN.md section 10, "Open first, run later": files are opened, sockets made and programs executed by one thread, before the
# guest runs or when it is started again. A seccomp filter holds all others to it (opens_only.py): vCPUs, io and whatever
# the kernel made for them.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
need_kvm opens
only=(python3 tests/kvm/opens_only.py "$scratch/record")
opener=carrel # the first thread, by the name of the program
may=("$opener")
carrel=$(readlink -f "$CARREL")

if ! "${only[@]}" true -- /bin/true 2>"$scratch/err"; then
    skip opens "no seccomp notifications here: $(tail -n 1 "$scratch/err")"
    finish
fi
seq -f %07.0f 131072 >"$scratch/disk"
cp "$scratch/disk" "$scratch/second"

# recorded PATTERN: how many lines of the record match.
recorded() { grep -cE -- "$1" "$scratch/record"; }
# under_filter STATUS GUEST [OPTION…]: ends with STATUS, nothing was refused, and no program or socket was wanted.
under_filter() {
    local wanted=$1 name=$2 got=0
    shift 2
    timeout --kill-after=5 300 "${only[@]}" "${may[@]}" -- "$carrel" run "$GUESTS/$name.elf" "$@" </dev/null >"$scratch/out" 2>&1 || got=$?
    tail -n 5 "$scratch/out"
    sort "$scratch/record" | uniq -c
    same "$wanted" "$got" && same 0 "$(recorded '^refused')" && same 1 "$(recorded ' execve(at)? ')" &&
        same 0 "$(recorded ' (socket|connect|bind|socketpair) ')" && [[ $(recorded "^allowed $opener openat? /dev/kvm") -ge 1 ]]
}
disks=(--disk "$scratch/disk" --disk "$scratch/second,ro" --rng)
busy_devices() { under_filter 0 hostile_virtio "${disks[@]}" --cpus 2 --append 'count=1 device=blk' && grep -aq PASS "$scratch/out"; }
check 'opens: none by vCPUs, io or disks, whatever the guest does' busy_devices
check 'opens: none in a rebuild' under_filter 0 state_walk "${disks[@]}" --cpus 2 --rebuild-every 50
restarted() { # the io thread makes the machine anew, from the same files
    local may=("$opener" io)
    under_filter 36 reset_cf9 "${disks[@]}" --on-reboot restart --timeout 3s && [[ $(grep -ac reset "$scratch/out") -gt 1 ]] &&
        same 0 "$(grep ' io ' "$scratch/record" | grep -cvE "^allowed io openat? (/dev/kvm|$GUESTS/reset_cf9.elf|$scratch/(disk|second))$")"
}
check 'opens: a restart opens what the start did, and nothing else' restarted
to_a_file() { under_filter 0 flood --serial "file:$scratch/serial" --append bytes=4096 && [[ -s $scratch/serial ]]; }
check 'opens: none for the console' to_a_file
# The filter does refuse.
nobody_may() {
    local status=0
    timeout 60 "${only[@]}" nobody -- "$carrel" run "$GUESTS/poweroff.elf" </dev/null >"$scratch/out" 2>&1 || status=$?
    cat "$scratch/out" "$scratch/record"
    [[ $status -ne 0 ]] && grep -q "^refused $opener openat" "$scratch/record"
}
check 'opens: the filter refuses what it should' nobody_may
finish
