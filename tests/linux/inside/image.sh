# Inside the emulated host, on a terminal: boots the Debian on /dev/vda as a person would, with a network whose other side gives
# addresses and is a mirror of packages.
. /root/lib.sh
with_another_root "$@"
way_out || exit 2
ip tuntap add tap0 mode tap && ip addr add 10.0.0.1/24 dev tap0 && ip link set tap0 up || exit 2
mkdir -p /var/lib/misc /run
touch /var/lib/misc/leases
printf 'start 10.0.0.2\nend 10.0.0.9\ninterface tap0\nlease_file /var/lib/misc/leases\noption subnet 255.255.255.0\noption router 10.0.0.1\n' >/etc/udhcpd.conf
busybox udhcpd -S /etc/udhcpd.conf && busybox httpd -p 80 -h /root/mirror || exit 2
carrel run /root/vmlinuz --initrd /root/initrd.img --append 'root=/dev/vda rw quiet cryptomgr.notests' --disk /dev/vda --net tap=tap0 \
    --net user --net switch=lan --net switch=lan
echo "carrel ended with status $?"
