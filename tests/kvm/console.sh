#!/bin/bash
# The console: nothing stalls, nothing spins, nothing is lost but what is said to be lost.
set -uo pipefail
# shellcheck source=tests/kvm/lib.sh
. "$(dirname "$0")/lib.sh"
need_kvm console

byte_then_hlt() {
    local status=0
    guest byte_then_hlt --timeout 2s </dev/null >"$scratch/out" 2>/dev/null || status=$?
    [[ $status -eq 36 ]] && grep -aq '!' "$scratch/out"
}
check 'console: a byte followed by HLT appears' byte_then_hlt

runs_with_stdin() { # how
    local status=0
    case $1 in
        closed) timeout 30 "$CARREL" run "$GUESTS/poweroff.elf" <&- >"$scratch/out" 2>&1 || status=$? ;;
        null) timeout 30 "$CARREL" run "$GUESTS/poweroff.elf" </dev/null >"$scratch/out" 2>&1 || status=$? ;;
        file) timeout 30 "$CARREL" run "$GUESTS/poweroff.elf" <"$0" >"$scratch/out" 2>&1 || status=$? ;;
        directory) timeout 30 "$CARREL" run "$GUESTS/poweroff.elf" <"$scratch" >"$scratch/out" 2>&1 || status=$? ;;
    esac
    cat "$scratch/out"
    same 0 "$status"
}
for how in closed null file directory; do check "console: stdin $how" runs_with_stdin "$how"; done

stdout_closed() { timeout 30 "$CARREL" run "$GUESTS/poweroff.elf" </dev/null >&-; }
check 'console: stdout closed' stdout_closed
all_closed() { timeout 30 "$CARREL" run "$GUESTS/poweroff.elf" <&- >&- 2>&-; }
check 'console: everything closed' all_closed

# A reader that goes away after a line: the guest still ends by itself.
reader_gone() {
    local status=0
    { timeout 60 "$CARREL" run "$GUESTS/flood.elf" --append bytes=65536 </dev/null; echo $? >"$scratch/status"; } | head -n 1 >/dev/null
    status=$(<"$scratch/status")
    same 0 "$status"
}
check 'console: a closed pipe stalls nothing' reader_gone

# A reader that reads nothing for a while: bounded, the middle dropped with a line, the last line there.
slow_reader() {
    { timeout 100 "$CARREL" run "$GUESTS/flood.elf" --append bytes=1000000 </dev/null; echo $? >"$scratch/status"; } | { sleep "${SLEEP:-8}"; cat; } >"$scratch/out"
    [[ $(<"$scratch/status") -eq 0 ]] && tail -c 2000 "$scratch/out" | grep -aq PASS
}
check 'console: a slow reader gets the last lines' slow_reader

idle_costs_nothing() { # at the prompt with stdin=/dev/null: less than 5 % of a CPU
    timeout 20 "$CARREL" run </dev/null >"$scratch/out" 2>/dev/null &
    local pid=$! child before after
    sleep 2
    child=$(pgrep -P "$pid" -x carrel) || return 1
    before=$(awk '{print $14 + $15}' "/proc/$child/stat")
    sleep 3
    after=$(awk '{print $14 + $15}' "/proc/$child/stat")
    kill -KILL "$child"
    wait "$pid"
    printf 'ticks: %d\n' "$((after - before))"
    [[ $((after - before)) -lt 15 ]]
}
check 'console: an idle guest costs no CPU' idle_costs_nothing

input_arrives() {
    head -c 100000 /dev/zero | tr '\0' 'x' >"$scratch/in"
    timeout "$LIMIT" "$CARREL" run "$GUESTS/input_sum.elf" --append bytes=5000 <"$scratch/in" >"$scratch/out" 2>&1 || return 1
    grep -aq PASS "$scratch/out"
}
check 'console: piped input arrives whole' input_arrives

# A gigabyte that the guest never reads stays where it is.
unread_input_is_bounded() {
    head -c 1073741824 /dev/zero | { timeout 30 "$CARREL" run "$GUESTS/hang.elf" --timeout 3s & echo $! >"$scratch/pid"; wait; } >/dev/null 2>&1 &
    sleep 2
    local pid child rss
    pid=$(<"$scratch/pid")
    child=$(pgrep -P "$pid" -x carrel) || return 1
    rss=$(awk '/RssAnon/ {print $2}' "/proc/$child/status")
    wait
    printf 'resident: %s KiB\n' "$rss"
    [[ $rss -lt 30000 ]]
}
check 'console: a gigabyte of unread input is bounded' unread_input_is_bounded

serial_file() {
    timeout 30 "$CARREL" run "$GUESTS/poweroff.elf" --serial "file:$scratch/serial" </dev/null >"$scratch/out" 2>&1 || return 1
    grep -aq PASS "$scratch/serial" && [[ ! -s $scratch/out ]]
}
check 'console: --serial file' serial_file
serial_none() { [[ -z $(timeout 30 "$CARREL" run "$GUESTS/poweroff.elf" --serial none </dev/null 2>&1) ]]; }
check 'console: --serial none' serial_none
finish
