# Shared by the scripts that run inside the emulated host (busybox sh). Prints the lines that tests/tools/lib.bash explains.
failures=0
check() {
    name=$1
    shift
    if "$@" >/tmp/check.log 2>&1; then
        echo "ok $name"
    else
        echo "not ok $name"
        tail -n 40 /tmp/check.log | sed 's/^/# /'
        failures=$((failures + 1))
    fi
}
# status_is STATUS COMMAND…
status_is() {
    wanted=$1
    shift
    got=0
    "$@" </dev/null || got=$?
    [ "$wanted" = "$got" ] || echo "wanted status $wanted, got $got"
    [ "$wanted" = "$got" ]
}
finish() { exit $((failures > 0)); }
