#!/usr/bin/env python3
"""Reload under load: no session is dropped, every message is delivered once; also with a policy server and milters that judge it all."""
import os
import re
import smtplib
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
from instance import Instance, free_port, wait_until
from milter import CONTINUE, Milter, add_header
from policy import PolicyServer
from tap import diag, is_eq, ok, run

CLIENTS, RELOADS = 6, 4


class Client(threading.Thread):
    """Sends messages until told to end: over one long session, or a session for each."""

    def __init__(self, port, number, kept):
        super().__init__(daemon=True)
        self.port, self.number, self.kept = port, number, kept
        self.sent, self.error, self.end = [], None, False

    def message(self, s):
        to = "c%dm%d@far.test" % (self.number, len(self.sent))
        s.sendmail("sender@near.test", [to], "Subject: x\r\n\r\ntext\r\n")
        self.sent.append(to)

    def run(self):
        try:
            s = None
            while not self.end:
                s = s or smtplib.SMTP("127.0.0.1", self.port, timeout=20)
                self.message(s)
                if not self.kept:
                    s.quit()
                    s = None
                time.sleep(0.01)
            if s:
                s.quit()
        except Exception as e:
            self.error = repr(e)


def reload(main):
    port = free_port()
    with Instance(dict(main, default_transport="discard"), ["%d inet n - n - - smtpd" % port]) as i:
        i.start()
        clients = [Client(port, n, n % 2 == 0) for n in range(CLIENTS)]
        for c in clients:
            c.start()
        for _ in range(RELOADS):
            wait_until(lambda before=sum(len(c.sent) for c in clients): sum(len(c.sent) for c in clients) > before + 50 or
                       any(c.error for c in clients), "progress", 30)
            i.reload()
        for c in clients:
            c.end = True
        for c in clients:
            c.join(30)
        if not is_eq([c.error for c in clients if c.error], [], "no client saw an error"):
            diag("\n".join(i.find_log(r"warning|error|reject|drain|milter|NOQUEUE|reload")))
        sent = [to for c in clients for to in c.sent]
        ok(len(sent) > 50 * RELOADS, "%d messages" % len(sent))

        def delivered():
            return re.findall(r" to=<([^>]*)>.* status=sent", i.log())
        wait_until(lambda: len(delivered()) >= len(sent), "all deliveries", 60)
        is_eq(sorted(delivered()), sorted(sent), "each was delivered once")
        bad = i.find_log(r"panic|killed by|exit status|throttling|fatal")
        if not ok(not bad, "no program had trouble"):
            diag("\n".join(bad[:10]))



def test_reload():
    reload({})


def test_judged():
    """The second milter adds a header, so that cleanup writes each message anew."""
    policy, one = PolicyServer(), Milter({})
    two = Milter({"eom": [add_header("X-Two", "yes"), CONTINUE]})
    reload({"smtpd_recipient_restrictions": "check_policy_service %s, permit_mynetworks, reject" % policy.name,
            "smtpd_milters": "%s, %s" % (one.where, two.where)})
    ok(len(policy.requests) > 100 and "eom" in one.names() and "eom" in two.names(), "all of them were asked")


run(test_reload, test_judged)
