"""tools/bench net: what packets cost on one CPU: both ends' part, the exits and the VMM's together."""
import emulated
import loads
import vmms
from loads import Load

HOST, GUEST, TAP = "10.0.0.1", "10.0.0.2", "tap0"


def iperf(more=""):
    return f"iperf3 -c {HOST} -t {{n}} -f m {more} | awk '/receiver/ {{{{ print $7 }}}}'"


LOADS = (
    Load("ping", f"/usr/bin/ping -q -f -c {{n}} {HOST} | awk -F/ '/^rtt/ {{{{ print $5 }}}}'", 4000, 1000, "µs", 0, 1e3),
    Load("TCP out", iperf(), 2, 1, "Gbit/s", 2, 1e-3),
    Load("TCP in", iperf("-R"), 2, 1, "Gbit/s", 2, 1e-3),
)
SETUP = ("ip link set eth0 up", f"ip addr add {GUEST}/24 dev eth0", "sleep 1", f"/usr/bin/ping -q -c 3 {HOST} >/dev/null")
NEEDS = loads.Needs(
    guest=["virtio_pci", "virtio_mmio", "virtio_net", "--with", "iperf3", "--with", "ping"],
    host=["--module", "tun", "--with", "ip", "--with", "iperf3"],
    before=[f"ip tuntap add {TAP} mode tap", f"ip addr add {HOST}/24 dev {TAP}", f"ip link set {TAP} up", "iperf3 -s -D >/dev/null"])


def command(vmm, kernel, more):
    words = vmms.command(vmm, kernel, "vmlinuz", loads.APPEND)
    if vmm == "carrel":
        return [*words, "--net", f"tap={TAP}", *more]
    card = "virtio-net-device" if vmm == "microvm" else "virtio-net-pci,romfile="
    return [*words, "-netdev", f"tap,id=net,ifname={TAP},script=no,downscript=no", "-device", f"{card},netdev=net"]


def main(options):
    only = options.only or ["carrel", "q35"]
    emulated.say(f"{len(only)} guests, about {40 + 60 * len(only)} s on an idle machine ...")
    guests = [loads.Guest(vmm, command(vmm, options.kernel, options.option), LOADS, TAP) for vmm in only]
    found = loads.run(options, guests, NEEDS, loads.guest_script(LOADS, SETUP))
    return loads.report(options, guests, found, "A tap, 1 vCPU, 512 MiB; virtual time, one CPU for all",
                        "packet that the tap has counted")
