# Inside the emulated host: /root/vmlinuz with /root/initrd behind passt.
. /root/lib.sh
with_another_root "$@"
cd /root && way_out || exit 2
mkdir -p /root/www /tmp
dd if=/dev/urandom of=/root/www/data bs=1M count=4 2>/dev/null
sum=$(md5sum </root/www/data)
busybox httpd -p 127.0.0.1:8000 -h /root/www

said() { tr -d '\r' </tmp/out | grep -q "$1"; }
# waited WORDS: until the guest or carrel has said them.
waited() {
    for _ in $(busybox seq 1500); do
        said "$1" && return 0
        kill -0 $guest 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}
carrel run /root/vmlinuz --initrd /root/initrd --append 'quiet cryptomgr.notests' --timeout 250s --log info \
    --net user,tcp=127.0.0.1/8080:80 --net switch=lan --net switch=lan </dev/null >/tmp/out 2>&1 &
guest=$!
address() { waited '^address 192.0.2.2 router 192.0.2.1' && waited "^first $sum" && waited '^mtu 65520'; }
# Nobody answers at once: a new passt learns where the guest is from its first frame.
fetched() { for _ in 1 2 3 4 5; do [ "$(busybox timeout 5 busybox wget -q -O - http://127.0.0.1:8080/data | md5sum)" = "$sum" ] && return; sleep 1; done; return 1; }
serves() { waited "$1\$" && fetched; }
switched() { waited '^switch: 5 packets transmitted, 5 packets received' && waited "^switch $sum"; }
killed() { kill -9 "$(busybox pidof passt)" && waited '^carrier 0' && waited 'passt was ended by signal 9' && waited '^carrier 1' && waited "^second $sum"; }
ends() { touch /root/www/end; wait $guest; [ $? = 0 ] && ! busybox pidof passt; }
dies() {
    rm -f /root/www/end
    carrel run /root/vmlinuz --initrd /root/initrd --timeout 100s --net user </dev/null >/tmp/out 2>&1 &
    guest=$!
    for _ in $(busybox seq 100); do [ -n "$(busybox pidof passt)" ] && break; sleep 0.1; done
    [ -n "$(busybox pidof passt)" ] && kill -9 $guest || return 1
    for _ in $(busybox seq 50); do busybox pidof passt >/dev/null || return 0; sleep 0.1; done
    return 1
}
check 'net_user: an address by DHCP, a file from the host' address
check "net_user: the guest's port 80 is the host's 8080" serves 'the guest serves'
check 'net_switch: two interfaces on a switch, frames of 8,000 bytes and a file' switched
check 'net_user: passt is killed: link down, link up, and a file again' killed
check "net_user: the guest's port again" serves 'the guest serves again'
check 'net_user: the guest ends, and passt with it' ends
[ "$failures" = 0 ] || tr -d '\r' </tmp/out | sed 's/^/# /'
check 'net_user: carrel is killed, and passt ends' dies
finish
