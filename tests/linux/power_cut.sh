#!/bin/bash
# Power cuts: the disk of the emulated host loses what was never flushed, and nothing that a guest was promised is missing
# afterwards. 20 cuts; CUTS is set for more (tests/long/power_cut.sh).
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels power-cut bookworm
CUTS=${CUTS:-20}
gcc -O2 -Wall -Wextra -static -o "$scratch/power_cut_load" tests/linux/power_cut_load.c || exit 1
for how in honest deceive; do
    tools/make-initrd --modules "$(tools/kernels --cached --modules bookworm)" virtio_pci virtio_blk --add "$scratch/power_cut_load:/usr/bin/" \
        --script "power_cut_load $how" -o "$scratch/initrd-$how"
done

# cut_power raw|ext4 CUTS SEED honest|deceive [DISK-OPTIONS]: the guest's disk is the host's whole disk, or a file in the ext4 on it.
cut_power() {
    local kind=$1 disk=/dev/vda modules=() mount=:
    if [[ $kind == ext4 ]]; then
        disk=/mnt/disk modules=(--module ext4) mount='mount -t ext4 /dev/vda /mnt'
    fi
    # shellcheck disable=SC2016  # for power_cut.py
    python3 -B tests/linux/power_cut.py "$kind" "$2" "$3" -- tools/kvm-host --timeout $((300 + $2 * 10)) --disk 'nbd:unix:$NBD_SOCKET' \
        "${modules[@]}" --with "$CARREL" --add "$(kernel bookworm):/root/vmlinuz" --add "$scratch/initrd-$4:/root/initrd" -- \
        sh -c "$mount && carrel run /root/vmlinuz --initrd /root/initrd --append 'quiet cryptomgr.notests' --disk $disk${5-}"
}
# What happened is worth a line when all is well, too.
told() { check "$@" && tail -n 1 "$scratch/check.log" | sed 's/^/# /'; }
third=$((CUTS / 3))
told "power cut: $third times, the guest's disk is the host's" cut_power raw $third 1 honest
told "power cut: $third times, the guest's disk is a file, cache=none" cut_power ext4 $third 2 honest ,cache=none
told "power cut: $((CUTS - 2 * third)) times, the guest's disk is a file, cache=writethrough" \
    cut_power ext4 $((CUTS - 2 * third)) 3 honest ,cache=writethrough
if [[ $CUTS -gt 20 ]]; then
    told "power cut: $third times more, the guest's disk is a file" cut_power ext4 $third 4 honest
    told "power cut: $third times more, the guest's disk is the host's, cache=none" cut_power raw $third 5 honest ,cache=none
fi
# A guest that says what nobody promised: this must be found.
told 'power cut: a guest that deceives is found out' status_is 1 cut_power raw 3 6 deceive
finish
