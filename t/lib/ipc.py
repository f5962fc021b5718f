"""Messages between programs, from src/ipc/msg.tbl: frames for tests that play one side of a conversation.

    c = Client(path); c.send("QMGR_FLUSH", queue_id="", site=""); name, fields = c.recv()

Fields that are left out are "" or 0. Strings come back as str (surrogates for other bytes)."""
import os
import re
import socket
import struct
import threading

HERE = os.path.dirname(os.path.realpath(__file__))
TABLE = os.path.join(HERE, "../../src/ipc/msg.tbl")


def load():
    number, out = 0, {}
    for kind, arg in re.findall(r"\b(GROUP|MSG|F_U32|F_U64|F_I64|F_STR)\(([^),]*)", re.sub(r"/\*.*?\*/", "", open(TABLE).read(), flags=re.S)):
        if kind == "GROUP":
            number = int(arg)
        elif kind == "MSG":
            fields = []
            out[arg.strip()] = (number, fields)
            number += 1
        else:
            fields.append((arg.strip(), kind[2:]))
    return out


MESSAGES = load()
NAMES = {n: (name, fields) for name, (n, fields) in MESSAGES.items()}
NUMBER = {"U32": "<I", "U64": "<Q", "I64": "<q"}


def data(s):
    return s if isinstance(s, bytes) else s.encode("utf-8", "surrogateescape")


def frame(name, /, **values):
    number, fields = MESSAGES[name]
    out = b""
    for field, kind in fields:
        v = values.pop(field, None)
        if kind == "STR":
            v = data(v or "")
            out += struct.pack("<I", len(v)) + v
        else:
            out += struct.pack(NUMBER[kind], v or 0)
    assert not values, "no such field of %s: %s" % (name, values)
    return struct.pack("<BBHI", 0xB5, 1, number, len(out)) + out


def decode(number, payload):
    name, fields = NAMES[number]
    out, at = {}, 0
    for field, kind in fields:
        size = struct.calcsize(NUMBER.get(kind, "<I"))
        (v,) = struct.unpack_from(NUMBER.get(kind, "<I"), payload, at)
        at += size
        if kind == "STR":
            v, at = payload[at:at + v].decode("utf-8", "surrogateescape"), at + v
        out[field] = v
    assert at == len(payload), "%s has %d bytes more" % (name, len(payload) - at)
    return name, out


class Client:
    """A connection: to a path, or an accepted socket."""

    def __init__(self, to, timeout=20):
        if isinstance(to, str):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(timeout)
            self.sock.connect(to)
        else:
            self.sock = to
        self.buf = b""

    def send(self, name, /, **values):
        self.sock.sendall(frame(name, **values))

    def send_raw(self, raw):
        self.sock.sendall(raw)

    def _need(self, n):
        while len(self.buf) < n:
            more = self.sock.recv(65536)
            if not more:
                return False
            self.buf += more
        return True

    def recv(self):
        """(name, fields), or None at the end."""
        if not self._need(8):
            return None
        _, _, number, n = struct.unpack_from("<BBHI", self.buf)
        if not self._need(8 + n):
            return None
        payload, self.buf = self.buf[8:8 + n], self.buf[8 + n:]
        return decode(number, payload)

    def close(self):
        self.sock.close()


class Service:
    """A server of a UNIX socket in this process: handler(client) in a thread for each connection."""

    def __init__(self, path, handler):
        self.path, self.handler = path, handler
        if os.path.exists(path):
            os.unlink(path)
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(path)
        os.chmod(path, 0o666)
        self.sock.listen(512)
        self.connections = 0
        self.closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                s, _ = self.sock.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(Client(s),), daemon=True).start()

    def _serve(self, client):
        try:
            self.handler(client)
        except (OSError, TypeError):
            pass
        finally:
            client.close()

    def close(self):
        self.closed = True
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        if os.path.exists(self.path):
            os.unlink(self.path)
