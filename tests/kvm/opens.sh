#!/bin/bash
# DESIGN.md section 10, "Open first, run later": files are opened, sockets made and programs executed by one thread, before the
# guest runs or when it is started again. A seccomp filter holds all others to it (opens_only.py): vCPUs, io and whatever
# the kernel made for them. One exception: a guest with --vsock connects to sockets of the host's while it runs, and a thread
# that does nothing else makes them, by an Opener (vmm/base/connector.h): what a broker will be asked.
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
restarted() { # io opens what the devices are connected to, the worker what takes long to read: the same files
    local may=("$opener" io worker)
    under_filter 36 reset_cf9 "${disks[@]}" --on-reboot restart --timeout 3s && [[ $(grep -ac reset "$scratch/out") -gt 1 ]] &&
        same 0 "$(grep -E ' (io|worker) ' "$scratch/record" | grep -cvE "^allowed (io|worker) openat? (/dev/kvm|$GUESTS/reset_cf9.elf|$scratch/(disk|second))$")"
}
check 'opens: a restart opens what the start did, and nothing else' restarted
# Three of the guest's calls to a port at which somebody listens, then to nobody.
vsock() {
    local may=("$opener" opener) status=0 listener answers
    for answers in '3 responses, 0 resets' '0 responses, 3 resets'; do
        [[ $answers != 3* ]] || python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(8); time.sleep(120)' "$scratch/v_1024" &
        listener=$!
        [[ $answers != 3* ]] || until [[ -S $scratch/v_1024 ]]; do sleep 0.1; done
        timeout 60 "${only[@]}" "${may[@]}" -- "$carrel" run "$GUESTS/vsock_call.elf" --vsock "$scratch/v" --append n=3 </dev/null >"$scratch/out" 2>&1 ||
            status=$?
        kill "$listener" 2>/dev/null
        wait "$listener" 2>/dev/null
        rm -f "$scratch/v_1024"
        tail -n 5 "$scratch/out"
        sort "$scratch/record" | uniq -c
        same 0 "$status" && grep -q "$answers" "$scratch/out" && same 0 "$(recorded '^refused')" && same 3 "$(recorded '^allowed opener socket ')" &&
            same 3 "$(recorded "^allowed opener connect $scratch/v_1024$")" && same 6 "$(recorded '^allowed opener ')" || return 1
    done
}
check "opens: a guest's streams to the host, by their own thread alone" vsock
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
