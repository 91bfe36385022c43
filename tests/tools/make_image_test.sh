#!/bin/bash
# tools/make-image: what it refuses, and how. What it makes is booted by tests/linux/image.sh.
set -uo pipefail
# shellcheck source=tests/tools/lib.bash
. "$(dirname "$0")/lib.bash"

export CARREL_CACHE=$scratch/cache
make() { tools/make-image "$@"; }
# One sentence that names the option, and nothing made.
refused() {
    local word=$1 said
    shift
    said=$(make "$@" 2>&1 >/dev/null </dev/null) && return 1
    printf '%s\n' "$said"
    [[ $(wc -l <<<"$said") -eq 1 && $said == *"$word"* && ! -e $scratch/out ]]
}
out=$scratch/out
check 'make-image: --help' status_is 0 make --help
check 'make-image: refuses no folder' refused '-o' --suite bookworm
check 'make-image: refuses an option that it does not have' refused '--nonsense' --nonsense -o "$out"
check 'make-image: refuses an option without its value' refused '-o' -o
check 'make-image: refuses a suite that is no name' refused '--suite' --suite ../bookworm -o "$out"
check 'make-image: refuses another init' refused '--init' --init runit -o "$out"
check 'make-image: refuses a size without its unit' refused '--size' --size 2048 -o "$out"
check 'make-image: refuses a mirror that is no URL' refused '--mirror' --mirror nowhere -o "$out"
check 'make-image: refuses what is no package' refused 'Bad' --package 'Bad Name' -o "$out"
check 'make-image: refuses a password with a line break' refused '--root-password' --root-password $'a\nb' -o "$out"

# A mirror that isn't there: a sentence after apt's, and nothing behind.
unreachable() {
    local said
    said=$(timeout 120 tools/make-image --mirror http://127.0.0.1:9/debian -o "$out" 2>&1 >/dev/null </dev/null) && return 1
    printf '%s\n' "$said"
    [[ $said == *'make-image: mmdebstrap couldn'*'http://127.0.0.1:9/debian'* ]] && same '' "$(find "$CARREL_CACHE/images" "$out" -mindepth 1)" &&
        same '' "$(grep "$scratch" /proc/self/mountinfo)"
}
if [[ $(id -u) -eq 0 ]] && command -v mmdebstrap >/dev/null; then
    check 'make-image: says that a mirror cannot be had, and leaves nothing' unreachable
else
    skip 'make-image: an unreachable mirror' 'needs root and mmdebstrap'
fi
finish
