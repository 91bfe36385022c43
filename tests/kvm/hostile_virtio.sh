#!/bin/bash
# Issue 4, section 3: a guest whose drivers break every rule (guest-images/hostile). It says itself whether the device and
# all others work afterwards; here is looked at what it can't see: the images, and carrel's memory and descriptors.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/kvm/fault_lib.bash
. "$(dirname "$0")/fault_lib.bash"
need_kvm hostile_virtio

scratch_sector=8 # the only one that the guest writes
seq -f %07.0f 131072 >"$scratch/before"
devices=(--disk "$scratch/disk" --disk "$scratch/second,ro,id=two" --rng)
# A network card where this machine lets us make a tap.
tap=hostile$((BASHPID % 10000))
if ip tuntap add "$tap" mode tap 2>"$scratch/err" && ip link set "$tap" up 2>>"$scratch/err"; then
    trap 'ip link delete "$tap"; rm -rf "$scratch"' EXIT
    devices+=(--net "tap=$tap")
else
    skip 'hostile drivers: a network card' "no tap here: $(tail -n 1 "$scratch/err")"
fi

# unchanged FILE [but for the scratch sector]
unchanged() {
    local differing
    differing=$(cmp -l "$scratch/before" "$1" | awk -v from="$((scratch_sector * 512))" '$1 <= from || $1 > from + 512' | wc -l)
    same 0 "$differing"
}

# watch PID: the most descriptors and anonymous KiB that it ever had, into $scratch/most.
watch() {
    local fds kib most_fds=0 most_kib=0
    while kill -0 "$1" 2>/dev/null; do
        fds=$(find "/proc/$1/fd" -mindepth 1 2>/dev/null | wc -l)
        kib=$(anonymous_kib "$1" 2>/dev/null)
        ((fds > most_fds)) && most_fds=$fds
        ((${kib:-0} > most_kib)) && most_kib=$kib
        sleep 0.2
    done
    echo "$most_fds $most_kib" >"$scratch/most"
}

# survives SECONDS [OPTION…]: every case is good, carrel ends with 0, and nothing has grown or changed.
survives() {
    local limit=$1 status=0 pid watcher fds kib
    shift
    cp "$scratch/before" "$scratch/disk"
    cp "$scratch/before" "$scratch/second"
    "$CARREL" run "$GUESTS/hostile_virtio.elf" "${devices[@]}" -v --timeout "${limit}s" "$@" </dev/null >"$scratch/out" 2>"$scratch/err" &
    pid=$!
    watch "$pid" &
    watcher=$!
    wait "$pid" || status=$?
    wait "$watcher"
    read -r fds kib <"$scratch/most"
    grep -av '^ok ' "$scratch/out"
    tail -n 3 "$scratch/err"
    printf 'status %s; at most %s descriptors, %s KiB of anonymous memory\n' "$status" "$fds" "$kib"
    same 0 "$status" && grep -aq 'PASS hostile_virtio' "$scratch/out" && ! grep -aqE '^not ok|FAIL' "$scratch/out" &&
        [[ $(grep -ac '^ok ' "$scratch/out") -gt 90 ]] && unchanged "$scratch/disk" && cmp "$scratch/before" "$scratch/second" &&
        [[ $fds -lt 200 && $kib -lt 30000 ]] &&
        grep -qE '^carrel: virtio-(blk|rng|balloon|vsock) 0: [1-9][0-9]+ requests made no sense' "$scratch/err"
}
check 'hostile drivers: two processors, RAM above 4 GiB' survives 500 --cpus 2 --memory 5G
check 'hostile drivers: one processor, little RAM' survives 500 --memory 64M --append device=rng
check 'hostile drivers: the machine is rebuilt at every 100th exit' survives 500 --cpus 2 --rebuild-every 100 --append device=blk
check 'hostile drivers: of a balloon' survives 300 --balloon --append device=balloon
check 'hostile drivers: of a vsock' survives 300 --vsock "$scratch/vsock" --append device=vsock
finish
