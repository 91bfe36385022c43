#!/bin/bash
# A guest whose timer fires all the time doesn't stand, and neither does the emulated host.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels timers bookworm
if ! PYTHONPATH=tools/lib python3 -B -c 'import qemu_mend, sys; sys.exit(not qemu_mend.store_in(qemu_mend.program()))'; then
    skip timers 'this QEMU delivers interrupts twice, and tools/lib/qemu_mend.py does not know it'
    finish
fi
gcc -O2 -Wall -Wextra -static -o "$scratch/init" tests/linux/timers_init.c || exit 1
tools/make-initrd --init "$scratch/init" -o "$scratch/initrd"
inside 120 --icount --memory 1G --add "$(kernel bookworm):/root/vmlinuz" --add "$scratch/initrd:/root/initrd" -- tests/linux/inside/timers.sh
finish
