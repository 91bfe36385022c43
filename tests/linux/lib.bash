# Shared by the scripts that boot stock Linux in the emulated host. Source after `set -uo pipefail`.
# shellcheck shell=bash
# shellcheck source=tests/tools/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/../tools/lib.bash"

CARREL=${CARREL:-$PWD/build/carrel}
GUESTS=${GUESTS:-$PWD/build/guest-images}

# need_kernels SUITE NAME…: ends the script with a skip where a stock kernel can't be had.
need_kernels() {
    local suite=$1 name
    shift
    for name in "$@"; do
        tools/kernels --cached "$name" >/dev/null 2>"$scratch/err" || tools/kernels "$name" >/dev/null 2>"$scratch/err" && continue
        skip "$suite" "no stock kernel $name: $(tail -n 1 "$scratch/err")"
        finish
    done
}
# need_programs SUITE NAME…: the same where a program of this machine's is missing.
need_programs() {
    local suite=$1 name
    shift
    for name in "$@"; do
        command -v "$name" >/dev/null && continue
        skip "$suite" "no $name (tools/install-deps --test)"
        finish
    done
}
kernel() { tools/kernels --cached "$1" 2>/dev/null | cut -d' ' -f3; }

# inside SECONDS [KVM-HOST-OPTION…] -- SCRIPT [ARG…]: runs SCRIPT, which prints the lines of results itself, in the
# emulated host with the binary under test as `carrel`; its lines count as ours, and its failing to end is one more.
inside() {
    local seconds=$1 options=() script status=0
    shift
    while [[ $1 != -- ]]; do options+=("$1"); shift; done
    script=$2
    shift 2
    tools/kvm-host --timeout "$seconds" --with "$CARREL" --add "$script:/root/inside.sh" --add tests/linux/inside/lib.sh:/root/lib.sh \
        "${options[@]}" -- sh /root/inside.sh "$@" </dev/null || status=$?
    [[ $status -eq 0 || $status -eq 1 ]] && return
    printf 'not ok %s: the emulated host ended with status %d\n' "${script##*/}" "$status"
    failures=$((failures + 1))
}
