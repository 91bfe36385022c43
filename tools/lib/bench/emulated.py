"""Runs VMMs one after the other in one emulated host, each under measure.c."""
import json
import os
import select
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = os.path.dirname(os.path.dirname(HERE))
MEASURE = os.path.join(HERE, "measure.c")
SOURCES = (MEASURE, os.path.join(HERE, "measure_memory.h"))
ROMS = ("bios-256k.bin", "bios-microvm.bin", "kvmvapic.bin", "linuxboot_dma.bin", "pvh.bin")
# Where the guest's files lie in the emulated host; {file} is vmlinuz or vmlinux.
KERNEL_PATH = "/root/{name}-{file}"
INITRD_PATH = "/root/initrd"
# Wall seconds: the longest time for the machine's start, and for one run, on a busy machine.
START_SECONDS, RUN_SECONDS = 120, 120


class Failed(Exception):
    """A sentence for the user."""


@dataclass
class Job:
    """One run of one VMM: a name to find its result by, what to look at, the guest's memory, the command."""
    name: str
    mode: str
    memory_mib: int
    command: list
    seconds: int = 15  # of the emulated host's time; a run that takes longer is ended


@dataclass
class Host:
    """The emulated host: what it is like, and what it must hold."""
    carrel: str  # a path; empty without
    icount: bool = True
    cpus: int = 1
    memory: str = "2G"
    kernels: tuple = ("bookworm",)
    peers: bool = True
    append: str = ""  # for its kernel


def say(text):
    print(text, file=sys.stderr, flush=True)


def tool(*words):
    """The output of one of our tools, its own messages shown."""
    done = subprocess.run([os.path.join(TOOLS, words[0]), *words[1:]], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"tools/{' '.join(words)} ended with status {done.returncode}")
    return done.stdout.strip()


def kernel_files(name):
    """(version, vmlinuz, vmlinux) of a stock kernel."""
    _, version, vmlinuz = tool("kernels", "--cached", name).split(" ", 2)
    return version, vmlinuz, tool("kernels", "--cached", "--vmlinux", name)


def cache_folder():
    base = os.environ.get("CARREL_CACHE")
    if not base:
        base = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "carrel")
    folder = os.path.join(base, "bench")
    os.makedirs(folder, exist_ok=True)
    return folder


def program(source, *others):
    """A C program of ours for inside, compiled when one of its sources is newer than what is in the cache."""
    name = os.path.splitext(os.path.basename(source))[0]
    path = os.path.join(cache_folder(), name)
    if not os.path.exists(path) or os.path.getmtime(path) < max(map(os.path.getmtime, (source, *others))):
        part = f"{path}.{os.getpid()}"
        try:
            subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-static", "-o", part, source], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Failed(f"couldn't compile {source} ({error}); install gcc and libc6-dev") from error
        os.replace(part, path)
    return path


def find_rom(name):
    for folder in ("/usr/share/qemu", "/usr/share/seabios"):
        if os.path.exists(os.path.join(folder, name)):
            return os.path.join(folder, name)
    raise Failed(f"no {name} in /usr/share/qemu or /usr/share/seabios; install qemu-system-x86 and seabios")


def kvm_host_options(host, folder):
    initrd = os.path.join(folder, "initrd")
    tool("make-initrd", "--bench", "reboot", "-o", initrd)
    options = ["--with", program(*SOURCES), "--add", f"{initrd}:{INITRD_PATH}", "--memory", host.memory]
    options += ["--append", host.append] if host.append else []
    options += ["--icount"] if host.icount else ["--cpus", str(host.cpus)]
    for name in host.kernels:
        _, *files = kernel_files(name)
        for path, file in zip(files, ("vmlinuz", "vmlinux")):
            options += ["--add", f"{path}:{KERNEL_PATH.format(name=name, file=file)}"]
    if host.carrel:
        # For its libraries --with; --add for the file itself, whatever its name is.
        options += ["--with", host.carrel, "--add", f"{host.carrel}:/usr/bin/carrel"]
    if host.peers:
        options += ["--with", "qemu-system-x86_64"]
        for rom in ROMS:
            options += ["--add", f"{find_rom(rom)}:/usr/share/qemu/{rom}"]
    return options


def script_of(jobs):
    """One line a run; a guest that never reaches its userspace leaves a line about that, and the rest goes on."""
    lines = []
    for job in jobs:
        words = ["measure", job.name, job.mode, str(job.memory_mib), str(job.seconds), "--", *job.command]
        lines.append(shlex.join(words) + f" || echo '{{\"failed\":\"{job.name}\"}}'")
    return "\n".join(lines) + "\n"


class Output:
    """The lines that come out of the machine; not even one for RUN_SECONDS is an error."""

    def __init__(self, process, jobs):
        self.process, self.jobs, self.buffer = process, jobs, b""

    def lines(self):
        done, patience = 0, START_SECONDS + RUN_SECONDS
        while True:
            if not select.select([self.process.stdout], [], [], patience)[0]:
                self.process.terminate()
                raise Failed(f"no result of {self.jobs[done].name} ({self.jobs[done].mode}) within {patience} s")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                return
            patience = RUN_SECONDS
            *lines, self.buffer = (self.buffer + data).split(b"\n")
            for line in lines:
                done = min(done + line.startswith(b"{\"name"), len(self.jobs) - 1)
                yield line.decode(errors="replace")


def run(host, jobs, on_result=lambda result: None):
    """Runs the jobs in their order. Returns the results, one dictionary each; what failed isn't among them."""
    with tempfile.TemporaryDirectory() as folder:
        script = os.path.join(folder, "script")
        with open(script, "w", encoding="utf-8") as file:
            file.write(script_of(jobs))
        limit = START_SECONDS + RUN_SECONDS * len(jobs)
        command = [os.path.join(TOOLS, "kvm-host"), "--timeout", str(limit), "--add", f"{script}:/root/script",
                   *kvm_host_options(host, folder), "--", "sh", "/root/script"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
            try:
                results = take_results(Output(process, jobs), on_result)
            except BaseException:
                process.terminate()
                raise
    if process.returncode != 0:
        raise Failed(f"the emulated host ended with status {process.returncode}")
    return results


def take_results(output, on_result):
    results = []
    for line in output.lines():
        if line.startswith("T "):
            results[-1].setdefault("trace", []).append(line[2:] + "\n")
            continue
        result = json.loads(line)
        if "failed" in result:
            say(f"{result['failed']}: the guest never reached its userspace, or never ended (above: what the VMM said)")
            results.pop()  # measure's own line about that run
            continue
        results.append(result)
        on_result(result)
    return results


class Progress:
    """A line a run on stderr, with how far we are."""

    def __init__(self, total, unit="virtual s"):
        self.total, self.unit, self.done, self.begun = total, unit, 0, time.monotonic()

    def __call__(self, result):
        self.done += 1
        seconds = time.monotonic() - self.begun
        say(f"[{self.done}/{self.total}, {seconds:.0f} s] {result['name']} {result['mode']}: "
            f"{result['end']:.3f} {self.unit}, status {result['status']}")
