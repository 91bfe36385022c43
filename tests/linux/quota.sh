#!/bin/bash
# A stock kernel under a cap and over pauses: what its own clocks and its own top say, and that its watchdogs say nothing.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels quota bookworm
gcc -O2 -Wall -Wextra -static -o "$scratch/clock_steps" tests/linux/clock_steps.c || exit 1
# shellcheck disable=SC2016  # the guest's shell expands it
SCRIPT='
clocks=/sys/devices/system/clocksource/clocksource0
(while :; do :; done) & spinner=$!
echo marker-spinning
sleep 2
echo "stat $(head -1 /proc/stat)"; sleep 60; echo "stat $(head -1 /proc/stat)"
kill $spinner
echo marker-capped
sleep 3
echo "marker-clock $(cat $clocks/current_clocksource)"
/bin/clock_steps 6
if grep -q tsc $clocks/available_clocksource; then echo tsc >$clocks/current_clocksource; echo "marker-tsc $(cat $clocks/current_clocksource)"; /bin/clock_steps 6; else echo marker-no-tsc; fi
dmesg | grep -iE "lockup|stall|unstable|watchdog: |hung|skew|warp"
echo marker-end
'
tools/make-initrd --script "$SCRIPT" --add "$scratch/clock_steps:/bin/clock_steps" -o "$scratch/initrd"
inside 280 --icount --memory 2G --add "$(kernel bookworm):/root/vmlinuz" --add "$scratch/initrd:/root/initrd" -- tests/linux/inside/quota.sh
finish
