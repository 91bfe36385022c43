#!/usr/bin/python3
"""The part of tools/kvm-host that runs QEMU: relays the command's streams, waits for its status, and ends
the machine on every way out. Its options are kvm-host's own; lib/kvm-host-init is the other end.

Each stream is a virtio-serial port on a socket pair, so that a full pipe here stops the command there and
nothing is lost in between.
"""
import argparse
import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import tty

sys.dont_write_bytecode = True
import qemu_mend  # noqa: E402 pylint: disable=wrong-import-position

TIMED_OUT, NEVER_REPORTED, BROKEN_PIPE = 124, 125, 141
CHUNK = 65536
CONSOLE_KEPT = 16384
PORTS = {"stdin": 1, "stdout": 2, "stderr": 3, "control": 4}

# TSC: TCG derives those of all CPUs from one clock, but the kernel's test for that fails under it and would
# take the slow ACPI timer. Crypto self-tests cost 0.4 s and test nothing of ours. The test of the PIT counts its ticks against
# the clock on the wall: where the machine around is busy, QEMU loses ticks, and the kernel panics for it.
KERNEL_COMMAND_LINE = "console=ttyS0 quiet panic=-1 cryptomgr.notests no_timer_check tsc=reliable"


class Ended(Exception):
    """The run is over with this exit status, for this reason."""

    def __init__(self, status, reason=None, show_console=False):
        super().__init__(reason)
        self.status, self.reason, self.show_console = status, reason, show_console


def options():
    parser = argparse.ArgumentParser()
    for name in ("kernel", "initrd", "icount", "memory", "terminal", "append"):
        parser.add_argument("--" + name, required=True)
    for name in ("cpus", "timeout"):
        parser.add_argument("--" + name, required=True, type=int)
    parser.add_argument("--disk", action="append", default=[])
    return parser.parse_args()


def qemu_command(asked, ends):
    """`pc` starts as fast as `microvm` here; without HPET the kernel calibrates the TSC by the PIT at once."""
    # Without ioeventfd a port's doorbell is served in the CPU's own thread: deterministic under icount.
    devices = ["-device", "virtio-serial-pci,ioeventfd=off"]
    for name, end in ends.items():
        devices += ["-chardev", f"socket,id={name},fd={end.fileno()}"]
        if name == "terminal":
            devices += ["-device", "virtconsole,nr=0,chardev=terminal"]
        elif name in PORTS:
            devices += ["-device", f"virtserialport,nr={PORTS[name]},chardev={name},name={name}"]
    for number, disk in enumerate(asked.disk):
        # A comma would end the name: two stand for one. `writeback` hands each flush on to the file or the server.
        devices += ["-drive", f"if=none,id=disk{number},format=raw,cache=writeback,file={disk.replace(',', ',,')}",
                    "-device", f"virtio-blk-pci,drive=disk{number}"]
    append = KERNEL_COMMAND_LINE + asked.append
    counting = []
    if asked.icount == "yes":
        counting = ["-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01,clock=vm", "-seed", "1"]
        append += " nokaslr"
    # All CPUs take turns in one thread: with a thread each, QEMU's VMRUN and #VMEXIT change interrupt_request beside other
    # threads that do (svm_helper.c of 7.2 takes no lock there), which loses interrupts and delivers some never sent.
    return ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64",
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-machine", "pc,hpet=off", "-accel", "tcg,thread=single", "-cpu", "max,+svm",
            "-smp", str(asked.cpus), "-m", asked.memory, *counting,
            "-kernel", asked.kernel, "-initrd", asked.initrd, "-append", append,
            "-serial", "chardev:console", *devices]


def write_all(destination, data):
    """Blocks even where whoever shares this descriptor has made it non-blocking."""
    while data:
        try:
            data = data[os.write(destination, data):]
        except BlockingIOError:
            poll = select.poll()
            poll.register(destination, select.POLLOUT)
            poll.poll()


class Machine:
    def __init__(self, asked):
        self.asked = asked
        self.terminal = asked.terminal == "yes"
        self.qemu = None
        self.ours = {}
        self.console = b""
        self.control = b""
        self.ready = False
        self.pending = b""  # read from stdin, not yet taken by the machine
        self.stdin_open = True

    def start(self):
        names = ["console", "control"] + (["terminal"] if self.terminal else ["stdin", "stdout", "stderr"])
        pairs = {name: socket.socketpair() for name in names}
        self.ours = {name: pair[0] for name, pair in pairs.items()}
        theirs = {name: pair[1] for name, pair in pairs.items()}
        initrd = int(os.path.basename(self.asked.initrd))
        inherited = [end.fileno() for end in theirs.values()] + [initrd]
        # QEMU's own complaints go where the machine's console goes: shown when it ends without a status.
        self.qemu = subprocess.Popen(qemu_command(self.asked, theirs), stdin=subprocess.DEVNULL,
                                     stdout=theirs["console"], stderr=theirs["console"], pass_fds=inherited)
        qemu_mend.mend(self.qemu)
        for end in theirs.values():
            end.close()
        os.close(initrd)
        if self.terminal:
            tty.setraw(0)
            signal.signal(signal.SIGWINCH, lambda *_: self.send_size())

    def end(self):
        if self.qemu:
            self.qemu.kill()
            self.qemu.wait()

    # --- one round of the loop ---

    def wait(self):
        """Blocks until something can move, and moves it."""
        poll = select.poll()
        inward = self.ours["terminal" if self.terminal else "stdin"]
        for name, end in self.ours.items():
            if name != "stdin":
                poll.register(end, select.POLLIN)
        if self.pending:
            poll.register(inward, select.POLLOUT | (select.POLLIN if self.terminal else 0))
        elif self.stdin_open and self.ready:
            poll.register(0, select.POLLIN)
        happened = dict(poll.poll())
        if happened.get(inward.fileno(), 0) & select.POLLOUT:
            self.push_stdin(inward)
        if 0 in happened:
            self.pull_stdin(inward)
        for name, destination in (("terminal", 1), ("stdout", 1), ("stderr", 2)):
            if name in self.ours and self.ours[name].fileno() in happened:
                self.relay(name, destination)
        # Last: what the command wrote before it ended is in the other sockets already.
        for name in ("console", "control"):
            if name in self.ours and self.ours[name].fileno() in happened:
                getattr(self, "read_" + name)()

    def relay(self, name, destination):
        write_all(destination, self.receive(name))

    def receive(self, name, flags=0):
        try:
            return self.ours[name].recv(CHUNK, flags)
        except (ConnectionResetError, BlockingIOError):
            return b""

    def pull_stdin(self, inward):
        self.pending = os.read(0, CHUNK)
        if not self.pending:
            self.stdin_open = False
            if not self.terminal:
                inward.shutdown(socket.SHUT_WR)

    def push_stdin(self, inward):
        try:
            self.pending = self.pending[inward.send(self.pending, socket.MSG_DONTWAIT):]
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            self.pending, self.stdin_open = b"", False

    def read_console(self):
        data = self.receive("console")
        if not data:
            raise Ended(NEVER_REPORTED, "the machine ended before the command reported its status", True)
        self.console = (self.console + data)[-CONSOLE_KEPT:]

    def read_control(self):
        data = self.receive("control")
        if not data:
            # QEMU is gone; the console's end, after its last words, says so.
            self.ours["control"].close()
            del self.ours["control"]
            return
        *lines, self.control = (self.control + data).split(b"\n")
        for line in lines:
            word, _, rest = line.decode(errors="replace").partition(" ")
            if word == "ready":
                self.ready = True
                self.send_size()
            elif word == "fail":
                raise Ended(NEVER_REPORTED, rest, True)
            elif word == "exit":
                self.drain()
                raise Ended(int(rest))

    def drain(self):
        for name, destination in (("terminal", 1), ("stdout", 1), ("stderr", 2)):
            while name in self.ours:
                data = self.receive(name, socket.MSG_DONTWAIT)
                if not data:
                    break
                write_all(destination, data)

    def send_size(self):
        if self.terminal and self.ready and "control" in self.ours:
            size = struct.unpack("HHHH", fcntl.ioctl(0, termios.TIOCGWINSZ, b"\0" * 8))
            self.ours["control"].sendall(b"%d %d\n" % (size[0] or 24, size[1] or 80))


def arm_signals(timeout):
    def ended_by(number, _frame):
        raise Ended(128 + number)

    def timed_out(_number, _frame):
        raise Ended(TIMED_OUT, f"timed out after {timeout} s; the machine was ended", True)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup, or a shell's background job
            signal.signal(number, ended_by)
    signal.signal(signal.SIGALRM, timed_out)
    signal.alarm(timeout)


def disarm_signals():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, signal.SIGWINCH):
        signal.signal(number, signal.SIG_IGN)


def serve(machine):
    """Runs the machine to its end, and says which."""
    try:
        machine.start()
        while True:
            machine.wait()
    except BrokenPipeError:
        return Ended(BROKEN_PIPE)
    except Ended as ended:
        return ended


def run(asked):
    machine = Machine(asked)
    settings = termios.tcgetattr(0) if machine.terminal else None
    arm_signals(asked.timeout)
    try:
        return machine, serve(machine)
    finally:
        disarm_signals()
        machine.end()
        if settings:
            termios.tcsetattr(0, termios.TCSADRAIN, settings)


def last_words(lines):
    """From where the panic begins, else the last lines."""
    begin = next((i for i, line in enumerate(lines) if "Kernel panic" in line), max(0, len(lines) - 20))
    return lines[begin:begin + 30]


def report(machine, ended):
    if ended.reason is None:
        return
    lines = [f"kvm-host: {ended.reason}."]
    tail = last_words(machine.console.decode(errors="replace").replace("\r", "").splitlines())
    if ended.show_console and tail:
        lines += ["The last lines of its console:"] + ["  | " + line for line in tail]
    print("\n".join(lines), file=sys.stderr)


def main():
    machine, ended = run(options())
    report(machine, ended)
    return ended.status


sys.exit(main())
