#!/usr/bin/env python3
"""lmtp: a verdict for each recipient (RFC 2033), UNIX sockets, parameters of its own."""
import os
import re

from client import BOUNCED, DEFERRED, SENT, Close, Server, Smtp
from tap import is_eq, like, ok, run


def fates(s, n, peer, **values):
    return s.deliver(["%s@box.test" % c for c in "abcdef"[:n]], peer.nexthop, service="lmtp", **values)


def test_verdicts():
    with Smtp({"smtp_helo_name": "not.this"}) as s:
        s.start()
        with Server(lmtp=True) as peer:
            is_eq([f[:3] for f in fates(s, 2, peer)], [(SENT, "2.1.5", "250 2.1.5 delivered")] * 2, "everybody")
            is_eq(peer.commands()[0], "LHLO gw.example.test", "LHLO, and lmtp_lhlo_name")
        by_name = {"a": "250 2.1.5 a ok", "b": "452 4.2.2 b full", "c": "550 5.7.1 c no", "d": "250 2.1.5 d ok"}
        for caps in (["PIPELINING"], []):
            mark = len(s.log())
            with Server({"EOM": lambda session, arg: by_name[arg[4]], "RCPT": lambda session, arg: "550 5.1.1 none" if arg[4] == "e" else None}, caps=caps, lmtp=True) as peer:
                is_eq([(f.kind, f.dsn) for f in fates(s, 5, peer)], [(SENT, "2.1.5"), (DEFERRED, "4.2.2"), (BOUNCED, "5.7.1"), (SENT, "2.1.5"), (BOUNCED, "5.1.1")], "each its own %s" % caps)
                like(s.wait_log("b full", since=mark), r"lmtp\[\d+\]: QID\d+: to=<b@box\.test>, relay=%s, delay=.* dsn=4\.2\.2, status=deferred \(host 127\.0\.0\.1\[127\.0\.0\.1\] said: "
                     r"452 4\.2\.2 b full \(in reply to end of DATA command\)\)$" % re.escape(peer.relay), "record")
        late = "lost connection with 127.0.0.1[127.0.0.1] while sending end of data -- message may be sent more than once"
        with Server({"EOM": ["250 2.1.5 ok", "550 5.7.1 no", Close]}, lmtp=True) as peer:
            is_eq([f[:3] for f in fates(s, 4, peer)], [(SENT, "2.1.5", "250 2.1.5 ok"), (BOUNCED, "5.7.1", "host 127.0.0.1[127.0.0.1] said: 550 5.7.1 no (in reply to end of DATA command)"),
                                                       (DEFERRED, "4.4.2", late), (DEFERRED, "4.4.2", late)], "lost between verdicts: who has none waits")
        with Server({"EOM": ["250 2.1.5 ok", "421 4.3.2 bye", "250 2.1.5 ok"]}, lmtp=True) as peer:
            is_eq([f[:2] for f in fates(s, 3, peer)], [(SENT, "2.1.5"), (DEFERRED, "4.3.2"), (SENT, "2.1.5")], "421 between verdicts is one of them")
        with Server({"RCPT": "550 5.1.1 no", "DATA": "503 5.5.1 nobody"}, lmtp=True) as peer:
            is_eq([f.kind for f in fates(s, 2, peer)], [BOUNCED] * 2, "nobody is left")
        with Server({"LHLO": "500 5.5.1 no"}, lmtp=True) as peer:
            f = fates(s, 1, peer)[0]
            is_eq((f.kind, f.reason), (BOUNCED, "host 127.0.0.1[127.0.0.1] refused to talk to me: 500 5.5.1 no"), "LHLO is refused")
            ok(not any(c.startswith("HELO") for c in peer.commands()), "HELO is not tried")


def test_unix():
    with Smtp() as s:
        s.start()
        path = os.path.join(s.spool, "sock")
        with Server(lmtp=True, path=path) as peer:
            is_eq(fates(s, 1, peer)[0].kind, SENT, "absolute path")
            like(s.record("sent"), r"^relay=%s, delay=" % re.escape(peer.relay), "relay")
            is_eq(s.deliver("u@box.test", "unix:sock", service="lmtp").kind, SENT, "path in the queue directory")
            peer.replies["RCPT"] = "550 5.1.1 no"
            is_eq(fates(s, 1, peer)[0].reason, "host gw.example.test[%s] said: 550 5.1.1 no (in reply to RCPT TO command)" % path, "text")
        f = s.deliver("u@box.test", "unix:/no/such", service="lmtp")
        is_eq((f.kind, f.dsn, f.reason), (DEFERRED, "4.4.1", "connect to gw.example.test[/no/such]: No such file or directory"), "no socket")
        is_eq(s.deliver("u@box.test", "unix:" + "x" * 200, service="lmtp").kind, DEFERRED, "a path that is too long")
        is_eq(s.deliver("u@box.test", "unix:", service="lmtp").reason, 'bad next hop "unix:": no path', "no path")


def test_parameters():
    own = {"lmtp_lhlo_name": "lm.name", "lmtp_lhlo_timeout": "1s", "lmtp_discard_lhlo_keywords": "pipelining", "lmtp_assume_final": "yes", "lmtp_tcp_port": "%d"}
    with Server(lmtp=True, caps=["PIPELINING"]) as peer, Server({"LHLO": lambda session, arg: __import__("time").sleep(5)}, lmtp=True) as mute:
        own["lmtp_tcp_port"] = peer.port
        with Smtp(own, services=["rel unix - - n - - lmtp -o lmtp_assume_final=no"]) as s:
            s.start()
            f = s.deliver("u@box.test", "inet:127.0.0.1", service="lmtp")
            is_eq((f.kind, f.action), (SENT, "delivered"), "lmtp_tcp_port, lmtp_assume_final")
            is_eq(peer.commands()[0], "LHLO lm.name", "lmtp_lhlo_name")
            is_eq(s.deliver("u@box.test", "inet:127.0.0.1", service="rel").action, "relayed", "lmtp_assume_final=no")
            is_eq(fates(s, 1, mute)[0].reason, "conversation with 127.0.0.1[127.0.0.1] timed out while performing the LHLO handshake", "lmtp_lhlo_timeout")



def test_xforward():
    attrs = {"log_client_name": "h.test", "log_client_address": "192.0.2.1"}
    with Smtp({"lmtp_send_xforward_command": "yes"}) as s, Server(caps=["XFORWARD NAME ADDR"], lmtp=True) as peer:
        s.start()
        fates(s, 1, peer, attrs=attrs)
        is_eq(peer.commands()[1:3], ["XFORWARD NAME=h.test ADDR=192.0.2.1", "MAIL FROM:<s@client.test>"], "lmtp_send_xforward_command")
    with Smtp({"smtp_send_xforward_command": "yes"}) as s, Server(caps=["XFORWARD NAME ADDR"], lmtp=True) as peer:
        s.start()
        fates(s, 1, peer, attrs=attrs)
        is_eq(peer.commands()[1], "MAIL FROM:<s@client.test>", "smtp_send_xforward_command is not for LMTP")


run(test_verdicts, test_unix, test_parameters, test_xforward)
