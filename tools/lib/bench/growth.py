"""tools/bench boot --growth: what more memory and newer kernels cost."""
import emulated
import phases
import vmms
from tables import aligned, number, ratio

MEMORIES_MIB = (128, 512, 2048, 8192)
KERNELS = ("bookworm", "trixie", "sid")
APPEND = "quiet cryptomgr.notests"
HOST_MEMORY = "11G"  # the largest guest touches a small part of it only, but all of it must fit


def jobs_of(only):
    """Time for all; for carrel a trace, too, that tells its own part from the guest's."""
    jobs = []
    for kernel, memory in [("bookworm", memory) for memory in MEMORIES_MIB] + [(kernel, 512) for kernel in KERNELS[1:]]:
        for vmm in only:
            words = vmms.command(vmm, kernel, "vmlinuz", APPEND, memory)
            jobs += [emulated.Job(f"{kernel}/{memory}/{vmm}", mode, memory, words)
                     for mode in (("time", "trace") if vmm == "carrel" else ("time",))]
    return [emulated.Job("warm-up", "time", 512, jobs[0].command)] + jobs


def own_part(result):
    """(before the guest, after it) of a traced run."""
    before, _, _, after, _ = phases.phases_of(result, phases.events_of(result))
    return before.end - before.begin, after.end - after.begin


def rows_of(results, only):
    rows = [["kernel, memory", *(f"{vmm} end" for vmm in only), "before the guest", "after it"]]
    ends = {(r["name"], r["mode"]): r["end"] for r in results}
    for result in results:
        if result["mode"] != "trace":
            continue
        name = result["name"].rsplit("/", 1)[0]
        kernel, memory = name.split("/")
        rows.append([f"{kernel}, {memory} MiB", *(number(ends.get((f"{name}/{vmm}", "time")), 3) for vmm in only),
                     *(f"{part:.3f}" for part in own_part(result))])
    return rows


def slope(results, vmm, low, high):
    """Seconds a GiB between two sizes of memory."""
    ends = {r["name"]: r["end"] for r in results if r["mode"] == "time"}
    try:
        return (ends[f"bookworm/{high}/{vmm}"] - ends[f"bookworm/{low}/{vmm}"]) / ((high - low) / 1024)
    except KeyError:
        return None


def main(options):
    only = options.only or ["carrel", "microvm"]
    jobs = jobs_of(only)
    emulated.say(f"{len(jobs)} runs, about {30 + 6 * len(jobs)} s on an idle machine ...")
    host = emulated.Host(options.carrel, memory=HOST_MEMORY, kernels=KERNELS, peers=only != ["carrel"],
                         append=options.host_append)
    results = emulated.run(host, jobs, emulated.Progress(len(jobs)))
    print("bzImage, quiet cryptomgr.notests, 1 vCPU; virtual seconds from exec to the end, and carrel's own part of them\n")
    print("\n".join(aligned(rows_of(results, only))) + "\n")
    for vmm in only:
        print(f"{vmm}: {number(slope(results, vmm, 512, 8192), 3)} s a GiB from 512 MiB to 8 GiB")
    ours = slope(results, "carrel", 512, 8192)
    for vmm in only[1:]:
        print(f"carrel/{vmm}: {ratio(ours, slope(results, vmm, 512, 8192))}")
    return 0 if len(results) == len(jobs) else 1
