#!/bin/bash
# What --disk takes and refuses: one sentence and status 35; who may use an image at the same time.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
need_kvm disks
truncate -s 1M "$scratch/image"
truncate -s 100 "$scratch/short"
mkfifo "$scratch/fifo"

# refused WORDS DISK: not started, for a reason in these words.
refused() {
    local status=0
    timeout 20 "$CARREL" run --disk "$2" --timeout 10s </dev/null >"$scratch/out" 2>&1 || status=$?
    cat "$scratch/out"
    same 35 "$status" && same 1 "$(wc -l <"$scratch/out")" && grep -q -- "$1" "$scratch/out"
}
check 'disks: a file that is not there' refused 'No such file' "$scratch/none"
check 'disks: a folder' refused 'name a file' "$scratch"
check 'disks: a folder, read-only' refused 'neither a file nor a block device' "$scratch,ro"
check 'disks: a FIFO' refused 'neither a file nor a block device' "$scratch/fifo"
check 'disks: a device that is none for blocks' refused 'neither a file nor a block device' /dev/null
check 'disks: less than a sector' refused 'no whole sector' "$scratch/short"
check 'disks: an unknown word' refused 'neither ro nor id' "$scratch/image,rw"
check 'disks: no file' refused 'names no file' ,ro
check 'disks: an id that is too long' refused 'longer than 20' "$scratch/image,id=123456789012345678901"

kept() { # what is to be emptied for the console must not be a disk, read-only or not
    local before status=0
    head -c 1M /dev/urandom >"$scratch/kept"
    before=$(md5sum <"$scratch/kept")
    ln -f "$scratch/kept" "$scratch/link"
    timeout 20 "$CARREL" run --disk "$scratch/kept$1" --serial "file:$scratch/link" --timeout 10s </dev/null >"$scratch/out" 2>&1 || status=$?
    cat "$scratch/out"
    same 35 "$status" && same "$before" "$(md5sum <"$scratch/kept")" && grep -q 'a disk of the guest' "$scratch/out"
}
check 'disks: --serial file: that is a disk' kept ''
check 'disks: --serial file: that is a read-only disk' kept ,ro

# beside FIRST SECOND: the status of a guest with disk SECOND while one with FIRST runs.
beside() {
    local first second=0 status=0
    timeout 60 "$CARREL" run "$GUESTS/hang.elf" --disk "$1" --timeout 50s </dev/null >/dev/null 2>&1 &
    first=$!
    for _ in {1..100}; do
        grep -qs "$(stat -c %i "$scratch/image")" /proc/locks && break
        sleep 0.1
    done
    timeout 60 "$CARREL" run "$GUESTS/hang.elf" --disk "$2" --timeout 1s </dev/null >"$scratch/out" 2>&1 || second=$?
    kill "$first"
    wait "$first" || status=$?
    cat "$scratch/out"
    echo "$second" >"$scratch/second"
}
two_writers() { beside "$scratch/image" "$scratch/image" && same 35 "$(cat "$scratch/second")" && grep -q 'in use by another' "$scratch/out"; }
check 'disks: a second writer is refused' two_writers
reader_beside_writer() { beside "$scratch/image" "$scratch/image,ro" && same 35 "$(cat "$scratch/second")"; }
check 'disks: a reader beside a writer is refused' reader_beside_writer
two_readers() { beside "$scratch/image,ro" "$scratch/image,ro" && same 36 "$(cat "$scratch/second")"; }
check 'disks: two readers are fine' two_readers
twice() { timeout 20 "$CARREL" run "$GUESTS/hang.elf" --disk "$scratch/image" --disk "$scratch/image" --timeout 1s </dev/null >"$scratch/out" 2>&1; same 35 $?; }
check 'disks: the same image twice is refused' twice
# The lock is gone when the status is seen.
again() {
    local i
    for i in 1 2 3 4 5; do
        timeout 20 "$CARREL" run "$GUESTS/silent.elf" --disk "$scratch/image" --timeout 10s </dev/null >"$scratch/out" 2>&1 || { cat "$scratch/out"; return 1; }
    done
}
check 'disks: the lock is free when the run has ended' again
tiny() { timeout 60 "$CARREL" run --disk "$scratch/image" --rng </dev/null >"$scratch/out" 2>&1; cat "$scratch/out"; ! grep -a 'check.*FAIL' "$scratch/out" && grep -aq 'check serial: ok' "$scratch/out"; }
check 'disks: the built-in guest does not mind them' tiny
refused_transport() { timeout 20 "$CARREL" run --transport "$1" </dev/null >"$scratch/out" 2>&1; same 35 $? && grep -q 'neither pci nor mmio' "$scratch/out"; }
check 'transport: neither of the two' refused_transport isa
check 'transport: none' refused_transport ''
mmio() { timeout 60 "$CARREL" run --transport mmio --disk "$scratch/image" --rng </dev/null >"$scratch/out" 2>&1; cat "$scratch/out"; ! grep -a 'check.*FAIL' "$scratch/out" && grep -aq 'check serial: ok' "$scratch/out"; }
check 'transport: the built-in guest does not mind virtio-mmio' mmio
finish
