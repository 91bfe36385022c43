"""tools/bench phases: where one VMM's own time goes, before the guest runs and after it has ended."""
import re
from dataclasses import dataclass

import emulated
import vmms
from tables import aligned

LINE = re.compile(r"^.*-(\d+)\s+\[\d+\]\s+\S+\s+([\d.]+): (\w+): (.*)$")
UNISTD = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"
LONG = 0.0005  # seconds: a system call that takes longer is named with its time
CALLS_SHOWN = 15


@dataclass
class Event:
    thread: int
    time: float  # since exec
    name: str
    text: str


@dataclass
class Call:
    thread: int
    begin: float
    seconds: float
    name: str
    arguments: str


@dataclass
class Phase:
    title: str
    begin: float
    end: float

    def overlap(self, begin, end):
        return max(0.0, min(end, self.end) - max(begin, self.begin))


def syscall_names():
    try:
        with open(UNISTD, encoding="ascii") as file:
            return {int(number): name for name, number in re.findall(r"#define __NR_(\w+) (\d+)", file.read())}
    except OSError:
        return {}


def events_of(result):
    """Those of the VMM's threads, and all switches; threads made before it are the measurer's."""
    events = []
    for line in result["trace"]:
        if match := LINE.match(line):
            thread, time, name, text = match.groups()
            if int(thread) >= result["pid"] or name == "sched_switch":
                events.append(Event(int(thread), float(time) - result["started"], name, text))
    return events


def phases_of(result, events):
    entry = next(event.time for event in events if event.name == "kvm_entry")
    last = max(event.time for event in events if event.name == "kvm_exit")
    line = min(result["first_line"], last)
    return [Phase("exec to the first entry", 0, entry), Phase("to the guest's first line", entry, line),
            Phase("to the guest's last exit", line, last), Phase("to the end", last, result["end"]),
            Phase("to nothing left", result["end"], result["gone"])]


def system_calls(events, names):
    """What a thread never returns from lasts to the end."""
    begun, calls = {}, []
    for event in events:
        if event.name == "sys_enter":
            begun[event.thread] = event
        elif event.name == "sys_exit" and event.thread in begun:
            calls.append(call(begun.pop(event.thread), event.time, names))
    calls += [call(begin, events[-1].time, names) for begin in begun.values()]
    return sorted(calls, key=lambda one: one.begin)


def call(begin, end, names):
    number, arguments = re.match(r"NR (-?\d+) \((.*)\)", begin.text).groups()
    return Call(begin.thread, begin.time, end - begin.time, names.get(int(number), number), arguments)


def running(events):
    """(thread, from, to) of each stretch on the CPU."""
    since, stretches = {}, []
    for event in events:
        if event.name != "sched_switch":
            since.setdefault(event.thread, event.time)
            continue
        previous, following = (int(re.search(key + r"=(\d+)", event.text).group(1)) for key in ("prev_pid", "next_pid"))
        if previous in since:
            stretches.append((previous, since.pop(previous), event.time))
        since[following] = event.time
    return stretches


def show_phases(phases, events, threads):
    stretches = [stretch for stretch in running(events) if stretch[0] in threads]
    rows = [["phase", "seconds", "on the CPU", "page faults"]]
    for phase in phases:
        busy = sum(phase.overlap(begin, end) for _, begin, end in stretches)
        faults = sum(event.name == "page_fault_user" and phase.begin <= event.time < phase.end for event in events)
        rows.append([phase.title, f"{phase.end - phase.begin:.4f}", f"{busy:.4f}", str(faults)])
    print("\n".join(aligned(rows)) + "\n")


def show_calls(phase, calls, threads):
    sums = {}
    for one in calls:
        entry = sums.setdefault((one.name, threads.index(one.thread)), [0, 0.0])
        entry[0] += 1
        entry[1] += one.seconds
    rows = [["system call", "thread", "calls", "seconds"]]
    for (name, thread), (count, seconds) in sorted(sums.items(), key=lambda item: -item[1][1])[:CALLS_SHOWN]:
        rows.append([name, str(thread), str(count), f"{seconds:.5f}"])
    print(f"{phase.title}: the longest in sum, and those of at least {LONG * 1000:.1f} ms")
    print("\n".join("  " + line for line in aligned(rows)))
    for one in calls:
        if one.seconds >= LONG:
            print(f"  at {one.begin:.4f} thread {threads.index(one.thread)} {one.name}({one.arguments}): {one.seconds:.4f}")
    print()


def report(result):
    events = events_of(result)
    threads = sorted({event.thread for event in events if event.thread >= result["pid"]})
    phases = phases_of(result, events)
    show_phases(phases, events, threads)
    calls = system_calls(events, syscall_names())
    for phase in phases:
        if phase.title != "to the guest's first line":
            show_calls(phase, [one for one in calls if phase.begin <= one.begin < phase.end], threads)


def main(options):
    vmm = (options.only or ["carrel"])[0]
    words = vmms.command(vmm, options.kernel, options.file, "quiet cryptomgr.notests")
    host = emulated.Host(options.carrel, kernels=(options.kernel,), peers=vmm != "carrel")
    jobs = [emulated.Job("warm-up", "time", 512, words), emulated.Job(vmm, "trace", 512, words)]
    results = emulated.run(host, jobs, emulated.Progress(len(jobs)))
    if len(results) < len(jobs):
        return 1
    report(results[-1])
    if options.raw:
        with open(options.raw, "w", encoding="utf-8") as file:
            file.writelines(results[-1]["trace"])
    return 0
