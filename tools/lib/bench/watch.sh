#!/bin/sh
# watch PROCESS [TAP]: reads a guest's console, and at each mark of loads.py's says what has been counted by then, system calls
# too once a mark has asked for them (which slows them down). Nothing of this costs anything between two marks.
TRACING=/sys/kernel/tracing/events
process=$1 tap=${2:-}
# hits EVENT PATTERN: of a histogram, the lines that match.
hits() { awk -v pattern="$2" '$0 ~ pattern && match($0, /hitcount: */) { sum += substr($0, RSTART + RLENGTH) } END { print sum + 0 }' "$TRACING/$1/hist"; }
switches() { cat "/proc/$1"/task/*/status | awk '/ctxt_switches/ { sum += $2 } END { print sum }'; }
# Those of the process's threads: { common_pid: 123 }
calls() {
    threads=$(cd "/proc/$1/task" && echo *)
    hits raw_syscalls/sys_enter "common_pid: *($(echo "$threads" | tr ' ' '|')) "
}
packets() { [ -z "$tap" ] && echo 0 || cat "/sys/class/net/$tap/statistics/rx_packets" "/sys/class/net/$tap/statistics/tx_packets" | awk '{ sum += $1 } END { print sum }'; }
counted() {
    echo "$(cat /sys/kernel/debug/kvm/exits) $(hits kvm/kvm_userspace_exit .) $(packets) $(switches "$1") $([ -z "$counting" ] || calls "$1")"
}

echo hist:keys=reason >$TRACING/kvm/kvm_userspace_exit/trigger
counting=
while read -r mark words; do
    case $mark in
        carrel-count)
            counting=yes
            echo hist:keys=common_pid:size=4096 >$TRACING/raw_syscalls/sys_enter/trigger
            ;;
        carrel-load) echo "$mark $words"; echo "carrel-counted $(counted "$(pidof "$process")")" ;;
        *) echo "$mark $words" ;;
    esac
done
[ -z "$counting" ] || echo '!hist:keys=common_pid:size=4096' >$TRACING/raw_syscalls/sys_enter/trigger
