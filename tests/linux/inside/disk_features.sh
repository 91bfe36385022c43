# Inside the emulated host: /root/vmlinuz with /root/initrd, whose script works on five disks; one's file grows meanwhile, and
# another's file system has less room than the disk.
. /root/lib.sh
MIB=1048576
mount -t tmpfs none /mnt && mkdir /mnt/small && mount -t tmpfs -o size=2m none /mnt/small || exit 2
cd /mnt || exit 2
for disk in grows holes zeros fixed; do dd if=/dev/urandom of=$disk bs=1M count=4 2>/dev/null; done
busybox truncate -s $((8 * MIB)) small/full
# with_zeros FILE: the sum of what it is to be.
with_zeros() { (dd if=$1 bs=1M count=1; dd if=/dev/zero bs=1M count=1; dd if=$1 bs=1M skip=2) 2>/dev/null | md5sum; }
holes=$(with_zeros holes) zeros=$(with_zeros zeros) fixed=$(md5sum <fixed)
blocks() { busybox stat -c %b $1; } # of 512 bytes
said() { tr -d '\r' </tmp/out | grep -q "^$1"; }

runs() {
    (
        until said 'ready to grow'; do sleep 0.1; done
        busybox truncate -s $((8 * MIB)) grows
    ) &
    carrel run /root/vmlinuz --initrd /root/initrd --append 'quiet cryptomgr.notests' --cpus 2 --timeout 120s --disk grows,queues=2 \
        --disk holes --disk zeros --disk fixed,ro,queues=1 --disk small/full </dev/null >/tmp/out 2>&1
    status=$?
    kill $! 2>/dev/null
    cat /tmp/out
    return $status
}
grows() { said 'grown 16384 ro=0' && said "end $(dd if=grows bs=1M skip=7 2>/dev/null | md5sum)" && [ "$(wc -c <grows)" = $((8 * MIB)) ]; }
queues() { said 'grows 8192 ro=0 queues=2' && said 'holes 8192 ro=0 queues=2' && said 'fixed 8192 ro=1 queues=1'; }
fixed() { said 'fixed is not written' && said 'fixed is not discarded' && [ "$(md5sum <fixed)" = "$fixed" ]; }
# The other three MiB stay, in the guest's eyes, in the file and on the host's disk.
discards() { said discarded && said "holes $holes" && [ "$(md5sum <holes)" = "$holes" ] && [ "$(blocks holes)" = $((3 * MIB / 512)) ]; }
# (BLKZEROOUT asks for zeros that keep their room.)
writes_zeros() { said zeroed && said "zeros $zeros" && [ "$(md5sum <zeros)" = "$zeros" ] && [ "$(blocks zeros)" = $((4 * MIB / 512)) ]; }
full() { said 'no room for it' && said 'full is read' && [ "$(grep -c 'disk small/full: a .* failed' /tmp/out)" = 1 ] && grep -q 'make room in its file system' /tmp/out; }
check 'disk_features: the guest ends well' runs
check 'disk_features: a file that grows is a disk that grows' grows
check 'disk_features: queues, sizes and serial numbers' queues
check 'disk_features: a read-only image stays as it is' fixed
check 'disk_features: a discard makes the file sparse' discards
check 'disk_features: a write of zeros keeps the room' writes_zeros
check 'disk_features: a host without room is an error of the guest, told once' full
[ "$failures" = 0 ] || tr -d '\r' </tmp/out | tail -n 60 | sed 's/^/# /'
finish
