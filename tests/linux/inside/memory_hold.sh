# Inside the emulated host: /root/initrd's script fills more than the guest's quota; a minute later that is raised. Idle time costs
# nothing under --icount.
. /root/lib.sh
modprobe -q userfaultfd 2>/dev/null
cat >/tmp/fleet.json <<'END'
{"guests": [{"name": "linux", "kernel": "/root/vmlinuz", "initrd": "/root/initrd", "append": "quiet cryptomgr.notests", "memory": "512M",
             "memory-quota": "128M"}]}
END
begin_host /tmp/fleet.json
state_is() { ctl --json show "$1" 2>/dev/null | grep -q "\"state\": *\"$2\""; }
held() { soon 240 0.5 state_is linux held && ctl --json show linux | grep -q 'it has used up its memory quota, 12[78] MiB of 128 MiB'; }
check 'memory hold: who needs more than its quota is held, and it is said why' held
shown() { lines | grep -c "$1"; }
goes_on() { sleep 60 && ctl --json stats linux >/tmp/stats && [ "$(shown '^filled')" = 0 ] && ctl set linux memory-quota=512M && soon 240 0.5 ended; }
ended() { [ "$(shown '^marker-end')" = 1 ]; }
check 'memory hold: a larger quota lets it go on' goes_on
# Ticks of 10 ms between the two lines, and the guest's own time.
stolen() {
    lines | grep -E '^(stat|up|filled)'
    lines | awk '/^stat cpu/ { steal[n] = $10 } /^up/ { up[n++] = $2 } END { printf "stolen: %d of %d ms\n", (steal[1] - steal[0]) * 10, (up[1] - up[0]) * 1000 }' | tee /tmp/stolen
    awk '{ exit !($2 >= 59000 && $2 <= $4) }' /tmp/stolen
}
check 'memory hold: its top shows the minute as stolen' stolen
grep '^stolen' /tmp/check.log | sed 's/^/# /'
waited() {
    cat /tmp/stats
    [ "$(sed 's/.*"memory": *\([0-9]*\).*/\1/' /tmp/stats)" -ge 59000000000 ]
}
check 'memory hold: and its statistics as waited for memory' waited
quiet() { ! lines | grep -iE 'lockup|stall|unstable|hung|skew|warp'; }
check 'memory hold: its watchdogs noticed nothing' quiet
kill -TERM $host
ends() { wait $host; }
check 'memory hold: the host ends' ends
finish
