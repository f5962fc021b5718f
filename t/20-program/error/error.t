#!/usr/bin/env python3
"""The agents error, retry and discard: what becomes of recipients, and the delivery records."""
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
import ipc
from instance import Instance
from tap import is_eq, like, ok, run

SERVICES = ["error unix - - n - - error", "retry unix - - n - - error", "discard unix - - n - - discard",
            "postlog unix-dgram n - n - 1 postlogd"]
SENT, DEFERRED, BOUNCED = 1, 2, 3


class Agent:
    def __init__(self, i, service):
        self.i, self.service = i, service
        self.client = ipc.Client(os.path.join(i.spool, "private", service))
        self.client.recv()

    def deliver(self, nexthop, rcpts=("x@y.test",), flags=0, orig=""):
        now = int(time.time() * 1e6)
        c, self.mark = self.client, len(self.i.log())
        c.send("DELIVER", queue_id="QID1", path="content", content_length=3, transport=self.service, nexthop=nexthop, sender="s@x.test",
               flags=flags, arrival_us=now - 3250000, active_us=now - 50000, queue="active")
        for n, r in enumerate(rcpts):
            c.send("DELIVER_RCPT", index=n, address=r, orig_address=orig)
        c.send("DELIVER_GO")
        out = []
        while True:
            name, fields = c.recv()
            if name == "DELIVER_DONE":
                return out
            out.append((fields["kind"], fields["dsn"], fields["reason"]))

    def record(self, pattern):
        return self.i.wait_log(pattern, since=self.mark)


def start(i):
    i.start()
    path = os.path.join(i.spool, "content")
    with open(path, "w") as f:
        f.write("x\r\n")
    os.chmod(path, 0o644)
    return i


def test_fates():
    with Instance(services=SERVICES, standard=False) as i:
        start(i)
        e = Agent(i, "error")
        is_eq(e.deliver("5.7.9 go away"), [(BOUNCED, "5.7.9", "go away")], "error with a code")
        like(e.record("to=<"), r" gw postfix/error\[\d+\]: QID1: to=<x@y\.test>, relay=none, delay=3\.\d, delays=3\.2/0\.0\d/0/\S+, "
             r"dsn=5\.7\.9, status=bounced \(go away\)$", "its record")
        is_eq(e.deliver("just text"), [(BOUNCED, "5.0.0", "just text")], "error without a code")
        is_eq(e.deliver("4.2.2 soft text"), [(BOUNCED, "5.0.0", "soft text")], "error with a soft code")
        like(e.record("warning"), r'error\[\d+\]: warning: bounce_append: ignoring dsn code "4\.2\.2"$', "draws a warning")
        is_eq(e.deliver("5.1.1 no", rcpts=["a@b.test", "c d@e.test", "f@g.test"], orig="o@p.test"), [(BOUNCED, "5.1.1", "no")] * 3, "several recipients")
        ok(e.record(r'to=<"c d"@e\.test>, orig_to=<o@p\.test>, relay=none'), "quoted; with the original recipient")
        r = Agent(i, "retry")
        is_eq(r.deliver("4.7.0 not today"), [(DEFERRED, "4.7.0", "not today")], "retry with a code")
        like(r.record("to=<"), r" gw postfix/error\[\d+\]: QID1: .*, dsn=4\.7\.0, status=deferred \(not today\)$", "its record")
        is_eq(r.deliver("not today"), [(DEFERRED, "4.0.0", "not today")], "retry without a code")
        is_eq(r.deliver("5.1.1 hard"), [(DEFERRED, "4.0.0", "hard")], "retry with a hard code")
        like(r.record("warning"), r'warning: defer_append: ignoring dsn code "5\.1\.1"$', "draws a warning")
        d = Agent(i, "discard")
        is_eq(d.deliver("quietly dropped"), [(SENT, "2.0.0", "quietly dropped")], "discard")
        like(d.record("to=<"), r" gw postfix/discard\[\d+\]: QID1: to=<x@y\.test>, relay=none, .*dsn=2\.0\.0, status=sent \(quietly dropped\)$",
             "its record")
        is_eq(d.deliver("2.5.5 with code"), [(SENT, "2.5.5", "with code")], "discard with a code")
        is_eq(d.deliver("5.5.5 with code"), [(SENT, "2.0.0", "with code")], "discard with a wrong code")
        like(d.record("warning"), r'warning: sent: ignoring dsn code "5\.5\.5"$', "draws a warning")


def test_settings():
    with Instance({"soft_bounce": "yes"}, services=SERVICES, standard=False) as i:
        start(i)
        e = Agent(i, "error")
        is_eq(e.deliver("5.7.9 go away"), [(DEFERRED, "4.7.9", "go away")], "soft_bounce")
        like(e.record("to=<"), r"dsn=4\.7\.9, status=SOFTBOUNCE \(go away\)$", "its record")
        is_eq(e.deliver("5.7.9 go away", flags=2), [(BOUNCED, "5.7.9", "go away")], "but not of a probe")
        like(e.record("to=<"), r"dsn=5\.7\.9, status=undeliverable \(go away\)$", "its record")


def test_malformed():
    with Instance(services=SERVICES, standard=False) as i:
        start(i)
        for junk in (b"GET / HTTP/1.0\r\n\r\n", ipc.frame("DELIVER_GO"), ipc.frame("DELIVER", queue_id="Q") + ipc.frame("CLEANUP_END"),
                     b"\xb5\x01\xa0\x00\xff\xff\xff\xff", b"\xb5\x01\xa0\x00\x04\x00\x00\x00abcd"):
            c = ipc.Client(os.path.join(i.spool, "private", "error"))
            c.recv()
            c.send_raw(junk)
            is_eq(c.recv(), None, "a malformed request ends the connection")
        i.wait_log("warning: request from qmgr: ", count=5)
        is_eq(len(i.find_log("warning: request from qmgr: ")), 5, "with a warning each")
        ok(not re.search("panic|fatal|killed", i.log()), "and no harm")
        is_eq(Agent(i, "error").deliver("5.1.1 no"), [(BOUNCED, "5.1.1", "no")], "the next one is served")


run(test_fates, test_settings, test_malformed)
