#!/usr/bin/python3
"""usage: converse.py SECONDS [WAIT-FOR TYPE]... -- COMMAND...

Runs COMMAND on a pseudo-terminal of 24 lines by 100 columns. Each time that WAIT-FOR (a regular expression) shows,
TYPE is typed (\\r is Enter, \\x01 is Ctrl-A). Prints all that COMMAND printed and ends with its status; 124 when
SECONDS have passed first, with what was being waited for."""
import codecs
import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time


def parse(words):
    limit = time.monotonic() + float(words[0])
    end = words.index("--")
    turns = list(zip(words[1:end:2], words[2:end:2]))
    return limit, turns, words[end + 1:]


def start(command):
    pid, master = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    return pid, master


def read(master, limit):
    """What came, or None at the end of COMMAND or of the time."""
    ready, _, _ = select.select([master], [], [], max(0, limit - time.monotonic()))
    if not ready:
        return None
    try:
        return os.read(master, 65536) or None
    except OSError:
        return None


def main():
    limit, turns, command = parse(sys.argv[1:])
    pid, master = start(command)
    unseen = b""
    while (part := read(master, limit)) is not None:
        sys.stdout.buffer.write(part.replace(b"\r", b""))
        sys.stdout.flush()
        unseen += part
        while turns and (found := re.search(turns[0][0].encode(), unseen)):
            unseen = unseen[found.end():]
            os.write(master, codecs.decode(turns.pop(0)[1], "unicode_escape").encode())
    if time.monotonic() >= limit:
        os.close(master)  # a hang-up for COMMAND
        print("\nconverse.py: out of time" + (f" while waiting for {turns[0][0]!r}" if turns else ""))
        sys.exit(124)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 0xFF)


main()
