#!/bin/bash
# usage: tests/acpi/linux.sh [ACPI_DUMP]
# Debian's stock kernels on our tables, without KVM and without carrel: QEMU's pc machine has its PM1 registers, PM
# timer, SCI, COM1 and PCI configuration ports where ours are, so it runs on our tables in place of its own. They lie
# in RAM kept from the kernel, which is told where by acpi_rsdp=.
set -uo pipefail
dump=${1:+$(realpath -- "$1")}
# shellcheck source=tests/tools/lib.bash
. "$(dirname "$0")/../tools/lib.bash"
dump=${dump:-${BUILD:-$PWD/build-test}/debug/tests/acpi/acpi_dump}

ADDRESS=0x10000000

if ! command -v qemu-system-x86_64 >/dev/null; then
    skip 'acpi: stock kernels' 'qemu-system-x86_64 is missing; install qemu-system-x86'
    finish
fi

# pc's soft-off is sleep type 0, ours is 5: s4_val makes QEMU end on 5 as well.
boot() {
    timeout 120 qemu-system-x86_64 -machine pc,accel=tcg -cpu max -smp 4 -m 512 -nodefaults -nographic -no-reboot \
        -serial stdio -monitor none -global PIIX4_PM.s4_val=5 \
        -device "loader,file=$scratch/tables,addr=$ADDRESS,force-raw=on" -kernel "$1" -initrd "$scratch/initrd" \
        -append "console=ttyS0 cryptomgr.notests acpi_rsdp=$ADDRESS memmap=64K\$$ADDRESS" </dev/null
}
says() { grep -E "$1" "$log"; }
# Lines of level warning and worse, as dmesg -r gives them, that are about ACPI; but for what is so: there is no ECAM
# under QEMU, no _CPC, which would be about the host's clock speeds, and QEMU wires its PIT to pin 2 of the IOAPIC,
# where our tables say pin 0, as KVM routes it.
complaints() {
    grep -E '^<[0-4]>.*(ACPI|acpi|FADT|BIOS|Firmware|PNP|pnp)' "$log" |
        grep -vE 'fail to add MMCONFIG information|amd_pstate: the _CPC object|8254 timer not connected to IO-APIC'
}
no_complaint() { ! complaints; }

check 'acpi: tables for the stock kernels' "$dump" --image "$ADDRESS" "$scratch/tables"
tools/make-initrd --script 'dmesg -r; cat /proc/interrupts; grep -c ^processor /proc/cpuinfo' -o "$scratch/initrd"

for name in bookworm trixie sid; do
    if ! kernel=$(tools/kernels --cached "$name" | cut -d ' ' -f 3); then
        skip "acpi: $name" 'tools/kernels cannot get it'
        continue
    fi
    log=$scratch/$name.log
    check "acpi: $name boots, and switches off by S5" boot "$kernel"
    cp "$scratch/check.log" "$log"
    check "acpi: $name prints its verdict and powers down" says 'reboot: Power down'
    check "acpi: $name complains of nothing" no_complaint
    check "acpi: $name finds four CPUs in the MADT" says '^4.?$'
    check "acpi: $name drives the SCI level-triggered" says ' 9: .*IO-APIC +9-fasteoi +acpi'
    check "acpi: $name finds COM1 in the DSDT" says '00:00: ttyS0 at I/O 0x3f8 \(irq = 4'
    check "acpi: $name believes that there is no keyboard controller" says 'PNP: No PS/2 controller found'
    check "acpi: $name takes the PCI windows from the DSDT" says 'root bus resource \[mem 0xc0000000-0xdfffffff window\]'
done
finish
