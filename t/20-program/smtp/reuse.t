#!/usr/bin/env python3
"""smtp: connections that are kept (CONNECTION_CACHE_README)."""
import os
import time

from client import BOUNCED, DEFERRED, REUSE, SENT, Close, Server, Smtp
from instance import wait_until
from tap import is_eq, like, ok, run


def test_reuse():
    with Smtp({"smtp_connection_cache_time_limit": "40s"}, services=["no unix - - n - - smtp -o smtp_connection_cache_on_demand=no",
                                                                    "dest unix - - n - - smtp -o smtp_connection_cache_destinations=127.0.0.1",
                                                                    "one unix - - n - - smtp -o smtp_connection_reuse_count_limit=1"]) as s:
        s.start()

        def send(peer, n=1, service="smtp", flags=REUSE):
            return [s.deliver("u@far.test", peer.nexthop, service=service, flags=flags).kind for _ in range(n)]
        with Server() as peer:
            is_eq((send(peer, 3), len(peer.sessions)), ([SENT] * 3, 1), "three messages, one connection")
            like(s.wait_log("conn_use=3"), "conn_use=3, delay=", "the record says conn_use")
            is_eq([c for c in peer.commands() if c in ("RSET", "QUIT")], [], "without a word between")
            is_eq((send(peer, 2, flags=0), len(peer.sessions)), ([SENT] * 2, 2), "without need a kept connection is used, but not kept")
            wait_until(lambda: "QUIT" in peer.sessions[0].commands, "QUIT")
            ok(True, "it ends with QUIT")
        with Server() as peer:
            is_eq((send(peer, 2, "no"), len(peer.sessions)), ([SENT] * 2, 2), "smtp_connection_cache_on_demand=no")
            is_eq((send(peer, 2, "dest", 0), len(peer.sessions)), ([SENT] * 2, 3), "smtp_connection_cache_destinations")
            is_eq((send(peer, 4, "one"), len(peer.sessions)), ([SENT] * 4, 5), "smtp_connection_reuse_count_limit=1: used twice")
        with Server() as peer:
            send(peer)
            peer.drop()
            is_eq((send(peer), len(peer.sessions)), ([SENT], 2), "a server that closed meanwhile")
            send(peer)
            peer.sessions[-1].send("421 4.3.2 idle too long")
            is_eq((send(peer), len(peer.sessions)), ([SENT], 3), "a server that said something meanwhile")
            peer.sessions[-1].send("421 4.3.2 idle too long")
            wait_until(lambda: peer.sessions[-1].ended, "the end of a connection on which the server has said something", timeout=10)
            ok(True, "also when nobody wants to use it")
        for event, reply in (("MAIL", Close), ("MAIL", "421 4.7.0 enough"), ("MAIL", "451 4.7.0 too many messages"), ("RCPT", Close), ("DATA", Close)):
            with Server({event: [None, reply, None]}, caps=[]) as peer:
                is_eq((send(peer, 2), len(peer.sessions), len(peer.messages)), ([SENT] * 2, 2, 2), "a kept connection that breaks at %s %r: a new one" % (event, reply))
                is_eq(s.find_log("deferred"), [], "nothing is deferred")
        with Server({"EOM": [None, Close]}) as peer:
            is_eq((send(peer, 2), len(peer.sessions), len(peer.messages)), ([SENT, DEFERRED], 1, 2), "but not once the content was sent")
        with Server({"MAIL": [None, "550 5.7.1 no"]}) as peer:
            is_eq((send(peer, 2), len(peer.sessions)), ([SENT, BOUNCED], 1), "a hard refusal counts on a kept connection")
        with Server({"RCPT": [None, "550 5.1.1 no", None]}) as peer:
            is_eq((send(peer, 3), len(peer.sessions)), ([SENT, BOUNCED, SENT], 1), "a transaction without recipients")
            is_eq(peer.commands().count("RSET"), 1, "is reset before the next")
        with Server({"RCPT": [None, "450 4.2.0 a", None], "RSET": Close}) as peer:
            is_eq((send(peer, 3), len(peer.sessions)), ([SENT, DEFERRED, SENT], 2), "a server that has enough at RSET")


def test_age():
    with Smtp({"smtp_connection_cache_time_limit": "1s", "smtp_connection_reuse_time_limit": "2s"}) as s, Server() as peer:
        s.start()
        s.deliver("u@far.test", peer.nexthop, flags=REUSE)
        wait_until(lambda: peer.sessions[0].ended, "idle connection closed")
        is_eq(peer.commands()[-1], "QUIT", "smtp_connection_cache_time_limit")
        s.deliver("u@far.test", peer.nexthop, flags=REUSE)
        wait_until(lambda: s.deliver("u@far.test", peer.nexthop, flags=REUSE) and len(peer.sessions) > 2, "a new connection in the place of an old one")
        ok(True, "smtp_connection_reuse_time_limit")
        s.deliver("u@far.test", peer.nexthop, flags=REUSE)
        s.stop()
        wait_until(lambda: all(x.ended for x in peer.sessions), "connections closed")
        is_eq(peer.commands()[-1], "QUIT", "the end of the worker: QUIT")


def test_parallel():
    """Two deliveries at once never share a connection."""
    with Smtp({"smtp_connection_cache_time_limit": "20s"}) as s, Server({"EOM": lambda session, arg: time.sleep(0.3)}) as peer:
        s.start()
        for _ in range(3):
            clients = [s.request("u%d@far.test" % i, peer.nexthop, flags=REUSE, client=s.connect()) for i in range(4)]
            is_eq({s.answer(c)[0][0].kind for c in clients}, {SENT}, "four at once")
        is_eq((len(peer.sessions), len(peer.messages)), (4, 12), "four connections, each used again")


def test_quit_reply():
    """smtp_skip_quit_response=no does not hold up the delivery."""
    with Smtp({"smtp_skip_quit_response": "no"}) as s, Server({"QUIT": lambda session, arg: time.sleep(3)}) as peer:
        s.start()
        begun = time.monotonic()
        is_eq([s.deliver("u@far.test", peer.nexthop).kind for _ in range(3)], [SENT] * 3, "three messages")
        ok(time.monotonic() - begun < 2, "answers do not wait for QUIT")


run(test_reuse, test_age, test_parallel, test_quit_reply)
