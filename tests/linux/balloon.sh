#!/bin/bash
# A stock kernel's balloon: what the guest frees, the host has again; what the balloon holds, the guest does without.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels balloon bookworm
# It waits until the balloon is full: its pages and those of the file would lie between each other otherwise, and no block of
# them be free to report.
SCRIPT='
echo "total $(grep MemFree /proc/meminfo)"
sleep 3
mkdir /full
mount -t tmpfs -o size=90% none /full
dd if=/dev/zero of=/full/file bs=1M count=160 2>/dev/null
echo "filled"
sleep 3
rm /full/file
echo "freed"
sleep 8
echo "free $(grep MemFree /proc/meminfo)"
dd if=/dev/urandom of=/full/file bs=1M count=64 2>/dev/null
cp /full/file /full/copy
cmp /full/file /full/copy && echo "used again"
dmesg | grep -iE "bug|warn|stall|oom" | grep -viE "ERST|errors=|RAS"
'
tools/make-initrd --modules "$(tools/kernels --cached --modules bookworm)" virtio_pci virtio_balloon --script "$SCRIPT" -o "$scratch/initrd"
inside 300 --icount --memory 3G --add "$(kernel bookworm):/root/vmlinuz" --add "$scratch/initrd:/root/initrd" -- tests/linux/inside/balloon.sh
finish
