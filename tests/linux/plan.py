"""usage: plan.py CARREL SCENARIO FOLDER: what `carrel simulate` says about a scenario of guests that arrive once, under each policy,
and the same guests for a `carrel host`, both as lines that a shell reads.

    FOLDER/guests   NAME ARRIVES-MS BURST-NS KEYS     the keys of its quota, as the inside of a JSON object
    FOLDER/wanted   POLICY NAME TURNAROUND-NS END-NS
"""
import json
import subprocess
import sys

POLICIES = ("weighted-fair", "round-robin", "priority", "fcfs", "sjf")


def ms(text):
    assert text.endswith("ms"), f"{text}: times of this scenario are in ms"
    return int(text[:-2])


def main(carrel, scenario, folder):
    with open(scenario, encoding="utf-8") as file:
        guests = json.load(file)["guests"]
    arrives = {}
    with open(f"{folder}/guests", "w", encoding="utf-8") as file:
        for guest in guests:
            once = guest["workload"]["once"]
            arrives[guest["name"]] = ms(once.get("arrive", "0ms"))
            keys = ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in guest.items() if key.startswith("cpu-"))
            print(guest["name"], arrives[guest["name"]], ms(once["burst"]) * 10**6, keys, file=file)
    with open(f"{folder}/wanted", "w", encoding="utf-8") as file:
        for policy in POLICIES:
            done = subprocess.run([carrel, "simulate", scenario, "--policy", policy, "--json"], stdout=subprocess.PIPE, check=True)
            for guest in json.loads(done.stdout)["guests"]:
                turnaround = guest["turnaround_mean_ns"]
                print(policy, guest["name"], turnaround, arrives[guest["name"]] * 10**6 + turnaround, file=file)


main(*sys.argv[1:])
