#!/bin/bash
# --swap with tiny guests: more memory than the quota, which file is taken, and what a full one does.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
need_kvm swap
file=$scratch/file
quota=(--memory 64M --memory-quota 24M)

# refused WORDS OPTION…: not started, for a reason in these words.
refused() {
    local words=$1 status=0
    shift
    timeout 20 "$CARREL" run "$@" "$GUESTS/touch_memory.elf" --timeout 10s </dev/null >"$scratch/out" 2>&1 || status=$?
    cat "$scratch/out"
    same 35 "$status" && grep -q -- "$words" "$scratch/out"
}
check 'swap: without a quota' refused 'there is no quota' --swap "$file"
check 'swap: less than is of use' refused 'less than 1M' "${quota[@]}" --swap "$file,size=1000"
check 'swap: no file in its place' refused 'names no file' "${quota[@]}" --swap ,size=1M

if ! [[ -r /dev/userfaultfd ]] && [[ $(cat /proc/sys/vm/unprivileged_userfaultfd 2>/dev/null) != 1 ]]; then
    skip swap "userfaultfd isn't permitted here"
    finish
fi

check 'swap: a folder' refused "isn't a file\|Is a directory" "${quota[@]}" --swap "$scratch"
check 'swap: a folder that is not there' refused 'No such file' "${quota[@]}" --swap "$scratch/none/file"
others() {
    echo 'mine' >"$scratch/mine"
    refused "isn't empty" "${quota[@]}" --swap "$scratch/mine" && same mine "$(cat "$scratch/mine")"
}
check "swap: somebody else's file is left alone" others
fifo() {
    mkfifo "$scratch/fifo"
    refused "isn't a file" "${quota[@]}" --swap "$scratch/fifo"
}
check 'swap: a FIFO' fifo

gone() { "$@" && ! [[ -e $file ]]; }
check 'swap: a guest has more than its quota; the file is gone afterwards' gone passes touch_memory "${quota[@]}" --swap "$file" --append rounds=4 --timeout 40s
check 'swap: by 4 CPUs at once' passes touch_memory "${quota[@]}" --swap "$file" --cpus 4 --append 'all=1 rounds=3' --timeout 50s
check 'swap: the machine rebuilt every 3rd exit' passes touch_memory "${quota[@]}" --swap "$file" --rebuild-every 3 --timeout 50s
check 'swap: with the least quota' passes touch_memory --memory 64M --memory-quota 8M --swap "$file,size=60M" --timeout 50s
full() {
    local status=0
    guest touch_memory "${quota[@]}" --swap "$file,size=1M" --append mib=55 --timeout 4s </dev/null >"$scratch/out" 2>&1 || status=$?
    cat "$scratch/out"
    same 36 "$status" && same 1 "$(grep -c 'is held, .* its swap file is full' "$scratch/out")" && ! [[ -e $file ]]
}
check 'swap: a full one holds the guest, and says so once' full
check 'swap: or kills it' ends_with 39 touch_memory "${quota[@]}" --swap "$file,size=1M" --append mib=55 --on-memory-limit kill --timeout 30s

# What RAM is resident, in KiB, of the process: the mappings of a guest's RAM are its only anonymous ones in whole chunks.
resident() {
    awk '/^[0-9a-f]+-[0-9a-f]+ / { split($1, a, "-"); whole = a[1] ~ /00000$/ && a[2] ~ /00000$/ && NF == 5 }
         /^Rss:/ && whole { sum += $2 } END { print sum + 0 }' "/proc/$1/smaps"
}
# The first guest goes round and round; meanwhile a second one wants its file, and it is looked at.
used() {
    local most=0 now status=0 looks=0
    "$CARREL" run "$GUESTS/touch_memory.elf" "${quota[@]}" --swap "$file" --append rounds=1000 --timeout 6s </dev/null >"$scratch/first" 2>&1 &
    local job=$!
    until [[ -e $file ]] || ! kill -0 "$job" 2>/dev/null; do sleep 0.05; done
    same 600 "$(stat -c %a "$file")" || status=1
    refused 'in use by' "${quota[@]}" --swap "$file" || status=1
    # Stopped meanwhile, or a page that moves would be counted in both places.
    while kill -STOP "$job" 2>/dev/null; do
        now=$(resident "$job" 2>/dev/null)
        kill -CONT "$job"
        ((${now:-0} > most)) && most=$now
        ((++looks))
        sleep 0.1
    done
    wait "$job"
    same 36 $? || status=1
    echo "at most $most KiB in $looks looks"
    ((most <= 24576 && most > 16384)) && ! [[ -e $file ]] && return "$status"
}
check 'swap: one file, one guest; and never a page more than the quota' used

left_over() {
    "$CARREL" run "$GUESTS/touch_memory.elf" "${quota[@]}" --swap "$file" --append rounds=1000 </dev/null >"$scratch/first" 2>&1 &
    local job=$!
    until [[ -s $file ]] && grep -q touched "$scratch/first" || ! kill -0 "$job" 2>/dev/null; do sleep 0.05; done
    kill -KILL "$job"
    wait "$job" 2>/dev/null
    [[ -s $file ]] && gone passes touch_memory "${quota[@]}" --swap "$file" --timeout 40s
}
check 'swap: one that a killed process left is used again' left_over
finish
