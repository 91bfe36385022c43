#!/bin/bash
# A stock kernel with 512 MiB of RAM and a memory quota of 256: within it, beyond it, with a swap file, and without the permission.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels memory_quota bookworm
# shellcheck disable=SC2016  # the guest's shell expands it
SCRIPT='
for word in $(cat /proc/cmdline); do case $word in fill=*) fill=${word#fill=} ;; esac; done
mkdir /full
mount -t tmpfs -o size=95% none /full
head -c 1000000 /bin/busybox >/block
for i in $(seq $fill); do cat /block; done >/full/file 2>/dev/null && echo "filled $(wc -c </full/file)"
same=yes
for i in $(seq 0 7 $((fill - 1))); do dd if=/full/file bs=1000000 skip=$i count=1 2>/dev/null | cmp -s - /block || same=no; done
echo "the same: $same"
dmesg | grep -iE "bug|warn|stall|oom" | grep -viE "ERST|errors=|RAS"
'
tools/make-initrd --modules "$(tools/kernels --cached --modules bookworm)" virtio_pci virtio_balloon --script "$SCRIPT" -o "$scratch/initrd"
for part in quota swap; do
    inside 300 --icount --memory 3G --add "$(kernel bookworm):/root/vmlinuz" --add "$scratch/initrd:/root/initrd" -- tests/linux/inside/memory_quota.sh $part
done
finish
