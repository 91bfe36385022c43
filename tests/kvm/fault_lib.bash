# For faults.sh, rebuild.sh and what else looks at what a run left behind. Source after tests/kvm/lib.bash.
# shellcheck shell=bash disable=SC2154,SC2034

with_errno=tests/kvm/with_errno.py

# lines FILE: how many, but for the one that says that this host won't do for a stock Linux.
lines() { grep -avc "stock Linux won't boot here" "$1"; }

# says STATUS TEXT COMMAND…: ends with that status and exactly one line, which contains TEXT.
says() {
    local wanted=$1 text=$2 got=0
    shift 2
    declare -F "$1" >/dev/null || set -- timeout --kill-after=5 "$LIMIT" "$@"
    "$@" </dev/null >"$scratch/out" 2>&1 || got=$?
    cut -c1-400 "$scratch/out" | head -n 20
    same "$wanted" "$got" && same 1 "$(lines "$scratch/out")" && grep -aqF -- "$text" "$scratch/out"
}

# started NAME COMMAND…: in the background; its pid in $pid once the output in $scratch/out contains NAME.
started() {
    local text=$1
    shift
    "$@" </dev/null >"$scratch/out" 2>"$scratch/err" &
    pid=$!
    wait_for "$text" "$scratch/out"
}

# wait_for TEXT FILE [TENTHS OF A SECOND]
wait_for() {
    local i
    for ((i = 0; i < ${3:-300}; ++i)); do
        [[ -e $2 ]] && grep -aqF -- "$1" "$2" && return 0
        sleep 0.1
    done
    printf 'no "%s" in %s\n' "$1" "$2"
    return 1
}

anonymous_kib() { awk '/RssAnon/ {print $2}' "/proc/$1/status"; }
shared_kib() { awk '/RssShmem/ {print $2}' "/proc/$1/status"; }
ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; }
