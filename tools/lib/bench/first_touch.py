"""A part of tools/bench quota: what the first touch of 256 MiB costs under a memory quota, against plain huge pages."""
import os
import re
import subprocess
import tempfile

import emulated
from tables import aligned

TOUCHED_MIB = 256
MEMORY = "320M"
# Each as often, one after the other: the host's own memory is as fresh for both.
ROUNDS = 2
CASES = (("plain huge pages", ""), ("memory quota", f"--memory-quota {MEMORY}"))
TARGET = 1.1
SECONDS = 300  # of the wall clock, for all of it


def script():
    """What runs in the emulated host: a tiny guest that says how long each round took it."""
    lines = []
    for _ in range(ROUNDS):
        for _, option in CASES:
            lines.append(f"carrel run /root/touch.elf --memory {MEMORY} --append 'mib={TOUCHED_MIB} rounds=1' {option} </dev/null")
    return "\n".join(lines) + "\n"


def measure(carrel):
    """Virtual milliseconds, a list for each case."""
    guest = os.path.join(os.path.dirname(carrel), "guest-images", "touch_memory.elf")
    if not os.access(guest, os.R_OK):
        raise emulated.Failed(f"no {guest}: build carrel_guests")
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
        file.write(script())
        file.flush()
        output = emulated.tool("kvm-host", "--icount", "--timeout", str(SECONDS), "--with", carrel, "--add", f"{guest}:/root/touch.elf",
                               "--add", f"{file.name}:/root/touch.sh", "--", "sh", "/root/touch.sh")
    times = [int(us) / 1000 for us in re.findall(r"touched in (\d+) us", output)]
    if len(times) != ROUNDS * len(CASES):
        raise emulated.Failed(f"{len(times)} of {ROUNDS * len(CASES)} guests touched their memory")
    return [times[case::len(CASES)] for case in range(len(CASES))]


def main(options):
    """Prints the table; 0 where the target is met."""
    plain, quota = measure(options.carrel)
    worst = max(quota) / min(plain)
    rows = [["first touch, ms", *(f"run {i + 1}" for i in range(ROUNDS))]]
    rows += [[name, *(f"{ms:.1f}" for ms in times)] for (name, _), times in zip(CASES, (plain, quota))]
    print(f"{TOUCHED_MIB} MiB, a word in each page; virtual milliseconds inside the guest\n")
    print("\n".join(aligned(rows)) + "\n")
    print(f"quota/plain, the worst of one to the best of the other: {worst:.3f} (target {TARGET})")
    return 0 if worst <= TARGET else 1
