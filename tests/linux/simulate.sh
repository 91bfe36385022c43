#!/bin/bash
# One scenario in the simulator and with real guests, each of which computes for a known time and ends: under each policy they
# end in the same order, and each takes as long.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
gcc -O2 -Wall -Wextra -static -o "$scratch/start_at" tests/linux/start_at.c || exit 1
python3 tests/linux/plan.py "$CARREL" tests/sim/scenarios/arrivals.json "$scratch" || exit 1
inside 300 --icount --with "$scratch/start_at" --add "$GUESTS/bursts.elf:/root/bursts.elf" --add "$scratch/guests:/root/guests" \
    --add "$scratch/wanted:/root/wanted" -- tests/linux/inside/simulate.sh
finish
