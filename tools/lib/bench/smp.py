"""tools/bench boot --smp: more vCPUs, by the wall clock of an emulated host with two CPUs. Only ratios mean something there."""
import emulated
import vmms
from tables import aligned, median, ratio

CPUS = (1, 2, 4, 8)
ROUNDS = 5
PEER = "microvm"
APPEND = "quiet cryptomgr.notests"
SECONDS = 90  # the longest boot, on a busy machine


def jobs_of(options):
    """Interleaved: what else the machine does falls on both alike."""
    jobs = []
    for _ in range(max(options.repeat, ROUNDS)):
        for cpus in CPUS:
            for vmm in ("carrel", PEER):
                words = vmms.command(vmm, options.kernel, "vmlinuz", APPEND, cpus=cpus)
                jobs.append(emulated.Job(f"{cpus}/{vmm}", "time", 512, words, SECONDS))
    return jobs


def medians(results):
    names = {result["name"] for result in results}
    return {name: {key: median([r[key] for r in results if r["name"] == name]) for key in ("first_line", "end")}
            for name in names}


def main(options):
    jobs = jobs_of(options)
    emulated.say(f"{len(jobs)} runs, about {30 + 12 * len(jobs)} s on an idle machine with two CPUs ...")
    host = emulated.Host(options.carrel, icount=False, cpus=2, memory="3G", kernels=(options.kernel,),
                         append=options.host_append)
    results = emulated.run(host, jobs, emulated.Progress(len(jobs), "s"))
    found = medians(results)
    rows = [["vCPUs", "first line", "end", "end, of carrel's with 1"]]
    for cpus in CPUS:
        ours, theirs = found.get(f"{cpus}/carrel", {}), found.get(f"{cpus}/{PEER}", {})
        rows.append([str(cpus), *(ratio(ours.get(key), theirs.get(key)) for key in ("first_line", "end")),
                     ratio(ours.get("end"), found.get("1/carrel", {}).get("end"))])
    print(f"carrel divided by {PEER}, medians of {max(options.repeat, ROUNDS)}, by the wall clock; below 1 is better\n")
    print("\n".join(aligned(rows)))
    return 0 if len(results) == len(jobs) else 1
