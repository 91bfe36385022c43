#!/usr/bin/python3
"""Lists a newc archive from stdin, one line an entry: MODE (octal) SIZE NAME [-> TARGET]. It reads the format by its
specification (buffer-format.rst), not by the writer in tools/lib."""
import sys

data = sys.stdin.buffer.read()
at = 0
while True:
    assert data[at:at + 6] == b"070701", f"no header at {at}"
    fields = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
    mode, size, name_size = fields[1], fields[6], fields[11]
    name = data[at + 110:at + 110 + name_size - 1].decode()
    body = (at + 110 + name_size + 3) & ~3
    at = (body + size + 3) & ~3
    if name == "TRAILER!!!":
        print(f"{mode:o} {size} {name}")
        break
    target = f" -> {data[body:body + size].decode()}" if mode & 0o170000 == 0o120000 else ""
    print(f"{mode:o} {size} {name}{target}")
