# Inside the emulated host: how a stock kernel ends, and what carrel makes of it.
. /root/lib.sh
linux() { # INITRD|none CMDLINE [OPTION…]
    initrd=$1 line=$2
    shift 2
    [ "$initrd" = none ] || set -- --initrd "/root/$initrd" "$@"
    carrel run /root/vmlinuz --append "quiet cryptomgr.notests $line" "$@" </dev/null
}
ends() { wanted=$1; shift; got=0; linux "$@" || got=$?; echo "status $got, wanted $wanted"; [ "$got" = "$wanted" ]; }
check 'status 0: the words of a panic, then a power-off' ends 0 words ''
check 'status 34: a panic before any module (no root)' ends 34 none ''
check 'status 34: a panic with panic=0' ends 34 none 'panic=0'
check 'status 34: a panic from sysrq' ends 34 sysrq ''
check 'status 34: a panic from sysrq, without quiet and time stamps' ends 34 sysrq 'printk.time=0 loglevel=7'
check 'status 34: a panic of a kernel that has no memory' ends 34 reset 'mem=8M'
check 'status 32: reboot' ends 32 reset ''
restarts() { # further boots take the unpacked kernel from the cache
    got=0
    linux reset '' --on-reboot restart --timeout 25s >/tmp/out 2>&1 || got=$?
    boots=$(grep -c 'reboot: Restarting system' /tmp/out)
    echo "status $got, $boots boots"
    [ $got -eq 36 ] && [ "$boots" -ge 2 ]
}
check 'status 36: a kernel that is started again at each reboot' restarts
check 'status 36: a guest that sleeps for ever' ends 36 sleeps '' --timeout 15s
check 'status 35: an initrd that does not fit' ends 35 words '' --memory 16M
finish
