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
    for refused in eventfd2=EMFILE epoll_create1=EMFILE signalfd4=EMFILE getrandom=ENOSYS; do
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

# ---- hostile and silent guests ----
hammer() { # an endless storm on unknown ports: ends in time, says nothing but the end, stays small, is counted
    local begin=$SECONDS status=0 anonymous
    timeout 60 "$CARREL" run -v "$GUESTS/port_hammer.elf" --append ms=0 --timeout 4s </dev/null >"$scratch/out" 2>&1 &
    local pid=$! child
    sleep 2
    child=$(pgrep -P "$pid" -x carrel)
    anonymous=$(anonymous_kib "$child")
    wait "$pid" || status=$?
    cat "$scratch/out"
    printf 'anonymous memory: %s KiB\n' "$anonymous"
    same 36 "$status" && [[ $((SECONDS - begin)) -lt 10 && $anonymous -lt 20000 && $(lines "$scratch/out") -lt 10 ]] &&
        grep -aqE 'no device answered: [1-9][0-9]{3,} port' "$scratch/out"
}
check 'a guest that hammers unknown ports' hammer
check 'a guest that never prints' ends_with 0 silent
quiet_hang() { ends_with 36 hang --timeout 1s && same 1 "$(lines "$scratch/out")"; }
check 'a guest that never prints and never ends' quiet_hang
flood_to_null() { timeout 60 "$CARREL" run "$GUESTS/flood.elf" </dev/null >/dev/null 2>"$scratch/err" && same 0 "$(lines "$scratch/err")"; }
check 'a flood to /dev/null' flood_to_null
flood_whole() { # a fast reader gets every byte: 4096 numbered lines and the verdict
    timeout 60 "$CARREL" run "$GUESTS/flood.elf" </dev/null >"$scratch/flood" || return 1
    same 4096 "$(grep -acE '^[0-9]{10} [a-z]{51}' "$scratch/flood")" && same "$((4096 * 64))" "$(grep -aE '^[0-9]' "$scratch/flood" | wc -c)"
}
check 'a flood to a file: every byte' flood_whole
flood_to_slow_reader() { # bounded memory, a line that says how many bytes are missing, the end
    mkfifo "$scratch/slow"
    { sleep 5; cat "$scratch/slow" >"$scratch/flood"; } 3<>"$scratch/slow" &
    local reader=$! status=0 anonymous
    exec 4<>"$scratch/slow"
    timeout 90 "$CARREL" run "$GUESTS/flood.elf" --append bytes=1500000 </dev/null >"$scratch/slow" &
    local pid=$!
    exec 4>&-
    sleep 4
    anonymous=$(anonymous_kib "$(pgrep -P "$pid" -x carrel)")
    wait "$pid" || status=$?
    kill "$reader" 2>/dev/null
    printf 'status %s, anonymous memory: %s KiB\n' "$status" "$anonymous"
    tail -n 3 "$scratch/flood"
    same 0 "$status" && [[ ${anonymous:-0} -lt 20000 ]] && grep -aq 'PASS flood' "$scratch/flood"
}
check 'a flood to a slow reader: bounded, and the last line comes' flood_to_slow_reader

slow_load() { # a gigabyte of initrd takes seconds to read: the time-out and a signal end that, too
    local how=$1 status=0 begin=$SECONDS
    truncate -s 1500M "$scratch/initrd"
    "$CARREL" run "$GUESTS/hang.elf" --initrd "$scratch/initrd" --memory 2G --timeout "$([[ $how == signal ]] && echo 60s || echo 100ms)" \
        </dev/null >"$scratch/out" 2>&1 &
    local pid=$!
    sleep 0.3
    [[ $how == timeout ]] || kill -TERM "$pid"
    wait "$pid" || status=$?
    cat "$scratch/out"
    rm "$scratch/initrd"
    same "$([[ $how == signal ]] && echo 38 || echo 36)" "$status" && [[ $((SECONDS - begin)) -lt 5 ]] && grep -q 'files' "$scratch/out"
}
check 'a time-out while files are loaded' slow_load timeout
check 'a signal while files are loaded' slow_load signal
stuck_stderr() { # a pipe that is full and that nobody reads: the time-out and two signals still end it
    local how=$1 status=0 begin=$SECONDS
    mkfifo "$scratch/stuck.$how"
    exec 4<>"$scratch/stuck.$how"
    dd if=/dev/zero of="/proc/$$/fd/4" bs=64k count=1 oflag=nonblock status=none
    local options=()
    [[ $how == signals ]] || options=(--timeout 1s)
    "$CARREL" run "$GUESTS/hang.elf" -v "${options[@]}" </dev/null >/dev/null 2>&4 &
    local pid=$!
    if [[ $how == signals ]]; then
        sleep 1.5
        kill -TERM "$pid"
        sleep 0.5
        kill -TERM "$pid"
    fi
    for _ in {1..150}; do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null
    wait "$pid" || status=$?
    exec 4>&-
    printf 'status %s after %s s\n' "$status" "$((SECONDS - begin))"
    same "$([[ $how == signals ]] && echo 38 || echo 36)" "$status"
}
check 'a full standard error holds no time-out up' stuck_stderr timeout
check 'a full standard error holds no signal up' stuck_stderr signals
nohup_works() { # an ignored signal stays ignored
    (trap '' HUP && exec "$CARREL" run "$GUESTS/hang.elf" --timeout 3s </dev/null >"$scratch/out" 2>&1) &
    local pid=$! status=0
    sleep 1
    kill -HUP "$pid"
    wait "$pid" || status=$?
    cat "$scratch/out"
    same 36 "$status"
}
check 'nohup: an ignored SIGHUP stays ignored' nohup_works
no_thread_for_kvm() { # KVM makes a thread of its own at the first run
    local group status
    group=$(mktemp -d /sys/fs/cgroup/pids/carrel.XXXXXX) || return 1
    for _ in {1..6}; do # now and then the io thread is the one that is refused: the same sentence
        echo 3 >"$group/pids.max"
        status=0
        timeout 30 bash -c "echo \$\$ >'$group/cgroup.procs' && exec '$CARREL' run '$GUESTS/hang.elf' --timeout 5s" </dev/null >"$scratch/out" 2>&1 || status=$?
        cat "$scratch/out"
        [[ $status -eq 37 ]] && grep -qE 'ulimit -u|pids.max|thread' "$scratch/out" || { rmdir "$group"; return 1; }
    done
    rmdir "$group"
}
if [[ -w /sys/fs/cgroup/pids/cgroup.procs ]]; then
    check 'a limit on threads that stops KVM itself' no_thread_for_kvm
else
    skip 'a limit on threads that stops KVM itself' 'no pids controller of cgroups version 1 here'
fi
signals_full() { # a kick must reach a halted vCPU though the user may have no signal pending
    local begin=$SECONDS
    (ulimit -i 0 && ends_with 36 hang --timeout 1s) && [[ $((SECONDS - begin)) -lt 10 ]]
}
check 'time runs out though the queue of signals is full' signals_full
rebuild_without_descriptors() { # the machine that was there is still there to be ended
    local status=0
    started '' "$CARREL" run "$GUESTS/state_walk.elf" --append rounds=100000 --rebuild-every 50
    sleep 1
    prlimit --pid "$pid" --nofile=3
    wait "$pid" || status=$?
    cat "$scratch/err"
    same 37 "$status" && same 1 "$(lines "$scratch/err")"
}
check 'a rebuild that gets no descriptor' rebuild_without_descriptors
unmapped_told() { # --log debug names what the guest does wrong, at a limited rate
    timeout 60 "$CARREL" run "$GUESTS/port_hammer.elf" --append ms=500 --log debug </dev/null >/dev/null 2>"$scratch/err" || return 1
    head -n 3 "$scratch/err"
    grep -q 'no device answers at port 0x' "$scratch/err" && [[ $(grep -c 'no device' "$scratch/err") -lt 20 ]]
}
check 'unknown ports are named at --log debug, at a limited rate' unmapped_told

# ---- SIGKILL, restarts, leaks ----
left_behind() { find /dev/shm /dev/pts "${TMPDIR:-/tmp}" -mindepth 1 -maxdepth 1 -name '*carrel*' -o -path '/dev/pts/*' -o -path '/dev/shm/*' | sort; }
nothing_left() {
    local before after
    before=$(left_behind)
    started 'carrel> ' "$CARREL" run --serial stdio || return 1
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null
    started '' "$CARREL" run --serial pty
    wait_for 'serial port is' "$scratch/err" || return 1
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null
    sleep 0.3
    after=$(left_behind)
    [[ ! -e /proc/$pid ]] && diff <(echo "$before") <(echo "$after")
}
check 'SIGKILL leaves nothing behind' nothing_left

restarts_leak_nothing() { # the reset guest is run again and again; /proc is compared after 5 and after 55 runs
    started '' "$CARREL" run "$GUESTS/reset_cf9.elf" --on-reboot restart
    local i first last
    runs() { grep -ac reset "$scratch/out"; }
    counts() { printf '%s fds, %s threads, %s mappings' "$(find "/proc/$pid/fd" -mindepth 1 | wc -l)" "$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l)" "$(grep -c '' "/proc/$pid/maps")"; }
    settled() { # stopped between two looks, the largest of several
        local most=0 n
        for _ in {1..20}; do n=$(find "/proc/$pid/fd" -mindepth 1 2>/dev/null | wc -l); ((n > most)) && most=$n; done
        printf '%s' "$most"
    }
    for ((i = 0; i < 300 && $(runs) < 5; ++i)); do sleep 0.1; done
    first=$(settled)
    local maps_first threads_first
    maps_first=$(grep -c '' "/proc/$pid/maps") threads_first=$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l)
    for ((i = 0; i < 600 && $(runs) < 55; ++i)); do sleep 0.1; done
    local total
    total=$(runs)
    last=$(settled)
    printf '%s runs; descriptors %s, then %s; %s mappings, %s threads, then %s\n' "$total" "$first" "$last" "$maps_first" "$threads_first" "$(counts)"
    local maps_last threads_last
    maps_last=$(grep -c '' "/proc/$pid/maps") threads_last=$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l)
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null
    [[ $total -ge 55 && $last -le $((first + 2)) && $maps_last -le $((maps_first + 15)) && $threads_last -le $((threads_first + 3)) ]]
}
check '50 restarts leak no descriptor, thread or mapping' restarts_leak_nothing

# ---- patience ----
ignores_the_button() { # 10 s after the first signal it is over
    started ready "$CARREL" run "$GUESTS/input_sum.elf" || return 1
    local begin=$SECONDS status=0
    kill -TERM "$pid"
    wait "$pid" || status=$?
    printf 'ended after %s s\n' "$((SECONDS - begin))"
    cat "$scratch/err"
    same 38 "$status" && [[ $((SECONDS - begin)) -ge 9 && $((SECONDS - begin)) -le 13 ]]
}
check 'a guest that ignores the power button is ended after 10 s' ignores_the_button
check '64 vCPUs' passes smp --cpus 64 --append n=2
finish
