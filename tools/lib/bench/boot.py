"""tools/bench boot: a stock kernel from exec to its first line and to the VMM's end."""
import json

import emulated
import vmms
from tables import aligned, median, number

# A name for each command line; the last one prints the kernel's log.
APPENDS = {"notests": "quiet cryptomgr.notests", "quiet": "quiet", "log": "cryptomgr.notests"}
FILES = {"bzImage": "vmlinuz", "vmlinux": "vmlinux"}
MEMORY_MIB = 512
ALL_MODES = ("time", "count", "memory", "small")

# Column: title, digits, how to get it from the results of the four modes, by mode.
COLUMNS = (
    ("first line s", 3, lambda r: r["time"].get("first_line")),
    ("end s", 3, lambda r: r["time"]["end"]),
    ("VM exits", 0, lambda r: r["count"].get("kvm_exits")),
    ("to userspace", 0, lambda r: r["count"].get("userspace_exits")),
    ("page faults", 0, lambda r: r["time"]["faults"]),
    ("huge pages", 0, lambda r: r["time"]["huge_faults"]),
    ("outside KiB", 0, lambda r: outside(r)),
    ("file", 0, lambda r: r["memory"]["file"]),
    ("anon", 0, lambda r: r["memory"]["anon"]),
    ("4K anon", 0, lambda r: r["small"]["anon"]),
    ("touched MiB", 1, lambda r: r["small"]["guest_rss"] / 1024),
    ("resident MiB", 1, lambda r: r["memory"]["guest_rss"] / 1024),
)
LEGEND = """\
first line, end: virtual seconds since exec. VM exits, to userspace: KVM's count; the second is returns from KVM_RUN.
page faults, huge pages: of the host's kernel, from exec to the end. outside: resident memory that isn't the guest's, of it
file (shared text) and anon (its own); 4K anon: the same without huge pages. touched: the guest's memory in 4 KiB pages,
from a run without huge pages; resident: with them."""


def outside(results):
    return results["memory"]["file"] + results["memory"]["anon"] + results["memory"]["other"]


def cases_of(options):
    """(append, file, vmm, modes) of each row."""
    appends = ("notests",) if options.quick else tuple(APPENDS)
    return [(append, file, vmm, ALL_MODES if append == "notests" else ("time", "count"))
            for append in appends for file in FILES for vmm in options.only or vmms.VMMS]


def jobs_of(options, cases):
    jobs = []
    for append, file, vmm, modes in cases:
        words = vmms.command(vmm, options.kernel, FILES[file], APPENDS[append])
        jobs += [emulated.Job(f"{append}/{file}/{vmm}", mode, MEMORY_MIB, words) for mode in modes]
    # The first guest after the host's start finds no warm caches; nobody's first guest of the day is measured.
    return [emulated.Job("warm-up", "time", MEMORY_MIB, jobs[0].command)] + jobs


def value(case, column):
    try:
        return column(case)
    except KeyError:
        return None


def table(results, append, file):
    rows = [[f"{append}, {file}"] + [title for title, _, _ in COLUMNS]]
    for name, modes in results.items():
        if name.startswith(f"{append}/{file}/"):
            rows.append([name.rsplit("/", 1)[1]] + [number(value(modes, get), digits) for _, digits, get in COLUMNS])
    return aligned(rows)


def main(options):
    cases = cases_of(options)
    jobs = jobs_of(options, cases)
    only = options.only or vmms.VMMS
    host = emulated.Host(options.carrel, kernels=(options.kernel,), peers=any(vmm != "carrel" for vmm in only))
    results = {}
    for result in emulated.run(host, jobs, 30 + 40 * len(jobs), emulated.Progress(len(jobs))):
        if result["name"] != "warm-up":
            results.setdefault(result["name"], {})[result["mode"]] = result
    for append in APPENDS:
        for file in FILES:
            lines = table(results, append, file)
            if len(lines) > 1:
                print("\n".join(lines) + "\n")
    print(LEGEND)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as output:
            json.dump(results, output, indent=1)
