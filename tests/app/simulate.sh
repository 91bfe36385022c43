#!/bin/bash
# `carrel simulate` as a user meets it: its examples, the same bytes each time, and what it says to what is wrong.
# shellcheck disable=SC2317  # functions are called by `check`
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/../kvm/lib.bash"
carrel=$(readlink -f "$CARREL")
scenarios=tests/sim/scenarios

simulate() { timeout 120 "$carrel" simulate "$@" </dev/null; }

same_bytes() {
    local scenario=$scenarios/$1.json
    simulate "$scenario" --gantt "$scratch/a.svg" >"$scratch/a" && simulate "$scenario" --gantt "$scratch/b.svg" >"$scratch/b" &&
        cmp "$scratch/a" "$scratch/b" && cmp "$scratch/a.svg" "$scratch/b.svg" && python3 - "$scratch/a.svg" <<'END'
import os, sys, xml.dom.minidom
xml.dom.minidom.parse(sys.argv[1])
assert os.path.getsize(sys.argv[1]) < 2_000_000
END
}
other_seed() {
    simulate "$scenarios/lecture.json" --json >"$scratch/a" && simulate "$scenarios/lecture.json" --json --seed 2 >"$scratch/b" &&
        ! cmp -s "$scratch/a" "$scratch/b"
}
textbook() {
    simulate "$scenarios/round-robin.json" --json | python3 -c '
import json, sys
r = json.load(sys.stdin)
assert [g["waiting_mean_ns"] // 10**6 for g in r["guests"]] == [6, 4, 7], r
assert r["end_ns"] == 30 * 10**6, r'
}
cap_holds() {
    simulate "$scenarios/two-guests.json" --json | python3 -c '
import json, sys
batch = json.load(sys.stdin)["guests"][0]
assert abs(batch["share_percent"] - 25) < 0.05, batch'
}
other_policy() { simulate "$scenarios/round-robin.json" --policy fcfs --until 1s | grep -F 'fcfs on 1 CPU, 30.000 ms' ; }
big_host() { simulate "$scenarios/big-host.json" --json | python3 -c 'import json, sys; assert len(json.load(sys.stdin)["guests"]) == 54000'; }

# refused PIECE SCENARIO [ARG…]: status 35, in one line that says PIECE.
refused() {
    local piece=$1
    printf '%s' "$2" >"$scratch/s.json"
    shift 2
    status_is 35 simulate "$scratch/s.json" "$@" 2>"$scratch/err" || return 1
    cat "$scratch/err"
    grep -F -- "$piece" "$scratch/err" >/dev/null && [[ $(wc -l <"$scratch/err") -eq 1 ]]
}

for name in two-guests round-robin lecture trace; do check "simulate-$name-twice" same_bytes "$name"; done
check simulate-seed other_seed
check simulate-textbook textbook
check simulate-cap cap_holds
check simulate-policy other_policy
check simulate-big-host big_host
check simulate-no-file status_is 35 simulate "$scratch/none.json"
check simulate-no-json refused 'line 1, column' '{"cpus": }'
check simulate-unknown-key refused "did you mean 'cpus'?" '{"cpu": 2, "guests": [{}]}'
check simulate-unknown-guest-key refused "guests[0]: unknown key 'cpu-cop'; did you mean 'cpu-cap'?" '{"guests": [{"cpu-cop": "5%"}]}'
check simulate-no-guests refused 'guests: there are none' '{"cpus": 2}'
check simulate-cpus refused 'cpus: 1025 is not between 1 and 1024' '{"cpus": 1025, "guests": [{}]}'
check simulate-vcpus refused 'more than 100,000 vCPUs' '{"guests": [{"count": 1000, "vcpus": 101}]}'
check simulate-cap-range refused 'cpu-cap' '{"guests": [{"cpu-cap": "0.01%"}]}'
check simulate-workload refused "'hug' is no workload; did you mean 'hog'?" '{"guests": [{"workload": "hug"}]}'
check simulate-workload-time refused 'a time is missing' '{"guests": [{"workload": {"interactive": {"burst": "1ms"}}}]}'
check simulate-name-twice refused "called 'a' already" '{"guests": [{"name": "a"}, {"name": "a"}]}'
check simulate-no-trace refused 'none.trace' '{"guests": [{"workload": {"trace": {"file": "none.trace"}}}]}'
check simulate-policy-none refused 'policy' '{"policy": "lottery", "guests": [{}]}'
check simulate-until refused '--until' '{"guests": [{}]}' --until soon
check simulate-gantt-nowhere refused '/nowhere/x.svg' '{"guests": [{}]}' --gantt /nowhere/x.svg
finish
