#!/usr/bin/python3
"""usage: opens_only.py RECORD THREAD... -- COMMAND...

Runs COMMAND under a seccomp filter that asks this process about each call that opens a file, makes or connects a socket, or
executes a program (the processes that COMMAND starts are asked about, too). Only threads of these names may: for all others
the call fails with EPERM. RECORD gets a line for each, `allowed|refused THREAD CALL WHAT`. Exit status: COMMAND's.

A thread's own name is that of whoever started it until it is given one; programs that COMMAND executes are their own.
"""
import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
import sys

# <linux/seccomp.h>, <linux/bpf_common.h>, x86-64's <asm/unistd_64.h>
PR_SET_NO_NEW_PRIVS, SYS_SECCOMP = 38, 317
SET_MODE_FILTER, NEW_LISTENER = 1, 1 << 3
ALLOW, USER_NOTIF = 0x7FFF0000, 0x7FC00000
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
NOTIF_RECEIVE, NOTIF_SEND = 0xC0502100, 0xC0182101
NOTIFICATION = struct.Struct("=QII iIQ6Q")  # id, pid, flags; number, architecture, instruction pointer, arguments
RESPONSE = struct.Struct("=QqiI")           # id, value, error, flags
CONTINUE = 1
PATH_AT = {2: ("open", 0), 85: ("creat", 0), 257: ("openat", 1), 437: ("openat2", 1), 59: ("execve", 0), 322: ("execveat", 1),
           41: ("socket", None), 42: ("connect", 1), 49: ("bind", 1), 53: ("socketpair", None)}
SOCKET_PATH = {"connect": 2, "bind": 2}  # behind the family, of a Unix socket
libc = ctypes.CDLL(None, use_errno=True)


def instruction(code, k, yes=0, no=0):
    return struct.pack("=HBBI", code, yes, no, k)


def install():
    """The filter in this process; the descriptor that the calls are announced on."""
    program = instruction(LOAD, 0)
    calls = sorted(PATH_AT)
    for index, number in enumerate(calls):
        program += instruction(EQUAL, number, len(calls) - index)
    program += instruction(RETURN, ALLOW) + instruction(RETURN, USER_NOTIF)
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    listener = libc.syscall(SYS_SECCOMP, SET_MODE_FILTER, NEW_LISTENER, header)
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return listener


def thread_name(tid):
    try:
        with open(f"/proc/{tid}/comm", encoding="utf-8") as comm:
            return comm.read().rstrip("\n")
    except OSError:
        return "gone"


def path_of(tid, address):
    if address is None:
        return "-"
    try:
        with open(f"/proc/{tid}/mem", "rb", buffering=0) as memory:
            return os.pread(memory.fileno(), 256, address).split(b"\0")[0].decode(errors="replace") or "-"
    except OSError:
        return "?"


def answer(listener, allowed, record):
    """One call; False when nobody is left to make any."""
    buffer = bytearray(NOTIFICATION.size)
    try:
        fcntl.ioctl(listener, NOTIF_RECEIVE, buffer)
    except OSError as error:
        return error.errno == errno.EINTR
    call_id, tid, _, number, _, _, *arguments = NOTIFICATION.unpack(buffer)
    call, at = PATH_AT[number]
    name = thread_name(tid)
    good = name in allowed
    path = path_of(tid, None if at is None else arguments[at] + SOCKET_PATH.get(call, 0))
    print("allowed" if good else "refused", name.replace(" ", "_"), call, path, file=record, flush=True)
    response = bytearray(RESPONSE.pack(call_id, 0, 0 if good else -errno.EPERM, CONTINUE if good else 0))
    try:
        fcntl.ioctl(listener, NOTIF_SEND, response)
    except OSError as error:
        return error.errno == errno.ENOENT  # ended meanwhile
    return True


def main():
    split = sys.argv.index("--")
    record_path, *allowed = sys.argv[1:split]
    command = sys.argv[split + 1:]
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        listener = install()
        socket.send_fds(theirs, [b"x"], [listener])
        os.close(listener)
        theirs.close()
        os.execv(command[0], command)  # by a path: a search for it would be calls, too
    theirs.close()
    _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    listener = descriptors[0]
    allowed.append(thread_name(child))  # of the exec itself, still under our name
    with open(record_path, "w", encoding="utf-8") as record:
        poll = select.poll()
        poll.register(listener)
        status = None
        while status is None:
            for _, events in poll.poll(50):
                if events & 1:
                    answer(listener, allowed, record)
            done, raw = os.waitpid(child, os.WNOHANG)
            status = os.waitstatus_to_exitcode(raw) if done else None
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
