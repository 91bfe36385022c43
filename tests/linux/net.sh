#!/bin/bash
# Stock kernels with a tap: both ways, with checksums, jumbo frames, other addresses, several queues, a guest that stops
# reading, and while the machine is taken apart and rebuilt from its saved bytes.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels net bookworm sid
need_programs net ip
# What the guest does comes from the host: a script, fetched as a first try.
# shellcheck disable=SC2016  # for the guest to expand
SCRIPT='
ip link set lo up
ip link set eth0 up
ip addr add 10.0.0.2/24 dev eth0
wget -q -O /script http://10.0.0.1/script && sh /script
dmesg | grep -iE "bug|warn|stall|error" | grep -viE "ERST|errors=|RAS"
'
for name in bookworm sid; do
    tools/make-initrd --modules "$(tools/kernels --cached --modules "$name")" virtio_pci virtio_net --script "$SCRIPT" -o "$scratch/initrd-$name"
    files=(--memory 3G --module tun --with ip --with perl --add "$(kernel "$name"):/root/vmlinuz" --add "$scratch/initrd-$name:/root/initrd")
    # Two pairs, and descriptors, don't depend on the kernel so much.
    hows=(traffic)
    [[ $name == sid ]] || hows+=(queues inherited)
    inside 300 --cpus 2 "${files[@]}" -- tests/linux/inside/net.sh "$name" "${hows[@]}"
    # By counted instructions, as in disks.sh.
    inside 300 --icount "${files[@]}" -- tests/linux/inside/net.sh "$name" rebuilt
done
finish
