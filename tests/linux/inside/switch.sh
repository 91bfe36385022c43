# Inside the emulated host: two guests of one `carrel host`, /root/vmlinuz with /root/initrd.
. /root/lib.sh
guest() { echo "{\"name\": \"g$1\", \"kernel\": \"/root/vmlinuz\", \"initrd\": \"/root/initrd\", \"append\": \"quiet cryptomgr.notests me=$1\", \"memory\": \"256M\", \"net\": \"switch=lan\"}"; }
echo "{\"guests\": [$(guest 1), $(guest 2)]}" >/root/fleet.json
carrel host /root/fleet.json --socket /root/s </dev/null >/tmp/host.log 2>&1 &
host=$!
ctl() { carrel ctl --socket /root/s "$@"; }
said() { ctl console "g$1" --once | tr -d '\r'; }
waited() { # GUEST WORDS
    for _ in $(busybox seq 900); do
        said "$1" | grep -q "$2" && return 0
        kill -0 $host || break
        sleep 0.2
    done
    cat /tmp/host.log
    said "$1"
    return 1
}
pinged() { waited "$1" '^pings: 5 packets transmitted, 5 packets received'; }
sum() { said "$1" | sed -n "s/^$2 //p"; }
fetched() { # GUEST FROM
    waited "$1" '^got ' || return 1
    [ -n "$(sum "$2" own)" ] && [ "$(sum "$1" got)" = "$(sum "$2" own)" ]
}
differ() { [ "$(sum 1 own)" != "$(sum 2 own)" ]; }
ended() { for _ in $(busybox seq 300); do ctl list | grep -qE "^g$1 +ended" && return 0; sleep 0.2; done; ctl list; return 1; }
verdict() { ended "$1" && said "$1" | grep -q '^carrel-verdict: 0'; }
check 'switch: the first guest pings the second' pinged 1
check 'switch: the second guest pings the first' pinged 2
check 'switch: a file from the second guest by TCP' fetched 1 2
check 'switch: a file from the first guest by TCP' fetched 2 1
check 'switch: these are two files' differ
check 'switch: both end well' verdict 1
check 'switch: ... the second, too' verdict 2
counted() { ctl --json stats g1 | grep -q '"received-bytes":2[0-9]\{6\}'; }
check 'switch: what was received is in the figures' counted
kill $host
wait $host
check 'switch: the host ends with 0' [ $? = 0 ]
finish
