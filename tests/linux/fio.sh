#!/bin/bash
# fio, which knows what it wrote, in a stock guest: over a raw disk and over ext4, in each cache mode.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels fio bookworm
need_programs fio fio
MEGABYTES=${MEGABYTES:-4}

# disk_of FOLDER FILE SIZE: an ext4 that holds what is in FOLDER.
disk_of() { truncate -s "$3" "$2" && PATH=$PATH:/usr/sbin:/sbin mke2fs -q -F -t ext4 -d "$1" "$2"; }

# fio and its libraries, 80 MB, are a disk of the guest's rather than a part of its initrd: what isn't read isn't moved.
mkdir -p "$scratch"/{programs/{dev,proc,tmp,work},host,empty}
{
    command -v fio
    ldd "$(command -v fio)" | sed -n 's/^\t\(.* => \)\?\(\/[^ ]*\) (0x.*/\2/p'
} | xargs cp --parents -L -t "$scratch/programs" || exit 1
disk_of "$scratch/programs" "$scratch/host/programs" 160M
disk_of "$scratch/empty" "$scratch/host/ext4" 32M
truncate -s 16M "$scratch/host/raw"
# All of them lie on a real disk of the emulated host: cache=none can't be had on its tmpfs.
disk_of "$scratch/host" "$scratch/disk" 300M

# shellcheck disable=SC2016  # for the guest to expand
script='
mount -o ro /dev/vdc /mnt && mount -t devtmpfs dev /mnt/dev && mount -t proc proc /mnt/proc && mount -t tmpfs tmp /mnt/tmp && mount /dev/vdb /mnt/work || exit 1
COMMON="--thread --ioengine=libaio --iodepth=8 --rw=randrw --bsrange=4k-64k --verify=crc32c --verify_fatal=1 --verify_backlog=64 --size='$MEGABYTES'M --end_fsync=1 --randseed=5 --minimal"
chroot /mnt /usr/bin/fio --name=raw --filename=/dev/vda --direct=1 $COMMON >/tmp/raw && echo "raw is verified"
chroot /mnt /usr/bin/fio --name=ext4 --directory=/work --direct=1 --fsync=16 $COMMON >/tmp/ext4 && echo "ext4 is verified"
chroot /mnt /usr/bin/fio --name=cached --directory=/work --direct=0 --fdatasync=8 $COMMON >/tmp/cached && echo "cached is verified"
umount /mnt/work && echo "ext4 is unmounted"
dmesg | grep -E "I/O error|EXT4-fs error"
'
tools/make-initrd --modules "$(tools/kernels --cached --modules bookworm)" virtio_pci virtio_blk ext4 --script "$script" -o "$scratch/initrd"
inside 400 --disk "$scratch/disk" --module ext4 --add "$(kernel bookworm):/root/vmlinuz" --add "$scratch/initrd:/root/initrd" \
    -- tests/linux/inside/fio.sh writeback none writethrough
finish
