"""tools/bench blk: what a request to a disk costs on one CPU: the guest's part, the exits and the VMM's together."""
import os

import emulated
import loads
import vmms
from loads import Load

DISK = "/root/disk"  # the emulated host's root is in memory
DISK_MIB = 64
LOAD_SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "diskload.c")


def load(name, kind, size, depth, count):
    """Of requests. diskload does all of them twice, the first time to fill what is filled once, and prints nanoseconds."""
    words = f"diskload /dev/vda {kind} {size} {depth} {{n}}"
    if size == 4096:
        return Load(name, words, count, count // 4, "µs each", 1, 1e-3 / count, twice)
    rate = f"{words} | awk '{{{{ print {size / (1 << 20)} * {count} * 1e9 / $1 }}}}'"
    return Load(name, rate, count, count // 4, "MiB/s", 0, 1, twice)


def twice(count):
    return 2 * count


LOADS = (
    load("4 KiB read, 1 deep", "randread", 4096, 1, 4096),
    load("4 KiB read, 32 deep", "randread", 4096, 32, 12288),
    load("4 KiB write, 32 deep", "randwrite", 4096, 32, 12288),
    load("1 MiB reads, 4 deep", "read", 1 << 20, 4, 256),
)


def needs(disks=1):
    files = [f"{DISK}{index or ''}" for index in range(disks)]
    before = [f"dd if=/dev/urandom of={file} bs=1M count={DISK_MIB if file == DISK else 1} 2>/dev/null" for file in files]
    return loads.Needs(guest=["virtio_pci", "virtio_blk", "--with", emulated.program(LOAD_SOURCE)], before=before)


def command(vmm, kernel, more=(), disks=1, cpus=1, keys=""):
    words = vmms.command(vmm, kernel, "vmlinuz", loads.APPEND, cpus=cpus)
    for index in range(disks):
        file = f"{DISK}{index or ''}"
        words += ["--disk", file + keys] if vmm == "carrel" else [
            "-drive", f"file={file},format=raw,if=none,id=disk{index},cache=writeback,aio=threads",
            "-device", f"virtio-blk-pci,drive=disk{index}"]
    return [*words, *more] if vmm == "carrel" else words


def main(options):
    only = options.only or ["carrel", "q35"]
    if "microvm" in only:
        raise emulated.Failed("microvm has no PCI bus: say --only carrel, --only q35, or neither")
    emulated.say(f"{len(only)} guests, about {40 + 80 * len(only)} s on an idle machine ...")
    guests = [loads.Guest(vmm, command(vmm, options.kernel, options.option), LOADS) for vmm in only]
    found = loads.run(options, guests, needs(), loads.guest_script(LOADS))
    title = f"A raw disk of {DISK_MIB} MiB in the host's memory, O_DIRECT in the guest, 1 vCPU, 512 MiB; virtual time, one CPU for all"
    return loads.report(options, guests, found, title, "request")
