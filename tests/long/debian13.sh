#!/bin/bash
# Debian 13: both compilers with warnings as errors, the unit tests with Catch2 3, and the demo.
# shellcheck disable=SC2016,SC2317  # what dpkg-query expands; functions that check runs
set -uo pipefail
# shellcheck source=tests/long/clean_root.bash
. "$(dirname "$0")/clean_root.bash"

catch2_is_3() { inside sh -c 'dpkg-query -W -f="\${Version}" catch2 | grep "^3\."'; }

why=$(reason_to_skip)
if [[ -n $why ]]; then
    skip debian13 "$why"
    finish
fi
check 'debian13: a clean root with a clone' make_root trixie
check 'debian13: tools/demo --batch' inside tools/demo --batch
check 'debian13: GCC and Clang build it, the unit tests pass' inside tools/test unit
check 'debian13: that was Catch2 3' catch2_is_3
finish
