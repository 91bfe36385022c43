#!/bin/bash
# What --vsock takes and refuses, and that its socket is there for the run and no longer. Streams are in tests/linux/vsock.sh.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
need_kvm vsock

# refused WORDS VSOCK: not started, for a reason in these words.
refused() {
    local status=0
    timeout 20 "$CARREL" run --vsock "$2" --timeout 10s </dev/null >"$scratch/out" 2>&1 || status=$?
    cat "$scratch/out"
    same 35 "$status" && same 1 "$(wc -l <"$scratch/out")" && grep -q -- "$1" "$scratch/out"
}
: >"$scratch/file"
check 'vsock: no path' refused 'names no socket' ,cid=3
check 'vsock: an unknown word' refused 'is not cid=N' "$scratch/v,port=3"
check "vsock: the host's own address" refused 'no address of a guest' "$scratch/v,cid=2"
check 'vsock: no number' refused 'no address of a guest' "$scratch/v,cid=x"
check 'vsock: the address for any' refused 'no address of a guest' "$scratch/v,cid=4294967295"
check 'vsock: a path that is too long' refused 'longer than 96' "/tmp/$(printf '%0100d' 1)"
check 'vsock: a file that is there' refused "isn't a socket" "$scratch/file"

# ends STATUS OPTION…: the socket is there while the guest runs, and gone after an end with STATUS.
ends() {
    local wanted=$1 status=0 pid seen=no
    shift
    timeout 60 "$CARREL" run "$GUESTS/hang.elf" --vsock "$scratch/v" "$@" </dev/null >"$scratch/out" 2>&1 &
    pid=$!
    for _ in {1..200}; do
        [[ -S $scratch/v ]] && seen=yes && break
        sleep 0.1
    done
    sleep 3 # past the loading of its files, when a signal ends the process at once
    [[ $wanted == 36 ]] || kill "$pid"
    wait "$pid" || status=$?
    cat "$scratch/out"
    [[ $wanted == any ]] || same "$wanted" "$status"
    same yes "$seen" && [[ ! -e $scratch/v ]]
}
check 'vsock: the socket is gone after a time-out' ends 36 --timeout 2s
check 'vsock: the socket is gone after a signal' ends any --timeout 30s
second() {
    timeout 60 "$CARREL" run "$GUESTS/hang.elf" --vsock "$scratch/v" --timeout 5s </dev/null >/dev/null 2>&1 &
    local pid=$! status=0
    for _ in {1..200}; do [[ -S $scratch/v ]] && break; sleep 0.1; done
    refused 'in use by another' "$scratch/v" || status=1
    wait "$pid"
    return "$status"
}
check 'vsock: a socket of a living guest is refused' second
# Rebuilt while connections are made.
calls() { timeout 60 "$CARREL" run "$GUESTS/vsock_call.elf" --vsock "$scratch/v" "$@" </dev/null >"$scratch/out" 2>&1; local status=$?; cat "$scratch/out"; same 0 "$status" && grep -q '^PASS vsock_call 0 responses, 20 resets' "$scratch/out"; }
check 'vsock: a tiny guest calls nobody' calls --append n=20
check 'vsock: the same, rebuilt at every 3rd exit' calls --append n=20 --rebuild-every 3
check 'vsock: packed rings are offered, and not taken' calls --append n=20 --packed-rings
finish
