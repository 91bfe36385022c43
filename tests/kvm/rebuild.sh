#!/bin/bash
# DESIGN.md section 10, quiesce and state apart from wiring: the running machine is taken apart and built anew from its
# saved bytes at every n-th exit, and the guest notices nothing.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
need_kvm rebuild

# Not irq_timer: a one-shot timer may fire once more after it was restored (vmm/kvm/vcpu_state_x86.cpp says why), and that
# guest counts.
for name in poweroff string_io port_widths irq_serial irq_count mmio_widths rtc acpi halt real_mode smp state_walk tsc_forward; do
    for every in 1 7 100; do
        check "rebuild: $name, 4 vCPUs, at every exit of $every" passes "$name" --cpus 4 --rebuild-every "$every"
    done
done
check 'rebuild: smp, 16 vCPUs' passes smp --cpus 16 --append n=4 --rebuild-every 5

# Processors that are just being started by INIT and SIPI while the machine is saved.
starting_processors() {
    for _ in {1..8}; do passes state_walk --cpus 4 --append rounds=3 --rebuild-every 1 || return 1; done
}
check 'rebuild: while processors start' starting_processors

flood_is_the_same() { # EVERY BYTES: not a byte is lost or comes twice
    guest flood --append "bytes=$2" </dev/null >"$scratch/flood" || return 1
    guest flood --append "bytes=$2" --rebuild-every "$1" </dev/null >"$scratch/rebuilt" || return 1
    cmp "$scratch/flood" "$scratch/rebuilt" && [[ -s $scratch/rebuilt ]]
}
input_is_the_same() { # EVERY BYTES: the sum and a polynomial over the order
    head -c 20000 /dev/urandom >"$scratch/in"
    guest input_sum --append "bytes=$2" <"$scratch/in" >"$scratch/whole" || return 1
    guest input_sum --append "bytes=$2" --rebuild-every "$1" <"$scratch/in" >"$scratch/rebuilt" || return 1
    cmp "$scratch/whole" "$scratch/rebuilt"
}
for every in 1 7 100; do
    check "rebuild: a flood, at every exit of $every" flood_is_the_same "$every" $((every == 1 ? 32768 : 131072))
    check "rebuild: input, at every exit of $every" input_is_the_same "$every" 1000
done

restarted_meanwhile() { # a restart while a rebuild is due: neither touches what the other has taken away
    local status=0
    guest reset_cf9 --cpus 4 --rebuild-every 1 --on-reboot restart --timeout 4s </dev/null >"$scratch/out" 2>&1 || status=$?
    tail -n 3 "$scratch/out"
    same 36 "$status" && [[ $(grep -ac reset "$scratch/out") -gt 3 ]]
}
check 'rebuild: and restart' restarted_meanwhile
powered_off_meanwhile() { # the power button between rebuilds
    local pid status=0
    timeout 60 "$CARREL" run "$GUESTS/powerbutton.elf" --rebuild-every 1 </dev/null >"$scratch/out" 2>&1 &
    pid=$!
    for _ in {1..100}; do
        grep -aq ready "$scratch/out" && break
        sleep 0.1
    done
    kill -TERM "$(pgrep -P "$pid" -x carrel)"
    wait "$pid" || status=$?
    cat "$scratch/out"
    same 38 "$status" && grep -aq PASS "$scratch/out"
}
check 'rebuild: and the power button' powered_off_meanwhile
finish
