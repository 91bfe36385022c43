#!/bin/bash
# The speed and the cost of a boot, against a budget: what issue 3, section 9 allows, or what we have reached and 2 %.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"

# Command line, file, figure, budget. Seconds are virtual ones, from exec; what each figure means: tools/bench boot --help.
# (outside_kib grows by pieces of 64 KiB, by which Linux makes the binary resident.)
BUDGETS='
notests bzImage end_s           0.80
notests bzImage vm_exits        2000
notests bzImage userspace_exits 200
notests bzImage outside_kib     1950
notests bzImage touched_mib     88
notests vmlinux end_s           0.68
notests vmlinux vm_exits        2000
notests vmlinux userspace_exits 200
notests vmlinux touched_mib     88
quiet   bzImage end_s           1.69
log     bzImage exits_per_byte  0.70
'
# The log may cost this much: seconds from exec to the end, log less notests.
LOG_BUDGET=0.20

# figure APPEND FILE KEY: from the JSON; nothing where it isn't there.
figure() {
    python3 - "$scratch/figures" "$@" <<'END'
import json, sys
path, append, file, key = sys.argv[1:]
for row in json.load(open(path, encoding="utf-8"))["rows"]:
    if (row["append"], row["file"]) == (append, file) and row[key] is not None:
        print(round(row[key], 3))
END
}
# within NAME VALUE BUDGET: a value that is missing isn't within.
within() {
    check "bench: $1: ${2:-no figure} of at most $3" awk -v v="$2" -v b="$3" 'BEGIN { exit !(v != "" && v + 0 <= b + 0) }'
}

need_kernels bench bookworm
check 'bench: the quick runs' timeout 600 tools/bench boot --quick --only carrel --carrel "$CARREL" --json "$scratch/figures"
[[ -e $scratch/figures ]] || finish
while read -r append file key budget; do
    [[ -z $append ]] || within "$append, $file, $key" "$(figure "$append" "$file" "$key")" "$budget"
done <<<"$BUDGETS"
log=$(figure log bzImage end_s) quiet=$(figure notests bzImage end_s)
within 'what the log costs, s' "$(awk -v a="$log" -v b="$quiet" 'BEGIN { if (a != "" && b != "") printf "%.3f", a - b }')" "$LOG_BUDGET"
finish
