#!/bin/bash
# Issue 4, section 3, where doorbells and interrupts really bypass us: tests/kvm/hostile_virtio.sh has the rest.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
inside 500 --cpus 2 --add "$GUESTS/hostile_virtio.elf:/root/hostile_virtio.elf" \
    --add "$GUESTS/tsc_forward.elf:/root/tsc_forward.elf" -- tests/linux/inside/hostile_virtio.sh
finish
