#!/usr/bin/python3
"""usage: console_resize.py COMMAND…: a guest that prints its window's size again and again, on a terminal that changes."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kvm"))
from on_pty import Failed, OnPty, must  # noqa: E402

try:
    with OnPty(*sys.argv[1:]) as console:
        console.expect("24 80", 90)
        for rows, columns in ((50, 132), (7, 9)):
            console.resize(rows, columns)
            os.kill(console.pid, signal.SIGWINCH)
            console.expect(f"{rows} {columns}\r", 30)
        console.type("\x01x")
        must(console.wait(30) == 38, "Ctrl-A x didn't end it")
except Failed as failed:
    print(failed)
    sys.exit(1)
