#!/bin/bash
# tools/kvm-host: streams and status are the command's, and nothing stays behind.
# shellcheck disable=SC2016  # what stands in single quotes is for the shell inside
set -uo pipefail
# shellcheck source=tests/tools/lib.bash
. "$(dirname "$0")/lib.bash"

host=tools/kvm-host
# Temporary files of the tool go here, so that leftovers can be seen.
export TMPDIR=$scratch/tmp
mkdir "$TMPDIR"

if ! tools/kernels --cached bookworm >/dev/null 2>"$scratch/err"; then
    skip kvm-host "$(tail -n 1 "$scratch/err")"
    finish
fi

# --- status ---
check 'kvm-host: status 0' status_is 0 "$host" -- true
check 'kvm-host: status 7' status_is 7 "$host" -- sh -c 'exit 7'
check 'kvm-host: no such command is 127' status_is 127 "$host" -- no-such-command
check 'kvm-host: a panic of the machine is 125' status_is 125 "$host" -- sh -c 'echo c >/proc/sysrq-trigger'
check 'kvm-host: a time-out is 124' status_is 124 "$host" --timeout 4 -- sleep 1000

panic_shown() {
    local said
    said=$("$host" -- sh -c 'echo c >/proc/sysrq-trigger' </dev/null 2>&1)
    grep 'Kernel panic - not syncing: sysrq' <<<"$said"
}
check 'kvm-host: shows how the machine panicked' panic_shown

# --- wrong use: a sentence and 125, before anything starts ---
check 'kvm-host: refuses --icount with two CPUs' status_is 125 "$host" --icount --cpus 2 -- true
check 'kvm-host: refuses no command' status_is 125 "$host" --
check 'kvm-host: refuses an unknown option' status_is 125 "$host" --nonsense -- true
check 'kvm-host: refuses --timeout 0' status_is 125 "$host" --timeout 0 -- true
check 'kvm-host: refuses a missing file' status_is 125 "$host" --add /no/such:/x -- true
check 'kvm-host: refuses a missing disk' status_is 125 "$host" --disk /no/such -- true

# --- streams ---
awkward=("a  b" "it's" '$HOME `id` "q"' '' '-n' '*' $'two\nlines' $'tab\t\xff\\')
arguments() {
    same "$(printf '<%s>' "${awkward[@]}" | xxd)" "$("$host" -- printf '<%s>' "${awkward[@]}" </dev/null | xxd)"
}
check 'kvm-host: passes arguments exactly' arguments

apart() {
    "$host" -- sh -c 'echo out; echo err >&2' </dev/null >"$scratch/out" 2>"$scratch/errors"
    same out "$(cat "$scratch/out")" && same err "$(cat "$scratch/errors")"
}
check 'kvm-host: stdout and stderr stay apart' apart

binary_both_ways() {
    head -c 3000000 /dev/urandom >"$scratch/random"
    "$host" -- cat <"$scratch/random" >"$scratch/back" && cmp "$scratch/random" "$scratch/back"
}
check 'kvm-host: three megabytes in and out, every byte the same' binary_both_ways
empty_stdin() { same 0 "$("$host" --timeout 30 -- wc -c </dev/null | tr -d ' ')"; }
check 'kvm-host: an empty stdin ends at once' empty_stdin
closed_stdin() { same 0 "$("$host" --timeout 30 -- wc -c <&- | tr -d ' ')"; }
check 'kvm-host: a closed stdin is an empty one' closed_stdin
streaming() {
    local first
    read -r first < <("$host" --timeout 20 -- sh -c 'echo now; sleep 1000' </dev/null 2>/dev/null)
    same now "$first"
}
check 'kvm-host: output comes while the command runs' streaming
reader_gone() {
    "$host" --timeout 60 -- yes </dev/null | head -n 1
    same 141 "${PIPESTATUS[0]}"
}
check 'kvm-host: ends when nobody reads its output' reader_gone
environment() { same "x y'z 1" "$("$host" --icount --env "A=x y'z" -- sh -c 'echo "$A $CARREL_ICOUNT"' </dev/null)"; }
check 'kvm-host: --env, and CARREL_ICOUNT under --icount' environment
disk() {
    head -c 1048576 /dev/urandom >"$scratch/a,disk" && sum=$(md5sum <"$scratch/a,disk")
    same "$sum" "$("$host" --disk "$scratch/a,disk" -- sh -c 'md5sum </dev/vda; echo written | dd of=/dev/vda conv=fsync 2>/dev/null' </dev/null)" &&
        same written "$(head -n 1 "$scratch/a,disk")"
}
check 'kvm-host: --disk is read and written' disk
append() { "$host" --append 'carrel.probe=1 quiet' -- grep -q ' carrel.probe=1 quiet' /proc/cmdline </dev/null; }
check 'kvm-host: --append reaches its kernel' append

# On a terminal the command has a terminal of the same size, and typed input reaches it.
terminal() {
    python3 tests/tools/on_terminal.py 30 100 "$host" -- sh -c 'stty size; read -r typed; echo "got $typed"; tty' >"$scratch/typed"
    cat "$scratch/typed"
    grep -q '^30 100' "$scratch/typed" && grep -q '^got hello' "$scratch/typed" && grep -q '^/dev/hvc0' "$scratch/typed" &&
        grep -q 'settings restored' "$scratch/typed"
}
check 'kvm-host: a terminal stays one, and is put back' terminal

# --- the machine ---
machine() {
    "$host" --module tun --module vhost_net --memory 1G -- sh -ec '
        test -c /dev/kvm; test -c /dev/net/tun; test -c /dev/vhost-net
        test -e /sys/kernel/debug/kvm; test -d /sys/kernel/tracing/events
        grep -q "^svm\|^flags.* svm .*npt" /proc/cpuinfo
        test "$(cat /sys/module/kvm_amd/parameters/npt)" != 0
        ping -c 1 -W 2 127.0.0.1 >/dev/null
        df /tmp /dev/shm' </dev/null
}
check 'kvm-host: /dev/kvm with nested paging, modules, tmpfs, loopback' machine
two_cpus() { same 2 "$("$host" --cpus 2 -- nproc </dev/null)"; }
check 'kvm-host: --cpus 2' two_cpus
program() { "$host" --with bash -- bash -c '[[ a == a ]] && echo "${BASH_VERSION}"' </dev/null; }
check 'kvm-host: --with brings a program with its libraries' program
repeats() {
    local one two script='read -r a b </proc/uptime; echo "$a"; dd if=/dev/zero bs=1M count=20 2>/dev/null | md5sum; cat /proc/uptime'
    one=$("$host" --icount -- sh -c "$script" </dev/null)
    two=$("$host" --icount -- sh -c "$script" </dev/null)
    same "$one" "$two"
}
check 'kvm-host: under --icount the time inside repeats' repeats

# --- what stays behind ---
# descendants PID: all processes below it.
descendants() {
    local child
    for child in $(pgrep -P "$1"); do
        echo "$child"
        descendants "$child"
    done
}
leaves_nothing() {
    local signal=$1 pid qemu status=0 child
    "$host" --timeout 60 -- sleep 1000 </dev/null &
    pid=$!
    sleep 2.5
    qemu=$(descendants "$pid")
    [[ -n $qemu ]] || { echo "no machine was running"; return 1; }
    kill "-$signal" "$pid"
    wait "$pid" || status=$?
    sleep 0.3
    for child in $qemu; do
        # A process that has ended but that init hasn't fetched yet is gone all the same.
        [[ $(ps -o stat= -p "$child") =~ ^(Z.*)?$ ]] || { echo "process $child is still there"; return 1; }
    done
    same '' "$(ls -A "$TMPDIR")" && same $((128 + $(kill -l "$signal"))) "$status"
}
check 'kvm-host: SIGTERM leaves nothing behind' leaves_nothing TERM
check 'kvm-host: SIGHUP leaves nothing behind' leaves_nothing HUP
check 'kvm-host: SIGKILL leaves nothing behind' leaves_nothing KILL
check 'kvm-host: no run above left a file' same '' "$(ls -A "$TMPDIR")"
finish
