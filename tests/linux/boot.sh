#!/bin/bash
# Stock Debian kernels boot to a shell that answers what is typed, with 1 and with 4 vCPUs.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels boot bookworm trixie sid
tools/make-initrd -o "$scratch/initrd"
for name in bookworm trixie sid; do
    inside 240 --cpus 2 --memory 4G --add "$(kernel $name):/root/vmlinuz" --add "$scratch/initrd:/root/initrd" -- \
        tests/linux/inside/boot.sh "$name"
done
# A payload that carrel doesn't know how to unpack: its header names a place one byte off. The guest's own code finds it.
python3 - "$(kernel bookworm)" "$scratch/packed" <<'END'
import struct, sys
image = bytearray(open(sys.argv[1], "rb").read())
PAYLOAD_OFFSET = 0x248  # boot.rst, "The Real-Mode Kernel Header"
struct.pack_into("<I", image, PAYLOAD_OFFSET, struct.unpack_from("<I", image, PAYLOAD_OFFSET)[0] + 1)
open(sys.argv[2], "wb").write(image)
END
tools/make-initrd --bench poweroff -o "$scratch/bench"
inside 120 --memory 2G --add "$scratch/packed:/root/vmlinuz" --add "$scratch/bench:/root/initrd" -- tests/linux/inside/packed.sh
finish
