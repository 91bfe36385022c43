#!/bin/bash
# The console: nothing stalls, nothing spins, nothing is lost but what is said to be lost.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/kvm/fault_lib.bash
. "$(dirname "$0")/fault_lib.bash"
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

# A reader that reads nothing until a while after the guest's end: the middle is dropped with a line that says how much,
# the last line is there, and what arrived and what is missing add up.
slow_reader() {
    { timeout 100 "$CARREL" run "$GUESTS/flood.elf" --append bytes=1000000 </dev/null; echo $? >"$scratch/status"; } | { sleep 6; cat; } >"$scratch/out"
    same 0 "$(<"$scratch/status")" && tail -c 2000 "$scratch/out" | grep -aq 'PASS flood' || return 1
    local missing notices
    missing=$(grep -ao 'carrel: [0-9]* bytes of console output dropped' "$scratch/out" | awk '{sum += $2} END {print sum + 0}')
    notices=$(grep -ao '\[carrel: [0-9]* bytes of console output dropped\]' "$scratch/out" | awk '{sum += length($0) + 4} END {print sum + 0}')
    printf 'missing %s, notices %s, arrived %s\n' "$missing" "$notices" "$(stat -c %s "$scratch/out")"
    [[ $missing -gt 0 ]] && same "$((15625 * 64 + 24))" "$(($(stat -c %s "$scratch/out") - notices + missing))"
}
check 'console: a slow reader gets the last lines, and the sum is right' slow_reader

# A reader that never reads: said on standard error, bounded in time; a signal ends the wait.
reader_asleep() { # SIGNAL or nothing, LEAST, MOST seconds
    local begin=$SECONDS pid status=0 took
    [[ -p $scratch/asleep ]] || mkfifo "$scratch/asleep"
    exec 5<>"$scratch/asleep"
    timeout 60 "$CARREL" run "$GUESTS/flood.elf" --append bytes=200000 </dev/null >"$scratch/asleep" 2>"$scratch/err" &
    pid=$!
    if [[ -n $1 ]]; then sleep 4 && kill "-$1" "$(pgrep -P "$pid" -x carrel)"; fi
    wait "$pid" || status=$?
    exec 5>&-
    took=$((SECONDS - begin))
    printf 'took %s s\n' "$took"
    cat "$scratch/err"
    same 0 "$status" && grep -aq 'bytes of console output were never read' "$scratch/err" && [[ $took -ge $2 && $took -le $3 ]]
}
check 'console: a reader that never reads' reader_asleep '' 9 20
check 'console: a reader that never reads, and a signal' reader_asleep TERM 3 8

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

input_arrives() { # every byte once and in order, from a file and from a pipe
    head -c 50000 /dev/urandom >"$scratch/in"
    local wanted
    wanted=$(python3 -c 'import sys; d = open(sys.argv[1], "rb").read(); o = 0
for b in d: o = (o * 31 + b) & 0xffffffff
print(f"PASS input_sum {len(d)} bytes, sum {sum(d)}, order {o:#x}")' "$scratch/in")
    timeout "$LIMIT" "$CARREL" run "$GUESTS/input_sum.elf" --append bytes=50000 <"$scratch/in" >"$scratch/out" 2>&1 || return 1
    same "$wanted" "$(grep -a PASS "$scratch/out" | tr -d '\r')" || return 1
    dd if="$scratch/in" bs=777 status=none | timeout "$LIMIT" "$CARREL" run "$GUESTS/input_sum.elf" --append bytes=50000 >"$scratch/out" 2>&1 || return 1
    same "$wanted" "$(grep -a PASS "$scratch/out" | tr -d '\r')"
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
    grep -aq PASS "$scratch/serial" && same 0 "$(lines "$scratch/out")"
}
check 'console: --serial file' serial_file
# A client comes, goes and comes back; the last one gets the guest's last words.
check 'console: --serial pty: attach, detach, attach again' python3 tests/kvm/pty_client.py "$CARREL"
serial_fifo() { # a FIFO without a reader is an error, not a wait
    mkfifo "$scratch/serial.fifo"
    status_is 35 timeout 10 "$CARREL" run "$GUESTS/poweroff.elf" --serial "file:$scratch/serial.fifo"
}
check 'console: --serial file: a FIFO that nobody reads' serial_fifo
stdin_fifo() { # opened at both ends and silent: no input, no end, no spin
    mkfifo "$scratch/stdin.fifo" && exec 6<>"$scratch/stdin.fifo"
    timeout 30 "$CARREL" run "$GUESTS/poweroff.elf" <&6 >"$scratch/out" 2>&1
    local status=$?
    exec 6>&-
    same 0 "$status"
}
check 'console: stdin a FIFO that stays silent' stdin_fifo
commands_in_a_file() { printf 'echo one\necho two\npoweroff\n' >"$scratch/in" && timeout 30 "$CARREL" run <"$scratch/in" >"$scratch/out" 2>&1 && grep -aq '^two' "$scratch/out"; }
check 'console: commands for the default guest from a file' commands_in_a_file
serial_none() { timeout 30 "$CARREL" run "$GUESTS/poweroff.elf" --serial none </dev/null >"$scratch/out" 2>&1 && same 0 "$(lines "$scratch/out")"; }
check 'console: --serial none' serial_none
# What --console takes. A kernel that knows only the serial port is seen all the same.
virtio_refused() { # WORDS OPTION…: not started, for a reason in these words
    local status=0 words=$1
    shift
    timeout 20 "$CARREL" run "$@" </dev/null >"$scratch/out" 2>&1 || status=$?
    cat "$scratch/out"
    same 35 "$status" && same 1 "$(wc -l <"$scratch/out")" && grep -q -- "$words" "$scratch/out"
}
check 'console: --console: an unknown word' virtio_refused 'neither serial nor virtio' "$GUESTS/poweroff.elf" --console tty
check 'console: --console virtio, and the guest that is built in' virtio_refused 'no driver for virtio' --console virtio
check 'console: --console virtio: a guest that uses the serial port' passes poweroff --console virtio
check 'console: --console virtio: the same, rebuilt' passes string_io --console virtio --rebuild-every 7
finish
