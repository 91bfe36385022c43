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
check 'disks: an unknown word' refused 'none of ro, id=' "$scratch/image,rw"
check 'disks: no file' refused 'names no file' ,ro
check 'disks: an id that is too long' refused 'longer than 20' "$scratch/image,id=123456789012345678901"

check 'disks: an unknown cache' refused 'none of writeback' "$scratch/image,cache=unsafe"
check 'disks: too many queues' refused 'not between 1 and 16' "$scratch/image,queues=17"
check 'disks: a limit of nothing' refused 'bps=0 is not a size above zero' "$scratch/image,bps=0"
check 'disks: a limit that is no size' refused 'bps=fast is not a size' "$scratch/image,bps=fast"
check 'disks: a limit that is no number' refused 'ops=1K is not a number' "$scratch/image,ops=1K"
check 'disks: a burst that is too short' refused 'not a time between 5ms and 60s' "$scratch/image,bps=1M,burst=1ms"
check 'disks: a burst of no limit' refused 'belongs to a limit' "$scratch/image,burst=1s"
check 'disks: an overlay that may not be written' refused 'exclude each other' "$scratch/image,ro,overlay"
check 'disks: a temporary overlay where none can be' env TMPDIR=/proc/self bash -c "$(declare -f refused same); CARREL=$CARREL scratch=$scratch; refused 'set TMPDIR' $scratch/image,overlay"
head -c 8192 /dev/urandom >"$scratch/other"
check 'disks: an overlay that is none' refused "isn't an overlay" "$scratch/image,overlay=$scratch/other"

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
holder() { two_writers && grep -Eq 'process [0-9]+ \(carrel\)' "$scratch/out"; }
check 'disks: the refusal names the holder' holder
overlays() { # over one base at the same time; and one over a kept file of its own, twice
    local before
    before=$(md5sum <"$scratch/image")
    beside "$scratch/image,overlay" "$scratch/image,overlay" && same 36 "$(cat "$scratch/second")" &&
        beside "$scratch/image,overlay=$scratch/kept1" "$scratch/image,overlay=$scratch/kept2" && same 36 "$(cat "$scratch/second")" &&
        beside "$scratch/image,overlay=$scratch/kept1" "$scratch/image,overlay=$scratch/kept1" && same 35 "$(cat "$scratch/second")" &&
        same "$before" "$(md5sum <"$scratch/image")"
}
check 'disks: guests share a base below overlays, but no overlay' overlays
stale() { touch "$scratch/image" && refused 'written since' "$scratch/image,overlay=$scratch/kept1"; }
check 'disks: an overlay over a base that was written since' stale
no_ring() { # a host that refuses io_uring gets threads
    timeout 20 python3 tests/kvm/with_errno.py io_uring_setup=ENOSYS -- "$CARREL" run "$GUESTS/silent.elf" --disk "$scratch/image" --timeout 10s </dev/null
}
check 'disks: without io_uring, by threads' no_ring
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
limited() { timeout 20 "$CARREL" run "$GUESTS/silent.elf" --disk "$scratch/image,bps=1M,ops=10,burst=1s" --timeout 10s </dev/null >"$scratch/out" 2>&1; }
check 'disks: limits are taken' limited
refused_transport() { timeout 20 "$CARREL" run --transport "$1" </dev/null >"$scratch/out" 2>&1; same 35 $? && grep -q 'neither pci nor mmio' "$scratch/out"; }
check 'transport: neither of the two' refused_transport isa
check 'transport: none' refused_transport ''
mmio() { timeout 60 "$CARREL" run --transport mmio --disk "$scratch/image" --rng </dev/null >"$scratch/out" 2>&1; cat "$scratch/out"; ! grep -a 'check.*FAIL' "$scratch/out" && grep -aq 'check serial: ok' "$scratch/out"; }
check 'transport: the built-in guest does not mind virtio-mmio' mmio
finish
