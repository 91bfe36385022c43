"""Loads inside a guest: how long each took, and what the host has counted meanwhile (watch.sh)."""
import json
import os
import shlex
import subprocess
import tempfile
from dataclasses import dataclass, field

import emulated
from tables import aligned, number, ratio

APPEND = "quiet cryptomgr.notests"
SECONDS = 300  # for one guest
MARK, COUNTED, COUNT_CALLS = "carrel-load", "carrel-counted", "carrel-count"  # watch.sh knows them, too
IDLE = "carrel-idle"  # a copy of carrel (watch.sh looks for the one by its name), and a word on its guest's command line
SECONDS_TO_IDLE = 3  # virtual ones, for a guest to boot
WATCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "watch.sh")
# What watch.sh counts, in its order; the last one only after COUNT_CALLS.
COUNTS = ("exits", "userspace_exits", "packets", "switches", "syscalls")
TITLES = {"exits": "VM exits", "userspace_exits": "to userspace", "switches": "switches", "syscalls": "system calls"}


@dataclass
class Load:
    """A command in the guest that prints a figure. {n} in it is how much: seconds, or things done."""
    name: str
    command: str
    long: int
    short: int  # while system calls are counted
    unit: str
    digits: int
    scale: float  # from what it prints to `unit`
    things: object = None  # n -> how many things what is counted is divided by; None: the tap's packets


@dataclass
class Guest:
    """One guest with its loads: what it's called, its command line in the emulated host, the tap that is watched."""
    name: str
    command: list
    loads: tuple
    tap: str = ""
    beside: list = field(default_factory=list)  # commands of guests that idle meanwhile, see IDLE


@dataclass
class Needs:
    """What lies where, beyond a guest's kernel: make-initrd's words, kvm-host's words, the host's first lines."""
    guest: list
    host: list = field(default_factory=list)
    before: list = field(default_factory=list)


def guest_script(loads, setup=(), counted=True):
    """All loads twice: to time them, and to count system calls. Around each some time for the host to look at its counters."""
    nothing = len(loads)  # the number of a load that does nothing: what the marks themselves cost
    lines = [f"if grep -q {IDLE} /proc/cmdline; then sleep {SECONDS}; exit; fi"]
    lines += [*setup, f"echo {MARK} {nothing}", "sleep 0.3", f"echo {MARK} {nothing} 1.234", "sleep 0.3"]
    for lengths in ("long", "short") if counted else ("long",):
        if lengths == "short":
            lines.append(f"echo {COUNT_CALLS}")
        for index, load in enumerate(loads):
            command = load.command.format(n=getattr(load, lengths))
            lines += [f"echo {MARK} {index}", "sleep 0.3", f"figure=$({command})", f"echo {MARK} {index} $figure", "sleep 0.3"]
    return "; ".join(lines)


def host_script(guests, before):
    lines = list(before)
    if any(guest.beside for guest in guests):
        lines.append(f"cp $(which carrel) /usr/bin/{IDLE}")
    for guest in guests:
        watch = f"sh /root/watch {guest.command[0]} {guest.tap}"
        lines += [f"{shlex.join(command)} </dev/null >/dev/null 2>&1 &" for command in guest.beside]
        lines += [f"sleep {SECONDS_TO_IDLE * len(guest.beside)}", f"echo GUEST {guest.name}"]
        lines += [f"timeout {SECONDS} {shlex.join(guest.command)} </dev/null 2>&1 | tr -d '\\r' | {watch}"]
        lines += [f"kill $(pidof {IDLE})", "wait"] if guest.beside else []
    return "\n".join(lines) + "\nexit 0\n"


def run(options, guests, needs, script):
    """{guest's name: {load's name: {"figure": …, and what was counted, each for a thing}}}. All guests have the same `script`."""
    peers = any(guest.command[0] != "carrel" for guest in guests)
    host = emulated.Host(options.carrel, memory="3G", kernels=(options.kernel,), peers=peers, append=options.host_append)
    modules = emulated.tool("kernels", "--cached", "--modules", options.kernel)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "script")
        with open(path, "w", encoding="utf-8") as file:
            file.write(host_script(guests, needs.before))
        words = emulated.kvm_host_options(host, folder)
        emulated.tool("make-initrd", "--modules", modules, *needs.guest, "--script", script, "-o", os.path.join(folder, "initrd"))
        done = subprocess.run([os.path.join(emulated.TOOLS, "kvm-host"), "--timeout", str(60 + SECONDS * len(guests)),
                               *needs.host, "--add", f"{WATCH}:/root/watch", "--add", f"{path}:/root/script", *words,
                               "--", "sh", "/root/script"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise emulated.Failed(f"the emulated host ended with status {done.returncode}")
    return Results(guests, done.stdout.splitlines()).found


class Results:
    """What run() returns, from the lines that came out of the emulated host."""

    def __init__(self, guests, lines):
        self.guests = {guest.name: guest for guest in guests}
        self.found, self.guest, self.before, self.mark, self.of_marks, self.calls = {}, None, None, None, 0, False
        for line in lines:
            words = line.split()
            if words[:1] == ["GUEST"]:
                self.guest, self.calls = self.guests[line.split(" ", 1)[1]], False
                self.found[self.guest.name] = {}
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
        difference = {key: value - self.before[key] for key, value in counted.items() if key in self.before}
        loads = self.guest.loads
        if int(index) == len(loads):
            self.of_marks = difference["userspace_exits"]
            return
        load, now = loads[int(index)], self.found[self.guest.name]
        calls = "syscalls" in difference
        difference["userspace_exits"] = max(0, difference["userspace_exits"] - self.of_marks)
        packets = difference.pop("packets")
        things = (load.things(load.short if calls else load.long) if load.things else packets) or 1
        each = {key: value / things for key, value in difference.items()}
        if calls:
            now.setdefault(load.name, {})["syscalls"] = each["syscalls"]
        else:
            now[load.name] = {"figure": float(figure[0]) * load.scale, **each}


def figure_rows(guests, found):
    """The table of their figures; all have the same loads."""
    one_loads = guests[0].loads
    rows = [["", *(f"{load.name}, {load.unit}" for load in one_loads)]]
    return rows + [[guest.name, *(number(figure(found, guest, load), load.digits) for load in one_loads)] for guest in guests]


def ratio_rows(guests, found):
    """carrel's figures, if it's there, divided by each other one's."""
    return [[f"carrel / {guest.name}",
             *(ratio(figure(found, ours, load), figure(found, guest, load)) for load in guest.loads)]
            for ours in guests if ours.name == "carrel" for guest in guests if guest is not ours]


def figure(found, guest, load):
    return found.get(guest.name, {}).get(load.name, {}).get("figure")


def report(options, guests, found, title, things):
    """Prints both tables, writes what --json asks for; the exit status."""
    print(f"{title}\n\n" + "\n".join(aligned(figure_rows(guests, found) + ratio_rows(guests, found))) + "\n")
    print("\n".join(aligned(counted_rows(f"for each {things}", guests, found))))
    return end(options, guests, found)


def end(options, guests, found):
    """Writes what --json asks for. The exit status: whether every load of every guest has its figure."""
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=1)
    return 0 if all(figure(found, guest, load) is not None for guest in guests for load in guest.loads) else 1


def counted_rows(what, guests, found):
    """The table of what is counted for each thing."""
    rows = [[what, *TITLES.values()]]
    for guest in guests:
        for load in guest.loads:
            result = found.get(guest.name, {}).get(load.name, {})
            rows.append([f"{guest.name}, {load.name}",
                         *(number(result.get(key), 2 if key != "userspace_exits" else 4) for key in TITLES)])
    return rows
