#!/bin/bash
# A new user's way: a Debian 12 with nothing but the base system and git, a fresh clone, and the two commands.
set -uo pipefail
# shellcheck source=tests/long/clean_root.bash
. "$(dirname "$0")/clean_root.bash"

why=$(reason_to_skip)
if [[ -n $why ]]; then
    skip debian12 "$why"
    finish
fi
check 'debian12: a clean root with a clone' make_root bookworm
check 'debian12: no compiler, no CMake, no QEMU before' bare
check 'debian12: tools/demo --batch' inside tools/demo --batch
check 'debian12: the demo again, now with all in place' inside tools/demo --batch 'exit 0'
check 'debian12: tools/test --quick' inside tools/test --quick
finish
