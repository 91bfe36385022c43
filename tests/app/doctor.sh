#!/bin/bash
# `carrel doctor` as a user meets it: with /dev/kvm, without it, without permission. Prints a line a test (tests/tools/lib.bash).
# shellcheck disable=SC2317  # functions are called by `check`
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/../kvm/lib.bash"
carrel=$(readlink -f "$CARREL")

# said PIECE FILE: the text says it, however it is folded.
said() {
    tr -s ' \n' ' ' <"$2" | grep -F -- "$1" >/dev/null && return 0
    printf 'wanted: %s\nin:\n' "$1"
    cat "$2"
    return 1
}

# doctor STATUS PREFIX... : runs `PREFIX carrel doctor` into $scratch/out; its status must be one of STATUS (a pattern).
doctor() {
    local wanted=$1 got=0
    shift
    timeout 20 "$@" "$carrel" doctor >"$scratch/out" 2>&1 </dev/null || got=$?
    [[ $got =~ ^($wanted)$ ]] || { printf 'wanted status: %s\ngot:           %s\n' "$wanted" "$got"; cat "$scratch/out"; return 1; }
}

json() { timeout 20 "$carrel" doctor --json 2>/dev/null </dev/null; }

json_parses() {
    json >"$scratch/raw"
    python3 -m json.tool "$scratch/raw" "$scratch/json" && said '"ability"' "$scratch/json"
}

# The status that the JSON names is the status of the process.
json_status() {
    local got=0
    json >"$scratch/json" || got=$?
    same "$(python3 -c 'import json, sys; print(json.load(sys.stdin)["verdict"]["exit_status"])' <"$scratch/json")" "$got"
}

works_here() {
    doctor '0|1' && said '/dev/kvm is there' "$scratch/out" && said 'instructions a second' "$scratch/out" &&
        said 'a port exit to userspace and back costs' "$scratch/out" && said 'Verdict: stock Linux w' "$scratch/out"
}

# The refused instructions in the JSON are those in the text.
names_refused() {
    local name
    json >"$scratch/json"
    doctor '0|1' || return 1
    for name in $(python3 -c 'import json, sys; print(*json.load(sys.stdin)["measured"]["refused_instructions"])' <"$scratch/json"); do
        said "$name" "$scratch/out" || return 1
    done
}

bounded() {
    local begin=${EPOCHREALTIME/./} end
    doctor '0|1|37' || return 1
    end=${EPOCHREALTIME/./}
    ((end - begin < 2000000)) || { printf 'took %d us\n' $((end - begin)); return 1; }
}

# An empty /dev in a mount namespace of its own.
missing() {
    doctor 37 unshare -m sh -c 'mount -t tmpfs none /dev && exec "$@"' sh && said "/dev/kvm doesn't exist" "$scratch/out" &&
        said 'no guest will run here' "$scratch/out" && said 'tools/kvm-host' "$scratch/out"
}

# A node behind which no driver stands.
dead_node() {
    doctor 37 unshare -m sh -c 'mount -t tmpfs none /dev && mknod /dev/kvm c 10 250 && exec "$@"' sh &&
        said 'cannot open /dev/kvm' "$scratch/out"
}

# as_nobody MODE GROUP: /dev/kvm replaced by a copy of the node with that mode and group.
as_nobody() {
    local number
    number=$(stat -c '%Hr %Lr' /dev/kvm)
    doctor 37 unshare -m sh -c "mount -t tmpfs -o mode=755 none /dev && mknod -m $1 /dev/kvm c $number && chgrp $2 /dev/kvm &&
        exec setpriv --reuid=nobody --regid=nogroup --clear-groups \"\$@\"" sh
}
not_permitted() {
    as_nobody 0660 daemon && said 'it belongs to user root and group daemon with mode 0660' "$scratch/out" &&
        said 'usermod -aG daemon nobody' "$scratch/out" && said 'KERNEL=="kvm", GROUP="kvm", MODE="0666"' "$scratch/out" &&
        said 'CI job' "$scratch/out"
}
no_group_helps() {
    as_nobody 0600 root && said 'no group but its owner may open it' "$scratch/out" &&
        said 'KERNEL=="kvm"' "$scratch/out"
}

# with_passt FOLDER: what it makes of the passt there, alone in PATH.
with_passt() { doctor '0|1|37' env PATH="$1"; }
no_passt() { with_passt "$scratch/none" && said "passt isn't installed" "$scratch/out" && said 'apt install passt' "$scratch/out"; }
broken_passt() {
    mkdir -p "$scratch/broken"
    printf '#!/bin/sh\necho "No route to anywhere" >&2\nexit 3\n' >"$scratch/broken/passt"
    chmod +x "$scratch/broken/passt"
    with_passt "$scratch/broken" && said "is there, but exited with status 3: No route to anywhere: no --net user" "$scratch/out"
}
deaf_passt() {
    mkdir -p "$scratch/deaf"
    printf '#!/bin/sh\nexec /bin/sleep 60\n' >"$scratch/deaf/passt"
    chmod +x "$scratch/deaf/passt"
    with_passt "$scratch/deaf" && said "is there, but doesn't answer: no --net user" "$scratch/out"
}
real_passt() { doctor '0|1|37' && said 'passt answers: --net user works' "$scratch/out"; }

plain_without_terminal() { doctor '0|1|37' && ! grep -q $'\033' "$scratch/out"; }
on_terminal() { script -qec "env $1 TERM=xterm $carrel doctor" /dev/null >"$scratch/out" 2>&1 </dev/null; }
coloured_on_terminal() {
    on_terminal '-u NO_COLOR'
    said $'\033[' "$scratch/out" && said 'Verdict' "$scratch/out"
}
obeys_no_color() {
    on_terminal NO_COLOR=1
    said 'Verdict' "$scratch/out" && ! grep -q $'\033' "$scratch/out"
}

help_names_status() { "$carrel" doctor --help >"$scratch/out" && said '37 no usable KVM' "$scratch/out"; }

check doctor-help "$carrel" doctor --help
check doctor-help-names-status help_names_status
check doctor-json-parses json_parses
check doctor-json-status json_status
check doctor-bounded bounded
check doctor-plain-without-terminal plain_without_terminal
if command -v script >/dev/null; then
    check doctor-colours coloured_on_terminal
    check doctor-no-color obeys_no_color
else
    skip doctor-colours 'script(1) is missing'
fi
check doctor-no-passt no_passt
check doctor-broken-passt broken_passt
check doctor-deaf-passt deaf_passt
if command -v passt >/dev/null && [[ -n $(ip route show default 2>/dev/null) ]]; then
    check doctor-passt real_passt
else
    skip doctor-passt 'no passt, or no route for it'
fi
if [[ -r /dev/kvm && -w /dev/kvm ]]; then
    check doctor-works-here works_here
    check doctor-names-refused names_refused
else
    skip doctor-works-here 'no usable /dev/kvm'
fi
if ! unshare -m true 2>/dev/null; then
    skip doctor-kvm-missing 'needs root for a mount namespace'
else
    check doctor-kvm-missing missing
    check doctor-kvm-dead-node dead_node
fi
if [[ $(id -u) != 0 || ! -c /dev/kvm ]] || ! command -v setpriv >/dev/null; then
    skip doctor-not-permitted 'needs root, /dev/kvm and setpriv'
else
    check doctor-not-permitted not_permitted
    check doctor-no-group-helps no_group_helps
fi
finish
