# carrel host and carrel ctl, for tests: a host to ask, and the checks that hold for each kind of host. Source after lib.bash.
# shellcheck shell=bash disable=SC2154
CARREL=$(readlink -f "$CARREL")
socket=$scratch/s
host=
host_options=() # of each host that begin() begins

ctl() { timeout 60 "$CARREL" ctl --socket "$socket" "$@"; }

# begin JSON [OPTION…]: a host of these guests, answering.
begin() {
    printf '%s' "$1" >"$scratch/fleet.json"
    shift
    "$CARREL" host "$scratch/fleet.json" --socket "$socket" "${host_options[@]}" "$@" </dev/null >"$scratch/host.log" 2>&1 &
    host=$!
    for _ in {1..300}; do
        ctl list >/dev/null 2>&1 && grep -q 'carrel ctl asks' "$scratch/host.log" && return 0
        kill -0 "$host" 2>/dev/null || break
        sleep 0.1
    done
    cat "$scratch/host.log"
    return 1
}

# ended STATUS: SIGTERM ends it with that, and the socket is gone.
ended() {
    local got=0
    kill -TERM "$host"
    wait "$host" || got=$?
    cat "$scratch/host.log"
    same "$1" "$got" && [[ ! -e $socket ]]
}

state_is() { # NAME STATE
    for _ in {1..300}; do
        ctl list | grep -qE "^$1 +$2 " && return 0
        sleep 0.1
    done
    ctl list
    return 1
}

says() { # NAME WORDS
    for _ in {1..300}; do
        ctl console "$1" --once | grep -aq -- "$2" && return 0
        sleep 0.1
    done
    ctl console "$1" --once
    return 1
}

# refused STATUS WORDS ARGUMENT…
refused() {
    local wanted=$1 words=$2 got=0
    shift 2
    ctl "$@" </dev/null >"$scratch/out" 2>&1 || got=$?
    cat "$scratch/out"
    same "$wanted" "$got" && same 1 "$(wc -l <"$scratch/out")" && grep -q -- "$words" "$scratch/out"
}

two='{"guests": [{"name": "a", "memory": "32M", "cpu-cap": "50%"}, {"name": "b", "memory": "32M", "balloon": "0"}]}'

nobody() { # each verb says what it can't do
    for verb in show start pause resume stop kill delete console; do
        refused 35 "cannot $verb c: there is no such guest" "$verb" c || return 1
    done
    refused 35 'cannot set c: there is no such guest' set c cpu-cap=25%
}

# check_verbs HOW NET: every verb, and clients who behave badly. HOW is shown with each check; NET is an interface that a guest may have, or nothing.
check_verbs() {
    local how=$1 net=$2
    check 'host'"$how"': two guests from one file' begin "$two"
    check 'host'"$how"': both come to their prompts' says a 'carrel> '
    check 'host'"$how"': its socket is its owner'"'"'s' same 600 "$(stat -c %a "$socket")"
    second_host() {
        local got=0
        "$CARREL" host "$scratch/fleet.json" --socket "$socket" "${host_options[@]}" </dev/null >"$scratch/out" 2>&1 || got=$?
        cat "$scratch/out"
        same 35 "$got" && grep -q 'is in use by another process' "$scratch/out"
    }
    check 'host'"$how"': a second one at the same socket is refused' second_host

    (timeout 120 "$CARREL" ctl --socket "$socket" events >"$scratch/events" 2>&1) &
    events=$!
    sleep 0.5
    check 'ctl'"$how"': pause' ctl pause a
    check 'ctl'"$how"': a paused guest is paused' state_is a paused
    check 'ctl'"$how"': pausing it twice is refused' refused 35 'it is paused already' pause a
    check 'ctl'"$how"': resume' ctl resume a
    check 'ctl'"$how"': a cap may change' ctl set a cpu-cap=25% cpu-weight=200
    changed() { ctl show a | grep -q 'cpu-cap *25%' && ctl show a | grep -q 'cpu-weight *200'; }
    check 'ctl'"$how"': and is shown' changed
    check 'ctl'"$how"': memory may not' refused 35 "can't change while the guest runs" set a memory=64M
    check 'ctl'"$how"': no such key' refused 35 'unknown key' set a cpu-cup=25%
    check 'ctl'"$how"': the balloon' ctl set b balloon.size=4M
    check 'ctl'"$how"': the policy' ctl policy fcfs
    sums() { ctl show host | grep -qE '^memory +[0-9]+[MG] +64M ' && ctl show host | grep -q 'policy fcfs'; }
    check 'ctl'"$how"': what is promised' sums
    check 'ctl'"$how"': no such policy' refused 35 'is no policy' policy best
    check 'ctl'"$how"': figures' eval 'ctl stats a | grep -qE "^0 +[0-9]+ "'
    page() { timeout 60 "$CARREL" top --socket "$socket" --once >"$scratch/out" 2>&1 && grep -qE '^a +run ' "$scratch/out" && grep -qE '^CPU .*used' "$scratch/out"; }
    check 'top'"$how"': one page' page
    page_json() {
        timeout 60 "$CARREL" top --socket "$socket" --once --json |
            python3 -c 'import json, sys; top = json.load(sys.stdin); print(top); sys.exit(sorted(guest["name"] for guest in top["guests"]) != ["a", "b"])'
    }
    check 'top'"$how"': the same for programs' page_json
    no_terminal() {
        local got=0
        "$CARREL" top --socket "$socket" </dev/null >"$scratch/out" 2>&1 || got=$?
        cat "$scratch/out"
        same 35 "$got" && grep -q 'no terminal' "$scratch/out"
    }
    check 'top'"$how"': without a terminal it says so' no_terminal
    check 'ctl'"$how"': a guest is made' eval "printf '%s' '{\"name\": \"c\", \"memory\": \"32M\"}' | ctl create -"
    check 'ctl'"$how"': not twice' eval "printf '%s' '{\"name\": \"c\"}' >$scratch/c.json; refused 35 'one of that name already' create $scratch/c.json"
    check 'ctl'"$how"': a guest that does not fit' eval \
        "printf '%s' '{\"name\": \"d\", \"memory\": \"4000G\"}' >$scratch/d.json; refused 37 \"doesn't fit: it wants 4000G\" create $scratch/d.json"
    check 'ctl'"$how"': nonsense' eval "printf '%s' '{\"name\": 1' >$scratch/d.json; refused 35 'line 1' create $scratch/d.json"
    check 'ctl'"$how"': start' ctl start c
    check 'ctl'"$how"': a guest that runs is not deleted' refused 35 'stop or kill it first' delete c
    check 'ctl'"$how"': kill' ctl kill c
    check 'ctl'"$how"': a killed guest has ended' state_is c ended
    check 'ctl'"$how"': delete' ctl delete c
    check 'ctl'"$how"': then it is nobody, whatever the verb' nobody
    check 'ctl'"$how"': stop' ctl stop b
    check 'ctl'"$how"': a stopped guest has powered off' state_is b ended
    check 'ctl'"$how"': start again' ctl start b
    check 'ctl'"$how"': it runs again' state_is b running

    attached() { # what is typed there reaches the guest, from who attaches twice
        (sleep 1; printf 'echo one\n'; sleep 2) | timeout 10 "$CARREL" ctl --socket "$socket" console a >"$scratch/first"
        (sleep 1; printf 'echo two\n'; sleep 2) | timeout 10 "$CARREL" ctl --socket "$socket" console a >"$scratch/second"
        ctl console a --once >"$scratch/whole"
        cat "$scratch/second"
        grep -aqx 'one.*' "$scratch/first" && cmp -n "$(stat -c %s "$scratch/first")" "$scratch/first" "$scratch/whole" &&
            cmp "$scratch/second" "$scratch/whole"
    }
    check 'console'"$how"': nothing is lost by leaving and coming back' attached

    neighbours() { # a triple fault beside a guest that goes on
        printf '%s' '{"name": "bad", "memory": "32M", "kernel": "'"$GUESTS"'/triple_fault.elf"}' | ctl create - && ctl start bad &&
            state_is bad ended && ctl list | grep '^bad .*triple fault' && ctl delete bad && state_is a running || return 1
        (sleep 0.5; printf 'echo alive\n'; sleep 2) | timeout 10 "$CARREL" ctl --socket "$socket" console a >"$scratch/out"
        grep -aqx 'alive.*' "$scratch/out"
    }
    check 'host'"$how"': a triple fault is no matter to a neighbour' neighbours
    deaf() { # a guest that doesn't hear its button is ended after 10 s
        printf '%s' '{"name": "deaf", "memory": "32M", "kernel": "'"$GUESTS"'/hang_spin.elf"}' | ctl create - && ctl start deaf &&
            ctl stop deaf && state_is deaf stopping && refused 35 'on its way out' pause deaf && state_is deaf ended && ctl delete deaf
    }
    check 'ctl'"$how"': a deaf guest is ended after its time' deaf
    check 'ctl'"$how"': hostile clients' python3 tests/kvm/hostile_clients.py "$socket" "$host" "$CARREL" "$net"
    check 'ctl'"$how"': and it answers as before' ctl list
    told() {
        kill "$events"
        cat "$scratch/events"
        for words in 'a paused' 'a resumed' 'a changed' 'c created' 'c started' 'c ended' 'c deleted' 'b stopping' 'b ended' 'bad ended'; do
            grep -q " $words" "$scratch/events" || { printf 'not told: %s\n' "$words"; return 1; }
        done
    }
    check 'ctl'"$how"': events told of all of it' told
    check 'host'"$how"': SIGTERM ends it' ended 0
    check 'ctl'"$how"': nobody is there then' refused 35 'no host answers' list
}
