"""A program on a pseudo-terminal, for tests: what it printed, what it made of the terminal's settings, how it ended."""
import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time


class Failed(Exception):
    """A test's wish that didn't come true."""


class OnPty:
    """Runs `command` as the leader of a session that this pty controls. Use as a context: at its end the program dies."""

    def __init__(self, *command, **options):
        self.master, self.slave = os.openpty()
        self.resize(24, 80)
        self.before = termios.tcgetattr(self.slave)
        self.output = b""
        self.seen = 0  # up to here expect() has looked
        self.program = subprocess.Popen(
            command, stdin=self.slave, stdout=options.get("stdout", self.slave), stderr=options.get("stderr", self.slave),
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.pid = self.program.pid
        os.set_blocking(self.master, False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.program.kill()
        self.program.wait()
        for fd in (self.master, self.slave):
            if fd >= 0:
                os.close(fd)

    def resize(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds):
        """Takes in what comes within `seconds`, at least one piece if any comes."""
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            self.output += os.read(self.master, 65536)
        except (BlockingIOError, OSError):
            return False
        return True

    def expect(self, text, seconds=30):
        """Waits for `text` in what was printed since the last thing that was expected."""
        deadline = time.monotonic() + seconds
        wanted = text.encode()
        while True:
            at = self.output.find(wanted, self.seen)
            if at >= 0:
                self.seen = at + len(wanted)
                return
            if time.monotonic() > deadline:
                raise Failed(f"no {text!r} in {seconds} s; printed: {self.output[self.seen:][-600:]!r}")
            self.read(0.1)

    def type(self, text):
        for byte in text.encode():
            os.write(self.master, bytes([byte]))

    def wait(self, seconds=30):
        """The exit status, negative for a signal."""
        deadline = time.monotonic() + seconds
        while self.program.poll() is None:
            if time.monotonic() > deadline:
                raise Failed(f"still running after {seconds} s; printed: {self.output[-600:]!r}")
            self.read(0.05)
        while self.read(0.05):
            pass
        return self.program.returncode

    def is_raw(self):
        return not termios.tcgetattr(self.slave)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    def is_restored(self):
        return termios.tcgetattr(self.slave) == self.before

    def wait_until(self, wish, what, seconds=10):
        deadline = time.monotonic() + seconds
        while not wish():
            if time.monotonic() > deadline:
                raise Failed(f"{what}: not within {seconds} s; printed: {self.output[-600:]!r}")
            self.read(0.05)


def must(wish, what):
    if not wish:
        raise Failed(what)


def cpu_ticks(pid):
    """User and system time in 1/100 s, all threads."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
