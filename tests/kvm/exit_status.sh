#!/bin/bash
# The table of exit codes, row by row.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
need_kvm exit_status

check 'status 0: powered off' ends_with 0 poweroff
check 'status 32: reset by port 0xcf9' ends_with 32 reset_cf9
check 'status 32: reset by the 8042' ends_with 32 reset_8042
check 'status 33: triple fault' ends_with 33 triple_fault
check 'status 34: a panic line, then a reset' ends_with 34 panic_line --append 'line="Kernel panic - not syncing: test" end=reset'
check 'status 34: with a time stamp' ends_with 34 panic_line --append 'line="[    1.234567] Kernel panic - not syncing: test" end=reset'
check "status 34: the kernel's own end line, then it spins" ends_with 34 panic_line \
    --append 'line="[    1.234567] Kernel panic - not syncing: test" line2="[    1.234600] ---[ end Kernel panic - not syncing: test ]---" end=spin'
check 'status 0: the words without a reset are no panic' ends_with 0 panic_line --append 'line="Kernel panic - not syncing" end=poweroff'
check 'status 32: the words inside a line are no panic' ends_with 32 panic_line --append 'line="it said Kernel panic - not syncing" end=reset'
check 'status 35: an unknown option' status_is 35 "$CARREL" run --frobnicate
check 'status 35: too little memory' status_is 35 "$CARREL" run --memory 1M
check 'status 35: a size that is none' status_is 35 "$CARREL" run --memory lots
check 'status 35: no such kernel' status_is 35 "$CARREL" run /nonexistent/vmlinuz
check 'status 35: no subcommand' status_is 35 "$CARREL"
check 'status 36: a guest that hangs with interrupts off' ends_with 36 hang --timeout 1s
check 'status 36: a guest that spins' ends_with 36 hang_spin --timeout 1s
check 'status 37: an instruction that KVM cannot emulate' ends_with 37 bad_insn
report_names() { grep -aq 'RIP 0x' "$scratch/out" && grep -aq "couldn't fetch an instruction" "$scratch/out" && grep -aq 'rax' "$scratch/out"; }
check 'status 37: the report names RIP and the cause' report_names

restarts() {
    timeout 30 "$CARREL" run "$GUESTS/reset_cf9.elf" --on-reboot restart --timeout 2s </dev/null >"$scratch/out" 2>&1
    local status=$?
    [[ $status -eq 36 && $(grep -ac 'reset' "$scratch/out") -gt 1 ]]
}
check '--on-reboot restart runs it again' restarts

# started_then SIGNAL…: the default guest is started, the signals are sent once it is at its prompt.
started_then() {
    local pid status=0 signal first=1
    timeout 60 "$CARREL" run "$@" </dev/null >"$scratch/out" 2>"$scratch/err" &
    pid=$!
    wait_for_text "$scratch/out" "${READY:-carrel> }" || { kill "$pid"; return 1; }
    local child
    child=$(pgrep -P "$pid" -x carrel) || return 1
    for signal in $SIGNALS; do
        [[ $first == 1 ]] || sleep 0.3
        first=0
        kill "-$signal" "$child"
    done
    wait "$pid" || status=$?
    cat "$scratch/out" "$scratch/err"
    same 38 "$status"
}
wait_for_text() {
    for _ in {1..300}; do
        grep -aqF "$2" "$1" && return 0
        sleep 0.1
    done
    printf 'no "%s" in 30 s\n' "$2"
    return 1
}
for name in TERM INT HUP; do
    SIGNALS=$name check "status 38: SIG$name presses the power button, and the guest powers off" started_then
done
SIGNALS='TERM TERM' READY=ready check 'status 38: a second SIGTERM ends a guest that ignores the button' started_then "$GUESTS/input_sum.elf" --append bytes=10
finish
