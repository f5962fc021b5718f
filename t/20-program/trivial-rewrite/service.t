#!/usr/bin/env python3
"""trivial-rewrite over its socket: forms, routes, changed tables, malformed requests."""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import Instance, wait_until
from ipc import Client, frame
from tap import is_eq, ok, run

GW = Instance(main={"myorigin": "origin.test", "append_dot_mydomain": "yes", "relay_domains": "relay.test", "relayhost": "[hub.test]", "relocated_maps": "fail:x",
                    "mydestination": "home.test"})
TRANSPORT = GW.file("transport", "one.test smtp:[first.test]\n")
GW.main["transport_maps"] = "texthash:" + TRANSPORT
GW.write_config()


def client():
    return Client(os.path.join(GW.spool, "private/rewrite"))


def rewrite(c, address, context="local"):
    c.send("REWRITE", context=context, address=address)
    return c.recv()[1]["address"]


def resolve(c, address, sender=""):
    c.send("RESOLVE", sender=sender, address=address)
    r = c.recv()[1]
    return r["transport"] + ":" + r["nexthop"], r["recipient"], r["flags"]


def test_answers():
    c = client()
    is_eq([rewrite(c, a) for a in ("user", "user@host", "@a:user@b.c", "a%b.test", "")], ["user@origin.test", "user@host.example.test", "user@b.c", "a@b.test", ""], "forms")
    is_eq(rewrite(c, "user", "remote"), "user", "of strangers' headers")
    big = "x" * 100000
    is_eq(rewrite(c, big), big + "@origin.test", "a long address")
    is_eq(rewrite(c, b"a\0b\xff@c.test"), "a\0b\udcff@c.test", "odd bytes stay")
    is_eq(resolve(c, "u@one.test")[0], "smtp:[first.test]", "transport table")
    ok(resolve(c, "u@far.test")[2] & 4, "a table that fails is told")


def test_table_changes():
    c = client()
    GW.file("transport", "one.test smtp:[second.test]\n")
    wait_until(lambda: resolve(c, "u@one.test")[0] == "smtp:[second.test]", "the new content of the table")
    ok(True, "a changed table is seen without a restart")


def test_malformed():
    good = frame("REWRITE", context="local", address="user")
    for what, bad in (("no frame", b"EHLO\r\n\r\n"), ("wrong type", frame("ENV_RCPT", address="x")), ("short string", good[:8] + struct.pack("<I", 9999) + good[12:]),
                      ("enormous length", good[:4] + struct.pack("<I", 0x7fffffff)), ("bytes too many", good[:4] + struct.pack("<I", len(good) - 8 + 3) + good[8:] + b"abc")):
        c = client()
        c.sock.sendall(bad)
        is_eq(c.sock.recv(100), b"", what + " ends the connection")
    c = client()
    c.sock.sendall(good[:10])
    is_eq(rewrite(client(), "user"), "user@origin.test", "others are served meanwhile")
    c.sock.sendall(good[10:])
    is_eq(c.recv()[1]["address"], "user@origin.test", "a request in two pieces")
    GW.wait_log("trivial-rewrite.*warning: bad request")


with GW:
    GW.start()
    run(test_answers, test_table_changes, test_malformed)
