#!/bin/bash
# The host's wall clock jumps, ahead and back: no guest gets more or less than its cap. Only where nobody else lives by that clock.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels wall_clock bookworm
inside 120 --icount --add "$GUESTS/hang_spin.elf:/root/spin.elf" -- tests/linux/inside/wall_clock.sh
finish
