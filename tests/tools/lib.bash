# Shared by the test scripts here: each prints `ok NAME`, `not ok NAME` or `skip NAME: why`, a line a test,
# and ends with status 1 when one failed. Source it after `set -uo pipefail` (no -e: a failure is a result).
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
failures=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# check NAME COMMAND...: ok when COMMAND succeeds; its output is shown when it doesn't.
check() {
    local name=$1
    shift
    if "$@" >"$scratch/check.log" 2>&1; then
        printf 'ok %s\n' "$name"
    else
        printf 'not ok %s\n' "$name"
        sed 's/^/# /' "$scratch/check.log"
        failures=$((failures + 1))
    fi
}

skip() { printf 'skip %s: %s\n' "$1" "$2"; }

# same WANTED GOT
same() {
    [[ $1 == "$2" ]] && return 0
    printf 'wanted: %q\ngot:    %q\n' "$1" "$2"
    return 1
}

# status_is STATUS COMMAND...
status_is() {
    local wanted=$1 got=0
    shift
    "$@" </dev/null || got=$?
    same "$wanted" "$got"
}

finish() { exit $((failures > 0)); }
