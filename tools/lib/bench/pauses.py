"""A part of tools/bench quota: how long a pause of a guest with 4 vCPUs takes that all spin, beside SIGSTOP of its process."""
import math
import os
import re
import subprocess
import tempfile

import emulated
from tables import aligned

TIMES = 1000
TARGET = 1  # ms, 99 of 100
GUEST = "smp"  # each of its CPUs counts to n
WAYS = {"verb": "carrel ctl pause, as its client waits", "signal": "SIGSTOP, until all threads stand"}
SCRIPT = r"""
echo '{"guests": [{"name": "g", "kernel": "KERNEL", "append": "n=1000000000000000", "memory": "32M", "cpus": 4}]}' >fleet.json
"CARREL" host fleet.json --socket s </dev/null >log 2>&1 & pid=$!
sleep 3
echo '== verb'; "PAUSE_TIMES" verb s g TIMES
echo '== signal'; "PAUSE_TIMES" signal $pid TIMES
echo '== spun'; for thread in /proc/$pid/task/*; do grep -q vcpu $thread/comm && cat $thread/schedstat; done
kill -9 $pid
exit 0
"""


def script(**words):
    text = SCRIPT
    for word, value in {**words, "TIMES": TIMES}.items():
        text = re.sub(rf"\b{word}\b", str(value), text)
    return text


def of_100(times, rank):
    return sorted(times)[math.ceil(len(times) * rank / 100) - 1] / 1e6


def times_of(output):
    """ns of each pause, by way. The error: they weren't all there, or not all vCPUs have run."""
    found, way = {}, None
    for line in output.replace("\r", "").split("\n"):
        if line.startswith("== "):
            way = found.setdefault(line[3:], [])
        elif way is not None and re.match(r"\d", line):
            way.append(int(line.split()[0]))
    if [len(found.get(way, [])) for way in (*WAYS, "spun")] != [TIMES, TIMES, 4] or min(found["spun"]) < 1e8:
        raise emulated.Failed(f"the guest wasn't paused {TIMES} times while its 4 vCPUs spun: {output[-500:]}")
    return found


def in_emulated_host(carrel, kernel, program):
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
        file.write(script(CARREL="carrel", KERNEL="/root/guest.elf", PAUSE_TIMES="pause_times"))
        file.flush()
        return emulated.tool("kvm-host", "--icount", "--timeout", "600", "--with", program, "--with", carrel,
                             "--add", f"{kernel}:/root/guest.elf", "--add", f"{file.name}:/root/pauses.sh", "--", "sh", "/root/pauses.sh")


def on_this_machine(carrel, kernel, program):
    with tempfile.TemporaryDirectory() as folder:
        words = ["sh", "-c", script(CARREL=carrel, KERNEL=kernel, PAUSE_TIMES=program)]
        return subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, text=True, timeout=120, check=True).stdout


def main(options):
    """Prints the table; 0 where the target is met in the emulated host, in which nothing else runs."""
    program = emulated.program(os.path.join(os.path.dirname(os.path.abspath(__file__)), "pause_times.c"))
    kernel = os.path.join(os.path.dirname(options.carrel), "guest-images", f"{GUEST}.elf")
    places = {"--icount, one CPU": in_emulated_host}
    if os.access("/dev/kvm", os.R_OK | os.W_OK):
        places[f"this machine, {os.cpu_count()} CPUs"] = on_this_machine
    rows, late = [["4 vCPUs that spin", "where", "median, ms", "99 of 100", "longest"]], 0
    for place, run in places.items():
        emulated.say(f"{TIMES} pauses: {place} ...")
        found = times_of(run(options.carrel, kernel, program))
        for way, words in WAYS.items():
            rows.append([words, place, *(f"{of_100(found[way], rank):.3f}" for rank in (50, 99, 100))])
        if run is in_emulated_host:
            late = of_100(found["verb"], 99)
    print(f"pause of all vCPUs, {TIMES} times; wanted: {TARGET} ms for 99 of 100\n")
    print("\n".join(aligned(rows, 2)) + "\n")
    return int(late > TARGET)
