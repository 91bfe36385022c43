# Inside the emulated host: /root/vmlinuz with /root/initrd, whose script says what iperf3 found.
. /root/lib.sh
for i in 0 1; do
    ip tuntap add tap$i mode tap && ip addr add 10.0.$i.1/24 dev tap$i && ip link set tap$i up
done
iperf3 -s -D >/dev/null
# A frame has 42 bytes besides the 1,400.
limit=1000000
carrel run /root/vmlinuz --initrd /root/initrd --append 'quiet cryptomgr.notests' --net tap=tap0 --net tap=tap1,bps=$limit --timeout 200s \
    </dev/null >/tmp/out 2>&1
tr -d '\r' </tmp/out >/tmp/lines
# arrived NAME KBIT/S PER-MILLE: within so much.
arrived() {
    cat /tmp/lines
    awk -v name="$1" -v want="$2" -v part="$3" '$1 == name { n++; off = ($2 - want) / want * 1000; good = off <= part && -off <= part } END { exit !(n == 1 && good) }' /tmp/lines
}
none_lost() { cat /tmp/lines; awk -v name="$1" '$1 == name && NF == 3 { n++; lost = $3 } END { exit !(n == 1 && lost == 0) }' /tmp/lines; }
for way in out in; do
    check "udp: 40 Mbit/s $way arrive" arrived $way 40000 10
    check "udp: none is lost on the way $way" none_lost $way
    check "udp: limited, what arrives of 20 Mbit/s $way is the limit within 2 %" arrived $way-limited $((limit * 8 * 1400 / 1442 / 1000)) 20
done
finish
