"""usage: hostile_clients.py SOCKET PID CARREL NET

Clients of a host's socket who are slow, broken, endless or killed, 100 at a time: meanwhile and afterwards another one is answered
at once, and the host has no more threads, descriptors, mappings and processes of guests than before."""
import json, os, resource, socket, subprocess, sys, time

path, pid, carrel, net = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]


def connect():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(path)
    return s


def ask(method, target, body=b""):
    with connect() as s:
        s.sendall(b"%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
                  % (method.encode(), target.encode(), len(body), body))
        answer = b""
        while piece := s.recv(65536):
            answer += piece
        return int(answer.split()[1]), answer.split(b"\r\n\r\n", 1)[1]


def answered():
    began = time.monotonic()
    status, body = ask("GET", "/guests")
    took = time.monotonic() - began
    assert status == 200 and json.loads(body)["guests"], (status, body)
    assert took < 2, f"answered after {took:.3f} s"


def held():
    maps = open(f"/proc/{pid}/maps", encoding="ascii").read()
    return len(os.listdir(f"/proc/{pid}/task")), len(os.listdir(f"/proc/{pid}/fd")), maps.count("\n"), len(children())


def children():
    found = []
    for other in filter(str.isdigit, os.listdir("/proc")):
        try:
            found += [other] * (open(f"/proc/{other}/stat", encoding="ascii", errors="replace").read().rsplit(")", 1)[1].split()[1] == str(pid))
        except OSError:
            pass
    return found


HEAD = b"GET /guests HTTP/1.1\r\nHost: x\r\n"
answered()
settled = held()

crowd = [connect() for _ in range(100)]
for i, s in enumerate(crowd):  # slow ones, who say half of it
    s.sendall((HEAD if i % 2 else b"POST /guests HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{")[: 5 + i % 40])
answered()
for s in crowd:
    s.close()

broken = [b"\0" * 4096, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", HEAD + b"Content-Length: -1\r\n\r\n", b"\xff\xfe" * 9000,
          HEAD + b"Content-Length: 99999999999999999999\r\n\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
          HEAD + b"X: " + b"y" * 20000 + b"\r\n\r\n", b"POST /guests HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n" + b"{" * 1000]
for bytes_ in broken:
    with connect() as s:
        try:
            s.sendall(bytes_)
            s.shutdown(socket.SHUT_WR)
            answer = s.recv(100)
            assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), (bytes_[:40], answer)
        except (BrokenPipeError, ConnectionResetError):
            pass
    answered()
assert ask("POST", "/guests", b"[" * 100000)[0] == 400
assert ask("DELETE", "/guests/nobody")[0] == 404
assert ask("GET", "/nothing")[0] == 404
assert ask("GET", "/guests/" + "x" * 4000)[0] == 404

def burned():  # seconds of its main thread
    return sum(map(int, open(f"/proc/{pid}/task/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")


limits = resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]))
before = burned()  # no descriptor is left for who wants to come: he waits, and nobody spins
with connect():
    time.sleep(2)
    assert burned() - before < 0.5, f"{burned() - before} s of CPU time in 2 s"
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    answered()

endless = [connect() for _ in range(100)]  # never read what they ask for, and ask on and on
for s in endless:
    s.setblocking(False)
    try:
        for _ in range(1000):
            s.send((HEAD + b"\r\n") * 100)
    except BlockingIOError:
        pass
answered()
for s in endless:
    s.close()

listeners = [connect() for _ in range(100)]  # events that nobody reads
for s in listeners:
    s.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
for _ in range(30):
    assert ask("POST", "/guests/a/pause")[0] == 200 and ask("POST", "/guests/a/resume")[0] == 200
answered()
for s in listeners:
    s.close()

two = connect()  # two requests at once get two answers
two.sendall(HEAD + b"\r\n" + HEAD + b"Connection: close\r\n\r\n")
text = b""
while piece := two.recv(65536):
    text += piece
assert text.count(b"HTTP/1.1 200") == 2, text

# A client that is killed at every step of its work: what it asked for is done or not, and the host goes on.
config = json.dumps({"name": "k", "memory": "32M"}).encode()
request = b"POST /guests HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(config), config)
for end in list(range(1, len(request), 7)) + [len(request)]:
    with connect() as s:
        s.sendall(request[:end])
for _ in range(200):
    if ask("GET", "/guests/k")[0] == 200 and json.loads(ask("GET", "/guests/k")[1])["state"] == "created":
        break
    time.sleep(0.05)
assert ask("DELETE", "/guests/k")[0] == 200
for words in (["list"], ["console", "a"], ["events"], ["stats", "a"]):
    for delay in (0, 0.002, 0.01, 0.05):
        child = subprocess.Popen([carrel, "ctl", "--socket", path, *words], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        time.sleep(delay)
        child.kill()
        child.wait()
    answered()

for i in range(200):  # nothing is left of guests that are gone
    body = json.dumps({"name": f"g{i}", "memory": "32M", "rng": True, "net": [net] if net else []}).encode()
    status, text = ask("POST", "/guests", body)
    assert status == 201, text
    if i % 4 == 0:
        assert ask("POST", f"/guests/g{i}/start")[0] == 200 and ask("POST", f"/guests/g{i}/kill")[0] == 200
        while json.loads(ask("GET", f"/guests/g{i}")[1])["state"] != "ended":
            time.sleep(0.01)
    assert ask("DELETE", f"/guests/g{i}")[0] == 200
for _ in range(100):
    now = held()
    if now[0] <= settled[0] + 1 and now[1] <= settled[1] and now[2] <= settled[2] + 30 and now[3] <= settled[3]:
        sys.exit(0)  # the worker's thread may be new, and the heap larger
    time.sleep(0.1)
print(f"threads, descriptors, mappings, processes: {settled} before, {now} after")
sys.exit(1)
