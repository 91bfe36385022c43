#!/bin/bash
# Disks with rate limits under a stock kernel, in virtual time: 6 MiB at 4 MiB a second, and 200 requests at 100 a second.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels limits bookworm
SCRIPT='
now() { awk "{ print int(\$1 * 100 + 0.5) }" /proc/uptime; }
timed() {
    before=$(now)
    dd if=/dev/"$1" of=/dev/null bs="$2" count="$3" iflag=direct 2>/dev/null || echo "$1 failed"
    echo "$1 $(($(now) - before))"
}
timed vda 64k 96
timed vdb 4k 200
'
tools/make-initrd --modules "$(tools/kernels --cached --modules bookworm)" virtio_pci virtio_blk --script "$SCRIPT" -o "$scratch/initrd"
inside 300 --icount --add "$(kernel bookworm):/root/vmlinuz" --add "$scratch/initrd:/root/initrd" -- tests/linux/inside/limits.sh
finish
