# Inside the emulated host: /root/initrd's script spins for a minute, then watches its clocks. Idle time costs nothing under
# --icount, so a minute of pause doesn't either.
. /root/lib.sh
cat >/tmp/fleet.json <<'END'
{"guests": [{"name": "linux", "kernel": "/root/vmlinuz", "initrd": "/root/initrd", "append": "quiet cryptomgr.notests", "memory": "256M"}]}
END
begin_host /tmp/fleet.json
# reached WORDS [TIMES]: within two minutes its console shows them so often.
reached() { soon 240 0.5 has_shown "$1" "${2:-1}"; }
boots() { reached marker-spinning; }
check 'quota: a stock kernel boots in a host' boots
capped() { ctl set linux cpu-cap=5% && reached marker-capped; }
check 'quota: it goes on under a cap of 5 %' capped
ctl set linux cpu-cap=default
# Of all its ticks between the two, in thousandths: what top divides.
stolen() {
    lines | awk '/^stat cpu/ { for (i = 3; i <= 12; ++i) v[n + 0, i] = $i; ++n }
        END { for (i = 3; i <= 12; ++i) sum += v[1, i] - v[0, i]; printf "%d\n", sum ? (v[1, 10] - v[0, 10]) * 1000 / sum : 0 }'
}
steal_is_right() {
    thousandths=$(stolen)
    lines | grep '^stat'
    echo "stolen: $thousandths of 1000, 950 wanted"
    [ "$thousandths" -ge 945 ] && [ "$thousandths" -le 955 ]
}
check 'quota: its top shows what it was held back, within half a point' steal_is_right
grep '^stolen' /tmp/check.log | sed 's/^/# /'
invariant() {
    ctl stats linux
    ctl --json stats linux >/tmp/stats
    echo "$(sed 's/.*"residual":\(-\{0,1\}[0-9]*\).*/\1/' /tmp/stats) $(sed 's/.*"wall":\([0-9]*\).*/\1/' /tmp/stats)" >/tmp/parts
    awk '{ r = $1 < 0 ? -$1 : $1; printf "residual: %s of %s ns\n", $1, $2; exit !($2 > 0 && r * 200 <= $2) }' /tmp/parts
}
check 'quota: where its time went adds up within half a percent' invariant
grep '^residual' /tmp/check.log | sed 's/^/# /'
# pauses MARK: a minute's pause in the middle of its watch, which began after MARK.
pauses() { reached "$1" && reached 'clock: begin' "$2" && sleep 1 && ctl pause linux && sleep 60 && ctl resume linux && reached 'clock: longest' "$2"; }
# steps N: the longest step of the N-th watch.
steps() {
    us=$(lines | grep 'clock: longest' | sed -n "$1s/.*step \([0-9]*\) us.*/\1/p")
    echo "clock: $us us"
    [ -n "$us" ] && [ "$us" -le 3000 ] && ! lines | grep -q 'went back'
}
paused() { pauses "$1" "$2" && steps "$2"; }
check 'quota: a pause of a minute moves no clock of its (kvm-clock)' paused 'marker-clock kvm-clock' 1
grep '^clock' /tmp/check.log | sed 's/^/# /'
if reached 'marker-tsc tsc' 1 2>/dev/null; then
    check 'quota: a pause of a minute moves no clock of its (tsc)' paused 'marker-tsc tsc' 2
    grep '^clock' /tmp/check.log | sed 's/^/# /'
else
    echo 'skip quota: pauses with clocksource tsc: this kernel offers none here'
fi
quiet() { reached marker-end && ! lines | grep -iE 'lockup|stall|unstable|hung|skew|warp'; }
check 'quota: its watchdogs noticed nothing' quiet
kill -TERM $host
ends() { wait $host; }
check 'quota: the host ends' ends
finish
