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
finish
