#!/bin/bash
# tools/kernels: the three stock kernels are there, are what they should be, and nothing is fetched twice.
set -uo pipefail
# shellcheck source=tests/tools/lib.bash
. "$(dirname "$0")/lib.bash"

# field FILE OFFSET LENGTH
field() { dd if="$1" bs=1 skip="$2" count="$3" status=none; }

is_bzimage() { same HdrS "$(field "$1" $((0x202)) 4)"; }
is_elf() { same ELF "$(field "$1" 1 3)"; }
has_kvm_amd() { [[ -n $(find "$1/lib/modules/" -name 'kvm-amd.ko*') ]]; }

if ! lines=$(tools/kernels 2>"$scratch/err"); then
    skip kernels "$(tail -n 1 "$scratch/err")"
    finish
fi
check 'kernels: three lines, bookworm, trixie and sid' same 'bookworm trixie sid ' "$(cut -d' ' -f1 <<<"$lines" | tr '\n' ' ')"
while read -r name version path; do
    check "kernels: $name has a version" test -n "$version"
    check "kernels: $name is a bzImage" is_bzimage "$path"
    check "kernels: $name --vmlinux is an ELF file" is_elf "$(tools/kernels --cached --vmlinux "$name")"
    check "kernels: $name --modules holds kvm-amd" has_kvm_amd "$(tools/kernels --cached --modules "$name")"
done <<<"$lines"

# A mirror that can't be reached, but a full cache.
offline() {
    local said
    said=$(http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9 tools/kernels --refresh bookworm 2>&1) || return 1
    printf '%s\n' "$said"
    [[ $said == *"that is in the cache"* && $said == *vmlinuz* ]]
}
# Nor with an empty one: a sentence and a failure.
offline_and_empty() {
    local said
    said=$(http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9 CARREL_CACHE=$scratch/cache tools/kernels bookworm 2>&1) && return 1
    printf '%s\n' "$said"
    [[ $said == *"is there a network?"* ]]
}
check 'kernels: without a network the cache serves, and says so' offline
check 'kernels: without a network and cache, a sentence' offline_and_empty
check 'kernels: an unknown name is refused' status_is 1 tools/kernels potato
finish
