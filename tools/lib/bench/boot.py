"""tools/bench boot: a stock kernel from exec to its first line and to the VMM's end."""
import json
from dataclasses import dataclass

import emulated
import vmms
from tables import aligned, median, number, ratio

# A name for each command line; the last one prints the kernel's log.
APPENDS = {"notests": "quiet cryptomgr.notests", "quiet": "quiet", "log": "cryptomgr.notests"}
FILES = {"bzImage": "vmlinuz", "vmlinux": "vmlinux"}
MEMORY_MIB = 512
# What is looked at, for each command line and file. Memory and its cost don't depend on how much is printed.
FULL = {(append, file): ("time", "count", "memory", "small") if append == "notests" else ("time", "count")
        for append in APPENDS for file in FILES}
QUICK = {("notests", "bzImage"): ("time", "count", "memory", "small"), ("notests", "vmlinux"): ("time", "count", "small"),
         ("quiet", "bzImage"): ("time",), ("log", "bzImage"): ("time", "count")}
WALL_SECONDS_PER_RUN = 4


@dataclass
class Column:
    key: str
    title: str
    digits: int
    get: object  # from {mode: [results]} of a row; a KeyError where that wasn't looked at


def of(mode, key):
    return lambda runs: median([run[key] for run in runs[mode]])


def outside(runs):
    return sum(of("memory", key)(runs) for key in ("file", "anon", "other"))


COLUMNS = (
    Column("first_line_s", "first line", 3, of("time", "first_line")),
    Column("end_s", "end", 3, of("time", "end")),
    Column("gone_s", "gone", 3, of("time", "gone")),
    Column("vm_exits", "VM exits", 0, of("count", "kvm_exits")),
    Column("userspace_exits", "to user", 0, of("count", "userspace_exits")),
    Column("exits_per_byte", "per byte", 2, lambda runs: of("count", "userspace_exits")(runs) / of("count", "bytes")(runs)),
    Column("faults", "faults", 0, of("time", "faults")),
    Column("huge_pages", "huge pages", 0, of("time", "huge_faults")),
    Column("outside_kib", "outside KiB", 0, outside),
    Column("file_kib", "file", 0, of("memory", "file")),
    Column("anon_kib", "anon", 0, of("memory", "anon")),
    Column("touched_mib", "touched MiB", 1, lambda runs: of("small", "guest_rss")(runs) / 1024),
    Column("resident_mib", "resident MiB", 1, lambda runs: of("memory", "guest_rss")(runs) / 1024),
)
LEGEND = """\
first line, end, gone: virtual seconds from exec to the first line of the guest's userspace, to the end of the VMM's process,
  and until nothing of it is left (teardown may go on in a process of its own).
VM exits, to user: all exits, and returns from KVM_RUN; per byte: the latter for each byte of output.
faults, huge pages: page faults and huge pages in the emulated host's kernel from exec to end, those for the guest's memory too.
outside: resident memory that isn't the guest's, when the first line comes; of it file (pages that processes share) and anon.
touched: the guest's memory in 4 KiB pages, from a run without huge pages; resident: as it is with them.
carrel/best: carrel's figure divided by the best of the others; below 1 is better."""


def cases_of(options):
    """(append, file, vmm): modes, in the order of the runs."""
    looked_at = QUICK if options.quick else FULL
    return {(append, file, vmm): modes for (append, file), modes in looked_at.items() for vmm in options.only or vmms.VMMS}


def jobs_of(options, cases):
    jobs = []
    for (append, file, vmm), modes in cases.items():
        words = vmms.command(vmm, options.kernel, FILES[file], APPENDS[append])
        for mode in modes:
            times = options.repeat if mode == "time" else 1
            jobs += [emulated.Job(f"{append}/{file}/{vmm}", mode, MEMORY_MIB, words)] * times
    # The host's first guest finds cold paths in its kernel, and isn't measured.
    return [emulated.Job("warm-up", "time", MEMORY_MIB, jobs[0].command)] + jobs


def values_of(runs):
    """Each column's value of one row; None where that wasn't looked at."""
    values = {}
    for column in COLUMNS:
        try:
            values[column.key] = column.get(runs)
        except (KeyError, TypeError):
            values[column.key] = None
    return values


def collect(cases, results):
    runs = {}
    for result in results:
        runs.setdefault(result["name"], {}).setdefault(result["mode"], []).append(result)
    return {case: values_of(runs.get("/".join(case), {})) for case in cases}


def best_of_peers(values, append, file, key):
    peers = [row[key] for (a, f, vmm), row in values.items() if (a, f) == (append, file) and vmm != "carrel"]
    return min((value for value in peers if value is not None), default=None)


def table(values, append, file):
    """The lines for one command line and file; none where nothing was run."""
    columns = [c for c in COLUMNS if any(v[c.key] is not None for case, v in values.items() if case[:2] == (append, file))]
    if append != "log":
        columns = [column for column in columns if column.key != "exits_per_byte"]
    rows = [[f"{file}, {APPENDS[append]}"] + [column.title for column in columns]]
    for (a, f, vmm), row in values.items():
        if (a, f) == (append, file):
            rows.append([vmm] + [number(row[column.key], column.digits) for column in columns])
    ours = values.get((append, file, "carrel"))
    if ours and len(rows) > 2:
        rows.append(["carrel/best"] + [ratio(ours[c.key], best_of_peers(values, append, file, c.key)) for c in columns])
    return aligned(rows) if len(rows) > 1 else []


def show(options, version, values):
    print(f"Debian {version} ({options.kernel}), {MEMORY_MIB} MiB, 1 vCPU, in tools/kvm-host --icount: "
          "one instruction is one virtual nanosecond.\n")
    for append in APPENDS:
        for file in FILES:
            if lines := table(values, append, file):
                print("\n".join(lines) + "\n")
    print(LEGEND)


def save(options, version, values, results):
    content = {"kernel": version, "memory_mib": MEMORY_MIB,
               "rows": [dict(zip(("append", "file", "vmm"), case), **row) for case, row in values.items()],
               "runs": results}
    with open(options.json, "w", encoding="utf-8") as output:
        json.dump(content, output, indent=1)
        output.write("\n")


def main(options):
    cases = cases_of(options)
    jobs = jobs_of(options, cases)
    peers = any(vmm != "carrel" for _, _, vmm in cases)
    emulated.say(f"{len(jobs)} runs, about {15 + WALL_SECONDS_PER_RUN * len(jobs)} s on an idle machine ...")
    host = emulated.Host(options.carrel, kernels=(options.kernel,), peers=peers, append=options.host_append)
    results = emulated.run(host, jobs, emulated.Progress(len(jobs)))
    values = collect(cases, results)
    version = emulated.kernel_files(options.kernel)[0]
    show(options, version, values)
    if options.json:
        save(options, version, values, results)
    return 0 if len(results) == len(jobs) else 1
