#!/bin/bash
# What --balloon takes and refuses. What it does is in tests/linux/balloon.sh.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
need_kvm balloon

# refused WORDS OPTION: not started, for a reason in these words.
refused() {
    local status=0
    timeout 20 "$CARREL" run --memory 64M "$2" --timeout 10s </dev/null >"$scratch/out" 2>&1 || status=$?
    cat "$scratch/out"
    same 35 "$status" && same 1 "$(wc -l <"$scratch/out")" && grep -q -- "$1" "$scratch/out"
}
check 'balloon: no size' refused 'not a size' --balloon=much
check 'balloon: no whole pages' refused '4 KiB pages' --balloon=100
check 'balloon: all of the RAM' refused "can't hold all" --balloon=64M
check 'balloon: an unknown word' refused 'not statistics=TIME' --balloon=1M,stats=5s
check 'balloon: no time' refused 'not a time' --balloon=1M,statistics=often
check 'balloon: asked without end' refused 'less than a second' --balloon=1M,statistics=10ms
starts() { timeout 60 "$CARREL" run "$@" "$GUESTS/silent.elf" --timeout 30s </dev/null >"$scratch/out" 2>&1; local status=$?; cat "$scratch/out"; same 0 "$status"; }
check 'balloon: alone, with the kernel behind it' starts --balloon
check 'balloon: with a size' starts --balloon=1M
check 'balloon: without PCI' starts --balloon=1M --transport mmio
says() { starts --balloon=1M,statistics=1s -v && grep -q 'balloon: held at most 0 KiB of 1024 KiB asked for; 0 KiB went back' "$scratch/out"; }
check 'balloon: what it did is told at the end' says
finish
