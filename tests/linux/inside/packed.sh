# Inside the emulated host: /root/vmlinuz has a payload that only its own decompressor finds.
. /root/lib.sh
unpacks_itself() {
    carrel run /root/vmlinuz --initrd /root/initrd --append 'quiet cryptomgr.notests' -v --timeout 60s </dev/null >/tmp/out 2>/tmp/err
    status=$?
    cat /tmp/out /tmp/err
    [ $status -eq 0 ] && grep -q carrel-userspace /tmp/out && grep -q 'the guest does it, slower' /tmp/err
}
check 'boot: the guest unpacks what carrel cannot' unpacks_itself
finish
