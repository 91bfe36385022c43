#!/bin/bash
# A guest whose timer fires all the time doesn't stand, and neither does the emulated host.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels timers bookworm
gcc -O2 -Wall -Wextra -static -o "$scratch/init" tests/linux/timers_init.c || exit 1
tools/make-initrd --init "$scratch/init" -o "$scratch/initrd"
inside 120 --icount --memory 1G --add "$(kernel bookworm):/root/vmlinuz" --add "$scratch/initrd:/root/initrd" -- tests/linux/inside/timers.sh
finish
