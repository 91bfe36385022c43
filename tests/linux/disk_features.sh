#!/bin/bash
# One stock kernel with five disks: what a disk can do besides reading and writing, as the guest's tools and the host's files
# show it: growth, queues, serial numbers, read-only images, discards, writes of zeros, a host without room.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels disk_features bookworm
PATH=$PATH:/sbin:/usr/sbin command -v blkdiscard >/dev/null || { skip disk_features 'no blkdiscard (package util-linux)'; finish; }
# Each disk by its serial number.
# shellcheck disable=SC2016  # for the guest to expand
SCRIPT='
for disk in /sys/block/vd*; do eval "$(cat $disk/serial)=${disk#/sys/block/}"; done
about() { echo "$1 $(cat /sys/block/$2/size) ro=$(cat /sys/block/$2/ro) queues=$(ls /sys/block/$2/mq | wc -l)"; }
about grows $grows
about holes $holes
about fixed $fixed
echo no 2>/dev/null >/dev/$fixed || echo "fixed is not written"
/usr/bin/blkdiscard -o 1M -l 1M /dev/$fixed 2>/dev/null || echo "fixed is not discarded"
/usr/bin/blkdiscard -o 1M -l 1M /dev/$holes && echo "discarded"
/usr/bin/blkdiscard -z -o 1M -l 1M /dev/$zeros && echo "zeroed"
for disk in $holes $zeros; do echo "$(cat /sys/block/$disk/serial) $(md5sum </dev/$disk)"; done
dd if=/dev/urandom of=/dev/$full bs=64k count=64 conv=fsync 2>/dev/null || echo "no room for it"
dd if=/dev/$full of=/dev/null bs=64k 2>/dev/null && echo "full is read"
echo "ready to grow"
for i in $(seq 100); do [ "$(cat /sys/block/$grows/size)" != 8192 ] && break; sleep 0.1; done
about grown $grows
dd if=/dev/urandom of=/dev/$grows bs=1M seek=7 count=1 conv=fsync 2>/dev/null
echo "end $(dd if=/dev/$grows bs=1M skip=7 2>/dev/null | md5sum)"
'
tools/make-initrd --modules "$(tools/kernels --cached --modules bookworm)" virtio_pci virtio_blk --with "$(PATH=$PATH:/sbin:/usr/sbin command -v blkdiscard)" \
    --script "$SCRIPT" -o "$scratch/initrd"
inside 200 --cpus 2 --memory 3G --add "$(kernel bookworm):/root/vmlinuz" --add "$scratch/initrd:/root/initrd" -- tests/linux/inside/disk_features.sh
finish
