# Inside the emulated host: /root/vmlinuz with a virtio console; /root/traffic, /root/panic and /root/silent are initrds.
# usage: KERNEL HOW…
. /root/lib.sh
kernel=$1

mkfifo /tmp/keys
# on_console INITRD APPEND [OPTION…]: the run's console in /tmp/lines, its status in $status. What is typed waits until the
# guest says that it is ready.
on_console() {
    initrd=$1 append=$2
    shift 2
    : >/tmp/out
    exec 3<>/tmp/keys
    (
        until grep -q ready /tmp/out; do usleep 100000; done
        seq 1 3000 >&3
    ) &
    carrel run /root/vmlinuz --initrd "/root/$initrd" --append "cryptomgr.notests $append" --timeout 90s "$@" </tmp/keys >/tmp/out 2>&1
    status=$?
    kill $!
    exec 3>&-
    tr -d '\r' </tmp/out >/tmp/lines
    tail -n 20 /tmp/lines
    echo "status $status"
}
whole() {
    [ "$status" -eq 0 ] && grep -q "^lines $(seq 1 3000 | md5sum)" /tmp/lines &&
        [ "$(sed -n '/^1$/,/^3000$/p' /tmp/lines | md5sum)" = "$(seq 1 3000 | md5sum)" ]
}
# Each line of the kernel's log that has a time is there once, its first among them.
once() {
    grep '^\[ *[0-9]*\.' /tmp/lines | sort | uniq -d
    grep -q '^\[ *0\.000000\] Linux version' /tmp/lines && [ -z "$(grep '^\[ *[0-9]*\.' /tmp/lines | sort | uniq -d)" ]
}
traffic() { on_console traffic '' --console virtio && whole && once; }
rebuilt() { on_console traffic quiet --console virtio --rebuild-every 10 && whole; }
again() { on_console traffic 'console=ttyS0 console=hvc0' --console virtio && whole && once; }
panic() { on_console panic 'quiet' --console virtio && [ "$status" -eq 34 ] && grep -q 'panicked: Kernel panic.*sysrq' /tmp/lines; }
# Nothing is printed at this level, not even a panic, after which the kernel would spin.
silent() { on_console silent 'loglevel=0 panic=0' --rng && [ "$status" -eq 34 ] && grep -q pvpanic /tmp/lines && ! grep -q 'not syncing' /tmp/lines; }
shift
for how in "$@"; do
    case $how in
        traffic) check "console: $kernel, both ways, and each line of its log once" traffic ;;
        rebuilt) check "console: $kernel, both ways, rebuilt at every 10th exit" rebuilt ;;
        again) check "console: $kernel, a log that it prints again is seen once" again ;;
        panic) check "console: $kernel, a panic on it" panic ;;
        silent) check "console: $kernel, a panic that only pvpanic is told of" silent ;;
    esac
done
finish
