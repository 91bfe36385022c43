"""tools/bench net: what packets cost on one CPU: both ends' part, the exits and the VMM's together."""
import json
import os
import shlex
import subprocess
import tempfile
from dataclasses import dataclass

import emulated
import vmms
from tables import aligned, number, ratio

APPEND = "quiet cryptomgr.notests"
HOST, GUEST = "10.0.0.1", "10.0.0.2"
SECONDS = 300  # for one VMM
MARK, COUNTED, COUNT_CALLS = "carrel-load", "carrel-counted", "carrel-count"  # netwatch.sh knows them, too
WATCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "netwatch.sh")


@dataclass
class Load:
    """In the guest; {n} is how long: pings, or seconds. Its figure, which it prints, times `scale` is in `unit`."""
    name: str
    command: str
    long: int
    short: int  # while system calls are counted
    unit: str
    digits: int
    scale: float


def iperf(more=""):
    return f"iperf3 -c {HOST} -t {{n}} -f m {more} | awk '/receiver/ {{{{ print $7 }}}}'"


LOADS = (
    Load("ping", f"/usr/bin/ping -q -f -c {{n}} {HOST} | awk -F/ '/^rtt/ {{{{ print $5 }}}}'", 4000, 1000, "µs", 0, 1e3),
    Load("TCP out", iperf(), 2, 1, "Gbit/s", 2, 1e-3),
    Load("TCP in", iperf("-R"), 2, 1, "Gbit/s", 2, 1e-3),
)
NOTHING = len(LOADS)  # the number of a load that does nothing: what the marks themselves cost
# What netwatch.sh counts, in its order; the last one only after COUNT_CALLS.
COUNTS = ("exits", "userspace_exits", "packets", "switches", "syscalls")
TITLES = {"exits": "VM exits", "userspace_exits": "to userspace", "switches": "switches", "syscalls": "system calls"}


def guest_script():
    """All loads twice: to time them, and to count system calls. Around each some time for the host to look at its counters."""
    lines = ["ip link set eth0 up", f"ip addr add {GUEST}/24 dev eth0", "sleep 1", f"/usr/bin/ping -q -c 3 {HOST} >/dev/null",
             f"echo {MARK} {NOTHING}", "sleep 0.3", f"echo {MARK} {NOTHING} 1.234", "sleep 0.3"]
    for lengths in ("long", "short"):
        if lengths == "short":
            lines.append(f"echo {COUNT_CALLS}")
        for index, load in enumerate(LOADS):
            command = load.command.format(n=getattr(load, lengths))
            lines += [f"echo {MARK} {index}", "sleep 0.3", f"figure=$({command})", f"echo {MARK} {index} $figure", "sleep 0.3"]
    return "; ".join(lines)


def command(vmm, kernel, more):
    words = vmms.command(vmm, kernel, "vmlinuz", APPEND)
    if vmm == "carrel":
        return [*words, "--net", "tap=tap0", *more]
    card = "virtio-net-device" if vmm == "microvm" else "virtio-net-pci,romfile="
    return [*words, "-netdev", "tap,id=net,ifname=tap0,script=no,downscript=no", "-device", f"{card},netdev=net"]


def host_script(only, kernel, more):
    lines = ["ip tuntap add tap0 mode tap", f"ip addr add {HOST}/24 dev tap0", "ip link set tap0 up", "iperf3 -s -D >/dev/null"]
    for vmm in only:
        words = command(vmm, kernel, more)
        lines += [f"echo VMM {vmm}", f"timeout {SECONDS} {shlex.join(words)} </dev/null 2>&1 | tr -d '\\r' | sh /root/netwatch {words[0]}"]
    return "\n".join(lines) + "\nexit 0\n"


def output_of(options, only):
    """The lines that come out of the emulated host."""
    host = emulated.Host(options.carrel, memory="3G", kernels=(options.kernel,), peers=only != ["carrel"],
                         append=options.host_append)
    modules = emulated.tool("kernels", "--cached", "--modules", options.kernel)
    with tempfile.TemporaryDirectory() as folder:
        script = os.path.join(folder, "script")
        with open(script, "w", encoding="utf-8") as file:
            file.write(host_script(only, options.kernel, options.option))
        words = emulated.kvm_host_options(host, folder)
        emulated.tool("make-initrd", "--modules", modules, "virtio_pci", "virtio_mmio", "virtio_net", "--with", "iperf3",
                      "--with", "ping", "--script", guest_script(), "-o", os.path.join(folder, "initrd"))
        done = subprocess.run([os.path.join(emulated.TOOLS, "kvm-host"), "--timeout", str(60 + SECONDS * len(only)),
                               "--module", "tun", "--with", "ip", "--with", "iperf3", "--add", f"{WATCH}:/root/netwatch",
                               "--add", f"{script}:/root/script", *words, "--", "sh", "/root/script"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise emulated.Failed(f"the emulated host ended with status {done.returncode}")
    return done.stdout.splitlines()


class Results:
    """{vmm: {load's name: {"figure": …, and what was counted, each for a packet}}}"""

    def __init__(self, lines):
        self.found, self.now, self.before, self.mark, self.of_marks = {}, None, None, None, 0
        for line in lines:
            words = line.split()
            if words[:1] == ["VMM"]:
                self.now = self.found.setdefault(words[1], {})
            elif words[:1] == [MARK]:
                self.mark = words[1:]
            elif words[:1] == [COUNTED] and self.mark:
                self.take(dict(zip(COUNTS, map(int, words[1:]))))

    def take(self, counted):
        """At a mark: one with a figure ends a load."""
        index, *figure = self.mark
        self.mark = None
        if not figure:
            self.before = counted
            return
        difference = {key: value - self.before[key] for key, value in counted.items()}
        if int(index) == NOTHING:
            self.of_marks = difference["userspace_exits"]
            return
        load = LOADS[int(index)]
        difference["userspace_exits"] = max(0, difference["userspace_exits"] - self.of_marks)
        packets = difference.pop("packets") or 1
        each = {key: value / packets for key, value in difference.items()}
        if "syscalls" in each:
            self.now.setdefault(load.name, {})["syscalls"] = each["syscalls"]
        else:
            self.now[load.name] = {"figure": float(figure[0]) * load.scale, **each}


def print_tables(only, found):
    def figure(vmm, load, key="figure"):
        return found.get(vmm, {}).get(load.name, {}).get(key)

    rows = [["", *(f"{load.name}, {load.unit}" for load in LOADS)]]
    rows += [[vmm, *(number(figure(vmm, load), load.digits) for load in LOADS)] for vmm in only]
    if len(only) > 1 and "carrel" in only:
        rows += [[f"carrel / {vmm}", *(ratio(figure("carrel", load), figure(vmm, load)) for load in LOADS)]
                 for vmm in only if vmm != "carrel"]
    print("A tap, 1 vCPU, 512 MiB; virtual time, one CPU for all\n")
    print("\n".join(aligned(rows)) + "\n")
    rows = [["for each packet that the tap has counted", *TITLES.values()]]
    rows += [[f"{vmm}, {load.name}", *(number(figure(vmm, load, key), 2 if key != "userspace_exits" else 4) for key in TITLES)]
             for vmm in only for load in LOADS]
    print("\n".join(aligned(rows)))


def main(options):
    only = options.only or ["carrel", "q35"]
    emulated.say(f"{len(only)} guests, about {40 + 60 * len(only)} s on an idle machine ...")
    found = Results(output_of(options, only)).found
    print_tables(only, found)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({vmm: found.get(vmm, {}) for vmm in only}, file, indent=1)
    return 0 if all(set(found.get(vmm, {})) == {load.name for load in LOADS} for vmm in only) else 1
