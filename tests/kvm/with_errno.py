#!/usr/bin/python3
"""usage: with_errno.py RULE... -- COMMAND...

Runs COMMAND under a seccomp filter by which the kernel itself refuses some of its system calls, in all of its threads:
  ioctl:REQUEST=ERRNO   ioctl(2) with that request, by name (KVM_CREATE_VM) or number
  thread=ERRNO          a new thread; processes can still be made
  CALL=ERRNO            memfd_create, eventfd2, epoll_create1, getrandom, io_uring_setup
"""
import ctypes
import errno
import os
import struct
import sys

# <linux/seccomp.h>, <linux/bpf_common.h>, x86-64's <asm/unistd_64.h>, <linux/kvm.h>
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
LOAD, EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
NUMBER, ARGUMENT = 0, 16  # offsets in seccomp_data: the call's number, the first argument's low half
CLONE_THREAD = 0x00010000
CALLS = {"ioctl": 16, "clone": 56, "clone3": 435, "memfd_create": 319, "eventfd2": 290, "epoll_create1": 291,
         "getrandom": 318, "io_uring_setup": 425}
REQUESTS = {"KVM_GET_API_VERSION": 0xAE00, "KVM_CREATE_VM": 0xAE01, "KVM_GET_VCPU_MMAP_SIZE": 0xAE04,
            "KVM_CREATE_VCPU": 0xAE41, "KVM_CREATE_IRQCHIP": 0xAE60, "KVM_CREATE_PIT2": 0x4040AE77,
            "KVM_SET_USER_MEMORY_REGION": 0x4020AE46, "KVM_SET_TSS_ADDR": 0xAE47, "KVM_RUN": 0xAE80,
            "KVM_SET_CPUID2": 0x4008AE90, "KVM_GET_SUPPORTED_CPUID": 0xC008AE05, "KVM_SET_SREGS": 0x4138AE84,
            "KVM_SET_REGS": 0x4090AE82, "KVM_GET_SREGS": 0x8138AE83, "KVM_SET_IDENTITY_MAP_ADDR": 0x4008AE48,
            "KVM_GET_MSR_INDEX_LIST": 0xC004AE02}


def instruction(code, value, if_true=0, if_false=0):
    return struct.pack("HBBI", code, if_true, if_false, value)


def rule(text):
    """Four or five instructions that refuse one kind of call and fall through for all else."""
    what, _, name = text.rpartition("=")
    refuse = instruction(RETURN, REFUSE | getattr(errno, name))
    if what == "thread":
        # clone3's flags lie in memory, where a filter can't look; without it libc falls back to clone.
        no_clone3 = instruction(EQUAL, CALLS["clone3"], 0, 1) + instruction(RETURN, REFUSE | errno.ENOSYS)
        return (instruction(LOAD, NUMBER) + no_clone3 + instruction(EQUAL, CALLS["clone"], 0, 3) +
                instruction(LOAD, ARGUMENT) + instruction(ANY_BIT, CLONE_THREAD, 0, 1) + refuse)
    call, _, request = what.partition(":")
    code = instruction(LOAD, NUMBER)
    if not request:
        return code + instruction(EQUAL, CALLS[call], 0, 1) + refuse
    number = REQUESTS[request] if request in REQUESTS else int(request, 0)
    return (code + instruction(EQUAL, CALLS[call], 0, 3) + instruction(LOAD, ARGUMENT + 8) +
            instruction(EQUAL, number, 0, 1) + refuse)


def main():
    split = sys.argv.index("--")
    code = b"".join(rule(text) for text in sys.argv[1:split]) + instruction(RETURN, ALLOW)
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program) != 0:
        sys.exit(f"no seccomp filter here: {os.strerror(ctypes.get_errno())}")
    os.execvp(sys.argv[split + 1], sys.argv[split + 1:])


main()
