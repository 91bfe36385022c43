# Shared by the scripts that run inside the emulated host (busybox sh). Prints the lines that tests/tools/lib.bash explains.
failures=0
check() {
    name=$1
    shift
    if "$@" >/tmp/check.log 2>&1; then
        echo "ok $name"
    else
        echo "not ok $name"
        tail -n 40 /tmp/check.log | sed 's/^/# /'
        failures=$((failures + 1))
    fi
}
# status_is STATUS COMMAND…
status_is() {
    wanted=$1
    shift
    got=0
    "$@" </dev/null || got=$?
    [ "$wanted" = "$got" ] || echo "wanted status $wanted, got $got"
    [ "$wanted" = "$got" ]
}
# passt makes another folder its root, which nobody can whose root is the initramfs: a bind mount of it is one like any other.
# `with_another_root "$@"` comes first in a script, which begins again there.
with_another_root() {
    [ "${1:-}" != again ] || return 0
    mkdir /root.again && mount --rbind / /root.again && cd /root.again && mount --move . / && exec chroot . dash /root/inside.sh again
    echo 'not ok another root for passt'
    exit 1
}
# What else passt wants: a user nobody, and an interface with a way out (192.0.2.2 by 192.0.2.1; nothing is behind it).
way_out() {
    grep -q nobody /etc/passwd 2>/dev/null || echo 'nobody:x:65534:65534:nobody:/nonexistent:/bin/false' >>/etc/passwd
    ip link set lo up && ip tuntap add way mode tap && ip addr add 192.0.2.2/24 dev way && ip link set way up && ip route add default via 192.0.2.1
}
# begin_host [FILE]: a host, asked by `ctl`; `lines` is what its guest `linux` has said.
begin_host() {
    carrel host "$@" --socket /tmp/s </dev/null >/tmp/host.log 2>&1 &
    host=$!
}
ctl() { carrel ctl --socket /tmp/s "$@" </dev/null; }
lines() { ctl console linux --once | tr -d '\r'; }
# soon TIMES PAUSE COMMAND…: it succeeds, tried so often.
soon() {
    tries=$1
    pause=$2
    shift 2
    for _ in $(seq "$tries"); do
        "$@" && return 0
        sleep "$pause"
    done
    cat /tmp/host.log
    ctl list
    lines
    return 1
}
# has_shown WORDS TIMES: on the console, by now.
has_shown() { [ "$(lines 2>/dev/null | grep -c "$1")" -ge "$2" ]; }
finish() { exit $((failures > 0)); }
