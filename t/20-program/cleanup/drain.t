#!/usr/bin/env python3
"""The end of a cleanup worker: conversations finish, the log segment is closed, qmgr hears of it."""
import glob
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
import ipc
from instance import Instance, wait_until
from tap import is_eq, ok, run

FREE, ACTIVE, CLOSED = 1, 2, 3


def states(i):
    """Of each log segment: the header with the higher counter holds."""
    out = {}
    for path in glob.glob(os.path.join(i.spool, "log", "*.seg")):
        with open(path, "rb") as f:
            heads = []
            for slot in (0, 4096):
                f.seek(slot)
                p = f.read(88)
                if p[:8] == b"PSTNSEG1":
                    heads.append((struct.unpack_from("<Q", p, 40)[0], struct.unpack_from("<I", p, 12)[0]))
            if heads:
                out[os.path.basename(path)] = max(heads)[1]
    return out


def begin(c, qid):
    c.send("CLEANUP_BEGIN", queue_id=qid, arrival_us=1700000000000000)
    c.send("ENV_SENDER", address="s@x.test")
    c.send("ENV_RCPT", address="b@far.test")
    c.send("CLEANUP_CONTENT", data=b"Subject: x\r\n")


def end(c):
    c.send("CLEANUP_CONTENT", data=b"\r\nx\r\n")
    c.send("CLEANUP_END")
    return c.recv()[1]["status"]


def test_reload():
    with Instance({"default_transport": "discard:gone"}) as i:
        i.start()
        c, idle = (ipc.Client(os.path.join(i.spool, "public/cleanup")) for _ in "ab")
        begin(c, "ABC10001")
        begin(idle, "ABC10002")
        is_eq(end(idle), 0, "a message")
        is_eq(list(states(i).values()).count(ACTIVE), 1, "its segment is written to")
        old = i.pids("cleanup")
        i.reload()
        is_eq(idle.recv(), None, "an idle connection is closed")
        is_eq(end(c), 0, "a conversation that was under way ends as it should")
        is_eq(c.recv(), None, "and then its connection too")
        wait_until(lambda: not set(old) & set(i.pids("cleanup")), "the old worker has ended")
        i.wait_log("ABC10001: removed")
        i.wait_log("ABC10002: removed")
        wait_until(lambda: ACTIVE not in states(i).values() and CLOSED not in states(i).values(), "qmgr has freed the segment")
        ok(True, "its segment is closed, and free once its messages are gone")
        d = ipc.Client(os.path.join(i.spool, "public/cleanup"))
        begin(d, "ABC10003")
        is_eq(end(d), 0, "the next worker takes mail")
        i.wait_log("ABC10003: removed")


def test_stop():
    with Instance({"default_transport": "discard:gone"}) as i:
        i.start()
        c = ipc.Client(os.path.join(i.spool, "public/cleanup"))
        begin(c, "ABC10001")
        is_eq(end(c), 0, "a message")
        i.wait_log("ABC10001: removed")
        begin(c, "ABC10002")
        i.stop()
        wait_until(lambda: not i.master_pid(), "master has ended")
        ok(ACTIVE not in states(i).values(), "no segment is left open by a stop")
        i.start()
        c = ipc.Client(os.path.join(i.spool, "public/cleanup"))
        begin(c, "ABC10003")
        is_eq(end(c), 0, "it goes on")
        i.wait_log("ABC10003: removed")
        is_eq(i.find_log("panic|fatal|corrupt"), [], "without complaints")


def test_qmgr_away():
    """News that qmgr cannot take is kept, and told when it is back."""
    with Instance({"default_transport": "discard:gone"}) as i:
        i.start()
        c = ipc.Client(os.path.join(i.spool, "public/cleanup"))
        begin(c, "ABC10001")
        is_eq(end(c), 0, "a message")
        i.wait_log("ABC10001: removed")
        for n in range(3):
            for pid in i.pids("qmgr"):
                i.kill(pid)
            begin(c, "ABC2000%d" % n)
            is_eq(end(c), 0, "a message while qmgr dies")
        for n in range(3):
            i.wait_log("ABC2000%d: removed" % n, timeout=60)
        ok(True, "all of them are found or told")


run(test_reload, test_stop, test_qmgr_away)
