"""A name server for tests of peers, on 127.0.0.1:53 of a network of their own. Standard library only."""
import socket
import struct
import threading

TYPES = {"A": 1, "NS": 2, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}


def name_bytes(name):
    return b"".join(bytes([len(l)]) + l.encode() for l in name.strip(".").split(".") if l) + b"\0"


def rdata(kind, value):
    if kind == "A":
        return socket.inet_aton(value)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, value)
    if kind == "TXT":
        text = value.encode()
        return b"".join(bytes([len(text[i:i + 255])]) + text[i:i + 255] for i in range(0, len(text), 255))
    if kind == "MX":
        pref, host = value.split()
        return struct.pack(">H", int(pref)) + name_bytes(host)
    return name_bytes(value)


class DnsServer:
    """zone: {name: {"TXT": [...], "A": [...]}}; other names do not exist."""

    def __init__(self, zone):
        self.zone = {n.lower().strip("."): r for n, r in zone.items()}
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 53))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            query, client = self.sock.recvfrom(4096)
            try:
                self.sock.sendto(self.answer(query), client)
            except (IndexError, struct.error):
                pass

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
            at += 1 + query[at]
        name, kind = ".".join(labels).lower(), struct.unpack(">H", query[at + 1:at + 3])[0]
        question = query[12:at + 5]
        records = [rdata(k, v) for k, vs in self.zone.get(name, {}).items() if TYPES[k] == kind for v in vs]
        status = 0 if name in self.zone else 3
        head = query[:2] + struct.pack(">HHHHH", 0x8180 | status, 1, len(records), 0, 0)
        return head + question + b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(r)) + r for r in records)
