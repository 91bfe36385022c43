# Inside the emulated host: /root/vmlinuz with /root/initrd, whose script echoes at port 1024, never reads at 1025, and calls port 2000.
. /root/lib.sh
chmod +x /root/host

# talk OPTION…
talk() {
    rm -f /tmp/v /tmp/v_2000 /tmp/in
    mkfifo /tmp/in
    /root/host echo /tmp/v_2000 &
    echo_pid=$!
    carrel run /root/vmlinuz --initrd /root/initrd --append 'quiet cryptomgr.notests' --vsock /tmp/v --timeout 200s "$@" \
        </tmp/in >/tmp/out 2>&1 &
    pid=$!
    exec 9>/tmp/in
    for _ in $(seq 200); do
        grep -q '^nobody listens there' /tmp/out && break
        sleep 0.5
    done
    good=0
    /root/host stuff /tmp/v 1025 && /root/host call /tmp/v 1024 1000000 4 && /root/host call /tmp/v 1024 1000 40 || good=1
    /root/host call /tmp/v 7 1 && good=1 # nobody listens there
    echo >&9
    exec 9>&-
    wait $pid
    status=$?
    kill $echo_pid
    tr -d '\r' </tmp/out >/tmp/lines
    cat /tmp/lines
    echo "status $status good $good"
    # 200000 bytes (it reads only afterwards, so that they must fit what the kernel buffers), each times its place modulo 1000, plus 1.
    [ $status -eq 0 ] && [ $good -eq 0 ] && [ "$(grep -c '^received 200000 sum 12762355502$' /tmp/lines)" = 3 ] &&
        grep -q '^nobody listens there' /tmp/lines && [ ! -e /tmp/v ]
}
check 'vsock: both ways' talk
check 'vsock: rebuilt at every 20th exit' talk --rebuild-every 20
finish
