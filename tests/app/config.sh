#!/bin/bash
# A machine's description as JSON: `run --print-config`, `schema`, and that options, keys and schema agree.
# shellcheck disable=SC2317,SC2016  # functions are called by `check`; $defs is JSON's
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/../kvm/lib.bash"
carrel=$(readlink -f "$CARREL")

run() { timeout 20 "$carrel" run "$@" </dev/null; }
schema() { timeout 20 "$carrel" schema "$@" </dev/null; }
# valid FILE...: the schema allows each.
valid() {
    schema >"$scratch/schema"
    tests/app/validate.py "$scratch/schema" "$@" | tee "$scratch/verdicts"
    [[ $(grep -c '^valid ' "$scratch/verdicts") -eq $# ]]
}

# A kernel that isn't there: nothing is opened.
prints() {
    same '{
  "name": "web",
  "kernel": "/no/such/vmlinuz",
  "memory": "1G",
  "cpus": 2,
  "cpu-cap": "150%",
  "disk": [
    {
      "file": "/no/such/disk",
      "ro": true
    }
  ]
}' "$(run /no/such/vmlinuz --name web --memory 1024M --cpus 2 --cpu-cap 150% --disk /no/such/disk,ro --print-config)"
}

# round_trip OPTION...: what is printed says, as a file, the same again, and the schema allows it.
round_trip() {
    run "$@" --print-config >"$scratch/one.json" || return 1
    schema --check "$scratch/one.json" >"$scratch/fleet.json" || return 1
    python3 - "$scratch/one.json" "$scratch/fleet.json" <<'PY' || return 1
import json, sys
one, fleet = (json.load(open(path)) for path in sys.argv[1:])
assert fleet == {"guests": [one]}, (one, fleet)
PY
    schema --check "$scratch/fleet.json" | cmp - "$scratch/fleet.json" || return 1
    valid "$scratch/one.json" "$scratch/fleet.json"
}

# Each option that run's help lists is a key, but for those that are about this one run.
options_are_keys() {
    local own='^(help|log|print-config|verbose)$'
    schema >"$scratch/schema"
    same "$(run --help | grep -oE '^ +(-[a-z],)?--[a-z-]+' | grep -oE '[a-z]+(-[a-z]+)*$' | grep -vE "$own" | LC_ALL=C sort)" \
        "$(python3 -c 'import json, sys
keys = json.load(open(sys.argv[1]))["$defs"]["guest"]["properties"]
print("\n".join(sorted(set(keys) - {"kernel", "rebuild-every"})))' "$scratch/schema")"
}

# refused PIECE JSON: by `schema --check`, with status 35 and this in its words; the schema doesn't allow it either,
# unless what is wrong is more than a form (`refused_together`).
refused() {
    refused_together "$@" && ! valid "$scratch/bad.json"
}
refused_together() {
    printf '%s' "$2" >"$scratch/bad.json"
    status_is 35 timeout 20 "$carrel" schema --check "$scratch/bad.json" 2>"$scratch/err" || return 1
    grep -F -- "$1" "$scratch/err" >/dev/null || { cat "$scratch/err"; return 1; }
}
accepted() {
    printf '%s' "$1" >"$scratch/good.json"
    schema --check "$scratch/good.json" >"$scratch/out" && valid "$scratch/good.json"
}

check 'config: --print-config writes what was typed, and opens nothing' prints
check 'config: the defaults, and back' round_trip
check 'config: CPU options, and back' round_trip k --cpus 4 --cpu baseline --cpu-cap 12.5% --cpu-weight 7 --cpu-reserve 5% --cpu-burst 5ms \
    --cpu-period 20ms --cpu-priority 3 --cpu-expected-burst 500us --cpus-allowed 0-1,5
check 'config: memory options, and back' round_trip k --memory 1G --memory-quota 256M --swap /tmp/a,,b,size=1G --on-memory-limit kill \
    --balloon=64M,statistics=5s
check 'config: devices, and back' round_trip k --disk a,,b.img,overlay=c,queues=2,bps=1M,burst=20ms --disk '  ,ro,id=x' --rng --vsock v,cid=9 \
    --net tap=t0,mac=02:00:5e:10:00:01,queues=2 --net user,tcp=127.0.0.1/80:8080,tcp=81,udp=53 --net switch=lan,mtu=9000 --net tapfd=7 \
    --transport mmio --packed-rings --balloon
check 'config: the rest, and back' round_trip k --initrd i --append 'a "b" \ c' --hugepages --timeout 90s --on-reboot restart \
    --serial file:/tmp/x --console virtio --name x --rebuild-every 3
check 'config: what run refuses is refused before it is printed' status_is 35 timeout 20 "$carrel" run --memory 12Q --print-config
check 'config: a name that JSON has no letters for is refused' status_is 35 timeout 20 "$carrel" run $'\xff' --print-config
check "config: each option of run's is a key of the schema" options_are_keys

check 'config: a fleet is accepted' accepted '{"host": {"cpus": "0-1", "memory": "8G", "cpu-overcommit": "150%", "policy": "sjf",
    "placement": "pack"}, "guests": [{"name": "a", "cpu-cap": "25%"}, {"name": "b", "disk": ["x,ro", {"file": "y", "overlay": true}],
    "timeout": 60, "net": {"user": true, "tcp": ["80", "443"]}, "balloon": true, "memory": 1073741824}]}'
check 'config: an unknown key, with the nearest' refused "guests[0]: unknown key 'memroy'; did you mean 'memory'?" '{"guests": [{"memroy": "1G"}]}'
check 'config: an unknown word of a disk' refused "disk[0]: unknown key 'read-only'" '{"disk": [{"file": "a", "read-only": true}]}'
check 'config: a wrong type' refused 'guests[1].memory: an array stands there' '{"guests": [{"name": "a"}, {"memory": []}]}'
check 'config: a wrong unit' refused "memory: '12Q' is not a size" '{"memory": "12Q"}'
check 'config: a wrong time' refused "timeout: '5x' is not a time" '{"timeout": "5x"}'
check 'config: a wrong share' refused "cpu-cap: '25' is not a share" '{"cpu-cap": "25"}'
check 'config: a wrong choice' refused "cpu: 'best' is neither" '{"cpu": "best"}'
check 'config: a disk without a file' refused "it doesn't say what it is" '{"disk": [{"ro": true}]}'
check 'config: two networks in one' refused 'it says twice what it is' '{"net": [{"user": true, "tap": "t"}]}'
check 'config: a wrong policy' refused "host.policy: 'best' is no policy" '{"host": {"policy": "best"}}'
check 'config: a fraction' refused 'cpus: a number below zero or with a fraction' '{"cpus": 1.5}'
check 'config: two guests of one name' refused_together "is called 'a' already, in" '{"guests": [{"name": "a"}, {"name": "a"}]}'
check 'config: a key twice' refused_together "key 'cpus' stands there twice" '{"cpus": 1, "cpus": 2}'
check 'config: what does not fit together' refused_together 'swap: there is no quota' '{"swap": "s"}'
check 'config: no JSON' refused_together 'it is no JSON from line 1, column 9' '{"cpus" 1}'
check 'config: no such file' status_is 35 timeout 20 "$carrel" schema --check /no/such/file
finish
