# Inside the emulated host: the guests of /root/guests, for real, under each policy of /root/wanted. All are loaded before the
# first one starts; a turnaround is from one event to the other, `started` to `ended`. The shell sleeps meanwhile: there is one CPU.
. /root/lib.sh
carrel host --socket /tmp/s </dev/null >/tmp/host.log 2>&1 &
host=$!
ctl() { carrel ctl --socket /tmp/s "$@"; }
for _ in $(seq 50); do ctl list >/dev/null 2>&1 && break; sleep 0.1; done
ctl --json events >>/tmp/events & # appends, so that the file can be emptied
create() { # NAME THOUSANDS-OF-ROUNDS KEYS
    echo "{\"name\": \"$1\", \"kernel\": \"/root/bursts.elf\", \"append\": \"kilo=$2\", \"memory\": \"32M\"${3:+, $3}}" | ctl create -
}
# run SECONDS NAME=MS...: starts guests; prints NAME TURNAROUND-NS of each, in the order in which they ended, and deletes them.
run() {
    seconds=$1
    shift
    : >/tmp/events
    start_at /tmp/s "$@" && sleep "$seconds"
    sed -n 's/.*"time":\([0-9]*\),"guest":"\([^"]*\)","event":"\(started\|ended\)".*/\2 \3 \1/p' /tmp/events |
        awk '$2 == "started" { from[$1] = $3 } $2 == "ended" { printf "%s %.0f\n", $1, $3 - from[$1] }'
    for guest; do ctl delete "${guest%=*}" || return 1; done
}
alone() { create lone "$1" && run 3 lone=0 | cut -d' ' -f2; } # THOUSANDS-OF-ROUNDS

# A burst is measured, not computed: with what guest and host take to begin and to end, and with the host's ticks.
short=$(alone 100000)
long=$(alone 400000)
rounds() { awk -v ns="$1" -v short="$short" -v long="$long" 'BEGIN { printf "%d", 1e5 + (ns - short) / (long - short) * 3e5 }'; }
measured() {
    took=$(alone "$(rounds 1200000000)")
    echo "alone: 100,000,000 rounds take $short ns, 400,000,000 $long ns; a burst of 1.2 s took $took ns"
    [ "${took:-0}" -gt 1198800000 ] && [ "$took" -lt 1201200000 ]
}
check 'simulate: a guest that is alone takes as long as its burst, within a thousandth' measured
grep '^alone' /tmp/check.log | sed 's/^/# /'

# contend POLICY: its turnarounds, as run() prints them.
contend() {
    ctl policy "$1" || return 1
    starts=
    while read -r guest arrives burst keys; do
        create "$guest" "$(rounds "$burst")" "$keys" </dev/null || return 1
        starts="$starts $guest=$arrives"
    done </root/guests
    # shellcheck disable=SC2086  # a word each
    run 5 $starts >"/tmp/$1"
}
same_order() {
    contend "$1" || return 1
    wanted=$(grep "^$1 " /root/wanted | sort -n -k 4 | cut -d' ' -f2 | tr '\n' ' ')
    got=$(cut -d' ' -f1 "/tmp/$1" | tr '\n' ' ')
    echo "the simulator: $wanted; real guests: $got"
    [ "$wanted" = "$got" ]
}
same_turnarounds() {
    awk -v policy="$1" 'NR == FNR { if ($1 == policy) { wanted[$2] = $3; ++missing }; next }
        { --missing; off = ($2 / wanted[$1] - 1) * 100; if (off > 2 || off < -2) bad = 1
          printf "%s %s: simulated %.3f ms, real %.3f ms, %+.2f %%\n", policy, $1, wanted[$1] / 1e6, $2 / 1e6, off }
        END { exit bad || missing || NR == FNR }' /root/wanted "/tmp/$1"
}
for policy in $(cut -d' ' -f1 /root/wanted | uniq); do
    check "simulate: $policy: real guests end in the order that was simulated" same_order "$policy"
    check "simulate: $policy: and take as long, within 2 %" same_turnarounds "$policy"
    grep "^$policy" /tmp/check.log | sed 's/^/# /'
done
kill -TERM $host
ends() { wait $host; }
check 'simulate: the host ends' ends
finish
