# Inside the emulated host: /root/vmlinuz with /root/initrd, whose script says when it has filled and freed memory.
. /root/lib.sh

# run OPTION…: the console in /tmp/lines, and carrel's resident memory in KiB at each word in /tmp/WORD.
run() {
    rm -f /tmp/filled /tmp/freed
    carrel run /root/vmlinuz --initrd /root/initrd --append 'quiet cryptomgr.notests' --memory 512M --timeout 120s "$@" \
        </dev/null >/tmp/out 2>&1 &
    pid=$!
    while kill -0 $pid 2>/dev/null; do
        resident=$(awk '/VmRSS/ { print $2 }' /proc/$pid/status 2>/dev/null)
        if grep -q '^freed' /tmp/out; then
            echo "$resident" >>/tmp/freed
        elif grep -q '^filled' /tmp/out; then
            echo "$resident" >/tmp/filled
        fi
        sleep 0.5
    done
    wait $pid
    status=$?
    tr -d '\r' </tmp/out >/tmp/lines
    cat /tmp/lines
    [ $status -eq 0 ] && grep -q '^used again' /tmp/lines
}
least() { sort -n "$1" | grep -v '^$' | head -n 1; }
asked() {
    run --balloon=128M,statistics=2s -v || return 1
    filled=$(cat /tmp/filled) freed=$(least /tmp/freed)
    awk '/^free MemFree/ { print $3 }' /tmp/lines >/tmp/free
    echo "resident, KiB: filled $filled, freed $freed; free in the guest at the end: $(cat /tmp/free)"
}
# Of the 160 MiB that were freed, most; and the 128 that the guest was asked for aren't in its free ones.
shrinks() { asked && [ $((filled - freed)) -ge $((120 * 1024)) ]; }
inflated() { [ "$(cat /tmp/free)" -lt $((350 * 1024)) ] && grep -q 'balloon: held at most 131072 KiB of 131072 KiB asked for; [1-9][0-9]\{5,\} KiB went back' /tmp/lines; }
told() { grep -q 'as it last told: .* KiB free, [1-9][0-9]* KiB total, [1-9][0-9]* KiB available' /tmp/lines; }
stays() {
    run || return 1
    filled=$(cat /tmp/filled) freed=$(least /tmp/freed)
    echo "resident, KiB: filled $filled, freed $freed"
    [ $((filled - freed)) -lt $((20 * 1024)) ]
}
rebuilt() { run --balloon=16M --rebuild-every 50; }
check 'balloon: what the guest frees goes back to the host' shrinks
grep resident /tmp/check.log | sed 's/^/# /'
check 'balloon: the guest does without what it was asked for, and carrel says so' inflated
check 'balloon: its memory statistics are told at the end' told
check 'balloon: without one nothing goes back' stays
check 'balloon: rebuilt at every 50th exit' rebuilt
finish
