#!/bin/bash
# A stock kernel with 512 MiB of RAM and a memory quota of 256: within it, beyond it, and without the permission.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels memory_quota bookworm
# shellcheck disable=SC2016  # the guest's shell expands it
SCRIPT='
for word in $(cat /proc/cmdline); do case $word in fill=*) fill=${word#fill=} ;; esac; done
mkdir /full
mount -t tmpfs -o size=95% none /full
dd if=/dev/zero of=/full/file bs=1M count=$fill 2>/dev/null && echo "filled $(wc -c </full/file)"
dmesg | grep -iE "bug|warn|stall|oom" | grep -viE "ERST|errors=|RAS"
'
tools/make-initrd --script "$SCRIPT" -o "$scratch/initrd"
inside 300 --icount --memory 3G --add "$(kernel bookworm):/root/vmlinuz" --add "$scratch/initrd:/root/initrd" -- tests/linux/inside/memory_quota.sh
finish
