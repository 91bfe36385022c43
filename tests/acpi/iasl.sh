#!/bin/bash
# usage: tests/acpi/iasl.sh [ACPI_DUMP]
# Our tables seen by iasl (package acpica-tools): it takes them apart without a complaint, finds in them what we
# meant, and puts them together again to the same bytes.
# ACPI_DUMP is the program of that name: build-test/debug/tests/acpi/acpi_dump unless told otherwise.
set -uo pipefail
dump=${1:+$(realpath -- "$1")}
# shellcheck source=tests/tools/lib.bash
. "$(dirname "$0")/../tools/lib.bash"
dump=${dump:-${BUILD:-$PWD/build-test}/debug/tests/acpi/acpi_dump}

if ! command -v iasl >/dev/null; then
    skip 'acpi: iasl' 'iasl is missing; install acpica-tools'
    finish
fi

# quiet COMMAND...: succeeds, and says nothing of errors, warnings or remarks.
quiet() {
    local output
    output=$("$@" 2>&1) || {
        printf '%s\n' "$output"
        return 1
    }
    ! grep -iE 'error|warning|remark|invalid|mismatch' <<<"$output" | grep -v '0 Errors, 0 Warnings, 0 Remarks'
}

# Everything behind the header of 36 bytes, in which iasl puts its own name.
body() { tail -c +37 "$1"; }

# -on: names stay as they were written.
same_again() {
    quiet iasl -vs -on -p "$scratch/again" "$1.dsl" && cmp <(body "$1.aml") <(body "$scratch/again.aml")
}

# has FILE LINE...: each LINE stands in FILE, whatever the space between words.
has() {
    local file=$1 line squeezed
    squeezed=$(tr -s ' \n' ' ' <"$file")
    shift
    for line in "$@"; do
        [[ $squeezed == *"$line"* ]] || {
            printf '%s lacks: %s\n' "$file" "$line"
            return 1
        }
    done
}

check 'acpi: the tables are dumped' "$dump" "$scratch"
for folder in "$scratch"/*/; do
    platform=$(basename "$folder")
    for table in "$folder"*.aml; do
        name=$(basename "$table" .aml)
        [[ $name != RSDP ]] || continue  # iasl takes no RSDP; tables_test.cpp looks at it
        check "acpi: $platform: $name is taken apart without a complaint" quiet iasl -vs -d "$table"
    done
    check "acpi: $platform: the DSDT put together again has the same bytes" same_again "${folder}DSDT"
done

check 'acpi: soft-off is sleep type 5' has "$scratch/bare/DSDT.dsl" 'Name (\_S5, Package (0x04) // _S5_: S5 System State { 0x05,'
check 'acpi: COM1 has its ports and its interrupt' has "$scratch/default/DSDT.dsl" \
    'Device (COM1) { Name (_HID, EisaId ("PNP0501")' 'IO (Decode16, 0x03F8,' 'IRQNoFlags () {4}'
check 'acpi: the PCI host bridge has bus 0 and its windows' has "$scratch/default/DSDT.dsl" \
    'Device (PCI0) { Name (_HID, EisaId ("PNP0A03")' \
    'WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0x0000, // Granularity 0x0000, // Range Minimum 0x0000, // Range Maximum' \
    'IO (Decode16, 0x0CF8, // Range Minimum 0x0CF8, // Range Maximum 0x01, // Alignment 0x08,' \
    '0x1000, // Range Minimum 0xFFFF, // Range Maximum' '0xC0000000, // Range Minimum 0xDFFFFFFF, // Range Maximum' \
    'Name (_PRT, Package (0x80)' 'Package (0x04) { 0x001FFFFF, 0x03, Zero, 0x12 }'
check 'acpi: with ECAM the bridge is a PCI Express one' has "$scratch/everything/DSDT.dsl" \
    'EisaId ("PNP0A08")' 'Name (_CID, EisaId ("PNP0A03")' 'Method (_OSC, 4, Serialized)' \
    'If ((Arg0 == ToUUID ("33db4d5b-1ff7-401c-9657-7441c03dd766") /* PCI Host Bridge Device */)) { Return (Arg3) }' \
    'CreateDWordField (Arg3, Zero, CDW1)' 'CDW1 |= 0x04' '0x0000000000000000, // Granularity 0x0000001000000000,' \
    'Memory32Fixed (ReadWrite, 0xE0000000, // Address Base 0x10000000,'
check 'acpi: virtio-mmio devices have their memory and their GSI' has "$scratch/everything/DSDT.dsl" \
    'Device (VR1D) { Name (_HID, "LNRO0005") // _HID: Hardware ID Name (_UID, 0x1D)' \
    'Interrupt (ResourceConsumer, Level, ActiveHigh, Shared, ,, ) { 0x00000035, }'
check 'acpi: the FADT has no 8042, no VGA, no CMOS clock' has "$scratch/default/FACP.dsl" \
    '8042 Present on ports 60/64 (V2) : 0' 'VGA Not Present (V4) : 1' 'CMOS RTC Not Present (V5) : 1' \
    'Hardware Reduced (V5) : 0' 'Control Method Power Button (V1) : 0' 'Reset Register Supported (V2) : 1'
check 'acpi: the MADT has both kinds of CPU, and one override: the SCI is level-triggered' has "$scratch/everything/APIC.dsl" \
    'Subtable Type : 00 [Processor Local APIC]' 'Subtable Type : 09 [Processor Local x2APIC]' \
    'Polarity : 1 Trigger Mode : 3' 'Source : 09' 'Interrupt : 00000009'
finish
