"""A part of tools/bench quota: caps, weights and wake-ups on this machine's own KVM, beside a cgroup. Small guests that spin run at
native speed on each. What the machine does beside, and what is stolen from it, is in the figures; windows of which more than 1 %
was stolen are left out and counted."""
import bisect
import contextlib
import json
import os
import re
import subprocess
import tempfile
import time

import emulated
from idle import Control
from tables import aligned, jain, off_by

CAPS = (10, 25, 50)
WINDOWS = (0.1, 1, 10)  # seconds
SAMPLED, STEP_US = 11, 1000
STOLEN = 0.01
SPAN = 8   # seconds, of shares that are compared
TRIES = 5  # for a span that is quiet
CPU_GROUPS = "/sys/fs/cgroup/cpu"  # the older kind of control groups
TICKS = os.sysconf("SC_CLK_TCK") * os.cpu_count()  # a second, of all CPUs


def ahead():
    """In a child: before the machine's other work, where that may be done (sched(7): a session is one group to the kernel)."""
    os.setsid()
    with contextlib.suppress(OSError), open("/proc/self/autogroup", "w", encoding="ascii") as file:
        file.write("-20")
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)  # not the best there is: who wakes must come before who computes


class Bandwidth:
    """A control group with so much of one CPU, of either kind; None for a path where this machine lets us make none."""

    def __init__(self, cap):
        older = os.path.isdir(CPU_GROUPS)
        self.path = f"{CPU_GROUPS if older else '/sys/fs/cgroup'}/carrel-bench-{os.getpid()}"
        limits = {"cpu.cfs_period_us": 10000, "cpu.cfs_quota_us": cap * 100} if older else {"cpu.max": f"{cap * 100} 10000"}
        try:
            os.mkdir(self.path)
            for name, value in limits.items():
                self.write(name, value)
        except OSError:
            self.close()
            self.path = None

    def write(self, name, value):
        with open(f"{self.path}/{name}", "w", encoding="ascii") as file:
            file.write(str(value))

    def close(self):
        if self.path and os.path.isdir(self.path):
            os.rmdir(self.path)


@contextlib.contextmanager
def running(words):
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=ahead) as process:
        try:
            yield process
        finally:
            process.kill()


def guest(options, name):
    return os.path.join(os.path.dirname(options.carrel), "guest-images", f"{name}.elf")


def sampled(options, sampler, cap, group):
    """(time, CPU, stolen ticks) at each step, of a guest that spins under carrel's cap, or in `group`."""
    limit = [] if group else ["--cpu-cap", f"{cap}%"]
    with running([options.carrel, "run", guest(options, "hang_spin"), "--serial", "none", "--timeout", "60s", *limit]) as run:
        time.sleep(0.5)
        if group:
            group.write("cgroup.procs", run.pid)
            time.sleep(0.1)
        output = subprocess.run([sampler, str(run.pid), str(SAMPLED), str(STEP_US), "stolen"], stdout=subprocess.PIPE, text=True, check=True,
                                preexec_fn=ahead).stdout
    return [tuple(map(int, line.split())) for line in output.splitlines()]


def worst(rows, cap):
    """Of each window: the worst error in percentage points, and which part of the windows was left out."""
    times = [row[0] for row in rows]
    found = []
    for window in WINDOWS:
        errors, out = [], 0
        for i, (start, used, stolen) in enumerate(rows):
            end = bisect.bisect_left(times, start + window * 1e9)
            if end == len(rows):
                break
            last, length = rows[end], rows[end][0] - start
            if (last[2] - stolen) > STOLEN * TICKS * window:
                out += 1
            else:
                errors.append(abs((last[1] - used) / length * 100 - cap))
        found.append((max(errors, default=None), out / max(out + len(errors), 1)))
    return found


def windows(options):
    sampler = emulated.program(os.path.join(os.path.dirname(os.path.abspath(__file__)), "share_sampler.c"))
    rows = [["worst window, percentage points off (left out)", *(f"{window:g} s" for window in WINDOWS)]]
    for cap in CAPS:
        for who in ("carrel", "cgroup"):
            with contextlib.closing(Bandwidth(cap)) as group:
                if who == "cgroup" and not group.path:
                    rows.append([f"cgroup, cap {cap} %", *["none can be made here"] * len(WINDOWS)])
                    continue
                found = worst(sampled(options, sampler, cap, group if who == "cgroup" else None), cap)
            rows.append([f"{who}, cap {cap} %", *(f"{'-' if error is None else format(error, '.3f')} ({out * 100:.0f} %)" for error, out in found)])
    return rows


def stolen_ticks():
    with open("/proc/stat", encoding="ascii") as file:
        return int(file.readline().split()[8])


def quiet(measure):
    """What it says, of the first span of which at most 1 % was stolen, or else of the one with least; and how many were left out."""
    tried = []
    for _ in range(TRIES):
        begin, stolen = time.monotonic(), stolen_ticks()
        said = measure()
        tried.append(((stolen_ticks() - stolen) / (time.monotonic() - begin) / TICKS, said))
        if tried[-1][0] <= STOLEN:
            break
    return min(tried, key=lambda one: one[0])[1], len(tried) - 1


@contextlib.contextmanager
def fleet(options, guests, cpus):
    """A host of these, and its socket."""
    with tempfile.TemporaryDirectory() as folder:
        path, socket = os.path.join(folder, "fleet.json"), os.path.join(folder, "s")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"host": {"cpus": cpus}, "guests": guests}, file)
        with running([options.carrel, "host", path, "--socket", socket]):
            control = Control(socket)
            end = time.monotonic() + 30
            while time.monotonic() < end:
                with contextlib.suppress(OSError):
                    if control.running() == len(guests):
                        break
                control.close()
                time.sleep(0.1)
            else:
                raise emulated.Failed("the guests didn't start within 30 s")
            time.sleep(1)
            yield control


def spinner(options, name, weight=100):
    return {"name": name, "kernel": guest(options, "hang_spin"), "memory": "32M", "cpu-weight": weight}


def shares_of(control, names):
    def run(name):
        control.request("GET", f"/guests/{name}/stats")
        return json.loads(control.getresponse().read())["vcpus"][0]["times"]["run"]

    def measure():
        before = [run(name) for name in names]
        time.sleep(SPAN)
        used = [run(name) - begin for name, begin in zip(names, before)]
        return [one / sum(used) for one in used]
    return quiet(measure)


def said(options, words, pattern):
    """What a guest of its own says at its end."""
    def measure():
        output = subprocess.run([options.carrel, "run", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                check=False, preexec_fn=ahead, timeout=120).stdout
        match = re.search(pattern, output)
        if not match:
            raise emulated.Failed(f"{' '.join(words)} printed no result")
        return int(match.group(1))
    return quiet(measure)


def wake_ups(options):
    """The median and the 99th of 100, in tenths of a us, as a guest beside two that spin says on its console."""
    wake = {"name": "w", "kernel": guest(options, "wakes"), "memory": "32M", "append": "n=1000 us=3000"}
    hogs = [spinner(options, name) for name in "ab"]

    def measure():
        with fleet(options, [*hogs, wake], "0") as control:
            socket = control.path
            for _ in range(100):
                time.sleep(0.5)
                text = subprocess.run([options.carrel, "ctl", "--socket", socket, "console", "w", "--once"], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, text=True, check=False).stdout
                if match := re.search(r"median (\d+), 99th of 100 (\d+)", text):
                    return int(match.group(1)), int(match.group(2))
        raise emulated.Failed("the guest that sleeps said nothing")
    return quiet(measure)


def main(options):
    emulated.say("shares on this machine, about 2 minutes ...")
    print("\n".join(aligned(windows(options))) + "\n")
    rows = [["figure", "measured", "target", "spans left out"]]
    for cap in (25, 50, 90):
        longest, out = said(options, [guest(options, "gaps"), "--append", "ms=2000 us=20", "--cpu-cap", f"{cap}%"], r"longest (\d+) us")
        rows.append([f"longest hold, cap {cap} %", f"{longest / 1000:.3f} ms", f"{10 * (1 - cap / 100) + 0.3:.2f} ms", str(out)])
    with fleet(options, [spinner(options, name) for name in "abcdefgh"], "0-1") as control:
        equal, out = shares_of(control, "abcdefgh")
    rows.append(["Jain's index, 8 equal guests on 2 CPUs", f"{jain(equal):.6f}", "0.999", str(out)])
    with fleet(options, [spinner(options, name, 100 << i) for i, name in enumerate("abcd")], "0") as control:
        weights, out = shares_of(control, "abcd")
    rows.append(["weights 1:2:4:8, a share off by", f"{off_by(weights):.3f} %", "0.5 %", str(out)])
    (median, late), out = wake_ups(options)
    rows += [["wake-up beside two hogs, median", f"{median / 10:.1f} us", "", str(out)], ["the same, p99", f"{late / 10:.1f} us", "1000 us", str(out)]]
    print("\n".join(aligned(rows)) + "\n")
    return 0
