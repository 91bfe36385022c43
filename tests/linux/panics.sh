#!/bin/bash
# Panics, resets and power-offs of a stock kernel end with the right status.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels panics bookworm
tools/make-initrd --script 'echo "Kernel panic - not syncing" >/dev/console' -o "$scratch/words"
tools/make-initrd --script 'echo c >/proc/sysrq-trigger' -o "$scratch/sysrq"
tools/make-initrd --script 'reboot -f' -o "$scratch/reset"
tools/make-initrd --script 'sleep 1000' -o "$scratch/sleeps"
inside 300 --memory 2G --add "$(kernel bookworm):/root/vmlinuz" --add "$scratch/words:/root/words" --add "$scratch/sysrq:/root/sysrq" \
    --add "$scratch/reset:/root/reset" --add "$scratch/sleeps:/root/sleeps" -- tests/linux/inside/panics.sh
finish
