"""A disk with a volatile write cache that can lose its power: an NBD server (newstyle, fixed; one client, simple replies) on a
Unix socket. What was written is durable once a FLUSH that came after it has been answered, or at once where FUA asked
for it; all else may be lost when the power is cut, whole writes or single sectors of them.

https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md has the protocol."""
import random
import socket
import struct
import threading
import time

SECTOR = 512

# Handshake.
NBDMAGIC, IHAVEOPT, OPTION_REPLY = 0x4E42444D41474943, 0x49484156454F5054, 0x3E889045565A9
FIXED_NEWSTYLE, NO_ZEROES = 1, 2
OPT_EXPORT_NAME, OPT_ABORT, OPT_INFO, OPT_GO = 1, 2, 6, 7
REP_ACK, REP_INFO, REP_ERR_UNSUP = 1, 3, 0x80000001
INFO_EXPORT, INFO_BLOCK_SIZE = 0, 3

# Transmission.
REQUEST, SIMPLE_REPLY = 0x25609513, 0x67446698
READ, WRITE, DISCONNECT, FLUSH = 0, 1, 2, 3
COMMAND_FLAG_FUA = 1
HAS_FLAGS, SEND_FLUSH, SEND_FUA = 1, 4, 8
EINVAL = 22
LARGEST_REQUEST = 32 << 20


class Disk:
    """What the client reads, what survives, and the sectors that were written since they were last made durable."""

    def __init__(self, image):
        self.lock = threading.Lock()
        self.current = bytearray(image)
        self.durable = bytearray(image)
        self.unflushed = {}  # sector -> what was written there, oldest first
        self.writes = self.flushes = self.fua_writes = 0
        # For the tests' own test: a disk that says of each flush that it is done when the one before is.
        self.late = bytearray(image)
        self.late_sectors = {}

    def read(self, offset, length):
        with self.lock:
            return bytes(self.current[offset:offset + length])

    def write(self, offset, data, fua):
        sectors = {(offset + at) // SECTOR: data[at:at + SECTOR] for at in range(0, len(data), SECTOR)}
        with self.lock:
            self.writes += 1
            self.fua_writes += bool(fua)
            self.current[offset:offset + len(data)] = data
            if fua:
                self._make_durable(sectors)
            else:
                for sector, content in sectors.items():
                    self.unflushed.setdefault(sector, []).append(content)

    def flush(self):
        with self.lock:
            self.flushes += 1
            self._make_durable({sector: contents[-1] for sector, contents in self.unflushed.items()})

    def _make_durable(self, sectors):
        if not sectors:
            return
        put(self.late, self.late_sectors)
        put(self.durable, sectors)
        for sector in sectors:
            self.unflushed.pop(sector, None)
        self.late_sectors = sectors

    def after_power_cut(self, chance):
        """What the disk may hold when its power comes back. Each sector is on its own: any of what was written there since it
        was last durable may have made it, or nothing; a later write may survive where an earlier one didn't."""
        with self.lock:
            survivor = bytearray(self.durable)
            likely = chance.choice((0.0, 0.5, 1.0))
            put(survivor, {sector: chance.choice(contents) for sector, contents in self.unflushed.items()
                           if chance.random() < likely})
            return survivor

    def after_late_power_cut(self):
        with self.lock:
            return bytearray(self.late)


def put(image, sectors):
    for sector, content in sectors.items():
        image[sector * SECTOR:(sector + 1) * SECTOR] = content


class Server(threading.Thread):
    """Serves one client. `stall` keeps it from answering anything; a flush takes its time, so that whoever doesn't wait for
    the answer is seen."""

    def __init__(self, path, disk, seed=1, slowest_flush=0.03):
        super().__init__(daemon=True)
        self.disk = disk
        self.chance = random.Random(seed)
        self.slowest_flush = slowest_flush
        self.powered = threading.Lock()  # held while a request is handled and answered, and by whoever stalls the disk
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        self.client = None

    def run(self):
        self.client, _ = self.listener.accept()
        try:
            if self._handshake():
                while self._serve_request():
                    pass
        except (ConnectionError, BrokenPipeError):
            pass  # the machine was killed
        finally:
            self.client.close()

    def _receive(self, length):
        data = bytearray()
        while len(data) < length:
            part = self.client.recv(length - len(data))
            if not part:
                raise ConnectionError
            data += part
        return bytes(data)

    # --- handshake ---

    def _handshake(self):
        self.client.sendall(struct.pack(">QQH", NBDMAGIC, IHAVEOPT, FIXED_NEWSTYLE | NO_ZEROES))
        client_flags, = struct.unpack(">I", self._receive(4))
        while True:
            _, option, length = struct.unpack(">QII", self._receive(16))
            self._receive(length)
            if option == OPT_EXPORT_NAME:
                self.client.sendall(self._export() + (b"" if client_flags & NO_ZEROES else bytes(124)))
                return True
            if option in (OPT_GO, OPT_INFO):
                self._option_reply(option, REP_INFO, struct.pack(">H", INFO_EXPORT) + self._export())
                self._option_reply(option, REP_INFO, struct.pack(">HIII", INFO_BLOCK_SIZE, SECTOR, 4096, LARGEST_REQUEST))
            if option in (OPT_GO, OPT_INFO, OPT_ABORT):
                self._option_reply(option, REP_ACK, b"")
            else:
                self._option_reply(option, REP_ERR_UNSUP, b"")
            if option in (OPT_GO, OPT_ABORT):
                return option == OPT_GO

    def _export(self):
        return struct.pack(">QH", len(self.disk.current), HAS_FLAGS | SEND_FLUSH | SEND_FUA)

    def _option_reply(self, option, kind, data):
        self.client.sendall(struct.pack(">QIII", OPTION_REPLY, option, kind, len(data)) + data)

    # --- transmission ---

    def _serve_request(self):
        magic, flags, kind, cookie, offset, length = struct.unpack(">IHHQQI", self._receive(28))
        if magic != REQUEST or kind == DISCONNECT:
            return False
        data = self._receive(length) if kind == WRITE else b""
        if kind == FLUSH or flags & COMMAND_FLAG_FUA:
            time.sleep(self.chance.random() * self.slowest_flush)
        with self.powered:
            error, answer = self._handle(kind, flags, offset, length, data)
            self.client.sendall(struct.pack(">IIQ", SIMPLE_REPLY, error, cookie) + answer)
        return True

    def _handle(self, kind, flags, offset, length, data):
        if offset + length > len(self.disk.current) or (offset | length) % SECTOR or kind not in (READ, WRITE, FLUSH):
            return EINVAL, b""
        if kind == READ:
            return 0, self.disk.read(offset, length)
        if kind == WRITE:
            self.disk.write(offset, data, flags & COMMAND_FLAG_FUA)
        else:
            self.disk.flush()
        return 0, b""
