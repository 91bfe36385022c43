#!/bin/bash
# tools/demo: a new user's way, with a terminal and without.
set -uo pipefail
# shellcheck source=tests/tools/lib.bash
. "$(dirname "$0")/lib.bash"

says() { grep -qE "$1" "$2" || { tail -n 40 "$2"; return 1; }; }

# ends STATUS COMMAND: the status of the guest's command is the demo's.
ends() { status_is "$1" tools/demo --batch "$2"; }

# shellcheck disable=SC2016  # for the guest's shell to expand; at the prompt only execution can print the answer; `exit` there ends the demo with 0.
at_the_prompt() {
    tests/tools/converse.py 300 '~ # ' 'echo answer-$((6 * 7))\r' 'answer-42' 'exit\r' -- tools/demo >"$scratch/prompt" 2>&1 ||
        { tail -n 40 "$scratch/prompt"; return 1; }
}
ended_by_key() {
    tests/tools/converse.py 300 '~ # ' '\x01x' -- tools/demo >"$scratch/key" 2>&1
    same 38 $? || { tail -n 40 "$scratch/key"; return 1; }
}

# tools/test has built a release already.
[[ -z ${BUILD:-} ]] || export CARREL_BUILD=$BUILD/release

if ! tools/kernels --cached bookworm >/dev/null 2>"$scratch/err"; then
    skip demo "no stock kernel: $(tail -n 1 "$scratch/err")"
    finish
fi
check 'demo: --batch runs its own command and ends with 0' status_is 0 bash -c "tools/demo --batch >$scratch/batch 2>&1"
check 'demo: the sum was done in the guest' says '^6 \* 7 = 42' "$scratch/batch"
check 'demo: says where Linux runs, and why' says '^Verdict: ' "$scratch/batch"
check 'demo: ends with how to go on' says '^\$ .*/carrel run$' "$scratch/batch"
check "demo: --batch 'exit 7' ends with 7" ends 7 'exit 7'
check 'demo: 125 when the guest never says how the command ended' ends 125 'poweroff -f'
check 'demo: without a terminal it is a batch' says 'no terminal' <(tools/demo </dev/null 2>&1)
check 'demo: a prompt that answers what is typed' at_the_prompt
check 'demo: Ctrl-A x at the prompt ends it, with 38' ended_by_key
check 'demo: an unknown option is refused' status_is 1 tools/demo --btch
finish
