# Inside the emulated host: /root/vmlinuz is the kernel named by $1, /root/initrd gives a shell.
. /root/lib.sh

# answers CPUS: types commands at the shell and looks for what only their execution can print. The FIFO stays open, as a
# terminal would.
mkfifo /tmp/keys
answers() {
    exec 3<>/tmp/keys
    printf 'echo answer-$((6 * 7))-cpus-$(grep -c ^processor /proc/cpuinfo)\ndmesg\nexit\n' >&3
    carrel run /root/vmlinuz --initrd /root/initrd --append 'quiet cryptomgr.notests' --cpus "$1" --timeout 100s </tmp/keys >/tmp/out 2>/tmp/err
    status=$?
    exec 3>&-
    tail -n 40 /tmp/out /tmp/err
    [ $status -eq 0 ] && grep -q "answer-42-cpus-$1" /tmp/out
}
check "boot: $1, 1 vCPU, to a shell that answers" answers 1
tr -d '\r' </tmp/out >/tmp/dmesg
says() { grep -iE "$1" /tmp/dmesg; }
says_not() { ! grep -iE "$1" /tmp/dmesg; }
check "boot: $1 uses kvm-clock" says 'clocksource.*kvm-clock|kvm-clock: Using msrs'
check "boot: $1 has the TSC deadline timer" says 'TSC deadline timer'
check "boot: $1 runs no calibration loop" says_not 'calibrating APIC|Fast TSC calibration|TSC calibration|Calibrating delay loop\.\.\. [0-9]'
check "boot: $1 prints no error line" says_not 'ACPI (BIOS )?Error|firmware bug|MTRRs disabled|unable to|failed to'
check "boot: $1 sees COM1 and no keyboard controller" says 'ttyS0 at I/O 0x3f8'
check "boot: $1, 4 vCPUs, to a shell that answers" answers 4
[ "$1" != bookworm ] || check "boot: $1, 8 vCPUs, to a shell that answers" answers 8
finish
