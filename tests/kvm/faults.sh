#!/bin/bash
# What the host, the files and the words can do to us: one sentence, the right status, nothing left behind.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
# shellcheck source=tests/kvm/fault_lib.bash
. "$(dirname "$0")/fault_lib.bash"
need_kvm faults

poweroff=$GUESTS/poweroff.elf
root() { [[ $(id -u) -eq 0 ]]; }

# ---- /dev/kvm ----
# in_place_of_kvm SETUP COMMAND…: with another /dev/kvm, in a mount namespace of its own.
in_place_of_kvm() {
    local setup=$1
    shift
    unshare --mount -- bash -c "$setup"' && exec "$@"' bash "$@"
}
if root && unshare --mount true 2>/dev/null; then
    # shellcheck disable=SC2016
    check '/dev/kvm missing' says 37 'tools/kvm-host' in_place_of_kvm 'mount -t tmpfs none /dev' "$CARREL" run "$poweroff"
    check '/dev/kvm is another file' says 37 "isn't KVM" in_place_of_kvm 'mount --bind /dev/null /dev/kvm' "$CARREL" run "$poweroff"
    mode_says() { # MODE TEXT
        touch "$scratch/kvm" && chmod "$1" "$scratch/kvm" && chgrp "$(id -g nobody)" "$scratch/kvm" && chmod 755 "$scratch" || return 1
        install -m 755 "$CARREL" "$scratch/carrel"
        says 37 "$2" in_place_of_kvm "mount --bind $scratch/kvm /dev/kvm" \
            setpriv --reuid=65533 --regid=65533 --clear-groups "$scratch/carrel" run
    }
    # shellcheck disable=SC2016
    check '/dev/kvm not permitted: the group that may, by the line to type' mode_says 0660 'usermod -aG $(stat -c %G /dev/kvm)'
    check '/dev/kvm not permitted: the owner only' mode_says 0600 'chmod 666 /dev/kvm'
else
    skip '/dev/kvm missing or not permitted' 'needs root and mount namespaces'
fi

if python3 "$with_errno" getrandom=ENOSYS -- true 2>/dev/null; then
    # kvm_says REQUEST=ERRNO TEXT: KVM refuses one thing.
    kvm_says() { says 37 "$2" python3 "$with_errno" "$1" -- "$CARREL" run "$poweroff"; }
    check '/dev/kvm busy' kvm_says ioctl:KVM_CREATE_VM=EBUSY 'another hypervisor'
    check 'KVM of another version' kvm_says ioctl:KVM_GET_API_VERSION=ENOTTY 'API version 12'
    for refused in KVM_CREATE_VM=ENOMEM KVM_GET_VCPU_MMAP_SIZE=EINVAL KVM_CREATE_VCPU=EMFILE KVM_CREATE_IRQCHIP=ENOMEM \
        KVM_CREATE_PIT2=ENOMEM KVM_SET_USER_MEMORY_REGION=EINVAL KVM_SET_TSS_ADDR=EINVAL KVM_SET_CPUID2=EINVAL \
        KVM_GET_SUPPORTED_CPUID=E2BIG KVM_SET_SREGS=EINVAL KVM_SET_REGS=EINVAL KVM_GET_MSR_INDEX_LIST=E2BIG KVM_RUN=EIO; do
        check "KVM refuses: $refused" kvm_says "ioctl:$refused" 'KVM'
    done
    check 'guest memory fails under KVM_RUN' kvm_says ioctl:KVM_RUN=EFAULT 'guest memory'
    check 'a thread that cannot be created' kvm_says thread=EAGAIN 'ulimit -u'
    for refused in eventfd2=EMFILE epoll_create1=EMFILE getrandom=ENOSYS; do
        check "the kernel refuses: $refused" kvm_says "$refused" 'carrel: cannot'
    done
else
    skip 'what KVM refuses' 'no seccomp filter here'
fi

# All along the way in, whatever the limit stops: a sentence, 37, never a crash.
never_crashes() { # LIMIT… of prlimit
    local status=0
    timeout "$LIMIT" prlimit "$@" "$CARREL" run "$poweroff" </dev/null >"$scratch/out" 2>&1 || status=$?
    printf '%s: status %s\n' "$*" "$status"
    head -c 500 "$scratch/out"
    [[ $status -eq 0 || ($status -eq 37 && $(lines "$scratch/out") -eq 1) || $status -eq 127 ]]
}
few_descriptors() {
    local n
    for n in {4..30}; do never_crashes --nofile="$n" || return 1; done
}
check 'too few descriptors: 4 to 30' few_descriptors
little_address_space() { # below 30 MiB the dynamic linker can't even load it: 127
    local mib
    for mib in 8 12 16 20 24 28 32 40 48 56 64 80 96 112 128 160 200; do never_crashes --as=$((mib << 20)) || return 1; done
}
case $(file -b "$CARREL" 2>/dev/null; nm -D "$CARREL" 2>/dev/null | grep -m1 __asan_init) in
    *__asan*) skip 'too little address space' 'a sanitizer needs terabytes of it' ;;
    *) check 'too little address space: 8 to 200 MiB' little_address_space ;;
esac
out_of_address_space() { says 37 'cannot get 256 MiB for guest memory (the host has' prlimit --as=$((200 << 20)) "$CARREL" run --memory 256M "$poweroff"; }
check 'not enough memory: ulimit -v, with what was asked for and what there is' out_of_address_space
check 'not enough memory: 10 TiB' says 37 '10485760 MiB for guest memory (the host has' "$CARREL" run --memory 10T "$poweroff"

# ---- huge pages ----
pool=/proc/sys/vm/nr_hugepages
pool_before=$(cat "$pool" 2>/dev/null)
hugetlb=$scratch/hugetlb
leave_hugetlb() {
    rmdir "$hugetlb/carrel-test" 2>/dev/null
    umount "$hugetlb" 2>/dev/null
    echo "$pool_before" >"$pool"
}
if root && [[ -n $pool_before && $pool_before -lt 16 ]] && echo 16 2>/dev/null >"$pool" && [[ $(<"$pool") -eq 16 ]]; then
    trap 'leave_hugetlb; rm -rf "$scratch"' EXIT
    check 'huge pages: enough' passes poweroff --hugepages --memory 32M
    check 'huge pages: a pool that is too small' says 37 'reserve huge pages' "$CARREL" run --hugepages --memory 64M "$poweroff"
    mkdir -p "$hugetlb"
    if mount -t cgroup -o hugetlb none "$hugetlb" 2>/dev/null && mkdir "$hugetlb/carrel-test"; then
        # The mapping is granted, and then a page isn't: SIGBUS, or an access that KVM can't do.
        limited() { # BYTES COMMAND…
            echo "$1" >"$hugetlb/carrel-test/hugetlb.2MB.limit_in_bytes"
            shift
            # shellcheck disable=SC2016
            bash -c 'echo $$ >"$1/carrel-test/tasks"; shift; exec "$@"' bash "$hugetlb" "$@"
        }
        check 'SIGBUS on guest memory while the kernel is loaded: a sentence, 37' \
            says 37 'no huge page left' limited 0 "$CARREL" run --hugepages --memory 32M "$poweroff"
        late_loss() {
            local status=0
            limited $((4 << 20)) timeout 30 "$CARREL" run --hugepages --memory 32M --append 'carrel.run="mem full; poweroff"' \
                </dev/null >"$scratch/out" 2>&1 || status=$?
            cat "$scratch/out"
            same 37 "$status" && grep -aq 'no huge page left' "$scratch/out" && ! grep -aq 'mem full' "$scratch/out"
        }
        check 'guest memory that is lost while the guest runs: a sentence, 37, and no wrong data' late_loss
    else
        skip 'SIGBUS on guest memory' 'no hugetlb cgroup can be mounted here; tests/boot covers the handler'
    fi
    leave_hugetlb
    trap 'rm -rf "$scratch"' EXIT
else
    skip 'huge pages and SIGBUS on guest memory' "this host's pool can't be set (root, 32 MiB in one piece)"
fi

# ---- kernels and initrds that are none ----
mkfifo "$scratch/fifo"
: >"$scratch/empty"
ln -s "$scratch/loop" "$scratch/loop"
for file in "$scratch" "$scratch/fifo" /dev/zero /dev/kvm /dev/null "$scratch/empty" /etc/hostname /nonexistent "$scratch/loop" /proc/self/mem; do
    check "kernel: ${file/#$scratch/SCRATCH}" says 35 "${file##*/}" "$CARREL" run "$file"
done
for file in "$scratch" "$scratch/fifo" /dev/zero "$scratch/empty" /nonexistent; do
    check "initrd: ${file/#$scratch/SCRATCH}" says 35 "${file##*/}" "$CARREL" run "$poweroff" --initrd "$file"
done
check 'kernel: a name with a line feed and an escape' says 35 '/a?b?[31m' "$CARREL" run $'/a\nb\e[31m'
unreadable() { # with a node of its own for KVM, which anybody may open
    install -m 0 /dev/null "$scratch/unreadable" && chmod 755 "$scratch" && install -m 755 "$CARREL" "$scratch/carrel"
    says 35 'Permission denied' in_place_of_kvm 'mount -t tmpfs none /mnt && cp -a /dev/kvm /mnt && chmod 666 /mnt/kvm && mount --bind /mnt/kvm /dev/kvm' \
        setpriv --reuid=65533 --regid=65533 --clear-groups "$scratch/carrel" run "$scratch/unreadable"
}
if root; then check 'kernel: unreadable' unreadable; else skip 'kernel: unreadable' 'needs root'; fi
kernel=$(compgen -G "${CARREL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/carrel}/kernels/*/*/vmlinuz*" | head -n 1)
if [[ -n $kernel ]]; then
    truncated() {
        local bytes
        for bytes in 1 511 512 1024 4096 20000 100000 1000000 "$(($(stat -c %s "$kernel") - 1))"; do
            head -c "$bytes" "$kernel" >"$scratch/cut"
            says 35 'cut' "$CARREL" run --memory 256M "$scratch/cut" || return 1
        done
    }
    check 'kernel: a stock bzImage cut at nine sizes' truncated
    check 'memory: 16M is below what a stock kernel needs' says 35 'memory' "$CARREL" run --memory 16M "$kernel"
else
    skip 'kernel: a stock bzImage, cut' 'no kernel in the cache (tools/kernels)'
fi

# ---- words ----
long=$(head -c 100000 /dev/zero | tr '\0' a)
check 'a command line of 100,000 characters' says 35 'shorten --append' "$CARREL" run --append "$long"
check 'a command line of 100,000 characters for a kernel' says 35 'shorten --append' "$CARREL" run "$poweroff" --append "$long"
while IFS='|' read -r text words; do
    # shellcheck disable=SC2086
    check "words: $words" says 35 "$text" bash -c "exec '$CARREL' run $words"
done <<'WORDS'
too little|--memory 0
not a size|--memory -5
not a size|--memory 99999999999999999999
64 TiB|--memory 65T
4 KiB pages|--memory 16777217
empty|--memory ""
empty|--timeout ""
empty|--name ""
empty|""
empty|--initrd ""
not between|--cpus 0
cpus|--cpus -1
not between|--cpus 10000
cpus|--cpus 99999999999
not a name|--name "a b"
not a name|--name "../x"
not a time|--timeout 0
not a time|--timeout -1s
not a time|--timeout 1e9
none of|--serial ""
none of|--serial file:
No such file|--serial file:/nonexistent/x
directory|--serial file:/
expected|one two three
stdio|--serial STDIO
host|--cpu best
WORDS
most=$(python3 -c 'import fcntl; print(fcntl.ioctl(open("/dev/kvm"), 0xae03, 66))') # KVM_CHECK_EXTENSION of KVM_CAP_MAX_VCPUS
if [[ $most -lt 4096 ]]; then check 'one vCPU more than KVM can' says 35 "at most $most" "$CARREL" run --cpus $((most + 1)); fi

# ---- what isn't a command ----
check 'no command' says 35 'no command' "$CARREL"
check 'a mistyped command is named' says 35 "'runn'" "$CARREL" runn
check 'an option of nobody' says 35 "'--bogus'" "$CARREL" --bogus
defaults_told() { # each option's help says its default
    "$CARREL" run --help >"$scratch/help"
    sed -n '/OPTIONS\|Options/,$p' "$scratch/help" | awk '/^  -/ { if (option != "" && text !~ /default/) print option; option = $1; text = "" } { text = text $0 }
        END { if (text !~ /default/) print option }' | grep -v -- '^-h' >"$scratch/without"
    cat "$scratch/without"
    [[ ! -s $scratch/without ]]
}
check 'the help of each option says its default' defaults_told
help_to_full_disk() { status_is 37 bash -c "'$CARREL' --help >/dev/full"; }
check 'help that cannot be written' help_to_full_disk

# ---- files that may be somebody's ----
keeps_the_log() { # the file of --serial is emptied when the guest starts, not before
    echo precious >"$scratch/log"
    says 35 /nonexistent "$CARREL" run /nonexistent --serial "file:$scratch/log" && grep -q precious "$scratch/log" &&
        timeout 60 "$CARREL" run "$poweroff" --serial "file:$scratch/log" && ! grep -q precious "$scratch/log"
}
check 'a mistyped kernel costs nobody their last log' keeps_the_log
keeps_the_kernel() {
    cp "$poweroff" "$scratch/kernel"
    says 35 'what the guest is booted from' "$CARREL" run "$scratch/kernel" --serial "file:$scratch/kernel" && cmp "$poweroff" "$scratch/kernel"
}
check 'the kernel as its own log' keeps_the_kernel

# ---- nobody reads what we say ----
check 'standard error is full' status_is 35 bash -c "'$CARREL' run /nonexistent 2>/dev/full"
check 'standard output is full' status_is 37 bash -c "'$CARREL' version >/dev/full"
check 'both are full: the guest still ends by itself' status_is 0 bash -c "'$CARREL' run -v '$poweroff' >/dev/full 2>/dev/full"
finish
