#!/bin/bash
# A disk that doesn't answer any more keeps its own guest waiting, and nobody else: not at a pause, not at a kill. The disk is a file
# of slow_disk.py, which answers or not, as it is told.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/kvm/host_lib.bash
. "$(dirname "$0")/host_lib.bash"
need_kvm stuck_disk
# shellcheck disable=SC2154  # scratch: lib.bash
trap 'umount -l "$scratch/disks" 2>/dev/null; rm -rf "$scratch"' EXIT

mkdir "$scratch/disks"
: >"$scratch/mounted"
python3 tests/kvm/slow_disk.py "$scratch/disks" 1 >"$scratch/mounted" 2>&1 &
for _ in {1..100}; do
    grep -q . "$scratch/mounted" && break
    sleep 0.05
done
if ! grep -q mounted "$scratch/mounted"; then
    skip stuck_disk "no FUSE here: $(cat "$scratch/mounted")"
    finish
    exit
fi
fleet='{"guests": [
 {"name": "stuck", "memory": "32M", "kernel": "'"$GUESTS"'/disk_reads.elf", "disk": ["'"$scratch"'/disks/disk"]},
 {"name": "other", "memory": "32M"}]}'

# for_seconds N: so long, from now on, the disk doesn't answer. `thaw` waits until it does again.
for_seconds() {
    touch "$scratch/disks.stuck"
    (sleep "$1"; rm -f "$scratch/disks.stuck") &
    thaw=$!
    sleep 0.3 # until a read waits
}
ms() { echo $(($(date +%s%N) / 1000000)); }
# quick COMMAND…: within 2.5 s, on however busy a machine; what would wait for the disk waits longer.
quick() {
    local begin
    begin=$(ms)
    "$@" || return 1
    printf '%s: %d ms\n' "$*" $(($(ms) - begin))
    [[ $(($(ms) - begin)) -lt 2500 ]]
}
others_go_on() { quick ctl list && quick ctl pause other && quick ctl resume other; }
pausing() { # SECONDS: that it doesn't answer, and a pause that began then
    for_seconds "$1"
    ctl pause stuck >"$scratch/pause" 2>&1 &
    pause=$!
    state_is stuck pausing
}
comes_back() {
    pausing 4.5 && refused 35 'it is being paused' resume stuck && others_go_on || return 1
    wait "$pause" || { cat "$scratch/pause"; return 1; }
    wait "$thaw"
    state_is stuck paused && ctl resume stuck && state_is stuck running
}
never() { # it runs on then
    local got=0
    pausing 8 && others_go_on || return 1
    wait "$pause" || got=$?
    cat "$scratch/pause"
    same 37 "$got" && grep -q "the I/O of stuck didn't stop within 5 s" "$scratch/pause" && state_is stuck running || return 1
    wait "$thaw"
}
killed() { # its disk may still write where its memory is: that is waited for, but by nobody else
    local got=0
    pausing 3 && quick ctl kill stuck && others_go_on || return 1
    wait "$pause" || got=$?
    cat "$scratch/pause"
    [[ $got -ne 0 ]] && grep -q 'stuck has ended' "$scratch/pause" && state_is stuck ended || return 1
    wait "$thaw"
}
again() { ctl start stuck && says stuck reads && ctl pause stuck && state_is stuck paused && ctl resume stuck; }
leaving() { # SECONDS: that it doesn't answer, and a kill
    for_seconds "$1"
    quick ctl kill stuck && state_is stuck stopping && ctl list | grep -q 'its disks are waited for' && others_go_on &&
        quick ctl set stuck cpu-weight=50 && quick ctl stats stuck && refused 35 'on its way out' pause stuck
}
for_ever() { # nor is it waited for without end
    leaving 12 && state_is stuck ended && [[ -e $scratch/disks.stuck ]] && others_go_on || return 1
    wait "$thaw"
}
# A process doesn't go before the kernel's part in it does, whoever kills it.
process_stays() {
    leaving 8 && sleep 6 && state_is stuck stopping && others_go_on && wait "$thaw" && state_is stuck ended
}
# all WHAT BINARY OPTION…: of a host with these options.
all() {
    local what=$1
    host_options=("${@:3}")
    CARREL=$2
    check "$what: a host" begin "$fleet"
    CARREL=$real
    check "$what: both run" eval "says stuck reads && says other 'carrel> '"
    check "$what: a pause waits for it, and nobody else does" comes_back
    check "$what: a pause gives up, and the guest runs on" never
    check "$what: a guest that is being paused can be killed" killed
    check "$what: and started again" again
    if [[ ${#host_options[@]} -eq 0 ]]; then
        check "$what: one whose disk never answers again can be killed" for_ever
    else
        check "$what: a process that the kernel keeps is waited for by nobody else" process_stays
    fi
    check "$what: the host ends" ended 0
}
real=$CARREL
all 'stuck disk' "$real"
printf '#!/bin/sh\nexec python3 "%s" io_uring_setup=ENOSYS -- "%s" "$@"\n' "$PWD/tests/kvm/with_errno.py" "$real" >"$scratch/carrel"
chmod +x "$scratch/carrel"
if python3 tests/kvm/with_errno.py io_uring_setup=ENOSYS -- true 2>/dev/null; then
    all 'stuck disk, --isolate, without io_uring' "$scratch/carrel" --isolate
else
    skip 'stuck disk, --isolate, without io_uring' 'no seccomp filter here'
fi
finish
