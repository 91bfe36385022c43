# Inside the emulated host: boots /root/vmlinuz $2 times with KASLR and twice without, and looks at what varies.
. /root/lib.sh
kernel=$1 boots=$2

where() { carrel run /root/vmlinuz --initrd /root/initrd --append "quiet cryptomgr.notests $1" --timeout 60s </dev/null 2>/tmp/err | tr -d '\r' | grep '^kaslr '; }
i=0
while [ $i -lt "$boots" ]; do
    where '' >>/tmp/with
    i=$((i + 1))
done
where nokaslr >/tmp/without
where nokaslr >>/tmp/without
cat /tmp/with /tmp/without >&2

# distinct FILE FIELD: how many different values
distinct() { awk -v f="$2" '{print $f}' "$1" | sort -u | wc -l; }
least=$((boots / 2))
# varies FIELD; each boot reported a value
varies() { [ "$(wc -l </tmp/with)" -eq "$boots" ] && ! awk -v f="$1" '{print $f}' /tmp/with | grep -qx 0 && [ "$(distinct /tmp/with "$1")" -ge $least ]; }
stands() { [ "$(wc -l </tmp/without)" -eq 2 ] && [ "$(distinct /tmp/without "$1")" -eq 1 ]; }
check "kaslr: $kernel, _text has at least $least values in $boots boots" varies 2
check "kaslr: $kernel, its physical address varies" varies 3
check "kaslr: $kernel, page_offset_base varies" varies 4
check "kaslr: $kernel, nokaslr fixes _text" stands 2
check "kaslr: $kernel, nokaslr fixes the physical address" stands 3
check "kaslr: $kernel, nokaslr fixes page_offset_base" stands 4
finish
