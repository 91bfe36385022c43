#!/bin/bash
# What `carrel run` says about CPUs is what its guest gets. This machine may be busy, so shares are bounded above, and below
# only by what a guest that hardly runs wouldn't reach.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
need_kvm cpu_quota

# begin OPTION…: a guest that spins, and its vCPU's thread: $guest and $thread.
begin() {
    "$CARREL" run "$GUESTS/hang_spin.elf" --serial none --timeout 60s "$@" </dev/null >"$scratch/out" 2>&1 &
    guest=$!
    for _ in {1..100}; do
        thread=$(grep -ls ':vcpu0' /proc/"$guest"/task/*/comm | cut -d/ -f5)
        [[ -z $thread ]] || return 0
        sleep 0.1
    done
    cat "$scratch/out"
    return 1
}
ended() {
    kill -9 "$guest" 2>/dev/null
    wait "$guest" 2>/dev/null
    return 0
}
# What the thread runs in the next two seconds, in thousandths of them.
share() {
    local from to begun
    begun=$(date +%s%N)
    from=$(cut -d' ' -f1 "/proc/$guest/task/$thread/schedstat")
    sleep 2
    to=$(cut -d' ' -f1 "/proc/$guest/task/$thread/schedstat")
    echo $(((to - from) * 1000 / ($(date +%s%N) - begun)))
}
# held CAP LEAST MOST: thousandths. The kernel's figure is as old as the last tick, 4 ms or 2 thousandths.
held() {
    local got
    begin --cpu-cap "$1%" || return 1
    got=$(share)
    ended
    printf 'a cap of %s %%: %s thousandths\n' "$1" "$got"
    [[ $got -ge $2 && $got -le $3 ]]
}
check 'quota: a cap of 5 %' held 5 25 58
check 'quota: a cap of 25 %' held 25 120 258
check 'quota: a cap of 50 %' held 50 200 508

one_cpu() {
    local cpu list
    cpu=$(taskset -cp $$ | sed 's/.*: \([0-9]*\).*/\1/')
    begin --cpus-allowed "$cpu" || return 1
    list=$(awk '/^Cpus_allowed_list/ { print $2 }' "/proc/$guest/task/$thread/status")
    ended
    same "$cpu" "$list"
}
check 'quota: --cpus-allowed keeps a vCPU to these CPUs' one_cpu
free() {
    local list
    begin || return 1
    list=$(awk '/^Cpus_allowed_list/ { print $2 }' "/proc/$guest/task/$thread/status")
    ended
    same "$(awk '/^Cpus_allowed_list/ { print $2 }' /proc/$$/status)" "$list"
}
check 'quota: without it a vCPU may use what the process may' free

# refused WORDS OPTION…
refused() {
    local words=$1 got=0
    shift
    timeout 30 "$CARREL" run "$@" </dev/null >"$scratch/out" 2>&1 || got=$?
    cat "$scratch/out"
    same 35 "$got" && same 1 "$(grep -vc 'stock Linux' "$scratch/out")" && grep -q -- "$words" "$scratch/out"
}
check 'quota: CPUs that this host has not' refused 'may use none of these CPUs' --cpus-allowed 1023
check 'quota: no list of CPUs' refused 'not a list of host CPUs' --cpus-allowed 3-1
check 'quota: no share' refused 'not a share of a CPU' --cpu-cap 25
check 'quota: a cap that is none' refused 'is not between 0.1% and' --cpu-cap 0%
check 'quota: more reserved than the cap allows' refused "more than the guest's cap" --cpu-cap 10% --cpu-reserve 20%
check 'quota: a burst without a cap' refused 'belongs to a cap' --cpu-burst 5ms
check 'quota: no weight' refused 'not between 1 and 10000' --cpu-weight 0
finish
