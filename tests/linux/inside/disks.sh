# Inside the emulated host: /root/vmlinuz with /root/initrd, whose script works on vda and vdb and says what it found.
# usage: KERNEL HOW…
. /root/lib.sh
kernel=$1

# with_disks APPEND [OPTION…]: the run's console in /tmp/out, its disk in /root/disk.
with_disks() {
    append=$1
    shift
    dd if=/dev/urandom of=/root/disk bs=1M count=6 2>/dev/null
    first=$(dd if=/root/disk bs=1M count=1 2>/dev/null | md5sum)
    dd if=/dev/zero of=/root/second bs=1M count=1 2>/dev/null
    carrel run /root/vmlinuz --initrd /root/initrd --append "quiet cryptomgr.notests $append" --disk /root/disk --disk /root/second,ro,id=two \
        --rng --timeout 120s "$@" </dev/null >/tmp/out 2>&1
    status=$?
    tr -d '\r' </tmp/out >/tmp/lines
    cat /tmp/lines
    [ $status -eq 0 ] && [ "$(grep -c 'is the same' /tmp/lines)" = 4 ] && grep -q "^first $first" /tmp/lines &&
        grep -q "^sum $(md5sum </root/disk)" /tmp/lines && grep -q '^vdb is not written' /tmp/lines &&
        [ "$(md5sum </root/second)" = "$(dd if=/dev/zero bs=1M count=1 2>/dev/null | md5sum)" ] &&
        grep -q '^serials disk two' /tmp/lines && grep -q '^sizes 12288 2048' /tmp/lines && grep -q '^random 64' /tmp/lines
}
messages() { with_disks '' && grep -q 'MSI.*virtio.*req' /tmp/lines; }
intx() { with_disks pci=nomsi && grep -q 'IO-APIC.*virtio' /tmp/lines; }
# ACPI tells of each device once, and of no PCI bus.
mmio() { with_disks '' --transport mmio "$@" && grep -q '^found 3 devices, 0 on PCI' /tmp/lines && grep -q 'IO-APIC.*virtio' /tmp/lines; }
rebuilt() { with_disks '' --rebuild-every 10; }
# The rings are the driver's choice: 34 is VIRTIO_F_RING_PACKED.
packed() { with_disks '' --packed-rings "$@" && [ "$(grep -c '^packed 1$' /tmp/lines)" = 3 ]; }
rebuilt_packed() { packed --rebuild-every 10; }
rebuilt_mmio() { mmio --rebuild-every 10; }
four() { with_disks '' --cpus 4; }
shift
for how in "$@"; do
    case $how in
        messages) check "disks: $kernel, with messages" messages ;;
        intx) check "disks: $kernel, with INTx" intx ;;
        rebuilt) check "disks: $kernel, rebuilt at every 10th exit" rebuilt ;;
        mmio) check "disks: $kernel, over MMIO" mmio ;;
        packed) check "disks: $kernel, packed rings" packed ;;
        rebuilt_packed) check "disks: $kernel, packed rings, rebuilt at every 10th exit" rebuilt_packed ;;
        rebuilt_mmio) check "disks: $kernel, over MMIO, rebuilt at every 10th exit" rebuilt_mmio ;;
        four) check "disks: $kernel, 4 vCPUs" four ;;
    esac
done
finish
