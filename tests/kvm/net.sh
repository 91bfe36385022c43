#!/bin/bash
# What --net takes and refuses: one sentence and status 35.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
need_kvm net

# refused WORDS OPTION…: not started, for a reason in these words.
refused() {
    local words=$1 status=0
    shift
    timeout 20 "$CARREL" run "$@" --timeout 10s </dev/null >"$scratch/out" 2>&1 || status=$?
    cat "$scratch/out"
    same 35 "$status" && same 1 "$(wc -l <"$scratch/out")" && grep -q -- "$words" "$scratch/out"
}
check 'net: no kind' refused 'none of tap=NAME' --net ''
check 'net: an unknown kind' refused 'none of tap=NAME' --net bridge=br0
check 'net: an unknown word' refused "'vhost' is none of" --net tap=tap0,vhost
check 'net: a name that no interface has' refused 'not the name of a network interface' --net tap=a/b
check 'net: a limit of nothing' refused 'ops=0 is not a number above zero' --net user,ops=0
check 'net: a burst of no limit' refused 'belongs to a limit' --net switch=lan,burst=20ms
check 'net: an interface that is not there' refused 'no network interface carrel-none' --net tap=carrel-none
check 'net: an address that is no interface'"'"'s' refused 'not the address of one interface' --net tap=tap0,mac=01:00:00:00:00:01
check 'net: an MTU that is too small' refused 'between 68 and 65535' --net tap=tap0,mtu=10
check 'net: more queues than there are' refused 'between 1 and 8' --net tap=tap0,queues=9
check 'net: queues of an inherited descriptor' refused 'one queue pair' --net tapfd=9,queues=2
check 'net: a descriptor that is not open' refused "descriptor 19 isn't open" --net tapfd=19
plain_file() { refused "isn't a tap" --net tapfd=19 19</dev/null; }
check 'net: a descriptor that is no tap' plain_file
check 'net: a forward of a port that is none' refused "'65536' is no port" --net user,tcp=65536
check 'net: a forward from an address that is none' refused "'localhost' is no IP address" --net user,udp=localhost/53
check 'net: a port forwarded twice' refused 'forwarded already' --net user,tcp=2222:22,tcp=2222:23
check 'net: a forward elsewhere' refused 'is for --net user' --net switch=lan,tcp=22
check 'net: a switch without a name' refused 'names no switch' --net switch=
check 'net: two interfaces with one address on a switch' refused "another guest's on switch=lan" \
    --net switch=lan,mac=02:00:00:00:00:01 --net switch=lan,mac=02:00:00:00:00:01
no_passt() {
    local status=0
    PATH=/nowhere "$(readlink -f "$CARREL")" run --net user </dev/null >"$scratch/out" 2>&1 || status=$?
    cat "$scratch/out"
    same 1 "$(wc -l <"$scratch/out")" && grep -q 'passt: it is in no folder of PATH; --net user needs passt: apt install passt' "$scratch/out" &&
        [[ $status -ne 0 ]]
}
check 'net: no passt' no_passt
silent() {
    timeout 20 "$CARREL" run "$GUESTS/poweroff.elf" -v --net switch=lan --net switch=lan </dev/null >"$scratch/out" 2>&1
    cat "$scratch/out"
    for i in 0 1; do grep -q "virtio-net $i (lan): 0 frames in, 0 bytes; 0 frames out, 0 bytes$" "$scratch/out" || return 1; done
}
check 'net: -v counts the frames of each interface' silent
nine=()
for _ in {1..9}; do nine+=(--net tap=tap0); done
check 'net: more than eight' refused 'at most 8 network interfaces' "${nine[@]}"
finish
