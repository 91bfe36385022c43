#!/usr/bin/python3
"""usage: on_terminal.py ROWS COLUMNS COMMAND...

Runs COMMAND on a pseudo-terminal of that size, types `hello` and Enter once it has printed a line, prints what it
printed, and says whether the terminal's settings were as before at the end."""
import fcntl
import os
import struct
import subprocess
import sys
import termios

master, slave = os.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", int(sys.argv[1]), int(sys.argv[2]), 0, 0))
before = termios.tcgetattr(slave)
command = subprocess.Popen(sys.argv[3:], stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
output = b""
typed = False
while command.poll() is None:
    os.set_blocking(master, False)
    try:
        output += os.read(master, 4096)
    except BlockingIOError:
        try:
            command.wait(0.05)
        except subprocess.TimeoutExpired:
            pass
    if not typed and b"\n" in output:
        os.write(master, b"hello\r")
        typed = True
try:
    output += os.read(master, 65536)
except BlockingIOError:
    pass
print(output.decode(errors="replace").replace("\r", ""))
print("settings restored" if termios.tcgetattr(slave) == before else "settings NOT restored")
sys.exit(command.returncode)
