#!/usr/bin/env python3
"""qmgr: memory of a large queue is given back when the queue is empty, though nobody has a session with it."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import wait_until
from qmgrfakes import DEFERRED, SENT, Gate
from tap import diag, ok, run

MESSAGES, RCPTS = 60, 500


def memory(g):
    """Its private memory in KiB."""
    with open("/proc/%d/smaps_rollup" % g.pids("qmgr")[0]) as f:
        return int(re.search(r"^Anonymous:\s+(\d+)", f.read(), re.M).group(1))


def test_given_back():
    with Gate({"default_destination_recipient_limit": "500", "qmgr_message_recipient_limit": "100000"}, debug=False) as g:
        g.start()
        before = memory(g)
        g.agent("smtp").answer = lambda r: (DEFERRED, "4.2.1", "busy " * 20)
        g.put(*["user%d@far.test" % i for i in range(RCPTS)], n=MESSAGES)
        wait_until(lambda: all(m["queue"] == "deferred" for m in g.list().values()), "all are deferred", 120)
        g.agent("smtp").answer = lambda r: (SENT, "2.0.0", "ok")
        g.flush()
        wait_until(lambda: not g.list(), "all are delivered", 120)
        full = memory(g)
        rest = wait_until(lambda: (lambda m: m if m - before < (full - before) / 2 else 0)(memory(g)), "memory is given back", 60)
        diag("%d KiB at first, %d after delivery, %d at rest" % (before, full, rest))
        ok(rest < full, "memory is given back")


run(test_given_back)
