"""A part of tools/bench quota: what idle guests of one process cost, besides their RAM."""
import contextlib
import http.client
import json
import os
import resource
import socket
import subprocess
import tempfile
import time

import emulated
from tables import aligned, number

COUNTS = ((1, 0), (64, 0), (64, 1), (256, 0), (1000, 0))  # guests, and disks of each
MOST_PSS = (100, 144)                                     # KiB a guest: what is asked for; with a disk what we have reached
MOST_CPU = 0.5                                            # % of one CPU, the process
RAM = 16                                                  # MiB: nothing else that is mapped is as large
IDLE = 10                                                 # seconds
PATIENCE = 300
GROUPS = "/sys/fs/cgroup/memory"                          # the older kind of control groups


class Control(http.client.HTTPConnection):
    """The host's socket."""

    def __init__(self, path):
        super().__init__("host", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)

    def running(self):
        self.request("GET", "/guests")
        guests = json.loads(self.getresponse().read())["guests"]
        return sum(guest["state"] == "running" for guest in guests)


class Group:
    """A control group that counts the kernel's memory for the process; None where none can be made."""

    def __init__(self):
        self.path = f"{GROUPS}/carrel-bench-{os.getpid()}"
        try:
            os.mkdir(self.path)
        except OSError:
            self.path = None

    def enter(self):
        if self.path:
            with open(f"{self.path}/cgroup.procs", "w", encoding="ascii") as file:
                file.write(str(os.getpid()))

    def kernel(self):
        """KiB"""
        if not self.path:
            return None
        with open(f"{self.path}/memory.kmem.usage_in_bytes", encoding="ascii") as file:
            return int(file.read()) / 1024

    def close(self):
        if self.path:
            os.rmdir(self.path)


def pss(pid):
    """KiB of the process, its guests' RAM apart: (PSS, of it private and written)."""
    total, dirty, ram = 0, 0, False
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as file:
        for line in file:
            words = line.split()
            if "-" in words[0] and not words[0].endswith(":"):
                begin, end = (int(word, 16) for word in words[0].split("-"))
                ram = end - begin == RAM << 20
            elif not ram and words[0] == "Pss:":
                total += int(words[1])
            elif not ram and words[0] == "Private_Dirty:":
                dirty += int(words[1])
    return total, dirty


def cpu_time(pid):
    return time.clock_gettime(~pid << 3 | 2)  # CPUCLOCK_SCHED of a process


def fleet(folder, carrel, guests, disks):
    def guest(i):
        keys = {"name": f"g{i}", "kernel": os.path.join(os.path.dirname(carrel), "guest-images", "hang.elf"), "memory": f"{RAM}M"}
        if disks:
            path = os.path.join(folder, f"disk{i}")
            with open(path, "wb") as file:
                file.truncate(1 << 20)
            keys["disk"] = [path]
        return keys
    path = os.path.join(folder, "fleet.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"host": {"memory-overcommit": "10000%"}, "guests": [guest(i) for i in range(guests)]}, file)
    return path


def wait_for(control, host, guests, log):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and host.poll() is None:
        try:
            if control.running() == guests:
                return
        except OSError:
            control.close()
        time.sleep(0.2)
    log.seek(0)
    raise emulated.Failed(f"{guests} guests didn't start: {log.read().strip()}")


def measure(carrel, guests, disks):
    """What such a host costs while all its guests are halted."""
    with contextlib.closing(Group()) as group, tempfile.TemporaryDirectory() as folder, open(os.path.join(folder, "log"), "w+", encoding="utf-8") as log:
        path = os.path.join(folder, "s")
        words = [carrel, "host", fleet(folder, carrel, guests, disks), "--socket", path]
        # As a shell has it: more is the host's to ask for.
        few = (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                              preexec_fn=lambda: (group.enter(), resource.setrlimit(resource.RLIMIT_NOFILE, few))) as host:
            try:
                wait_for(Control(path), host, guests, log)
                time.sleep(2)
                before, used = time.monotonic(), cpu_time(host.pid)
                time.sleep(IDLE)
                cpu = (cpu_time(host.pid) - used) / (time.monotonic() - before) * 100
                total, dirty = pss(host.pid)
                return {"guests": guests, "disks": disks, "pss": total, "dirty": dirty, "cpu": cpu, "kernel": group.kernel(),
                        "threads": len(os.listdir(f"/proc/{host.pid}/task")), "files": len(os.listdir(f"/proc/{host.pid}/fd"))}
            finally:
                host.kill()
                host.wait()


def report(results):
    first = results[0]
    rows = [["guests", "disks each", "PSS, KiB", "a guest", "each more", "kernel, KiB", "a guest", "CPU, %", "threads", "files"]]
    for one in results:
        guests, kernel = one["guests"], one["kernel"]
        more = (one["pss"] - first["pss"]) / (guests - first["guests"]) if guests > first["guests"] else None
        rows.append([str(guests), str(one["disks"]), number(one["pss"]), number(one["pss"] / guests, 1), number(more, 1), number(kernel),
                     number(kernel / guests if kernel is not None else None, 1), number(one["cpu"], 2), str(one["threads"]),
                     str(one["files"])])
    print(f"idle guests of {RAM} MiB in one process; user-space PSS without their RAM (at most {MOST_PSS[0]} KiB a guest without a disk), the kernel's memory "
          f"by its control group, the process's CPU time over {IDLE} s (at most {MOST_CPU} %)\n")
    print("\n".join(aligned(rows, 0)) + "\n")


def main(options):
    """Prints the table; 0 where the targets are met from 64 guests on."""
    counts = [(guests, disks) for guests, disks in COUNTS if options.guests in (None, guests)]
    results = []
    for guests, disks in counts:
        emulated.say(f"{guests} idle guests with {disks} disks each ...")
        results.append(measure(options.carrel, guests, disks))
    report(results)
    return int(any(one["pss"] > MOST_PSS[one["disks"]] * one["guests"] or one["cpu"] > MOST_CPU for one in results if one["guests"] > 1))
