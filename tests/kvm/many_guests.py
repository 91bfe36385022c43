"""usage: many_guests.py SOCKET PID ROUNDS FOLDER GUESTS

So many guests are made and deleted again, every tenth has run: the host has as many threads, descriptors and mappings as
before, its heap hasn't grown, and there is no file more in FOLDER, its working folder and beside its socket."""
import http.client
import json
import os
import socket
import sys
import time

path, pid, rounds, folder, guests = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]
HEAP = 64  # KiB that it may have more: what malloc keeps differs


class Host(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(path)

    def ask(self, method, target, body=None):
        self.request(method, target, json.dumps(body) if body else None)
        answer = self.getresponse()
        text = answer.read()
        assert answer.status < 300, (method, target, answer.status, text)
        return json.loads(text)


def anonymous():
    """KiB of the process's heap and stacks, guests' RAM apart."""
    sum_, ram = 0, False
    with open(f"/proc/{pid}/smaps", encoding="ascii") as file:
        for line in file:
            words = line.split()
            if "-" in words[0]:
                begin, end = (int(word, 16) for word in words[0].split("-"))
                ram = end - begin >= 16 << 20
            elif words[0] == "Anonymous:" and not ram:
                sum_ += int(words[1])
    return sum_


def held():
    places = (folder, f"/proc/{pid}/cwd", os.path.dirname(path))
    with open(f"/proc/{pid}/maps", encoding="ascii") as file:
        maps = len(file.readlines())
    return {"threads": len(os.listdir(f"/proc/{pid}/task")), "descriptors": len(os.listdir(f"/proc/{pid}/fd")), "mappings": maps,
            "files": [sorted(os.listdir(place)) for place in places]}


def one(host, i):
    name = f"g{i}"
    host.ask("POST", "/guests", {"name": name, "memory": "32M", "kernel": f"{guests}/hang_spin.elf", "cpu-cap": "5%", "serial": "none"})
    if i % 10 == 0:
        host.ask("POST", f"/guests/{name}/start")
        host.ask("POST", f"/guests/{name}/kill")
        while host.ask("GET", f"/guests/{name}")["state"] != "ended":
            time.sleep(0.005)
    host.ask("DELETE", f"/guests/{name}")


def settled(wanted):
    """What it holds once that is as wanted, or 3 s later: a thread's end is seen a little after its work's."""
    end = time.monotonic() + 3
    while (now := held()) != wanted and time.monotonic() < end:
        time.sleep(0.05)
    return now


control = Host("x")
for number in range(20):  # what is made once and kept
    one(control, number)
time.sleep(0.2)
before, heap, began = held(), anonymous(), time.monotonic()
for number in range(rounds):
    one(control, number)
took = time.monotonic() - began
after, heap_after = settled(before), anonymous()
print(f"{rounds} guests in {took:.1f} s, heap {heap} KiB and {heap_after} KiB")
assert after == before, f"before: {before}\nafter: {after}"
assert heap_after - heap <= HEAP, "the heap has grown"
