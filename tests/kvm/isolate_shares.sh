#!/bin/bash
# carrel host --isolate: one scheduler over all processes. What is stolen from this machine itself is in no thread's clock, so spans
# of which that was more than 1 % are left out, and said.
# Alone: shares of a CPU are compared.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/kvm/host_lib.bash
. "$(dirname "$0")/host_lib.bash"
need_kvm isolate_shares

host_options=(--isolate)
# One CPU, weights of 1 and 3 and a cap: one policy for three processes. The machine may be busy, which all of them share.
fleet='{"host": {"cpus": "0"}, "guests": [
 {"name": "one", "memory": "32M", "kernel": "'"$GUESTS"'/hang_spin.elf"},
 {"name": "three", "memory": "32M", "kernel": "'"$GUESTS"'/hang_spin.elf", "cpu-weight": 300},
 {"name": "capped", "memory": "32M", "kernel": "'"$GUESTS"'/hang_spin.elf", "cpu-cap": "10%"}]}'
figures() { for guest in one three capped; do ctl --json stats "$guest"; done; }
# span: their figures at its two ends, six seconds apart.
span() {
    local stolen ticks
    for _ in {1..5}; do
        figures >"$scratch/before"
        read -r stolen ticks < <(stolen_ticks)
        sleep 6
        figures >"$scratch/after"
        read -r stolen ticks < <(stolen_ticks "$stolen" "$ticks")
        [[ $((stolen * 100)) -gt $ticks ]] || return 0
        echo "left out: a span in which $stolen of $ticks ticks were stolen"
    done
}
# stolen_ticks [STOLEN ALL]: of all CPUs, less these.
stolen_ticks() { awk -v stolen="${1:-0}" -v all="${2:-0}" '/^cpu / { for (i = 2; i <= 9; ++i) sum += $i; print $9 - stolen, sum - all }' /proc/stat; }

shares_hold() {
    begin "$fleet" && state_is capped running || return 1
    span
    python3 - "$scratch/before" "$scratch/after" <<'PYTHON'
import json, sys

before, after = ([json.loads(line)["vcpus"][0]["times"] for line in open(name, encoding="utf-8")] for name in sys.argv[1:])
spans = [{key: end[key] - begin[key] for key in end} for begin, end in zip(before, after)]
for span in spans:
    print(span)
one, three, capped = (span["run"] for span in spans)
sys.exit(not (2.8 <= three / one <= 3.2 and capped <= 0.102 * spans[2]["wall"] and all(abs(span["residual"]) <= 0.005 * span["wall"] for span in spans)))
PYTHON
}
check 'isolate: weights and caps hold across processes' shares_hold
sed 's/^/# /' "$scratch/check.log"
equals() { # a change reaches guests of other processes: now all have the same
    ctl set three cpu-weight=100 && ctl set capped cpu-cap=100% && ctl policy round-robin || return 1
    span
    python3 - "$scratch/before" "$scratch/after" <<'PYTHON'
import json, sys

before, after = ([json.loads(line)["vcpus"][0]["times"]["run"] for line in open(name, encoding="utf-8")] for name in sys.argv[1:])
run = [end - begin for begin, end in zip(before, after)]
print("run", run)
sys.exit(max(run) > 1.1 * min(run))
PYTHON
}
check 'isolate: so do changes' equals
sed 's/^/# /' "$scratch/check.log"
check 'isolate: SIGTERM ends it' ended 0
finish
