#!/bin/bash
# --net user: a stock kernel behind passt gets its address by DHCP, reaches the host and is reached through a forwarded port;
# passt is killed, and traffic goes on with the next one. --net switch: two interfaces of the same guest, each in a network
# namespace of its own, talk to each other. (Two guests of one process: switch.sh.)
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels net_user bookworm
need_programs net_user ip passt
# Each line that the guest says is waited for by the script on the host's side.
# shellcheck disable=SC2016  # for the guest to expand
SCRIPT='
cat >/udhcpc <<END
#!/bin/sh
[ "\$1" = bound ] || exit 0
ip addr add \$ip/\$mask dev \$interface
ip route add default via \$router
echo "address \$ip router \$router" >/lease
END
chmod +x /udhcpc
ip link set lo up
ip link set eth0 up
udhcpc -q -n -i eth0 -s /udhcpc >/dev/null 2>&1
cat /lease
router=$(sed "s/.*router //" /lease)
# (By timeout: the -T of the busybox that Debian has is a segmentation fault.)
get() { timeout 10 wget -q -O /in "http://$router:8000/data" && echo "$1 $(md5sum </in)"; }
get first
echo "mtu $(cat /sys/class/net/eth0/mtu)"
mkdir /www && cp /in /www/data && httpd -p 80 -h /www
echo "the guest serves"
unshare -n sleep 1000 &
other=$!
sleep 0.3
ip link set eth2 netns $other
there() { nsenter -t $other -n "$@"; }
ip addr add 10.1.0.1/24 dev eth1
ip link set eth1 mtu 9000
ip link set eth1 up
there ip addr add 10.1.0.2/24 dev eth2
there ip link set eth2 mtu 9000
there ip link set eth2 up
echo "switch: $(ping -c 5 -i 0.2 -s 8000 -q 10.1.0.2 | grep packets)"
there timeout 10 wget -q -O /over http://10.1.0.1/data
echo "switch $(md5sum </over)"
carrier() { until [ "$(cat /sys/class/net/eth0/carrier)" = "$1" ]; do sleep 0.02; done; echo "carrier $1"; }
carrier 0
carrier 1
for i in 1 2 3 4 5 6 7 8 9 10; do get second && break; sleep 0.2; done
echo "the guest serves again"
until timeout 5 wget -q -O /dev/null "http://$router:8000/end"; do sleep 0.5; done
'
tools/make-initrd --modules "$(tools/kernels --cached --modules bookworm)" virtio_pci virtio_net --script "$SCRIPT" -o "$scratch/initrd"
inside 300 --cpus 2 --memory 3G --module tun --with ip --with passt --add "$(kernel bookworm):/root/vmlinuz" --add "$scratch/initrd:/root/initrd" \
    -- tests/linux/inside/net_user.sh
finish
