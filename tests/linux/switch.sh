#!/bin/bash
# Two stock kernels in one process, on one of its switches: pings and a file by TCP, both ways, at once.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels switch bookworm
# Both run it; who is who stands on the command line. Each stays until the other one has all that it wants.
# shellcheck disable=SC2016  # for the guest to expand
SCRIPT='
me=$(sed "s/.*me=\([12]\).*/\1/" /proc/cmdline)
other=10.1.0.$((3 - me))
ip link set lo up
ip addr add 10.1.0.$me/24 dev eth0
ip link set eth0 up
mkdir /www && dd if=/dev/urandom of=/www/data bs=64k count=32 2>/dev/null
httpd -p 80 -h /www
echo "own $(md5sum </www/data)"
until ping -c 1 -W 1 $other >/dev/null 2>&1; do sleep 0.1; done
echo "pings: $(ping -c 5 -i 0.2 -q $other | grep packets)"
for i in 1 2 3 4 5 6 7 8 9 10; do timeout 20 wget -q -O /in http://$other/data && break; sleep 0.3; done
echo "got $(md5sum </in)"
echo end >/www/end
until timeout 5 wget -q -O /dev/null http://$other/end; do sleep 0.2; done
sleep 1
'
tools/make-initrd --modules "$(tools/kernels --cached --modules bookworm)" virtio_pci virtio_net --script "$SCRIPT" -o "$scratch/initrd"
inside 200 --cpus 2 --memory 3G --add "$(kernel bookworm):/root/vmlinuz" --add "$scratch/initrd:/root/initrd" -- tests/linux/inside/switch.sh
finish
