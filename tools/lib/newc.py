#!/usr/bin/python3
"""usage: newc.py < MANIFEST > ARCHIVE

Writes a cpio archive in the newc format (Documentation/driver-api/early-userspace/buffer-format.rst), as the
kernel unpacks it. The same input gives the same bytes: entries are sorted, everything belongs to root, and
all times are 0. One line a file, fields separated by tabs; a later line replaces an earlier one for the same PATH:

    dir     PATH MODE
    file    PATH MODE SOURCE
    tree    PATH SOURCE          a folder and all below it; symbolic links stay links
    link    PATH TARGET
    node    PATH MODE MAJOR MINOR    a character device

Parents are made as needed. Where a parent is itself a link of the manifest (/bin -> usr/bin), the entry goes
where the link leads. Needs no privilege: devices are only described.
"""
import os
import shutil
import stat
import sys

TRAILER = "TRAILER!!!"


class Entry:
    def __init__(self, mode, source=None, data=b"", device=(0, 0)):
        self.mode, self.source, self.data, self.device = mode, source, data, device


def fail(line, why):
    sys.exit(f"newc.py: {line!r}: {why}")


def add_tree(entries, path, source):
    for folder, folders, files in os.walk(source):
        inside = os.path.normpath(os.path.join(path, os.path.relpath(folder, source)))
        entries[inside] = Entry(stat.S_IFDIR | 0o755)
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in files + links:
            outside = os.path.join(folder, name)
            if os.path.islink(outside):
                entries[os.path.join(inside, name)] = Entry(stat.S_IFLNK | 0o777, data=os.fsencode(os.readlink(outside)))
            elif os.path.isfile(outside):
                mode = 0o755 if os.stat(outside).st_mode & 0o111 else 0o644
                entries[os.path.join(inside, name)] = Entry(stat.S_IFREG | mode, source=outside)


def parse(lines):
    entries = {}
    for line in lines:
        kind, path, *rest = line.rstrip("\n").split("\t")
        path = os.path.normpath("/" + path.lstrip("/"))
        if kind == "dir":
            entries[path] = Entry(stat.S_IFDIR | int(rest[0], 8))
        elif kind == "file":
            if not os.path.isfile(rest[1]):
                fail(line, "SOURCE is no regular file")
            entries[path] = Entry(stat.S_IFREG | int(rest[0], 8), source=rest[1])
        elif kind == "tree":
            add_tree(entries, path, rest[0])
        elif kind == "link":
            entries[path] = Entry(stat.S_IFLNK | 0o777, data=os.fsencode(rest[0]))
        elif kind == "node":
            entries[path] = Entry(stat.S_IFCHR | int(rest[0], 8), device=(int(rest[1]), int(rest[2])))
        else:
            fail(line, "no such kind of entry")
    return entries


def resolve(entries, path):
    """Path with each parent that is a link replaced by what it points at."""
    done = "/"
    parts = path.strip("/").split("/")
    for part in parts[:-1]:
        done = os.path.join(done, part)
        for _ in range(8):
            entry = entries.get(done)
            if entry is None or not stat.S_ISLNK(entry.mode):
                break
            done = os.path.normpath(os.path.join(os.path.dirname(done), os.fsdecode(entry.data)))
    return os.path.join(done, parts[-1])


def complete(entries):
    """Resolved paths, with all parents."""
    result = {}
    for path, entry in entries.items():
        if path != "/":
            result[resolve(entries, path)] = entry
    for path in list(result):
        parent = os.path.dirname(path)
        while parent != "/":
            result.setdefault(parent, Entry(stat.S_IFDIR | 0o755))
            parent = os.path.dirname(parent)
    return result


def write_entry(out, inode, name, entry):
    size = os.stat(entry.source).st_size if entry.source else len(entry.data)
    encoded = os.fsencode(name) + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = (inode, entry.mode, 0, 0, links, 0, size, 0, 0, *entry.device, len(encoded), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    out.write(header + b"\0" * (-len(header) % 4))
    if entry.source:
        with open(entry.source, "rb") as file:
            shutil.copyfileobj(file, out, 1 << 20)
    else:
        out.write(entry.data)
    out.write(b"\0" * (-size % 4))


def main():
    entries = complete(parse(open(0, encoding="utf-8", errors="surrogateescape")))
    out = sys.stdout.buffer
    for inode, path in enumerate(sorted(entries), 1):
        write_entry(out, inode, path.lstrip("/"), entries[path])
    write_entry(out, 0, TRAILER, Entry(0))


main()
