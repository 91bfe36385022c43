#!/bin/bash
# The cost of a request to a disk and of packets through a tap, against a budget: what issue 4, section 5 asks for, or what we
# have reached and 2 %.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels bench_io bookworm
need_programs bench_io ip iperf3 ping

# Bench, load, figure, at most or at least, budget. A data path that leaves the kernel for us would be at 1 and more: what is
# counted of disks are the lines on the console that tell the figures.
BUDGETS='
blk 4_KiB_read,_1_deep   figure          at_most  36.2
blk 4_KiB_read,_1_deep   userspace_exits at_most  0.002
blk 4_KiB_read,_1_deep   syscalls        at_most  3.1
blk 4_KiB_read,_32_deep  figure          at_most  16.1
blk 4_KiB_read,_32_deep  userspace_exits at_most  0.002
blk 4_KiB_write,_32_deep figure          at_most  16.5
net ping                 figure          at_most  54
net ping                 userspace_exits at_most  0.001
net TCP_out              figure          at_least 1.25
net TCP_out              userspace_exits at_most  0.001
net TCP_in               figure          at_least 1.33
net TCP_in               userspace_exits at_most  0.001
'
# figure BENCH LOAD KEY: from the JSON; nothing where it isn't there.
figure() {
    python3 - "$scratch" "$@" <<'END'
import json, sys
folder, bench, load, key = sys.argv[1:]
try:
    value = json.load(open(f"{folder}/{bench}", encoding="utf-8"))["carrel"][load.replace("_", " ")][key]
    print(round(value, 4))
except (OSError, KeyError):
    pass
END
}
for bench in blk net; do
    check "bench $bench: it runs" timeout 600 tools/bench "$bench" --only carrel --carrel "$CARREL" --json "$scratch/$bench"
done
while read -r bench load key how budget; do
    [[ -n $bench ]] || continue
    value=$(figure "$bench" "$load" "$key")
    check "bench $bench: ${load//_/ }, $key: ${value:-no figure}, ${how/_/ } $budget" awk -v how="$how" -v v="$value" -v b="$budget" \
        'BEGIN { exit !(v != "" && (how == "at_most" ? v + 0 <= b + 0 : v + 0 >= b + 0)) }'
done <<<"$BUDGETS"
finish
