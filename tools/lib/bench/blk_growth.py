"""tools/bench blk --growth: how a request's cost grows with depth and size, with disks and guests that idle, and with queues."""
from dataclasses import replace

import blk
import emulated
import loads
import vmms
from tables import aligned

DEPTHS = (1, 2, 4, 8, 16, 32, 64)
SIZES_KIB = (8, 16, 64, 256, 1024)
DISKS = (1, 8, 24)
GUESTS = (1, 4, 16)
QUEUES = (1, 2, 4)  # with as many vCPUs as the most
DEPTH_LOADS = tuple(blk.load(f"{depth} deep", "randread", 4096, depth, 4096) for depth in DEPTHS)
SIZE_LOADS = tuple(blk.load(f"{size} KiB", "read", size << 10, 4, min(4096, (128 << 10) // size)) for size in SIZES_KIB)
SHORT_LOADS = blk.LOADS[:2]


def table(title, guests, found):
    print(f"{title}\n\n" + "\n".join(aligned(loads.figure_rows(guests, found))) + "\n")


def beside(kernel, guests):
    one = vmms.command("carrel", kernel, "vmlinuz", f"{loads.APPEND} {loads.IDLE}", memory_mib=128)
    return [[loads.IDLE, *one[1:], "--disk", f"{blk.DISK}1,ro"]] * (guests - 1)


def main(options):
    only = options.only or ["carrel", "q35"]
    many = [loads.Guest(f"{disks} disks", blk.command("carrel", options.kernel, options.option, disks), SHORT_LOADS) for disks in DISKS]
    several = [loads.Guest(f"{queues} queues", blk.command("carrel", options.kernel, options.option, 1, max(QUEUES), f",queues={queues}"),
                           SHORT_LOADS) for queues in QUEUES]
    crowd = [loads.Guest(f"{guests} guests", blk.command("carrel", options.kernel, options.option), SHORT_LOADS,
                         beside=beside(options.kernel, guests)) for guests in GUESTS]
    deep = [loads.Guest(vmm, blk.command(vmm, options.kernel, options.option), DEPTH_LOADS + SIZE_LOADS) for vmm in only]
    shown = deep + many + crowd + several
    emulated.say(f"{len(shown)} guests, about {80 + 40 * len(shown)} s on an idle machine ...")
    found = loads.run(options, deep, blk.needs(), loads.guest_script(DEPTH_LOADS + SIZE_LOADS, counted=False))
    found |= loads.run(options, many + crowd + several, blk.needs(max(DISKS)), loads.guest_script(SHORT_LOADS, counted=False))
    for title, one_loads in (("4 KiB reads, by how many are under way", DEPTH_LOADS), ("Reads 4 deep, by their size", SIZE_LOADS)):
        table(f"{title}, 1 vCPU", [replace(guest, loads=one_loads) for guest in deep], found)
    table("carrel, the first of several disks, 1 vCPU", many, found)
    table("carrel, beside guests that idle, 1 vCPU", crowd, found)
    table(f"carrel, {max(QUEUES)} vCPUs on one processor", several, found)
    return loads.end(options, shown, found)
