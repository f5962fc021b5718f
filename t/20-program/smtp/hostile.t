#!/usr/bin/env python3
"""smtp and servers that mean no good: endless, garbled, early, slow. Time and memory stay bounded, nobody is reported as
served who was not, and other deliveries go on. With the debug build, where there is one."""
import os
import random
import re
import threading
import time

from client import BOUNCED, DEFERRED, SENT, Close, Server, Smtp
from instance import DEBUG_BUILD
from tap import is_eq, like, ok, run

DEBUG = os.path.exists(os.path.join(DEBUG_BUILD, "libexec", "smtp"))
QUICK = {"smtp_helo_timeout": "1s", "smtp_mail_timeout": "1s", "smtp_rcpt_timeout": "1s", "smtp_data_init_timeout": "1s", "smtp_data_done_timeout": "1s",
         "smtp_data_xfer_timeout": "1s"}


def endless(what, pause=0):
    def reply(session, arg):
        for _ in range(200000):
            session.conn.sendall(what)
            if pause:
                time.sleep(pause)
        raise Close
    return reply


def memory(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", open("/proc/%d/status" % pid).read()).group(1)) // 1024


def test_replies():
    with Smtp(QUICK, debug=DEBUG) as s, Server() as good:
        s.start()
        is_eq(s.deliver("u@far.test", good.nexthop).kind, SENT, "a good server")
        start = memory(s.pids("smtp")[0])
        cases = [("EHLO", endless(b"250-" + b"x" * 1000 + b"\r\n"), "a reply without end"), ("EHLO", endless(b"250-x\r\n", 0.05), "a slow reply without end"),
                 ("RCPT", endless(b"garbage\r\n"), "garbage without end"), ("MAIL", endless(b"z" * 8192), "a line without end"), ("CONNECT", endless(b"\0\xff\r\n"), "binary"),
                 ("DATA", endless(b"3"), "digits"), ("EOM", endless(b"250-\r\n"), "a verdict without end"), ("EOM", b"2", "half a verdict"), ("EOM", b"250", "no line end"),
                 ("CONNECT", b"220", "half a greeting"), ("EOM", endless(b"2", 0.2), "a drip"), ("MAIL", b"\r\n\r\n\r\n", "empty lines only")]
        peers = [Server({event: reply}, caps=[]) for event, reply, _ in cases]
        begun = time.monotonic()
        clients = [s.request("u@far.test", p.nexthop, client=s.connect()) for p in peers]
        for (event, _, name), client in zip(cases, clients):
            is_eq(s.answer(client)[0][0].kind, DEFERRED, "%s at %s" % (name, event))
        ok(time.monotonic() - begun < 20, "all at once, in %.1f s" % (time.monotonic() - begun))
        for p in peers:
            p.close()
        lines = lambda n, last: b"".join(b"550-5.1.1 line %d\r\n" % i for i in range(n)) + last
        with Server({"RCPT": lines(900, b"550 5.1.9 end\r\n")}) as peer:
            f = s.deliver("u@far.test", peer.nexthop)
            is_eq((f.kind, f.dsn), (BOUNCED, "5.1.9"), "a reply of 901 lines")
            ok(len(f.reason) < 70000, "its text is bounded: %d" % len(f.reason))
        with Server({"RCPT": b"550 5.1.1 " + b"y" * 100000 + b"\r\n"}) as peer:
            f = s.deliver("u@far.test", peer.nexthop)
            ok(f.kind == BOUNCED and len(f.reason) < 2200, "a long line is cut")
        with Server({"RCPT": b"250 2.1.5 ok\r\n" * 3, "EOM": "550 5.7.1 no"}, caps=[]) as peer:
            ok(s.deliver("u@far.test", peer.nexthop).kind != SENT, "more replies than commands")
        with Server({"DATA": b"354 go\r\n250 2.0.0 taken\r\n", "EOM": Close}) as peer:
            f = s.deliver("u@far.test", peer.nexthop)
            is_eq((f.kind, f.dsn), (DEFERRED, "4.4.2"), "a verdict before the content is none")
            is_eq(peer.messages, [], "nothing was sent")
        with Server({"DATA": b"354 go\r\n552 5.3.4 too big\r\n"}) as peer:
            f = s.deliver("u@far.test", peer.nexthop)
            is_eq((f.kind, f.dsn), (BOUNCED, "5.3.4"), "but a refusal counts")
        with Server({"RCPT": b"hello\r\n250 2.1.5 ok\r\n"}) as peer:
            is_eq(s.deliver("u@far.test", peer.nexthop).kind, SENT, "a line that is no reply is skipped")
            like(s.wait_log("non-ESMTP response.*hello"), r"warning: \w+: non-ESMTP response from 127\.0\.0\.1\[127\.0\.0\.1\]:%d: hello$" % peer.port, "and warned of")
        is_eq(s.deliver("u@far.test", good.nexthop).kind, SENT, "the good server still")
        is_eq(len(s.pids("smtp")), 1, "one worker")
        now = memory(s.pids("smtp")[0])
        ok(now - start < (400 if DEBUG else 30), "memory: %d MiB, then %d MiB" % (start, now))
        is_eq(s.find_log("panic|fatal|exit status|signal|ERROR"), [], "no trouble in the log")


def test_random_bytes():
    rng = random.Random(5)
    tokens = [b"250 ok\r\n", b"250-", b"220 ", b"354 go\r\n", b"421 4.0.0 bye\r\n", b"550 5.1.1 no\r\n", b"\r\n", b"\n", b"\0", b"\xff", b"25", b"PIPELINING\r\n", b"SIZE 5\r\n",
              b"999 x\r\n", b"250-SIZE 99999999999999999999\r\n250 DSN\r\n", b"x" * 3000]
    with Smtp(QUICK, debug=DEBUG) as s:
        s.start()
        kinds = []
        for _ in range(40):
            noise = lambda session, arg: b"".join(rng.choice(tokens) for _ in range(rng.randint(0, 4)))
            with Server({v: (lambda session, arg: noise(session, arg) if rng.random() < 0.3 else Close if rng.random() < 0.05 else None)
                         for v in ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "EOM")}, caps=rng.choice([[], ["PIPELINING", "DSN"]])) as peer:
                fates = s.deliver(["a@x.test", "b@x.test"], peer.nexthop)
                kinds += [f.kind for f in fates]
        is_eq(len(kinds), 80, "a fate for everybody")
        is_eq(s.find_log("panic|fatal|exit status|signal|ERROR"), [], "no trouble in the log")


def test_slow_reader():
    """smtp_data_xfer_timeout is for each step, smtp_per_request_deadline and smtp_min_data_rate for the whole."""
    wire = b"Subject: x\r\n\r\n" + (b"y" * 998 + b"\r\n") * 1500
    with Smtp({"smtp_data_xfer_timeout": "2s"}, services=["strict unix - - n - - smtp -o smtp_per_request_deadline=yes -o smtp_min_data_rate=100000000"]) as s:
        s.start()
        with Server(read_delay=0.002) as slow:
            begun = time.monotonic()
            is_eq(s.deliver("u@far.test", slow.nexthop, wire).kind, SENT, "a slow server has time for each step")
            ok(time.monotonic() - begun > 2.2, "more than the limit in all")
        with Server(read_delay=0.004, caps=[]) as slow:
            f = s.deliver("u@far.test", slow.nexthop, wire * 6, service="strict")
            is_eq((f.kind, f.reason), (DEFERRED, "conversation with 127.0.0.1[127.0.0.1] timed out while sending message body"), "but not with a deadline")
        with Server({"DATA": lambda session, arg: session.send("354 go") or time.sleep(8)}, caps=["PIPELINING"]) as stuck, Server() as good:
            results = []
            t = threading.Thread(target=lambda: results.append(s.answer(s.request("u@far.test", stuck.nexthop, wire * 8, client=s.connect()))))
            t.start()
            kinds = []
            while not results:
                kinds.append(s.deliver("u@far.test", good.nexthop).kind)
            ok(len(kinds) > 2 and set(kinds) == {SENT}, "others go on meanwhile (%d messages)" % len(kinds))
            t.join()
            is_eq(results[0][0][0].reason, "conversation with 127.0.0.1[127.0.0.1] timed out while sending message body", "a server that does not read")
        with Server({"DATA": lambda session, arg: session.send("354 go") or session.send("552 5.3.4 enough") or time.sleep(0.5)}, caps=["PIPELINING"]) as early:
            f = s.deliver("u@far.test", early.nexthop, wire * 20)
            is_eq((f.kind, f.dsn), (BOUNCED, "5.3.4"), "a refusal in the middle of the content")


run(test_replies, test_random_bytes, test_slow_reader)
