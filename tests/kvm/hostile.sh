#!/bin/bash
# Guests, readers and signals that mean no good: the run ends as it should, bounded, and leaves nothing behind.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/kvm/fault_lib.bash
. "$(dirname "$0")/fault_lib.bash"
need_kvm hostile

# ---- hostile and silent guests ----
hammer() { # an endless storm on unknown ports: ends in time, says nothing but the end, stays small, is counted
    local begin=$SECONDS status=0 anonymous
    timeout 60 "$CARREL" run -v "$GUESTS/port_hammer.elf" --append ms=0 --timeout 4s </dev/null >"$scratch/out" 2>&1 &
    local pid=$! child
    sleep 2
    child=$(pgrep -P "$pid" -x carrel)
    anonymous=$(anonymous_kib "$child")
    wait "$pid" || status=$?
    cat "$scratch/out"
    printf 'anonymous memory: %s KiB\n' "$anonymous"
    same 36 "$status" && [[ $((SECONDS - begin)) -lt 10 && $anonymous -lt 20000 && $(lines "$scratch/out") -lt 10 ]] &&
        grep -aqE 'no device answered: [1-9][0-9]{3,} port' "$scratch/out"
}
check 'a guest that hammers unknown ports' hammer
check 'a guest that never prints' ends_with 0 silent
quiet_hang() { ends_with 36 hang --timeout 1s && same 1 "$(lines "$scratch/out")"; }
check 'a guest that never prints and never ends' quiet_hang
flood_to_null() { timeout 60 "$CARREL" run "$GUESTS/flood.elf" </dev/null >/dev/null 2>"$scratch/err" && same 0 "$(lines "$scratch/err")"; }
check 'a flood to /dev/null' flood_to_null
flood_whole() { # a fast reader gets every byte: 4096 numbered lines and the verdict
    timeout 60 "$CARREL" run "$GUESTS/flood.elf" </dev/null >"$scratch/flood" || return 1
    same 4096 "$(grep -acE '^[0-9]{10} [a-z]{51}' "$scratch/flood")" && same "$((4096 * 64))" "$(grep -aE '^[0-9]' "$scratch/flood" | wc -c)"
}
check 'a flood to a file: every byte' flood_whole
flood_to_slow_reader() { # bounded memory, a line that says how many bytes are missing, the end
    mkfifo "$scratch/slow"
    { sleep 5; cat "$scratch/slow" >"$scratch/flood"; } 3<>"$scratch/slow" &
    local reader=$! status=0 anonymous
    exec 4<>"$scratch/slow"
    timeout 90 "$CARREL" run "$GUESTS/flood.elf" --append bytes=1500000 </dev/null >"$scratch/slow" &
    local pid=$!
    exec 4>&-
    sleep 4
    anonymous=$(anonymous_kib "$(pgrep -P "$pid" -x carrel)")
    wait "$pid" || status=$?
    kill "$reader" 2>/dev/null
    printf 'status %s, anonymous memory: %s KiB\n' "$status" "$anonymous"
    tail -n 3 "$scratch/flood"
    same 0 "$status" && [[ ${anonymous:-0} -lt 20000 ]] && grep -aq 'PASS flood' "$scratch/flood"
}
check 'a flood to a slow reader: bounded, and the last line comes' flood_to_slow_reader

slow_load() { # a gigabyte of initrd takes seconds to read: the time-out and a signal end that, too
    local how=$1 status=0 begin=$SECONDS
    truncate -s 1900M "$scratch/initrd"
    "$CARREL" run "$GUESTS/hang.elf" --initrd "$scratch/initrd" --memory 3G --timeout "$([[ $how == signal ]] && echo 60s || echo 100ms)" \
        </dev/null >"$scratch/out" 2>&1 &
    local pid=$!
    sleep 0.3
    [[ $how == timeout ]] || kill -TERM "$pid"
    wait "$pid" || status=$?
    cat "$scratch/out"
    rm "$scratch/initrd"
    same "$([[ $how == signal ]] && echo 38 || echo 36)" "$status" && [[ $((SECONDS - begin)) -lt 5 ]] && grep -q 'files' "$scratch/out"
}
check 'a time-out while files are loaded' slow_load timeout
check 'a signal while files are loaded' slow_load signal
stuck_stderr() { # a pipe that is full and that nobody reads: the time-out and two signals still end it
    local how=$1 status=0 begin=$SECONDS
    mkfifo "$scratch/stuck.$how"
    exec 4<>"$scratch/stuck.$how"
    dd if=/dev/zero of="/proc/$$/fd/4" bs=64k count=1 oflag=nonblock status=none
    local options=()
    [[ $how == signals ]] || options=(--timeout 1s)
    "$CARREL" run "$GUESTS/hang.elf" -v "${options[@]}" </dev/null >/dev/null 2>&4 &
    local pid=$!
    if [[ $how == signals ]]; then
        sleep 1.5
        kill -TERM "$pid"
        sleep 0.5
        kill -TERM "$pid"
    fi
    for _ in {1..150}; do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null
    wait "$pid" || status=$?
    exec 4>&-
    printf 'status %s after %s s\n' "$status" "$((SECONDS - begin))"
    same "$([[ $how == signals ]] && echo 38 || echo 36)" "$status"
}
check 'a full standard error holds no time-out up' stuck_stderr timeout
check 'a full standard error holds no signal up' stuck_stderr signals
nohup_works() { # an ignored signal stays ignored
    (trap '' HUP && exec "$CARREL" run "$GUESTS/hang.elf" --timeout 3s </dev/null >"$scratch/out" 2>&1) &
    local pid=$! status=0
    sleep 1
    kill -HUP "$pid"
    wait "$pid" || status=$?
    cat "$scratch/out"
    same 36 "$status"
}
check 'nohup: an ignored SIGHUP stays ignored' nohup_works
no_thread_for_kvm() { # KVM makes a thread of its own at the first run
    local group status good=0
    group=$(mktemp -d /sys/fs/cgroup/pids/carrel.XXXXXX) || return 1
    for _ in {1..6}; do # now and then the io thread is the one that is refused: the same sentence
        echo 3 >"$group/pids.max"
        status=0
        timeout 30 bash -c "echo \$\$ >'$group/cgroup.procs' && exec '$CARREL' run '$GUESTS/hang.elf' --timeout 5s" </dev/null >"$scratch/out" 2>&1 || status=$?
        cat "$scratch/out"
        if [[ $status -ne 37 ]] || ! grep -qE 'ulimit -u|pids.max|thread' "$scratch/out"; then break; fi
        good=$((good + 1))
    done
    rmdir "$group"
    same 6 "$good"
}
if [[ -w /sys/fs/cgroup/pids/cgroup.procs ]]; then
    check 'a limit on threads that stops KVM itself' no_thread_for_kvm
else
    skip 'a limit on threads that stops KVM itself' 'no pids controller of cgroups version 1 here'
fi
signals_full() { # a kick must reach a halted vCPU though the user may have no signal pending
    local begin=$SECONDS
    (ulimit -i 0 && ends_with 36 hang --timeout 1s) && [[ $((SECONDS - begin)) -lt 10 ]]
}
check 'time runs out though the queue of signals is full' signals_full
rebuild_without_descriptors() { # the machine that was there is still there to be ended
    local status=0
    started '' "$CARREL" run "$GUESTS/state_walk.elf" --append rounds=100000 --rebuild-every 50
    sleep 1
    prlimit --pid "$pid" --nofile=3
    wait "$pid" || status=$?
    cat "$scratch/err"
    same 37 "$status" && same 1 "$(lines "$scratch/err")"
}
check 'a rebuild that gets no descriptor' rebuild_without_descriptors
unmapped_told() { # --log debug names what the guest does wrong, at a limited rate
    timeout 60 "$CARREL" run "$GUESTS/port_hammer.elf" --append ms=500 --log debug </dev/null >/dev/null 2>"$scratch/err" || return 1
    head -n 3 "$scratch/err"
    grep -q 'no device answers at port 0x' "$scratch/err" && [[ $(grep -c 'no device' "$scratch/err") -lt 20 ]]
}
check 'unknown ports are named at --log debug, at a limited rate' unmapped_told

# ---- SIGKILL, restarts, leaks ----
left_behind() { find /dev/shm "${TMPDIR:-/tmp}" -mindepth 1 -maxdepth 1 -name '*carrel*' -o -path '/dev/shm/*' | sort; }
nothing_left() {
    local before after
    before=$(left_behind)
    started 'carrel> ' "$CARREL" run --serial stdio || return 1
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null
    started '' "$CARREL" run --serial pty
    wait_for 'serial port is' "$scratch/err" || return 1
    local pty killed
    pty=$(grep -aoE '/dev/pts/[0-9]+' "$scratch/err") || return 1
    sleep 1.1 # so that a pty of the same number that another test opens later is known by its time
    killed=$(date +%s)
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null
    sleep 0.3
    after=$(left_behind)
    [[ ! -e $pty || $(stat -c %Z "$pty") -ge $killed ]] || { printf '%s is still there\n' "$pty"; return 1; }
    [[ ! -e /proc/$pid ]] && diff <(echo "$before") <(echo "$after")
}
check 'SIGKILL leaves nothing behind' nothing_left

restarts_leak_nothing() { # the reset guest is run again and again; /proc is compared after 5 and after 55 runs
    started '' "$CARREL" run "$GUESTS/reset_cf9.elf" --on-reboot restart
    local i first last
    runs() { grep -ac reset "$scratch/out"; }
    counts() { printf '%s fds, %s threads, %s mappings' "$(find "/proc/$pid/fd" -mindepth 1 | wc -l)" "$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l)" "$(grep -c '' "/proc/$pid/maps")"; }
    settled() { # stopped between two looks, the largest of several
        local most=0 n
        for _ in {1..20}; do n=$(find "/proc/$pid/fd" -mindepth 1 2>/dev/null | wc -l); ((n > most)) && most=$n; done
        printf '%s' "$most"
    }
    for ((i = 0; i < 300 && $(runs) < 5; ++i)); do sleep 0.1; done
    first=$(settled)
    local maps_first threads_first
    maps_first=$(grep -c '' "/proc/$pid/maps") threads_first=$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l)
    for ((i = 0; i < 600 && $(runs) < 55; ++i)); do sleep 0.1; done
    local total
    total=$(runs)
    last=$(settled)
    printf '%s runs; descriptors %s, then %s; %s mappings, %s threads, then %s\n' "$total" "$first" "$last" "$maps_first" "$threads_first" "$(counts)"
    local maps_last threads_last
    maps_last=$(grep -c '' "/proc/$pid/maps") threads_last=$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l)
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null
    [[ $total -ge 55 && $last -le $((first + 2)) && $maps_last -le $((maps_first + 15)) && $threads_last -le $((threads_first + 3)) ]]
}
check '50 restarts leak no descriptor, thread or mapping' restarts_leak_nothing

# ---- patience ----
ignores_the_button() { # 10 s after the first signal it is over
    started ready "$CARREL" run "$GUESTS/input_sum.elf" || return 1
    local begin=$SECONDS status=0
    kill -TERM "$pid"
    wait "$pid" || status=$?
    printf 'ended after %s s\n' "$((SECONDS - begin))"
    cat "$scratch/err"
    same 38 "$status" && [[ $((SECONDS - begin)) -ge 9 && $((SECONDS - begin)) -le 13 ]]
}
check 'a guest that ignores the power button is ended after 10 s' ignores_the_button
finish
