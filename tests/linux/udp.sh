#!/bin/bash
# UDP by iperf3 both ways, in virtual time: through a tap as it is, where nothing may be lost, and through one with a limit,
# where what arrives is the limit.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels udp bookworm
need_programs udp ip iperf3
# shellcheck disable=SC2016  # for the guest to expand
SCRIPT='
ip link set lo up
for i in 0 1; do ip link set eth$i up; ip addr add 10.0.$i.2/24 dev eth$i; done
sleep 1
# udp NAME INTERFACE [OPTION…]: what has arrived, in kbit/s, and how much of it was lost, in percent
udp() {
    name=$1 i=$2
    shift 2
    ping -q -c 1 10.0.$i.1 >/dev/null
    iperf3 -c 10.0.$i.1 -u -l 1400 -t 2 -f k "$@" | tr -d "()%" | awk -v name="$name" "/receiver/ { print name, \$7, \$12 }"
}
udp out 0 -b 40M
udp in 0 -b 40M -R
udp out-limited 1 -b 20M
udp in-limited 1 -b 20M -R
'
tools/make-initrd --modules "$(tools/kernels --cached --modules bookworm)" virtio_pci virtio_net --with iperf3 --script "$SCRIPT" -o "$scratch/initrd"
inside 300 --icount --memory 3G --module tun --with ip --with iperf3 --add "$(kernel bookworm):/root/vmlinuz" \
    --add "$scratch/initrd:/root/initrd" -- tests/linux/inside/udp.sh
finish
