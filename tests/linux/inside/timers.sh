# Inside the emulated host: /root/initrd is timers_init.c.
. /root/lib.sh
fires() {
    carrel run /root/vmlinuz --initrd /root/initrd --append 'quiet cryptomgr.notests' --timeout 60s </dev/null >/tmp/out 2>&1
    status=$?
    cat /tmp/out
    [ $status -eq 0 ] && grep -q 'timers: 15000 rounds, alarms came' /tmp/out
}
check 'timers: fifteen thousand rounds of sleep and work' fires
finish
