# Inside the emulated host: /root/initrd's script compares the TSCs of its four vCPUs, sleeps on each of them, and then spins on
# each for a minute. A minute's pause comes in the middle of the first two. Idle time costs nothing under --icount.
# `tsc=reliable`: the emulated host's CPU doesn't say that its TSC is invariant, and Linux believes none other on several CPUs.
. /root/lib.sh
cat >/tmp/fleet.json <<'END'
{"guests": [{"name": "linux", "kernel": "/root/vmlinuz", "initrd": "/root/initrd", "memory": "256M", "cpus": 4,
             "append": "quiet cryptomgr.notests tsc=reliable"}]}
END
begin_host /tmp/fleet.json
shown() { lines 2>/dev/null | grep -c "$1"; }
# reached WORDS [TIMES]: within a minute its console shows them so often.
reached() { soon 200 0.3 has_shown "$1" "${2:-1}"; }
# figure LINE BEFORE AFTER: what stands between the two in that line.
figure() { echo "$1" | sed -n "s/.*$2\([0-9.]*\)$3.*/\1/p"; }
at_most() { awk -v is="$1" -v most="$2" 'BEGIN { exit !(is != "" && is <= most) }'; }
# pause_after WORDS [TIMES]: a minute, in which its console shows nothing more.
pause_after() {
    reached "$1" "${2:-1}" && ctl pause linux && lines >/tmp/before && sleep 60 && lines | cmp - /tmp/before && ctl resume linux
}
boots() {
    reached 'step: round' && lines | grep marker
    [ "$(shown 'marker-timer lapic-deadline')" -eq 4 ]
}
check 'smp_time: a stock kernel boots on four vCPUs, each with a deadline timer' boots
[ "${failures:-0}" -eq 0 ] || finish # without one nothing else says anything
# in_step CLOCK N: in the N-th watch no vCPU read less than another one before, though each took over from each other one within 50 us.
# The pause came in its second round, whose longest step is by less than 1 ms longer than those of the others: the host has one CPU,
# and what asks for the rounds takes it from the guest for a moment, too.
in_step() {
    rm -f /tmp/rounds
    pause_after 'round 1' "$2" && [ "$(grep -c 'round 2' /tmp/before)" -lt "$2" ] && reached 'round 3' "$2" || return 1
    lines | sed -n "/marker-clock $1/,/round 3/s/^step: round/tsc:/p" >/tmp/rounds
    cat /tmp/rounds
    awk -F'[:;,] |ways, ' '
        !/tsc 0 warps.*clock 0 warps.* 12 ways/ { bad = 1 }
        { for (i = 1; i <= NF; ++i) if (sub("longest ", "", $i)) step[NR, ++n[NR]] = $i + 0; if ($NF + 0 > 50) bad = 1 }
        END {
            for (i = 1; i <= 2; ++i) {
                usual = step[1, i] > step[3, i] ? step[1, i] : step[3, i]
                if (step[2, i] >= usual + 1000 || usual > 20000 || !step[2, i]) bad = 1
            }
            exit bad || NR != 3
        }' /tmp/rounds
}
tell() { grep "$1" /tmp/check.log | sed 's/^/# /'; }
check 'smp_time: after a pause of a minute four TSCs are in step and no clock has moved (kvm-clock)' in_step kvm-clock 1
tell '^tsc'
uptime_now() { cut -d. -f1 /proc/uptime; }
fires() {
    pause_after 'timers: begin' && before=$(uptime_now) && reached 'timers: end' && after=$(uptime_now) || return 1
    lines | grep '^timers'
    echo "timers: done $((after - before)) s after the pause"
    [ $((after - before)) -lt 6 ] || return 1
    for cpu in 0 1 2 3; do
        line=$(lines | grep "^timers: cpu $cpu:")
        at_most "$(figure "$line" 'late by ' ' us, then')" 10000 && at_most "$(figure "$line" 'then by ' ' us at most')" 10000 &&
            at_most 100 "$(figure "$line" 'at most, ' ' interrupts')" || return 1
    done
}
check 'smp_time: a timer set before a pause fires after it on each vCPU, and so do those that follow' fires
tell '^timers'
check 'smp_time: after a pause of a minute four TSCs are in step and no clock has moved (tsc)' in_step tsc 2
tell '^tsc'
# What all vCPUs have run, in ms.
has_run() { ctl --json stats linux | grep -o '"run":[0-9]*' | awk -F: '{ sum += $2 } END { printf "%d\n", sum / 1000000 }'; }
capped() {
    reached marker-spinning && ctl set linux cpu-cap=1% && before=$(has_run) && sleep 60 && after=$(has_run) || return 1
    echo "capped: four vCPUs that spin ran $((after - before)) ms in a minute"
    [ $((after - before)) -ge 570 ] && [ $((after - before)) -le 630 ] && reached marker-capped
}
check 'smp_time: four vCPUs that spin go on under a cap of 1 %' capped
tell '^capped'
# Of all its ticks between the two: what top divides. 99.75 % is right, as all spin.
stolen() {
    reached marker-capped && lines | awk '/^stat cpu/ { for (i = 3; i <= 12; ++i) v[n + 0, i] = $i; ++n }
        END {
            for (i = 3; i <= 12; ++i) sum += v[1, i] - v[0, i]
            share = sum ? (v[1, 10] - v[0, 10]) * 100 / sum : 0
            printf "stolen: %.2f %%\n", share
            exit share < 99.25 || share > 100
        }'
}
check 'smp_time: its top shows what they were held back, within half a point' stolen
tell '^stolen'
ctl set linux cpu-cap=default
quiet() { reached marker-end && ! lines | grep '^log: '; }
check 'smp_time: its watchdogs noticed nothing, and its kernel warned of nothing' quiet
kill -TERM $host
ends() { wait $host; }
check 'smp_time: the host ends' ends
finish
