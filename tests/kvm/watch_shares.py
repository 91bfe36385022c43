"""usage: watch_shares.py SOCKET SECONDS [--held] NAME=CAP...

Samples the guests' CPU time for so long, vCPUs and I/O together, and fails where in any second one of them had more than
its cap (percent of a CPU), or less, by more than the table of issue 5 allows, 0.08 points. On a busy machine two things are
set right, both by the kernel's own count of what the vCPUs waited for a host CPU: such a wait counts as had when the
question is whether a guest had enough; and a wait about the beginning of a second moves what the guest was due before into
it, no more than the wait, and no more than a lease that was bought before and a period's budget less what is due meanwhile. --held: the scheduler was kept from its work. Nobody needs to have
enough then, and its delays move what is run as the host's do.

All figures are the kernel's clocks, as `ctl stats` reads them at one moment. Seconds in which more than 1 % was stolen from
this machine itself are left out and counted."""
import http.client
import json
import socket
import sys
import time

POINTS = 0.08
QUIET = 200_000  # of a wait; ns
SECOND = 1_000_000_000
STEP = 0.01
PERIOD = 10_002_000
ABOUT = 200_000  # how far from a second is one still; ns
STOLEN = 0.01


class Host(http.client.HTTPConnection):
    """The control socket, one connection for all that is asked."""

    def __init__(self, path):
        super().__init__("x", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)

    def stats(self, name):
        self.request("GET", f"/guests/{name}/stats")
        answer = self.getresponse()
        text = answer.read()
        return json.loads(text) if answer.status == 200 else None


def stolen_ticks():
    """Ticks of all CPUs: stolen, and all."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    return ticks[7], sum(ticks)


def sample(host, name):
    """Wall, had, and waited for a host CPU; ns. None: it has no vCPU that runs."""
    stats = host.stats(name)
    times = [vcpu["times"] for vcpu in stats["vcpus"] if "times" in vcpu] if stats else []
    if not times:
        return None
    return times[0]["wall"], sum(one["run"] for one in times) + stats.get("io", 0), sum(one["host-cpu"] for one in times), stolen_ticks()


def seconds_of(samples):
    """Each two samples that lie a second apart (a window that ends in the middle of a period would show the period), and
    what was waited for a host CPU about its beginning: what came late there belongs to the second before."""
    first = 0
    for last in samples:
        while last[0] - samples[first][0] > SECOND + ABOUT:
            first += 1
        if last[0] - samples[first][0] >= SECOND - ABOUT:
            yield samples[first], last, samples[first + 2][2] - samples[max(first - 2, 0)][2]


def judge(samples, cap, held):
    """The worst excess and the worst want of any second, in points, and how many seconds were judged, how many of them
    without such a wait to speak of, and how many left out."""
    excess = want = judged = quiet = out = 0
    most_moved = PERIOD * cap / 100 * (2 - cap / 100)
    for first, last, late in seconds_of(samples):
        wall, had, waited = (last[i] - first[i] for i in range(3))
        stolen, ticks = (last[3][i] - first[3][i] for i in range(2))
        if stolen > ticks * STOLEN:
            out += 1
            continue
        judged += 1
        quiet += late < QUIET
        over = had - wall * cap / 100
        excess = max(excess, over - (most_moved if held else min(late, most_moved)))
        want = max(want, 0 if held else -over - waited)
    wall, had = (samples[-1][i] - samples[0][i] for i in range(2)) if samples else (0, 0)
    excess = max(excess, had - wall * cap / 100 - most_moved)  # all of it, and nothing left out
    return excess / SECOND * 100, want / SECOND * 100, judged, quiet, out


def main():
    path, seconds = sys.argv[1], float(sys.argv[2])
    held = sys.argv[3] == "--held"
    caps = {name: float(cap) for name, cap in (word.split("=") for word in sys.argv[4 if held else 3:])}
    host, taken = Host(path), {name: [] for name in caps}
    end = time.monotonic() + seconds
    at = time.monotonic()
    while at < end:
        at += STEP
        time.sleep(max(at - time.monotonic(), 0))
        for name, samples in taken.items():
            if one := sample(host, name):
                samples.append(one)
    broken = False
    for name, samples in taken.items():
        excess, want, judged, quiet, out = judge(samples, caps[name], held)
        print(f"{name}, cap {caps[name]:g} %: {excess:+.3f} and {-want:+.3f} points at worst in {judged} seconds that overlap, "
              f"{quiet} of them quiet, {out} left out")
        broken |= excess > POINTS or want > POINTS or judged + out == 0
    sys.exit(broken)


main()
