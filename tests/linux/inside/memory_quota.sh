# Inside the emulated host: /root/vmlinuz with /root/initrd, whose script fills so much of a tmpfs as fill= says. `swap`: with what
# takes memory back; else without.
. /root/lib.sh
modprobe -q userfaultfd 2>/dev/null

# Of the process's anonymous mappings in whole chunks, which are its guest's RAM, in KiB.
resident() {
    awk '/^[0-9a-f]+-[0-9a-f]+ / { split($1, a, "-"); whole = a[1] ~ /00000$/ && a[2] ~ /00000$/ && NF == 5 }
         /^Rss:/ && whole { sum += $2 } END { print sum + 0 }' "/proc/$1/smaps" 2>/dev/null
}
# run FILL OPTION…: the console in /tmp/lines; the most of its RAM that was seen resident in $most.
run() {
    fill=$1
    shift
    carrel run /root/vmlinuz --initrd /root/initrd --append "quiet cryptomgr.notests fill=$fill" --memory 512M "$@" </dev/null >/tmp/out 2>&1 &
    pid=$!
    most=0
    # Stopped meanwhile, or a page that moves would be counted in both places.
    while kill -STOP $pid 2>/dev/null; do
        now=$(resident $pid)
        kill -CONT $pid
        [ "${now:-0}" -gt $most ] && most=$now
        sleep 0.2
    done
    wait $pid
    status=$?
    tr -d '\r' </tmp/out >/tmp/lines
    cat /tmp/lines
    echo "status $status, at most $most KiB resident"
}
clean() { ! grep -qiE 'soft lockup|rcu.*stall|hung task|BUG:|segfault' /tmp/lines; }
fits() { run 100 --memory-quota 256M --timeout 60s -v && [ $status -eq 0 ] && [ $most -le 262144 ] && [ $most -gt 100000 ] && grep -q '^filled 100000000' /tmp/lines && grep -q '^the same: yes' /tmp/lines && clean; }
held() { run 400 --memory-quota 256M --timeout 20s && [ $status -eq 36 ] && [ $most -le 262144 ] && [ $most -gt 250000 ] && [ "$(grep -c 'is held, ' /tmp/lines)" = 1 ] && ! grep -q '^filled' /tmp/lines && clean; }
# It has more in use than its quota.
swaps() {
    run 100 --memory-quota 112M --swap /tmp/swap,size=200M --timeout 120s -v && [ $status -eq 0 ] && [ $most -le 114688 ] && [ $most -gt 100000 ] &&
        grep -q '^filled 100000000' /tmp/lines && grep -q '^the same: yes' /tmp/lines && clean && ! [ -e /tmp/swap ]
}
# It is asked for memory before it is held.
balloon() {
    run 160 --memory-quota 256M --balloon --timeout 120s -v && [ $status -eq 0 ] && [ $most -le 262144 ] && grep -q '^the same: yes' /tmp/lines &&
        clean && ! grep -q 'is held, ' /tmp/lines && [ "$(sed -n 's/.*balloon: held at most \([0-9]*\) KiB.*/\1/p' /tmp/lines)" -gt 200000 ]
}
killed() { run 400 --memory-quota 256M --on-memory-limit kill --timeout 60s && [ $status -eq 39 ] && [ $most -le 262144 ]; }
too_small() { run 1 --memory-quota 24M --timeout 20s && [ $status -eq 35 ] && grep -q 'is less than what is loaded' /tmp/lines; }
# As another user, who may open /dev/kvm alone.
unpermitted() {
    grep -q nobody /etc/passwd 2>/dev/null || echo 'nobody:x:65534:65534:nobody:/:/bin/sh' >>/etc/passwd
    chmod 666 /dev/kvm
    status=0
    su -s /bin/sh nobody -c "carrel run --memory-quota 32M --append carrel.run=poweroff" </dev/null >/tmp/lines 2>&1 || status=$?
    cat /tmp/lines
    [ $status -eq 37 ] && grep -q 'vm.unprivileged_userfaultfd=1' /tmp/lines
}
if [ "$1" = swap ]; then
    check 'memory quota: with a swap file it goes on, and every byte is right' swaps
    grep 'resident\|swap: ' /tmp/check.log | sed 's/^/# /'
    check 'memory quota: a balloon is asked first, and the guest is not held' balloon
    grep 'resident\|balloon: ' /tmp/check.log | sed 's/^/# /'
    finish
fi
check 'memory quota: a stock kernel that stays within it notices nothing' fits
grep 'resident' /tmp/check.log | sed 's/^/# /'
check 'memory quota: one that needs more is held at it' held
grep 'resident' /tmp/check.log | sed 's/^/# /'
check 'memory quota: killed where it is to be' killed
check 'memory quota: less than what is loaded is refused' too_small
check 'memory quota: who may not use userfaultfd is told what to do' unpermitted
finish
