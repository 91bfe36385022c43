"""How each VMM is started: the same guest, as fast as each of them does it."""
from emulated import INITRD_PATH, KERNEL_PATH

# What carrel would add by itself; the same for all.
COMMAND_LINE = "console=ttyS0 panic=-1"
QEMU = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot",
        "-accel", "kvm", "-cpu", "host"]
# Without what a Linux guest doesn't need: option ROMs, PIC and PIT, a command line that describes no device.
MACHINES = {
    "microvm": "microvm,x-option-roms=off,pit=off,pic=off,rtc=on,isa-serial=on,auto-kernel-cmdline=off",
    "q35": "q35",
}
VMMS = ("carrel", *MACHINES)


def command(vmm, kernel, file, append, memory_mib=512, cpus=1):
    path = KERNEL_PATH.format(name=kernel, file=file)
    line = f"{COMMAND_LINE} {append}".strip()
    if vmm == "carrel":
        return ["carrel", "run", path, "--initrd", INITRD_PATH, "--append", line, "--memory", f"{memory_mib}M",
                "--cpus", str(cpus)]
    return [*QEMU, "-M", MACHINES[vmm], "-m", str(memory_mib), "-smp", str(cpus), "-kernel", path,
            "-initrd", INITRD_PATH, "-append", line]
