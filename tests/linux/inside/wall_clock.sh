# Inside the emulated host: two capped guests on its one CPU, and a wall clock that jumps.
. /root/lib.sh
cat >/tmp/fleet.json <<'END'
{"guests": [{"name": "a", "kernel": "/root/spin.elf", "memory": "32M", "cpu-cap": "25%"},
            {"name": "b", "kernel": "/root/spin.elf", "memory": "32M", "cpu-cap": "40%"}]}
END
carrel host /tmp/fleet.json --socket /tmp/s </dev/null >/tmp/host.log 2>&1 &
host=$!
ctl() { carrel ctl --socket /tmp/s "$@" </dev/null; }
runs() {
    for _ in $(seq 100); do
        [ "$(ctl list 2>/dev/null | grep -c running)" = 2 ] && return 0
        sleep 0.1
    done
    cat /tmp/host.log
    return 1
}
check 'wall clock: two capped guests run' runs
part() { ctl --json stats "$1" | sed "s/.*\"$2\":\([0-9]*\).*/\1/"; } # GUEST KEY
# shares COMMAND…: what both have of four seconds in which COMMAND runs, within 0.08 points.
shares() {
    for guest in a b; do echo "$(part $guest wall) $(part $guest run)" >/tmp/$guest; done
    "$@"
    for guest in a b; do echo "$(part $guest wall) $(part $guest run)" >>/tmp/$guest; done
    for guest in a b; do
        [ $guest = a ] && cap=25 || cap=40
        awk -v cap=$cap 'NR == 1 { wall = $1; run = $2 }
            END { share = ($2 - run) / ($1 - wall) * 100; off = share - cap
                  printf "a share of %.3f %% of %.1f s, cap %d %%\n", share, ($1 - wall) / 1e9, cap
                  exit !(off * off <= 0.08 * 0.08) }' /tmp/$guest || return 1
    done
}
check 'wall clock: they have what their caps say' shares sleep 4
jumps() {
    now=$(date +%s)
    for seconds in 86400 -86400 3600 -1 0; do
        date -s "@$((now + seconds))" >/dev/null || return 1
        sleep 0.8
    done
}
check 'wall clock: and have it while it jumps by a day, ahead and back' shares jumps
grep share /tmp/check.log | sed 's/^/# /'
kill -KILL $host # guests that spin would be waited for
finish
