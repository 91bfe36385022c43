"""How each VMM is started: the same guest, as fast as each of them does it."""
from emulated import INITRD_PATH, KERNEL_PATH

# What carrel adds by itself, the same for all.
COMMAND_LINE = "console=ttyS0 panic=-1"
# For QEMU's machines: microvm offers no reset that Linux finds, and a kernel that falls back to the BIOS's boots again.
PEERS_COMMAND_LINE = COMMAND_LINE + " reboot=t"
QEMU = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot",
        "-accel", "kvm", "-cpu", "host"]
# Each without what costs a Linux guest time: measured one by one, the fastest that boots (microvm without a RTC takes 2.2 s).
MACHINES = {
    "microvm": "microvm,x-option-roms=off,pit=off,pic=off,rtc=on,isa-serial=on,auto-kernel-cmdline=off",
    "q35": "q35,hpet=off,pit=off,smbus=off,sata=off,smm=off,vmport=off,i8042=off",
}
VMMS = ("carrel", *MACHINES)


def command(vmm, kernel, file, append, memory_mib=512, cpus=1):
    path = KERNEL_PATH.format(name=kernel, file=file)
    if vmm == "carrel":
        return ["carrel", "run", path, "--initrd", INITRD_PATH, "--append", f"{COMMAND_LINE} {append}".strip(),
                "--memory", f"{memory_mib}M", "--cpus", str(cpus)]
    return [*QEMU, "-M", MACHINES[vmm], "-m", str(memory_mib), "-smp", str(cpus), "-kernel", path,
            "-initrd", INITRD_PATH, "-append", f"{PEERS_COMMAND_LINE} {append}".strip()]
