# Inside the emulated host: /root/vmlinuz with /root/initrd, whose script says how long it took to read vda and vdb, in 10 ms.
. /root/lib.sh
dd if=/dev/zero of=/root/first bs=1M count=6 2>/dev/null
cp /root/first /root/second
# within DISK WANTED: to 2 %.
within() {
    took=$(sed -n "s/^$1 //p" /tmp/lines)
    [ "$((took * 100))" -ge "$(($2 * 98))" ] && [ "$((took * 100))" -le "$(($2 * 102))" ]
}
limited() {
    carrel run /root/vmlinuz --initrd /root/initrd --append 'quiet cryptomgr.notests' --disk /root/first,bps=4M --disk /root/second,ops=100 \
        --timeout 120s "$@" </dev/null >/tmp/out 2>&1
    status=$?
    tr -d '\r' </tmp/out >/tmp/lines
    cat /tmp/lines
    [ $status -eq 0 ] && within vda 150 && within vdb 200
}
check 'limits: bytes and operations of a second within 2 %' limited
check 'limits: the same, rebuilt at every 10th exit' limited --rebuild-every 10
finish
