#!/bin/bash
# A stock kernel with four vCPUs over pauses and under a cap of 1 %: its TSCs stay in step, its timers fire, its watchdogs say nothing.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels smp_time bookworm
for program in tsc_in_step timers_fire; do
    gcc -O2 -Wall -Wextra -static -pthread -o "$scratch/$program" "tests/linux/$program.c" || exit 1
done
# shellcheck disable=SC2016  # the guest's shell expands it
SCRIPT='
clocks=/sys/devices/system/clocksource/clocksource0
warnings() { dmesg -r | grep -iE "$1" | sed "s/^/log: /"; dmesg -c >/dev/null; }
words="lockup|stall|unstable|hung|skew|warp"
warnings "$words"
cat /sys/devices/system/clockevents/clockevent?/current_device | sed "s/^/marker-timer /"
echo "marker-clock $(cat $clocks/current_clocksource)"
/bin/tsc_in_step 3 900
/bin/timers_fire 4
echo tsc >$clocks/current_clocksource
echo "marker-clock $(cat $clocks/current_clocksource)"
/bin/tsc_in_step 3 900
for mask in 1 2 4 8; do taskset $mask sh -c "while :; do :; done" & done
echo marker-spinning
sleep 2
echo "stat $(head -1 /proc/stat)"; sleep 60; echo "stat $(head -1 /proc/stat)"
kill $(jobs -p)
echo marker-capped
sleep 1
warnings "^<[0-4]>|$words"
echo marker-end
'
tools/make-initrd --script "$SCRIPT" --add "$scratch/tsc_in_step:/bin/tsc_in_step" --add "$scratch/timers_fire:/bin/timers_fire" \
    -o "$scratch/initrd"
inside 280 --icount --memory 2G --add "$(kernel bookworm):/root/vmlinuz" --add "$scratch/initrd:/root/initrd" -- tests/linux/inside/smp_time.sh
finish
