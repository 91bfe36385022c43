#!/bin/bash
# The cost of packets through a tap, against a budget: what issue 4, section 5 asks for, or what we have reached and 2 %.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels bench_net bookworm
for program in ip iperf3 ping; do
    command -v "$program" >/dev/null || { skip bench_net "no $program (tools/install-deps --test)"; finish; }
done

# Load, figure, at most or at least, budget. A data path that leaves the kernel for us would be at 1 and more.
BUDGETS='
ping    figure          at_most  54
ping    userspace_exits at_most  0.001
TCP_out figure          at_least 1.25
TCP_out userspace_exits at_most  0.001
TCP_in  figure          at_least 1.33
TCP_in  userspace_exits at_most  0.001
'
# figure LOAD KEY: from the JSON; nothing where it isn't there.
figure() {
    python3 - "$scratch/figures" "$@" <<'END'
import json, sys
path, load, key = sys.argv[1:]
value = json.load(open(path, encoding="utf-8"))["carrel"].get(load.replace("_", " "), {}).get(key)
print("" if value is None else round(value, 4))
END
}
check 'bench net: it runs' timeout 600 tools/bench net --only carrel --carrel "$CARREL" --json "$scratch/figures"
[[ -e $scratch/figures ]] || finish
while read -r load key how budget; do
    [[ -n $load ]] || continue
    value=$(figure "$load" "$key")
    check "bench net: $load, $key: ${value:-no figure}, ${how/_/ } $budget" awk -v how="$how" -v v="$value" -v b="$budget" \
        'BEGIN { exit !(v != "" && (how == "at_most" ? v + 0 <= b + 0 : v + 0 >= b + 0)) }'
done <<<"$BUDGETS"
finish
