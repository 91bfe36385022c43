#!/usr/bin/python3
"""usage: terminal_cases.py CARREL GUESTS CASE      runs one case: silence and status 0, or a line that says what failed
       terminal_cases.py --list                  the cases and their descriptions"""
import inspect
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from on_pty import Failed, OnPty, cpu_ticks, must  # noqa: E402

PROMPT = "carrel> "
END = "\x01x"  # Ctrl-A x


def carrel(*arguments, **options):
    return OnPty(CARREL, "run", *arguments, **options)


def guest(name):
    return f"{GUESTS}/{name}.elf"


def at_prompt(*arguments):
    console = carrel(*arguments)
    console.expect(PROMPT)
    must(console.is_raw(), "the terminal isn't raw while the guest runs")
    return console


def ends(console, status, seconds=30):
    got = console.wait(seconds)
    must(got == status, f"ended with {got}, not {status}; printed: {console.output[-600:]!r}")
    must(console.is_restored(), "the terminal isn't as it was")


def power_off():
    """raw while the guest runs, restored when it powers off"""
    with at_prompt() as console:
        console.type("poweroff\r")
        ends(console, 0)


def end_key():
    """Ctrl-A x ends the guest"""
    with at_prompt() as console:
        console.type(END)
        ends(console, 38)


def end_key_while_stuck():
    """Ctrl-A x ends a guest that hangs with interrupts off and reads nothing"""
    with carrel(guest("hang")) as console:
        console.wait_until(console.is_raw, "raw")
        console.type("typed at nobody" + END)
        ends(console, 38)


def end_key_after_a_paste():
    """Ctrl-A x after 100,000 bytes that a hanging guest doesn't read"""
    with carrel(guest("hang")) as console:
        console.wait_until(console.is_raw, "raw")
        left = b"x" * 100000 + END.encode()
        deadline = time.monotonic() + 20
        while left and time.monotonic() < deadline:
            try:
                left = left[os.write(console.master, left):]
            except BlockingIOError:
                time.sleep(0.02)
        must(not left, f"{len(left)} bytes were never taken")
        ends(console, 38)


def help_key():
    """Ctrl-A c shows what is possible, and the guest sees nothing of it"""
    with at_prompt() as console:
        console.type("\x01c")
        console.expect("Ctrl-A x ends the guest")
        console.type("echo seen\r")
        console.expect("\nseen")
        console.type(END)
        ends(console, 38)


def escape_itself():
    """Ctrl-A Ctrl-A sends one, Ctrl-A y sends both: counted by the guest"""
    with carrel(guest("input_sum"), "--append", "bytes=4") as console:
        console.expect("ready")
        console.type("\x01\x01a\x01b")
        console.expect(f"PASS input_sum 4 bytes, sum {1 + 97 + 1 + 98}")
        ends(console, 0)


def editing():
    """commands typed at the prompt, Backspace among them"""
    with at_prompt() as console:
        console.type("echo wrrong\x7f\x7f\x7f\x7f\x7fworks\r")
        console.expect("\nwworks")
        console.type("cpu\r")
        console.expect("vendor")
        console.type(END)
        ends(console, 38)


def control_keys():
    """Ctrl-C, Ctrl-Z, Ctrl-\\, Ctrl-S and Ctrl-D are the guest's"""
    with carrel(guest("input_sum"), "--append", "bytes=6") as console:
        console.expect("ready")
        console.type("\x03\x1a\x1c\x13\x04\r")
        console.expect(f"PASS input_sum 6 bytes, sum {3 + 26 + 28 + 19 + 4 + 13}")
        ends(console, 0)


def resize():
    """a window that changes its size harms nothing"""
    with at_prompt() as console:
        for rows in range(5, 60, 5):
            console.resize(rows, rows * 2)
            os.kill(console.pid, signal.SIGWINCH)
        console.type("echo still here\r")
        console.expect("\nstill here")
        console.type(END)
        ends(console, 38)


def signal_case(*numbers):
    with carrel(guest("input_sum")) as console:
        console.expect("ready")
        for number in numbers:
            os.kill(console.pid, number)
            time.sleep(0.3)
        ends(console, 38)


def sigterm_twice():
    """restored after two SIGTERM"""
    signal_case(signal.SIGTERM, signal.SIGTERM)


def sigint_and_sighup():
    """restored after SIGINT and SIGHUP"""
    signal_case(signal.SIGINT, signal.SIGHUP)


def button_by_signal():
    """a SIGHUP lets the default guest power itself off: 38"""
    with at_prompt() as console:
        os.kill(console.pid, signal.SIGHUP)
        ends(console, 38)


def deadly_signals():
    """restored after SIGABRT, SIGSEGV, SIGQUIT, SIGUSR1 and SIGBUS, which end it as ever"""
    for number in (signal.SIGABRT, signal.SIGSEGV, signal.SIGQUIT, signal.SIGUSR1, signal.SIGBUS):
        with at_prompt() as console:
            os.kill(console.pid, number)
            ends(console, -number)


def time_out():
    """restored after a time-out"""
    with carrel("--timeout", "1s") as console:
        ends(console, 36)


def panic():
    """restored after a panic, and the sentence stands at the start of a line"""
    with carrel(guest("panic_line"), "--append", 'line="Kernel panic - not syncing: test" end=reset') as console:
        ends(console, 34)
        console.expect("\ncarrel: the guest's kernel panicked")


def failure():
    """restored after an instruction that KVM can't do, each line of the report at the start of a line"""
    with carrel(guest("bad_insn")) as console:
        ends(console, 37)
        console.expect("RIP")
        must(b"\n" not in console.output.replace(b"\r\n", b""), "a line feed without its carriage return")


def wrong_file():
    """restored after a kernel that is none"""
    with carrel("/etc/hostname") as console:
        ends(console, 35)


def verbose():
    """-v: each line at the start of a line, although the terminal is raw by then"""
    with at_prompt("-v") as console:
        must(b"carrel: command line" in console.output, "no command line")
        must(b"\n" not in console.output.replace(b"\r\n", b""), "a line feed without its carriage return")
        console.type(END)
        ends(console, 38)


def output_elsewhere():
    """with the output in a pipe the terminal is raw for input and still adds carriage returns"""
    reading, writing = os.pipe()
    with carrel(stdout=writing) as console:
        os.close(writing)
        console.wait_until(console.is_raw, "raw")
        console.type("poweroff\r")
        ends(console, 0)
    must(b"carrel> " in os.read(reading, 65536), "no prompt in the pipe")


def idle():
    """at the prompt, untouched: less than 5 % of a CPU"""
    with at_prompt() as console:
        time.sleep(1)
        before = cpu_ticks(console.pid)
        time.sleep(3)
        used = cpu_ticks(console.pid) - before
        must(used < 15, f"{used} ticks in 3 s")


def hang_up():
    """a terminal that goes away (its window was closed) ends the guest, and nothing spins"""
    console = at_prompt()
    os.close(console.slave)
    os.close(console.master)
    console.slave = console.master = -1
    try:
        must(console.program.wait(20) == 38, f"ended with {console.program.returncode}")
    finally:
        console.program.kill()


class Shell(OnPty):
    """An interactive shell on the pty, which carrel runs under as one of its jobs."""

    def __init__(self):
        super().__init__("bash", "--norc", "--noprofile", "-i")
        self.type("PS1='shell''> '; stty -echo\r")
        self.expect("shell> ")

    def start(self, *arguments, background=False):
        self.type(" ".join([CARREL, "run", *arguments]) + (" &" if background else "") + "\r")

    def job(self):
        """The pid of carrel, which is the shell's child."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found = subprocess.run(["pgrep", "-P", str(self.pid)], capture_output=True, text=True, check=False).stdout.split()
            if found:
                return int(found[0])
            time.sleep(0.05)
        raise Failed("the shell has no child")


def stop_and_go():
    """SIGTSTP from outside gives the terminal back; after fg it is raw and the guest still there; twice"""
    with Shell() as shell:
        shell.start()
        shell.expect(PROMPT)
        pid = shell.job()
        for word in ("once", "twice"):
            os.kill(pid, signal.SIGTSTP)
            shell.expect("Stopped")
            shell.expect("shell> ")
            must(not shell.is_raw(), "raw while stopped")
            shell.type("fg\r")
            shell.wait_until(shell.is_raw, "raw after fg")
            shell.type(f"echo {word}\r")
            shell.expect(f"\n{word}")
        shell.type("poweroff\r")
        shell.expect("shell> ")
        shell.type("echo status=$?\r")
        shell.expect("status=0")


def stopped_unannounced():
    """SIGSTOP can't be announced: the shell repairs its terminal, and after fg it is raw again"""
    with Shell() as shell:
        shell.start()
        shell.expect(PROMPT)
        os.kill(shell.job(), signal.SIGSTOP)
        shell.expect("shell> ")
        shell.type("fg\r")
        shell.wait_until(shell.is_raw, "raw after fg")
        shell.type("echo back\r")
        shell.expect("\nback")
        shell.type(END)
        shell.expect("shell> ")
        must(not shell.is_raw(), "raw at the shell's prompt")


def background():
    """started with &: it runs, isn't stopped, steals no key and no setting; fg makes it the terminal's"""
    with Shell() as shell:
        shell.start(background=True)
        pid = shell.job()
        time.sleep(2)
        before = cpu_ticks(pid)
        shell.type("echo the shell $((40 + 2))\r")
        shell.expect("the shell 42")
        shell.expect("shell> ")
        must(not shell.is_raw(), "raw in the background")
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            must(stat.read().rpartition(")")[2].split()[0] != "T", "it was stopped")
        time.sleep(2)
        must(cpu_ticks(pid) - before < 15, "it spins in the background")
        shell.type("fg\r")
        shell.wait_until(shell.is_raw, "raw after fg")
        shell.type("poweroff\r")
        shell.expect("shell> ")
        must(not shell.is_raw(), "raw at the shell's prompt")
        shell.type("stty -a\r")
        shell.expect(" icanon")


CASES = [case for name, case in list(globals().items()) if inspect.isfunction(case) and case.__doc__
         and case.__module__ == "__main__"]

if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        for case in CASES:
            print(case.__name__, case.__doc__)
        sys.exit(0)
    CARREL, GUESTS, wanted = sys.argv[1:4]
    try:
        next(case for case in CASES if case.__name__ == wanted)()
    except Failed as failed:
        print(failed)
        sys.exit(1)
