#!/bin/bash
# The terminal on a real pty: raw while a guest runs, as it was on every way out; job control; keys.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
need_kvm terminal

while read -r name words; do
    check "terminal: $words" timeout --kill-after=5 90 python3 tests/kvm/terminal_cases.py "$CARREL" "$GUESTS" "$name"
done < <(python3 tests/kvm/terminal_cases.py --list)
finish
