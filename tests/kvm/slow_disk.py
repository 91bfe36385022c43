#!/usr/bin/python3
"""usage: slow_disk.py FOLDER MIB

Mounts FOLDER with one file in it, `disk`, of so many MiB of zeroes (FUSE, by <linux/fuse.h>), and prints `mounted`. Reads are answered
at once, but not while there is a file FOLDER.stuck. Ends when it is unmounted, or asked to."""
import contextlib
import ctypes
import errno
import os
import select
import signal
import struct
import sys

LOOKUP, FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, STATFS, RELEASE, FSYNC, FLUSH, INIT, INTERRUPT, DESTROY, BATCH_FORGET = (
    1, 2, 3, 4, 14, 15, 16, 17, 18, 20, 25, 26, 36, 38, 42)
DIRECT_IO = 1  # FOPEN_DIRECT_IO: each read comes here
ROOT, DISK = 1, 2
REQUEST = struct.Struct("<IIQQIIII")  # fuse_in_header


class Server:
    """One connection to the kernel."""

    def __init__(self, folder, size):
        self.size, self.stuck, self.waiting = size, f"{folder}.stuck", []
        self.device = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"slow_disk", folder.encode(), b"fuse", 0, options) != 0:
            sys.exit(f"mount: {os.strerror(ctypes.get_errno())}")

    def answer(self, unique, data=b"", error=0):
        with contextlib.suppress(FileNotFoundError):  # who asked doesn't wait any more
            os.write(self.device, struct.pack("<IiQ", 16 + len(data), -error, unique) + data)

    def attributes(self, node):
        mode, size = (0o40755, 0) if node == ROOT else (0o100600, self.size)
        return struct.pack("<6Q10I", node, size, size // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def serve(self, code, unique, node, body):
        if code == INIT:
            self.answer(unique, struct.pack("<4I2H2I2H8I", 7, 31, 0, 0, 16, 16, 131072, 1, 0, 0, *[0] * 8))
        elif code == LOOKUP:
            if body.rstrip(b"\0") == b"disk":
                self.answer(unique, struct.pack("<4Q2I", DISK, 0, 1, 1, 0, 0) + self.attributes(DISK))
            else:
                self.answer(unique, error=errno.ENOENT)
        elif code in (GETATTR, SETATTR):
            self.answer(unique, struct.pack("<Q2I", 1, 0, 0) + self.attributes(node))
        elif code == OPEN:
            self.answer(unique, struct.pack("<Q2I", 0, DIRECT_IO, 0))
        elif code == READ:
            _, offset, length = struct.unpack_from("<QQI", body)
            self.waiting.append((unique, bytes(max(min(length, self.size - offset), 0))))
        elif code == WRITE:
            self.answer(unique, struct.pack("<2I", struct.unpack_from("<QQI", body)[2], 0))
        elif code == STATFS:
            self.answer(unique, bytes(80))
        elif code in (RELEASE, FSYNC, FLUSH, DESTROY):
            self.answer(unique)
        elif code not in (FORGET, INTERRUPT, BATCH_FORGET):  # which have no answer
            self.answer(unique, error=errno.ENOSYS)

    def run(self):
        poll = select.poll()
        poll.register(self.device, select.POLLIN)
        while True:
            if poll.poll(20 if self.waiting else None):
                try:
                    request = os.read(self.device, 1 << 18)
                except OSError as failed:
                    if failed.errno == errno.ENODEV:  # unmounted
                        return
                    if failed.errno in (errno.EINTR, errno.ENOENT):
                        continue
                    raise
                _, code, unique, node, *_ = REQUEST.unpack_from(request)
                self.serve(code, unique, node, request[REQUEST.size:])
            if self.waiting and not os.path.exists(self.stuck):
                for unique, data in self.waiting:
                    self.answer(unique, data)
                self.waiting.clear()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = Server(sys.argv[1], int(sys.argv[2]) << 20)
    print("mounted", flush=True)
    server.run()


main()
