"""A DNS server for peers in a network of their own: answers from a table, everything else does not exist. Standard library only.

    Dnsd({("client.test", "TXT"): ["v=spf1 -all"]})     on ADDRESS port 53, UDP (libunbound asks neither 127.0.0.1 nor about .test)
    use_it(folder)                                      /etc/resolv.conf of this mount namespace names it"""
import ipaddress
import os
import socket
import struct
import subprocess
import threading

ADDRESS = "192.0.2.53"
TYPES = {"A": 1, "TXT": 16, "AAAA": 28, "MX": 15, "NS": 2, "PTR": 12}


def rdata(kind, value):
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(value).packed
    if kind == "TXT":
        raw = value.encode()
        return b"".join(bytes([len(raw[i:i + 255])]) + raw[i:i + 255] for i in range(0, len(raw), 255))
    return b"".join(bytes([len(l)]) + l.encode() for l in value.split(".")) + b"\0"


class Dnsd:
    def __init__(self, zone):
        self.zone = zone
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        subprocess.run(["ip", "address", "add", ADDRESS + "/32", "dev", "lo"], check=True)
        self.socket.bind((ADDRESS, 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            question, peer = self.socket.recvfrom(4096)
            try:
                self.socket.sendto(self.answer(question), peer)
            except (ValueError, IndexError, struct.error):
                pass

    def answer(self, q):
        labels, at = [], 12
        while q[at]:
            labels.append(q[at + 1:at + 1 + q[at]].decode("latin-1").lower())
            at += 1 + q[at]
        asked = struct.unpack_from("!H", q, at + 1)[0]
        name = ".".join(labels)
        kinds = [k for k, n in TYPES.items() if n == asked]
        values = self.zone.get((name, kinds[0]), []) if kinds else []
        known = any(n == name for n, _ in self.zone)
        flags = 0x8580 if known else 0x8583
        out = q[:2] + struct.pack("!HHHHH", flags, 1, len(values), 0, 0) + q[12:at + 5]
        for v in values:
            data = rdata(kinds[0], v)
            out += struct.pack("!HHHIH", 0xC00C, asked, 1, 60, len(data)) + data
        return out


def use_it(folder):
    path = os.path.join(folder, "resolv.conf")
    with open(path, "w") as f:
        f.write("nameserver %s\noptions timeout:1\n" % ADDRESS)
    subprocess.run(["mount", "--bind", path, os.path.realpath("/etc/resolv.conf")], check=True)
