#!/usr/bin/python3
"""usage: power_cut.py raw|ext4 CUTS SEED -- COMMAND...

Runs COMMAND, a machine whose disk is `nbd:unix:$NBD_SOCKET` and that prints power_cut_load.c's lines, and cuts the disk's power
CUTS times at random moments; COMMAND is killed at the last. On the disk the load's own disk lies as it is (raw) or as /disk of
an ext4 (ext4). Prints how many acknowledged blocks each cut would have lost, and ends with status 1 when that was any.

Why a cut needs no boot of its own: while the disk is stalled nothing is answered, so no flush ends, and whatever is acknowledged
until the stall ends was acknowledged because of what had been durable when it began. The state is taken at the beginning, the
acknowledgements at the end: a machine killed in between had got no further, and its user had seen no more. A wrong
acknowledgement that comes while the disk is silent is one more that is found. Then it goes on as if nothing had been.

The tests' test: beside the real state, that of a disk that does each flush one too late is checked, which has to show losses."""
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
import threading
import time

import nbd_volatile

MAGIC, SECTOR, SECTORS_PER_BLOCK = 0x6C65727261632121, 512, 8
LOAD_BYTES, EXT4_BYTES = 2 << 20, 32 << 20
BEGIN_SECONDS, LONGEST_GAP, SILENCE, LONGEST_STALL = 150, 1.5, 0.4, 3.0
ACK = re.compile(rb"ack (\d+) (\d+) (\d+)\r?$")


class Console(threading.Thread):
    """What COMMAND printed: the load's acknowledgements, and all else for whoever has to find out why there were none."""

    def __init__(self, stream):
        super().__init__(daemon=True)
        self.stream, self.acks, self.other, self.last = stream, [], [], time.monotonic()

    def run(self):
        for line in self.stream:
            self.last = time.monotonic()
            if found := ACK.search(line):
                self.acks.append(tuple(map(int, found.groups())))
            else:
                self.other.append(line.decode(errors="replace").rstrip())

    def wait_for_acks(self, number, seconds):
        limit = time.monotonic() + seconds
        while len(self.acks) < number and time.monotonic() < limit and self.is_alive():
            time.sleep(0.05)
        return len(self.acks) >= number

    def wait_for_silence(self):
        begin = time.monotonic()
        while time.monotonic() - max(self.last, begin) < SILENCE and time.monotonic() - begin < LONGEST_STALL:
            time.sleep(0.02)


def wanted_blocks(acks):
    """Block number -> the sequence number that it was last acknowledged with."""
    return {block: sequence for sequence, slot, count in acks for block in range(slot, slot + count)}


def lost_blocks(image, acks):
    """The blocks with a sector that is older than acknowledged, no sector of the load's, another's, or of the future."""
    newest = acks[-1][0] + 1 if acks else 0  # one write is on its way
    lost = []
    for block, acknowledged in wanted_blocks(acks).items():
        for number in range(block * SECTORS_PER_BLOCK, (block + 1) * SECTORS_PER_BLOCK):
            sector = image[number * SECTOR:(number + 1) * SECTOR]
            if len(sector) < SECTOR or not is_good(sector, number, acknowledged, newest):
                lost.append(block)
                break
    return lost


def is_good(sector, number, oldest, newest):
    magic, sequence, its_number = struct.unpack_from("<QQQ", sector)
    return magic == MAGIC and its_number == number and oldest <= sequence <= newest and len(set(sector[24:])) == 1


def load_of(kind, image, folder):
    """The load's disk out of the surviving image; from an ext4 as its next user gets it, with the journal replayed."""
    if kind == "raw":
        return image
    survivor, load = os.path.join(folder, "survivor"), os.path.join(folder, "load")
    with open(survivor, "wb") as file:
        file.write(image)
    checked = subprocess.run(["/sbin/e2fsck", "-fy", survivor], capture_output=True, text=True, check=False)
    if checked.returncode > 1:  # 1: errors (a journal to replay) corrected
        print(checked.stdout)
        return b""
    subprocess.run(["/sbin/debugfs", "-R", f"dump /disk {load}", survivor], capture_output=True, check=True)
    with open(load, "rb") as file:
        return file.read()


def first_image(kind, folder):
    if kind == "raw":
        return bytes(LOAD_BYTES)
    path, tree = os.path.join(folder, "ext4"), os.path.join(folder, "tree")
    os.mkdir(tree)
    with open(os.path.join(tree, "disk"), "wb") as file:
        file.truncate(LOAD_BYTES)  # holes: writes allocate, and what is allocated has to survive, too
    with open(path, "wb") as file:
        file.truncate(EXT4_BYTES)
    subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-J", "size=4", "-d", tree, path], check=True)
    with open(path, "rb") as file:
        return file.read()


def cut(server, console, chance, last):
    """The state and what may be expected of it, the latter as seen after a while in which the disk was silent."""
    with server.powered:
        state, late = server.disk.after_power_cut(chance), server.disk.after_late_power_cut()
        console.wait_for_silence()
        acks = list(console.acks)
        if last:
            last.kill()
            last.wait()
    return state, late, acks


def main():
    kind, cuts, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    command = sys.argv[sys.argv.index("--") + 1:]
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "nbd")
        server = nbd_volatile.Server(path, nbd_volatile.Disk(first_image(kind, folder)), seed)
        server.start()
        command = [word.replace("$NBD_SOCKET", path) for word in command]
        machine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            return run(kind, cuts, chance, server, machine, folder)
        finally:
            machine.kill()
            machine.wait()


def run(kind, cuts, chance, server, machine, folder):
    console = Console(machine.stdout)
    console.start()
    lost = late_lost = 0
    for number in range(1, cuts + 1):
        # Something new each time, and then any moment.
        if not console.wait_for_acks(len(console.acks) + 1, BEGIN_SECONDS):
            print("\n".join(console.other[-20:]) + "\npower_cut.py: the load doesn't go on")
            return 2
        time.sleep(chance.random() * LONGEST_GAP)
        state, late, acks = cut(server, console, chance, machine if number == cuts else None)
        missing = lost_blocks(load_of(kind, state, folder), acks)
        lost += len(missing)
        late_lost += bool(lost_blocks(load_of(kind, late, folder), acks))
        if missing:
            print(f"cut {number}: {len(missing)} blocks of {len(wanted_blocks(acks))} are not as acknowledged: {missing[:8]}")
    disk = server.disk
    print(f"{kind}: {cuts} cuts, {len(console.acks)} acknowledged writes, {lost} blocks lost; the disk saw {disk.writes} writes, "
          f"{disk.flushes} flushes, {disk.fua_writes} with FUA; a late disk would have lost some at {late_lost} cuts")
    if late_lost * 4 < cuts:
        print("power_cut.py: a disk that flushes too late was not found: these cuts prove nothing")
        return 3
    return 1 if lost else 0


sys.exit(main())
