# Shared by the scripts that run small guests on this machine's /dev/kvm. Source after `set -uo pipefail`.
#   CARREL  the binary under test        GUESTS  the folder with NAME.elf
# shellcheck shell=bash
# shellcheck source=tests/tools/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/../tools/lib.bash"

CARREL=${CARREL:-$PWD/build/carrel}
GUESTS=${GUESTS:-$PWD/build/guest-images}
# Generous: ring 0 is interpreted on the software KVM, and the machines are shared.
LIMIT=${LIMIT:-60}

# need_kvm SUITE: ends the script with a skip where no guest can run.
need_kvm() {
    [[ -r /dev/kvm && -w /dev/kvm ]] && return 0
    skip "$1" "no usable /dev/kvm here; tests/linux covers the same in the emulated host"
    finish
}

# guest NAME [ARG…]: runs a tiny guest with a time limit; its output on stdout.
guest() {
    local name=$1
    shift
    timeout --kill-after=5 "$LIMIT" "$CARREL" run "$GUESTS/$name.elf" "$@"
}

# passes NAME [ARG…]: the guest says PASS and powers off.
passes() {
    local name=$1 status=0
    guest "$@" </dev/null >"$scratch/out" 2>&1 || status=$?
    tail -n 30 "$scratch/out"
    [[ $status -eq 0 ]] && grep -aq "PASS" "$scratch/out" && ! grep -aq 'FAIL' "$scratch/out"
}

# ends_with STATUS NAME [ARG…]
ends_with() {
    local wanted=$1 got=0
    shift
    guest "$@" </dev/null >"$scratch/out" 2>&1 || got=$?
    tail -n 30 "$scratch/out"
    same "$wanted" "$got"
}
