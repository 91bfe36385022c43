"""Mends one bug of Debian 12's QEMU (7.2) in the memory of a QEMU that we have just started.

Its emulation of SVM's VMRUN delivers an injected interrupt at once (APM volume 2, 15.20) but leaves the interrupt's vector in
CPUState.exception_index as well (helper_vmrun, case SVM_EVTINJ_TYPE_INTR). When the emulator's loop ends before the guest's next
exit, as it does under -icount at every timer's deadline, that vector is delivered a second time, whatever the guest's IF says.
A Linux guest then runs its timer's interrupt inside itself and waits for ever for a lock that it holds: some 3 boots in 100
stood, and the machine's virtual time with them.

The store to exception_index is one instruction of 6 bytes. It becomes a NOP; the instructions that follow it are compared first,
and a QEMU that doesn't have exactly one such place stays as it is.
"""
import os
import re
import shutil
import time

STORE = re.compile(rb"""\x89[\x80-\xbf].{4}          # mov %esi,exception_index(%rbx)
    (?=\xc7[\x80-\xbf].{4}\0{4}                      # movl $0,exception_is_int(%rbx)
    \x48\xc7[\x80-\xbf].{4}\xff{4}                  # movq $-1,exception_next_eip(%rbx)
    \xf6\x05.{4}\x02\x0f\x85.{4}                    # testb $2,qemu_loglevel; jne
    \xba\x01\0{3}\x48\x89.\xe8)                    # mov $1,%edx; mov %rbx,%rdi; call do_interrupt_x86_hardirq
    """, re.DOTALL | re.VERBOSE)
NOP = bytes.fromhex("660f1f440000")  # of 6 bytes
TRIES, PAUSE = 5000, 0.001  # until the program that we started has become QEMU


def program():
    return os.path.realpath(shutil.which("qemu-system-x86_64") or "")


def store_in(path):
    """Where in this program the store is, as a match; None in a QEMU that we don't know."""
    with open(path, "rb") as file:
        found = list(STORE.finditer(file.read()))
    return found[0] if len(found) == 1 else None


def mapped_at(qemu, path, offset):
    """The address in QEMU's memory of what is at this offset of its program; None as long as it isn't QEMU."""
    with open(f"/proc/{qemu.pid}/maps", encoding="utf-8") as maps:
        areas = [line.split(maxsplit=5) for line in maps if line.rstrip("\n").endswith(" " + path)]
    for addresses, mode, begin, *_ in areas:
        start, end = (int(address, 16) for address in addresses.split("-"))
        place = start + offset - int(begin, 16)
        if "x" in mode and start <= place < end:
            return place
    return None


def replace(qemu, place, old):
    with open(f"/proc/{qemu.pid}/mem", "r+b", buffering=0) as memory:
        memory.seek(place)
        if memory.read(len(old)) == old:
            memory.seek(place)
            memory.write(NOP)


def mend(qemu):
    """`qemu`: the process, started a moment ago. Long before a guest of its guest can run."""
    path = program()
    try:
        store = store_in(path)
        for _ in range(TRIES if store else 0):
            if place := mapped_at(qemu, path, store.start()):
                return replace(qemu, place, store.group())
            if qemu.poll() is not None:
                break
            time.sleep(PAUSE)
    except OSError:
        pass  # we may not, or QEMU has ended: then it is as it was
    return None
