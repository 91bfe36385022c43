"""A part of tools/bench quota: how exactly a cap, weights and equal shares are held, beside cgroups, and what that costs."""
import bisect
import json
import os
import re
import tempfile

import emulated
import share_plot
from tables import aligned, jain, off_by

CAPS = (5, 10, 25, 50, 90)
CGROUP_CAPS = (10, 25, 50, 90)  # a cgroup's quota is at least 1 ms
WINDOWS = (0.1, 1, 10)          # seconds
TARGETS = (0.8, 0.08, 0.005)    # percentage points
SAMPLED, STEP_US = 11, 1000     # seconds, and how often
KILO = 1_000_000                # of two instructions each: 2 s
GUESTS = ("hang_spin", "bursts", "gaps", "wakes")
SCRIPT = r"""
spin() { carrel run /root/hang_spin.elf --serial none --timeout 60s "$@" </dev/null >/dev/null 2>&1 & pid=$!; sleep 0.5; }
sample() { echo "== $1"; share_sampler $pid SAMPLED STEP; kill -9 $pid; wait $pid 2>/dev/null; }
for cap in CAPS; do spin --cpu-cap $cap%; sample "carrel $cap"; done
mkdir /cg && mount -t cgroup2 none /cg && echo +cpu >/cg/cgroup.subtree_control && mkdir /cg/one
for cap in CGROUPS; do
    echo "${cap}00 10000" >/cg/one/cpu.max
    spin; echo $pid >/cg/one/cgroup.procs; sleep 0.1; sample "cgroup $cap"
done
guest() { echo "== $1"; shift; carrel run "$@" </dev/null 2>/dev/null; }
guest 'plain' /root/bursts.elf --append kilo=KILO
guest 'nocap' /root/bursts.elf --append kilo=KILO --cpu-weight 50
for cap in 25 50 90; do
    guest "capped $cap" /root/bursts.elf --append kilo=KILO --cpu-cap $cap%
    guest "gaps $cap" /root/gaps.elf --append 'ms=2000 us=20' --cpu-cap $cap%
done
host() { # TITLE FLEET SECONDS
    printf '%s' "$2" >/tmp/fleet.json
    carrel host /tmp/fleet.json --socket /tmp/s </dev/null >/dev/null 2>&1 & pid=$!
    sleep 3
    for guest in $names; do echo "== $1 from $guest"; carrel ctl --socket /tmp/s --json stats $guest; done
    sleep $3
    for guest in $names; do echo "== $1 to $guest"; carrel ctl --socket /tmp/s --json stats $guest; done
    [ "$1" != wake ] || { echo '== wakes'; carrel ctl --socket /tmp/s console w --once; }
    kill -9 $pid; wait $pid 2>/dev/null
}
names='a b c d e f g h'; host equal 'EQUAL' 8
names='a b c d'; host weights 'WEIGHTS' 8
names='a b'; host wake 'WAKE' 6
exit 0
"""


def spinner(name, weight=100):
    return {"name": name, "kernel": "/root/hang_spin.elf", "memory": "32M", "cpu-weight": weight}


def fleet(guests):
    return json.dumps({"guests": guests})


def script():
    wake = {"name": "w", "kernel": "/root/wakes.elf", "memory": "32M", "append": "n=1000 us=3000"}
    words = {"SAMPLED": SAMPLED, "STEP": STEP_US, "CGROUPS": " ".join(map(str, CGROUP_CAPS)), "CAPS": " ".join(map(str, CAPS)), "KILO": KILO,
             "EQUAL": fleet([spinner(name) for name in "abcdefgh"]),
             "WEIGHTS": fleet([spinner(name, 100 << i) for i, name in enumerate("abcd")]),
             "WAKE": fleet([spinner("a"), spinner("b"), wake])}
    text = SCRIPT
    for word, value in words.items():
        text = re.sub(rf"\b{word}\b", str(value).replace("\\", r"\\"), text)
    return text


def parts(output):
    """What stands under each title."""
    found, title = {}, None
    for line in output.replace("\r", "").split("\n"):
        if line.startswith("== "):
            title = line[3:]
            found[title] = []
        elif title:
            found[title].append(line)
    return found


def samples(lines):
    return [tuple(map(int, line.split())) for line in lines if re.fullmatch(r"\d+ \d+", line)]


def worst(lines, cap):
    """The worst error of each window, percentage points."""
    rows = samples(lines)
    times, used = [row[0] for row in rows], [row[1] for row in rows]

    def used_at(moment):
        i = min(bisect.bisect_left(times, moment), len(times) - 1)
        return used[i - 1] + (used[i] - used[i - 1]) * (moment - times[i - 1]) / (times[i] - times[i - 1]) if i else used[0]
    errors = []
    for window in WINDOWS:
        length = window * 1e9
        shares = [(used_at(start + length) - used[i]) / length * 100 for i, start in enumerate(times) if start + length <= times[-1]]
        errors.append(max((abs(share - cap) for share in shares), default=None))
    return errors


def shares_of(found, title, names):
    def run(when, name):
        text = "".join(found[f"{title} {when} {name}"])
        return json.loads(text)["vcpus"][0]["times"]["run"]
    used = [run("to", name) - run("from", name) for name in names]
    return [one / sum(used) for one in used]


def figure(found, title, pattern):
    match = re.search(pattern, "\n".join(found.get(title, [])))
    if not match:
        raise emulated.Failed(f"'{title}' printed no result")
    return [int(group) for group in match.groups()]


def report(found):
    def cells(errors):
        return [f"{error:.3f}" for error in errors]
    rows = [["worst window, percentage points off", *(f"{window:g} s" for window in WINDOWS)], ["target", *map(str, TARGETS)]]
    for cap in CAPS:
        rows.append([f"carrel, cap {cap} %", *cells(worst(found[f"carrel {cap}"], cap))])
        if cap in CGROUP_CAPS:
            rows.append([f"cgroup, cap {cap} %", *cells(worst(found[f"cgroup {cap}"], cap))])
    print("\n".join(aligned(rows)) + "\n")
    plain, = figure(found, "plain", r"in (\d+) us")
    nocap, = figure(found, "nocap", r"in (\d+) us")
    rows = [["figure", "measured", "target"], ["guest throughput, no cap, lost", f"{(nocap / plain - 1) * 100:.3f} %", "0.1 %"]]
    for cap in (25, 50, 90):
        capped, = figure(found, f"capped {cap}", r"in (\d+) us")
        longest, = figure(found, f"gaps {cap}", r"longest (\d+) us")
        rows.append([f"the same, cap {cap} %", f"{(capped * cap / 100 / plain - 1) * 100:.3f} %", "0.5 %"])
        rows.append([f"longest hold, cap {cap} %", f"{longest / 1000:.3f} ms", f"{10 * (1 - cap / 100) + 0.05:.2f} ms"])
    equal = shares_of(found, "equal", "abcdefgh")
    rows.append(["Jain's index, 8 equal guests on one CPU", f"{jain(equal):.6f}", "0.9999"])
    weights = shares_of(found, "weights", "abcd")
    rows.append(["weights 1:2:4:8, a share off by", f"{off_by(weights):.3f} %", "0.5 %"])
    median, late = figure(found, "wakes", r"median (\d+), 99th of 100 (\d+)")
    rows.append(["wake-up beside two hogs, median", f"{median / 10:.1f} us", ""])
    rows.append(["the same, p99", f"{late / 10:.1f} us", "150 us"])
    print("\n".join(aligned(rows)) + "\n")


def plot(found, path):
    caps = {cap: {who: samples(found[f"{who} {cap}"]) for who in ("carrel", "cgroup") if f"{who} {cap}" in found} for cap in CAPS}
    with open(path, "w", encoding="utf-8") as file:
        file.write(share_plot.picture(caps))


def main(options):
    sampler = emulated.program(os.path.join(os.path.dirname(os.path.abspath(__file__)), "share_sampler.c"))
    words = ["kvm-host", "--icount", "--timeout", "2700", "--with", options.carrel, "--with", sampler]
    for guest in GUESTS:
        words += ["--add", f"{os.path.join(os.path.dirname(options.carrel), 'guest-images', guest)}.elf:/root/{guest}.elf"]
    emulated.say("shares, about 6 minutes on an idle machine ...")
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
        file.write(script())
        file.flush()
        output = emulated.tool(*words, "--add", f"{file.name}:/root/shares.sh", "--", "sh", "/root/shares.sh")
    if options.raw:
        with open(options.raw, "w", encoding="utf-8") as file:
            file.write(output)
    found = parts(output)
    report(found)
    if options.plot:
        plot(found, options.plot)
    return 0
