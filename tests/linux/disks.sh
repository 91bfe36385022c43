#!/bin/bash
# Stock kernels with two disks and a random number generator: every byte, both ways, with messages, with INTx and over MMIO,
# and while the machine is taken apart and rebuilt from its saved bytes.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels disks bookworm trixie sid
# Where a kernel has them built in, modprobe finds nothing to do.
SCRIPT='
for round in 1 2 3 4; do
    dd if=/dev/urandom of=/pattern bs=64k count=16 2>/dev/null
    dd if=/pattern of=/dev/vda bs=64k seek=$((round * 16)) conv=fsync 2>/dev/null || echo "write failed"
    echo 3 >/proc/sys/vm/drop_caches
    dd if=/dev/vda of=/copy bs=4k skip=$((round * 256)) count=256 2>/dev/null
    cmp /pattern /copy && echo "round $round is the same"
done
echo "first $(dd if=/dev/vda bs=1M count=1 2>/dev/null | md5sum)"
echo "sum $(md5sum </dev/vda)"
echo no >/dev/vdb || echo "vdb is not written"
echo "serials $(cat /sys/block/vda/serial) $(cat /sys/block/vdb/serial)"
echo "sizes $(cat /sys/block/vda/size) $(cat /sys/block/vdb/size)"
echo "random $(head -c 64 /dev/hwrng | wc -c)"
for device in /sys/bus/virtio/devices/*; do echo "packed $(cut -c35 "$device/features")"; done
echo "found $(ls /sys/bus/virtio/devices | wc -l) devices, $(ls /sys/bus/pci/devices 2>/dev/null | wc -l) on PCI"
grep -E "virtio" /proc/interrupts
dmesg | grep -iE "bug|warn|stall|error" | grep -viE "ERST|errors=|RAS"
'
for name in bookworm trixie sid; do
    tools/make-initrd --modules "$(tools/kernels --cached --modules "$name")" virtio_pci virtio_mmio virtio_blk virtio_rng \
        --script "$SCRIPT" -o "$scratch/initrd-$name"
    files=(--memory 3G --add "$(kernel "$name"):/root/vmlinuz" --add "$scratch/initrd-$name:/root/initrd")
    how=(messages intx four) rebuilt=rebuilt
    if [[ $name == trixie ]]; then how+=(mmio) rebuilt=rebuilt_mmio; fi
    if [[ $name == sid ]]; then how+=(packed) rebuilt=rebuilt_packed; fi
    inside 300 --cpus 2 "${files[@]}" -- tests/linux/inside/disks.sh "$name" "${how[@]}"
    # By counted instructions: without, the emulated machine as a whole stood still in one of 22 such runs, which makes some
    # 150 VMs each. Whose fault that is isn't known; QEMU's TCG has lost interrupts under SVM before (tools/lib/qemu_mend.py).
    inside 300 --icount "${files[@]}" -- tests/linux/inside/disks.sh "$name" "$rebuilt"
done
finish
