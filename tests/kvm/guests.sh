#!/bin/bash
# Each tiny guest of guest-images/tests shows its property on this machine's /dev/kvm.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
need_kvm guests

for name in poweroff port_widths string_io irq_serial irq_timer irq_count mmio_widths rtc acpi halt real_mode smp flood; do
    check "guest: $name" passes "$name"
done
check 'guest: smp with 4 vCPUs' passes smp --cpus 4
check 'guest: acpi with 4 vCPUs' passes acpi --cpus 4
check 'guest: smp with 64 vCPUs' passes smp --cpus 64 --append n=4
check 'guest: mem_hole with RAM on both sides' passes mem_hole --memory 4G
check 'guest: mem_hole with exactly 3 GiB' passes mem_hole --memory 3G
check 'guest: 16 MiB is enough' passes poweroff --memory 16M
check 'guest: state_walk' passes state_walk
check 'guest: --cpu baseline' passes state_walk --cpu baseline

# DESIGN.md section 10: the machine is rebuilt from its saved bytes at every 100th exit, and the guest notices nothing.
rebuilt() { passes "$@" --rebuild-every 100; }
check 'rebuild: state_walk' rebuilt state_walk
check 'rebuild: state_walk, at every 7th exit' passes state_walk --rebuild-every 7
check 'rebuild: irq_count' rebuilt irq_count
check 'rebuild: irq_serial' rebuilt irq_serial
check 'rebuild: smp with 4 vCPUs' rebuilt smp --cpus 4

default_guest_checks() {
    local status=0
    timeout 30 "$CARREL" run --cpus "$1" --append 'carrel.run="mem; time; poweroff"' </dev/null >"$scratch/out" 2>&1 || status=$?
    cat "$scratch/out"
    [[ $status -eq 0 ]] && grep -q '^check .*: ok' "$scratch/out" && ! grep -q 'FAILED' "$scratch/out"
}
check 'default guest: checks its machine, 1 vCPU' default_guest_checks 1
check 'default guest: checks its machine, 4 vCPUs' default_guest_checks 4
finish
