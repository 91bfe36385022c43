"""tools/bench phases: where one VMM's own time goes, before the guest runs and after it has ended."""
import re
from dataclasses import dataclass, field

import emulated
import vmms
from tables import aligned

LINE = re.compile(r"^.*-(\d+)\s+\[\d+\]\s+\S+\s+([\d.]+): (\w+): (.*)$")
UNISTD = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"
LONG = 0.0005  # a system call that takes longer is named with its time


def syscall_names():
    try:
        with open(UNISTD, encoding="ascii") as file:
            return {int(number): name for name, number in re.findall(r"#define __NR_(\w+) (\d+)", file.read())}
    except OSError:
        return {}


@dataclass
class Event:
    thread: int
    time: float
    name: str
    text: str


@dataclass
class Phase:
    title: str
    begin: float
    end: float
    calls: dict = field(default_factory=dict)  # name: [count, seconds]
    faults: int = 0


def events_of(result):
    events = []
    for line in result["trace"]:
        if match := LINE.match(line):
            thread, time, name, text = match.groups()
            if int(thread) >= result["pid"] or name == "sched_switch":  # those before are the measurer's
                events.append(Event(int(thread), float(time) - result["started"], name, text))
    return events


def phases_of(result, events):
    entries = [event.time for event in events if event.name == "kvm_entry"]
    exits = [event.time for event in events if event.name == "kvm_exit"]
    first_line = result["first_line"]
    return [Phase("exec to the first entry", 0, entries[0]),
            Phase("to the guest's first line", entries[0], first_line),
            Phase("to the last exit", first_line, max(exits[-1], first_line)),
            Phase("to the process's end", max(exits[-1], first_line), result["end"])]


def system_calls(events, names):
    """(thread, begin, seconds, name) of each call; the last ones of a thread don't return."""
    begun, calls = {}, []
    end = events[-1].time
    for event in events:
        if event.name == "sys_enter":
            begun[event.thread] = event
        elif event.name == "sys_exit" and event.thread in begun:
            begin = begun.pop(event.thread)
            calls.append(call(begin, event.time, names))
    return calls + [call(begin, end, names) for begin in begun.values()]


def call(begin, end, names):
    number, arguments = re.match(r"NR (\d+) \((.*)\)", begin.text).groups()
    name = names.get(int(number), number)
    return begin.thread, begin.time, end - begin.time, name, arguments


def running(events):
    """(thread, seconds) stretches on the CPU, from the switches."""
    since, stretches = {}, []
    for event in events:
        if event.name != "sched_switch":
            since.setdefault(event.thread, event.time)
            continue
        previous = int(re.search(r"prev_pid=(\d+)", event.text).group(1))
        following = int(re.search(r"next_pid=(\d+)", event.text).group(1))
        if previous in since:
            stretches.append((previous, since.pop(previous), event.time))
        since[following] = event.time
    return stretches


def report(result):
    events = events_of(result)
    calls = system_calls(events, syscall_names())
    threads = {event.thread for event in events if event.name in ("sys_enter", "kvm_entry")}
    rows = [["phase", "virtual s", "on the CPU", "page faults"]]
    phases = phases_of(result, events)
    for phase in phases:
        busy = sum(max(0, min(end, phase.end) - max(begin, phase.begin))
                   for thread, begin, end in running(events) if thread in threads)
        faults = sum(event.name == "page_fault_user" and phase.begin <= event.time < phase.end for event in events)
        rows.append([phase.title, f"{phase.end - phase.begin:.4f}", f"{busy:.4f}", str(faults)])
    print("\n".join(aligned(rows)) + "\n")
    for phase in (phases[0], phases[-2], phases[-1]):
        report_calls(phase, [one for one in calls if phase.begin - 0.0001 <= one[1] < phase.end], threads)


def report_calls(phase, calls, threads):
    sums = {}
    for thread, _, seconds, name, _ in calls:
        entry = sums.setdefault((sorted(threads).index(thread), name), [0, 0.0])
        entry[0] += 1
        entry[1] += seconds
    rows = [["system call", "thread", "calls", "seconds"]]
    for (thread, name), (count, seconds) in sorted(sums.items(), key=lambda item: -item[1][1])[:15]:
        rows.append([name, str(thread), str(count), f"{seconds:.5f}"])
    print(f"{phase.title}:")
    print("\n".join("  " + line for line in aligned(rows)))
    for thread, begin, seconds, name, arguments in calls:
        if seconds >= LONG:
            print(f"  at {begin:.4f} thread {sorted(threads).index(thread)} {name}({arguments}): {seconds:.4f}")
    print()


def main(options):
    vmm = (options.only or ["carrel"])[0]
    words = vmms.command(vmm, options.kernel, options.file, "quiet cryptomgr.notests")
    host = emulated.Host(options.carrel, kernels=(options.kernel,), peers=vmm != "carrel")
    jobs = [emulated.Job("warm-up", "time", 512, words), emulated.Job(vmm, "trace", 512, words)]
    results = emulated.run(host, jobs, 120, emulated.Progress(len(jobs)))
    report(results[-1])
    if options.raw:
        with open(options.raw, "w", encoding="utf-8") as file:
            file.writelines(results[-1]["trace"])
