#!/usr/bin/python3
"""usage: pty_client.py CARREL

`--serial pty`: attaches to the default guest's console, goes, comes back, and must get each answer and the last words."""
import os
import re
import select
import subprocess
import sys
import time


def read_until(fd, text, seconds=20):
    """What came until `text` did; None at the end of time or of the pty."""
    output, deadline = b"", time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not select.select([fd], [], [], 0.2)[0]:
            continue
        try:
            piece = os.read(fd, 4096)
        except OSError:
            break
        if not piece:
            break
        output += piece
        if text in output:
            return output
    print(f"no {text!r}, but {output[-300:]!r}")
    return None


def talk(name, command, answer):
    client = os.open(name, os.O_RDWR | os.O_NOCTTY)
    try:
        os.write(client, command.encode() + b"\r")
        return read_until(client, answer.encode()) is not None
    finally:
        os.close(client)


with subprocess.Popen([sys.argv[1], "run", "--serial", "pty"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as guest:
    try:
        name = re.search(rb"/dev/pts/\d+", guest.stderr.readline()).group().decode()
        good = talk(name, "echo first", "\nfirst")
        time.sleep(1)
        good = good and talk(name, "help", "reboot") and talk(name, "echo second", "\nsecond")
        good = good and talk(name, "poweroff", "power")
        status = guest.wait(10)
    finally:
        guest.kill()
print(f"status {status}, pty still there: {os.path.exists(name)}")
sys.exit(0 if good and status == 0 and not os.path.exists(name) else 1)
