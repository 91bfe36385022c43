# Inside the emulated host: /dev/vda holds the guest's disks. usage: CACHE-MODE…
. /root/lib.sh
mount -t ext4 /dev/vda /mnt || exit 2
verified() {
    carrel run /root/vmlinuz --initrd /root/initrd --append 'quiet cryptomgr.notests' --disk "/mnt/raw,cache=$1" --disk "/mnt/ext4,cache=$1" \
        --disk /mnt/programs,ro --timeout 120s </dev/null >/tmp/out 2>&1
    status=$?
    tr -d '\r' </tmp/out >/tmp/lines
    cat /tmp/lines
    [ $status -eq 0 ] && grep -q '^raw is verified' /tmp/lines && grep -q '^ext4 is verified' /tmp/lines &&
        grep -q '^cached is verified' /tmp/lines && grep -q '^ext4 is unmounted' /tmp/lines && ! grep -qE 'I/O error|EXT4-fs error' /tmp/lines
}
for cache in "$@"; do check "fio: raw disk and ext4, cache=$cache" verified "$cache"; done
finish
