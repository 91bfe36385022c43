"""tools/bench blk: what a request to a disk costs on one CPU: the guest's part, the exits and the VMM's together."""
import os
import shlex
import subprocess
import tempfile

import emulated
import vmms
from tables import aligned, number, ratio

APPEND = "quiet cryptomgr.notests"
DISK = "/root/disk"  # the emulated host's root is in memory
DISK_MIB = 64
SECONDS = 300  # for one VMM
MARK = "carrel-load"
LOAD_SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "diskload.c")
# Name, diskload's words, what is shown of it.
LOADS = (
    ("4 KiB read, 1 deep", ("randread", 4096, 1, 4096), "us"),
    ("4 KiB read, 32 deep", ("randread", 4096, 32, 12288), "us"),
    ("4 KiB write, 32 deep", ("randwrite", 4096, 32, 12288), "us"),
    ("1 MiB reads, 4 deep", ("read", 1 << 20, 4, 256), "MiB/s"),
)
UNITS = {"us": "µs each", "MiB/s": "MiB/s"}


def guest_script():
    lines = []
    for index, (_, words, _) in enumerate(LOADS):
        lines.append(f"echo {MARK} {index} $(diskload /dev/vda {' '.join(map(str, words))})")
    return "; ".join(lines)


def command(vmm, kernel, more):
    words = vmms.command(vmm, kernel, "vmlinuz", APPEND)
    if vmm == "carrel":
        return [*words, "--disk", DISK, *more]
    return [*words, "-drive", f"file={DISK},format=raw,if=none,id=disk,cache=writeback,aio=threads",
            "-device", "virtio-blk-pci,drive=disk"]


def host_script(only, kernel, more):
    lines = [f"dd if=/dev/urandom of={DISK} bs=1M count={DISK_MIB} 2>/dev/null"]
    for vmm in only:
        lines += [f"echo VMM {vmm}", f"timeout {SECONDS} {shlex.join(command(vmm, kernel, more))} </dev/null 2>&1"]
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
        emulated.tool("make-initrd", "--modules", modules, "virtio_pci", "virtio_blk", "--with", emulated.program(LOAD_SOURCE),
                      "--script", guest_script(), "-o", os.path.join(folder, "initrd"))
        done = subprocess.run([os.path.join(emulated.TOOLS, "kvm-host"), "--timeout", str(60 + SECONDS * len(only)),
                               "--add", f"{script}:/root/script", *words, "--", "sh", "/root/script"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise emulated.Failed(f"the emulated host ended with status {done.returncode}")
    return done.stdout.splitlines()


def figures_of(lines):
    """{vmm: {load: figure}}"""
    found, vmm = {}, None
    for line in lines:
        words = line.split()
        if words[:1] == ["VMM"]:
            vmm = words[1]
            found[vmm] = {}
        elif words[:1] == [MARK] and len(words) == 3:
            index, nanoseconds = int(words[1]), int(words[2])
            _, (_, size, _, count), unit = LOADS[index]
            found[vmm][index] = nanoseconds / count / 1e3 if unit == "us" else size * count / (1 << 20) / (nanoseconds / 1e9)
    return found


def main(options):
    only = options.only or ["carrel", "q35"]
    if "microvm" in only:
        raise emulated.Failed("microvm has no PCI bus: say --only carrel, --only q35, or neither")
    emulated.say(f"{len(only)} guests, about {40 + 60 * len(only)} s on an idle machine ...")
    found = figures_of(output_of(options, only))
    rows = [["", *(f"{name}, {UNITS[unit]}" for name, _, unit in LOADS)]]
    for vmm in only:
        rows.append([vmm, *(number(found.get(vmm, {}).get(i), 1) for i in range(len(LOADS)))])
    if len(only) > 1:
        ours, theirs = found.get("carrel", {}), found.get(only[1], {})
        rows.append([f"carrel / {only[1]}", *(ratio(ours.get(i), theirs.get(i)) for i in range(len(LOADS)))])
    print(f"A raw disk of {DISK_MIB} MiB in the host's memory, O_DIRECT in the guest, 1 vCPU, 512 MiB; virtual time, one CPU for all\n")
    print("\n".join(aligned(rows)))
    return 0 if all(len(found.get(vmm, {})) == len(LOADS) for vmm in only) else 1
