# Inside the emulated host: hostile_virtio.elf, whose drivers break every rule, against a genuine KVM with its ioeventfds and
# irqfds; and what it can't see itself, the images.
. /root/lib.sh

# survives [OPTION…]
survives() {
    seq 1 100000 >/root/before
    cp /root/before /root/disk
    cp /root/before /root/second
    carrel run /root/hostile_virtio.elf --disk /root/disk --disk /root/second,ro,id=two --rng -v --timeout 200s "$@" </dev/null >/tmp/out 2>/tmp/err
    status=$?
    grep -v '^ok ' /tmp/out
    tail -n 5 /tmp/err
    # Sector 8 is the one that it may write.
    changed=$(cmp -l /root/before /root/disk | awk '$1 <= 4096 || $1 > 4608' | wc -l)
    [ "$status" -eq 0 ] && grep -q 'PASS hostile_virtio' /tmp/out && ! grep -qE '^not ok|FAIL' /tmp/out && [ "$changed" -eq 0 ] &&
        cmp /root/before /root/second && grep -qE 'virtio-blk 0: [0-9]+ requests made no sense' /tmp/err
}
check 'hostile drivers: a genuine KVM, two processors' survives --cpus 2
check 'hostile drivers: a genuine KVM, rebuilt at every 200th exit' survives --rebuild-every 200 --append device=blk
clocks() { carrel run /root/tsc_forward.elf --rebuild-every 10 --timeout 60s </dev/null >/tmp/out; cat /tmp/out; grep -q PASS /tmp/out; }
check 'rebuild: a genuine KVM: no clock goes back, in the first second or later' clocks
finish
