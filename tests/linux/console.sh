#!/bin/bash
# Stock kernels on a virtio console: every byte once, both ways, early ones too; its window's size; panics, seen on it or
# told to pvpanic; and while the machine is taken apart and rebuilt from its saved bytes.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels console bookworm trixie
SCRIPT='
exec </dev/hvc0 >/dev/hvc0 2>&1
stty -echo
echo ready
echo "lines $(head -n 3000 | md5sum)"
seq 1 3000
echo over
'
for name in bookworm trixie; do
    modules=$(tools/kernels --cached --modules "$name")
    tools/make-initrd --modules "$modules" virtio_pci virtio_console --script "$SCRIPT" -o "$scratch/traffic"
    tools/make-initrd --modules "$modules" virtio_pci virtio_console --script 'echo c >/proc/sysrq-trigger' -o "$scratch/panic"
    tools/make-initrd --modules "$modules" pvpanic-pci --script 'echo c >/proc/sysrq-trigger' -o "$scratch/silent"
    how=(traffic rebuilt panic)
    [[ $name == trixie ]] || how=(again panic silent)
    inside 250 --memory 2G --add "$(kernel "$name"):/root/vmlinuz" --add "$scratch/traffic:/root/traffic" --add "$scratch/panic:/root/panic" \
        --add "$scratch/silent:/root/silent" -- tests/linux/inside/console.sh "$name" "${how[@]}"
done
tools/make-initrd --script 'exec </dev/hvc0 >/dev/hvc0; while sleep 0.2; do stty size; done' -o "$scratch/size"
resized() {
    timeout --kill-after=5 150 python3 tests/linux/console_resize.py tools/kvm-host --timeout 120 --with "$CARREL" --add "$(kernel trixie):/root/vmlinuz" \
        --add "$scratch/size:/root/initrd" -- carrel run /root/vmlinuz --initrd /root/initrd --console virtio --append 'quiet cryptomgr.notests'
}
check 'console: its size follows the terminal, and Ctrl-A x ends it' resized
finish
