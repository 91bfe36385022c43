#!/bin/bash
# A stock kernel's vsock, both ways: bytes compared, many connections at once, a reader that never reads, rebuilds in the middle.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels vsock bookworm
gcc -O2 -Wall -Wextra -static -o "$scratch/peer" tests/linux/vsock_peer.c || exit 1
gcc -O2 -Wall -Wextra -static -o "$scratch/host" tests/linux/vsock_host.c || exit 1
SCRIPT='
/peer echo 1024 &
/peer stuck 1025 &
sleep 1
echo "guest is ready"
for n in 1 2 3; do /peer send 2000 200000; done
/peer send 2001 1 || echo "nobody listens there"
read -r line </dev/ttyS0
dmesg | grep -iE "bug|warn|stall|oom" | grep -viE "ERST|errors=|RAS"
'
tools/make-initrd --modules "$(tools/kernels --cached --modules bookworm)" virtio_pci vmw_vsock_virtio_transport --add "$scratch/peer:/peer" \
    --script "$SCRIPT" -o "$scratch/initrd"
inside 300 --icount --memory 3G --add "$(kernel bookworm):/root/vmlinuz" --add "$scratch/initrd:/root/initrd" --add "$scratch/host:/root/host" \
    -- tests/linux/inside/vsock.sh
finish
