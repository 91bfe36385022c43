#!/bin/bash
# usage: put_aside.sh OBJCOPY OBJDUMP ARCHIVE
#
# Renames the sections of code and constants in ARCHIVE so that a linker which sorts them by name puts them behind all others:
# what is seldom used doesn't lie between what is. (A folder that is ASIDE; see CarrelTargets.cmake.)
set -euo pipefail
objcopy=$1 objdump=$2 archive=$3
renames=$(mktemp)
trap 'rm -f "$renames"' EXIT
"$objdump" -h "$archive" | awk '$2 ~ /^\.(text|rodata)\./ && $2 !~ /\.~aside\./ && !seen[$2]++ {
    match($2, /^\.[a-z]+/)
    print "--rename-section " $2 "=" substr($2, 1, RLENGTH) ".~aside" substr($2, RLENGTH + 1)
}' >"$renames"
"$objcopy" "@$renames" "$archive"
