#!/bin/bash
# KASLR by the VMM: over 16 boots _text, its physical address and page_offset_base vary; nokaslr fixes all three.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels kaslr bookworm trixie sid
gcc -O2 -static -o "$scratch/probe" tests/linux/kaslr_probe.c || exit 1
tools/make-initrd --init "$scratch/probe" -o "$scratch/initrd"
boots=16
for name in bookworm trixie sid; do
    inside 300 --memory 2G --add "$(kernel $name):/root/vmlinuz" --add "$scratch/initrd:/root/initrd" -- \
        tests/linux/inside/kaslr.sh "$name" "$boots"
    boots=4 # that the other layouts of the relocation table work at all; 6.1 has the statistics
done
finish
