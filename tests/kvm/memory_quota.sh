#!/bin/bash
# --memory-quota with tiny guests: what is resident, what is refused, how a guest is held or killed.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
need_kvm memory_quota

# refused WORDS OPTION…: not started, for a reason in these words.
refused() {
    local words=$1 status=0
    shift
    timeout 20 "$CARREL" run "$@" "$GUESTS/touch_memory.elf" --timeout 10s </dev/null >"$scratch/out" 2>&1 || status=$?
    cat "$scratch/out"
    same 35 "$status" && grep -q -- "$words" "$scratch/out"
}
check 'quota: less than a guest can stand on' refused 'less than 8M' --memory-quota 4M
check 'quota: no whole pages' refused 'no multiple of 4K' --memory-quota 10000001
check 'quota: more than the RAM' refused "more than the guest's memory" --memory 64M --memory-quota 65M
check 'quota: RAM that is no whole chunks' refused 'no multiple of 2M' --memory-quota 32M --memory 65M
check 'quota: not on huge pages of the pool' refused 'hugepages' --memory 64M --memory-quota 32M --hugepages
check 'quota: a limit without a quota' refused 'no limit' --on-memory-limit kill
check 'quota: an unknown thing to do' refused 'neither hold nor kill' --memory-quota 32M --on-memory-limit stop

if ! [[ -r /dev/userfaultfd ]] && [[ $(cat /proc/sys/vm/unprivileged_userfaultfd 2>/dev/null) != 1 ]]; then
    skip memory_quota "userfaultfd isn't permitted here"
    finish
fi

check 'quota: all that the guest touches fits' passes touch_memory --memory 64M --memory-quota 48M --timeout 30s
check 'quota: by 4 CPUs at once' passes touch_memory --memory 64M --memory-quota 48M --cpus 4 --append all=1 --timeout 30s
check 'quota: as much as the RAM' passes touch_memory --memory 64M --memory-quota 64M --append mib=50 --timeout 30s
check 'quota: the machine rebuilt every 3rd exit' passes touch_memory --memory 64M --memory-quota 48M --rebuild-every 3 --timeout 40s

loader() { refused 'is less than what is loaded' --memory 64M --memory-quota 8M --initrd "$scratch/initrd"; }
truncate -s 20M "$scratch/initrd"
check 'quota: less than what is loaded' loader

# What RAM is resident, in KiB, of the process: the mappings of a guest's RAM are its only anonymous ones in whole chunks.
resident() {
    awk '/^[0-9a-f]+-[0-9a-f]+ / { split($1, a, "-"); whole = a[1] ~ /00000$/ && a[2] ~ /00000$/ && NF == 5 }
         /^Rss:/ && whole { sum += $2 } END { print sum + 0 }' "/proc/$1/smaps"
}
# watched QUOTA_KIB ARG…: the guest runs into its quota; at no look is more of its RAM resident.
watched() {
    local quota=$1 pid most=0 now
    shift
    guest touch_memory --memory 64M --memory-quota "${quota}K" --timeout 4s "$@" </dev/null >"$scratch/out" 2>&1 &
    local job=$!
    sleep 0.3
    while kill -0 "$job" 2>/dev/null; do
        pid=$(pgrep -x carrel -P "$job" | head -n 1)
        [[ -n $pid ]] || pid=$(pgrep -P "$(pgrep -P "$job" -x timeout)" -x carrel)
        now=$(resident "$pid" 2>/dev/null)
        ((${now:-0} > most)) && most=$now
        sleep 0.2
    done
    wait "$job"
    local status=$?
    cat "$scratch/out"
    echo "at most $most KiB of $quota"
    same 36 "$status" && ((most <= quota && most > quota - 4096)) &&
        same 1 "$(grep -c 'is held, ' "$scratch/out")"
}
check 'quota: held at 24 MiB, not one page more' watched 24576
check 'quota: held at a quota of no whole chunks' watched 21004
check 'quota: 4 CPUs held' watched 24576 --cpus 4 --append all=1
# Of one that is held, what happens at its limit is changed, and then its quota.
changed() {
    local socket=$scratch/s status=0
    printf '{"guests": [%s, %s]}' "{\"name\": \"a\", \"kernel\": \"$GUESTS/touch_memory.elf\", \"memory\": \"64M\", \"memory-quota\": \"24M\"}" \
        "{\"name\": \"b\", \"kernel\": \"$GUESTS/touch_memory.elf\", \"memory\": \"64M\", \"memory-quota\": \"24M\"}" >"$scratch/fleet.json"
    timeout 60 "$CARREL" host "$scratch/fleet.json" --socket "$socket" </dev/null >"$scratch/host" 2>&1 &
    local job=$!
    ctl() { "$CARREL" ctl --socket "$socket" "$@" </dev/null 2>&1; }
    shows() { for _ in {1..100}; do ctl --json show "$1" | grep -q "$2" && return 0; sleep 0.1; done; ctl --json show "$1"; return 1; }
    shows a '"held"' && shows b '"held"' && ctl set a on-memory-limit=kill && shows a '"ended"' &&
        ctl set b memory-quota=64M && shows b '"ended"' && ctl console b --once | grep -aq PASS || status=1
    kill "$job"
    wait "$job"
    return "$status"
}
check 'quota: what happens at it, and it, may be changed while one is held' changed
check 'quota: killed where it is to be' ends_with 39 touch_memory --memory 64M --memory-quota 24M --on-memory-limit kill --timeout 30s
finish
