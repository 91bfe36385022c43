#!/bin/bash
# A stock kernel that is held for memory for a minute: what it says about that minute.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels memory_hold bookworm
# shellcheck disable=SC2016  # the guest's shell expands it
SCRIPT='
mkdir /full
mount -t tmpfs -o size=95% none /full
stat() { echo "stat $(head -1 /proc/stat)"; echo "up $(cut -d" " -f1 /proc/uptime)"; }
stat
dd if=/dev/zero of=/full/file bs=1M count=100 2>/dev/null && echo "filled $(wc -c </full/file)"
stat
sleep 15
dmesg | grep -iE "lockup|stall|unstable|watchdog: |hung|skew|warp"
echo marker-end
'
tools/make-initrd --script "$SCRIPT" -o "$scratch/initrd"
inside 280 --icount --memory 2G --add "$(kernel bookworm):/root/vmlinuz" --add "$scratch/initrd:/root/initrd" -- tests/linux/inside/memory_hold.sh
finish
