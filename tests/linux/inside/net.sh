# Inside the emulated host: /root/vmlinuz with /root/initrd, whose script fetches what to do from the host's side of a tap.
# usage: KERNEL HOW…
. /root/lib.sh
kernel=$1
mkdir -p /root/www
mkfifo /tmp/silence
dd if=/dev/urandom of=/root/www/data bs=1M count=4 2>/dev/null
sum=$(md5sum </root/www/data)
busybox httpd -p 10.0.0.1:80 -h /root/www 2>/dev/null || busybox httpd -p 80 -h /root/www

# tap [ip-tuntap's words]: tap0, anew.
tap() {
    ip link del tap0 2>/dev/null
    rm -f /tmp/answer
    ip tuntap add tap0 mode tap "$@" && ip addr add 10.0.0.1/24 dev tap0 && ip link set tap0 up
}
# guest SCRIPT [OPTION…]: SCRIPT in a guest; the console in /tmp/lines, what it sent to port 5000 in /tmp/received.
guest() {
    echo "$1" >/root/www/script
    shift
    busybox nc -l -p 5000 <>/tmp/silence >/tmp/received &  # (the end of its input would end the connection)
    listener=$!
    carrel run /root/vmlinuz --initrd /root/initrd --append 'quiet cryptomgr.notests' --timeout 120s "$@" </dev/null >/tmp/out 2>&1
    status=$?
    kill $listener 2>/dev/null
    tr -d '\r' </tmp/out >/tmp/lines
    cat /tmp/lines
    return $status
}
# Both ways: small packets, a file in, the same file out.
BOTH='
ping -q -c 5 -i 0.2 10.0.0.1 | grep packets
wget -q -O /in http://10.0.0.1/data; echo "sum $(md5sum </in)"
nc 10.0.0.1 5000 </in'
both() { grep -q '^5 packets transmitted, 5 packets received' /tmp/lines && grep -q "^sum $sum" /tmp/lines && [ "$(md5sum </tmp/received)" = "$sum" ]; }

# answered: from our side, as soon as the guest answers; until then a tap without a guest refuses at once.
answered() {
    for _ in $(busybox seq 200); do
        ping -q -c 1 -w 1 10.0.0.2 >/dev/null 2>&1 && return
        sleep 0.2
    done
    return 1
}

# The last word of -v: the file each way, at least.
counted() {
    sed -n 's/^carrel: virtio-net 0 (tap0): \([0-9]*\) frames in, \([0-9]*\) bytes; \([0-9]*\) frames out, \([0-9]*\) bytes\(; lost: .*\)\{0,1\}$/\1 \2 \3 \4/p' /tmp/lines |
        awk '{ good = $1 > 100 && $2 > 4194304 && $3 > 100 && $4 > 4194304 } END { exit !good }'
}
# Jumbo frames; then another address, then all of them.
traffic() {
    tap && ip link set tap0 mtu 9000 || return 1
    guest "$BOTH
cd /sys/class/net/eth0
echo \"address \$(cat address) \$(cat mtu) \$(cat carrier)\"
ping -q -c 3 -i 0.2 -s 8900 10.0.0.1 | grep packets
ip link set eth0 down && ip link set eth0 address 02:00:5e:10:00:77 && ip link set eth0 up
ping -q -c 4 -i 0.2 10.0.0.1 | grep packets
ip link set eth0 promisc on
ping -q -c 6 -i 0.2 10.0.0.1 | grep packets
grep virtio /proc/interrupts" -v --net tap=tap0,mac=02:00:5e:10:00:01 && both && counted && grep -q '^address 02:00:5e:10:00:01 9000 1' /tmp/lines &&
        grep -q 'MSI.*virtio.*input' /tmp/lines &&
        for count in 3 4 6; do grep -q "^$count packets transmitted, $count packets received" /tmp/lines || return 1; done
}
# Several at once on two pairs; and nobody in the guest reads what a flood sends: its other traffic goes on, and so does the guest.
queues() {
    tap multi_queue || return 1
    (answered && echo answered >/tmp/answer && dd if=/dev/zero bs=1400 count=20000 2>/dev/null | busybox nc -u -w 1 10.0.0.2 9) &
    guest "sleep 1
$BOTH
for i in 1 2 3 4 5 6; do wget -q -O /in\$i http://10.0.0.1/data & done
wait
md5sum /in? | cut -d' ' -f1 | sort | uniq -c
ls /sys/class/net/eth0/queues
grep -E 'virtio.*(input|output)' /proc/interrupts" --cpus 2 --net tap=tap0,queues=2 && both && grep -q answered /tmp/answer && grep -q 'tx-1' /tmp/lines &&
        grep -q "6 ${sum%% *}" /tmp/lines && grep -q 'input.1' /tmp/lines
}
inherited() {
    tap || return 1
    status_is 35 carrel run /root/vmlinuz --net tapfd=7 && status_is 35 sh -c 'exec 7</dev/null; exec carrel run /root/vmlinuz --net tapfd=7' || return 1
    exec 7<>/dev/net/tun
    status_is 35 carrel run /root/vmlinuz --net tapfd=7 || return 1 # a tap that nobody has set up
    # TUNSETIFF with IFF_TAP | IFF_NO_PI | IFF_VNET_HDR
    perl -e 'open(my $tap, "+<&=", 7) or die $!; my $request = pack("a16 S x22", "tap0", 0x5002); ioctl($tap, 0x400454ca, $request) or die $!' || return 1
    guest "$BOTH" --net tapfd=7 && both
    status=$?
    exec 7>&-
    return $status
}
rebuilt() {
    tap || return 1
    guest "(while :; do echo tick; sleep 0.02; done) &
$BOTH
$BOTH" --rebuild-every 10 --net tap=tap0
    [ "$(grep -c "^sum $sum" /tmp/lines)" = 2 ] && [ "$(grep -c '^5 packets transmitted, 5 packets received' /tmp/lines)" = 2 ]
}
shift
for how in "$@"; do
    case $how in
        traffic) check "net: $kernel, both ways, jumbo frames, other addresses" traffic ;;
        queues) check "net: $kernel, 2 vCPUs, 2 pairs of queues, a flood that nobody reads" queues ;;
        inherited) check "net: $kernel, inherited descriptors" inherited ;;
        rebuilt) check "net: $kernel, rebuilt at every 10th exit" rebuilt ;;
    esac
done
finish
