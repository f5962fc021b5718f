#!/usr/bin/env python3
"""What waits for long leaves the log for files, and the log's segments are used again. Debug times cut the minute short."""
import os
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from instance import Instance, free_port, wait_until        # noqa: E402
from smtp import Client, Sink                               # noqa: E402
from tap import is_eq, ok, run                              # noqa: E402

FREE, ACTIVE, CLOSED = 1, 2, 3


class SlowSink(Sink):
    """Keeps everybody waiting at MAIL until go is set."""

    def __init__(self):
        self.go, self.waiting = threading.Event(), 0
        super().__init__()

    def serve(self, conn):
        self.waiting += 1
        self.go.wait(60)
        super().serve(conn)


def segments(gw):
    """{number: (state, generation)}, by the newer of the two header slots."""
    out, log = {}, os.path.join(gw.spool, "log")
    for name in os.listdir(log):
        if not name.endswith(".seg"):
            continue
        slots = []
        with open(os.path.join(log, name), "rb") as f:
            for at in (0, 4096):
                f.seek(at)
                magic, _, state, _, number, generation, _, counter = struct.unpack("<8sIIIIQQQ", f.read(48))
                if magic == b"PSTNSEG1":
                    slots.append((counter, number, state, generation))
        if slots:
            _, number, state, generation = max(slots)
            out[number] = state, generation
    return out


def in_files(gw):
    return {name for q in ("active", "incoming", "deferred") for _, _, names in os.walk(os.path.join(gw.spool, q)) for name in names if name[0] != "."}


def test_age():
    sink, port = SlowSink(), free_port()
    main = {"relayhost": "[127.0.0.1]:%d" % sink.port, "smtp_destination_concurrency_limit": "2", "smtpd_peername_lookup": "no",
            "smtp_initial_destination_concurrency": "2"}
    with Instance(main=main, services=["127.0.0.1:%d inet n - n - - smtpd" % port], debug=True) as gw:
        gw.env["POSTERN_FAULTS"] = gw.file("faults", "queue.segment.age TIME=500\nqueue.log.age TIME=500\nqmgr.age.interval TIME=100\n")
        gw.start()
        with Client(port) as c:
            c.ehlo()
            ids = [c.message("s@client.test", ["u@far.test"], b"Subject: m%d\r\n\r\nbody %d\r\n" % (i, i)).lines[0].split()[-1] for i in range(8)]
        wait_until(lambda: sink.waiting == 2, "two deliveries")
        ok([n for n, (state, _) in segments(gw).items() if state in (ACTIVE, CLOSED)], "they are in the log")
        wait_until(lambda: len(in_files(gw)) >= 6, "files for what waits")
        ok(in_files(gw) <= set(ids), "under their names")
        wait_until(lambda: all(state != ACTIVE for state, _ in segments(gw).values()), "end of the segment, full or not")
        is_eq(len(gw.cmd("postqueue", "-j").stdout.splitlines()), 8, "each is listed once")
        sink.go.set()
        wait_until(lambda: len(sink.messages) == 8 and not in_files(gw), "all delivered")
        is_eq(sorted(m.header("Subject")[0] for m in sink.messages), ["m%d" % i for i in range(8)], "each once")
        wait_until(lambda: all(state == FREE for state, _ in segments(gw).values()), "the segment is free again")
        before = segments(gw)
        with Client(port) as c:
            c.ehlo()
            c.message("s@client.test", ["u@far.test"], b"Subject: last\r\n\r\nx\r\n")
        sink.wait("last")
        after = segments(gw)
        is_eq(sorted(after), sorted(before), "no new segment is made")
        used = [n for n in after if after[n][1] > before[n][1]]
        is_eq(len(used), 1, "one of the old ones has a new generation")
        wait_until(lambda: not gw.cmd("postqueue", "-j").stdout, "an empty queue")
        ok(not gw.find_log("panic|corrupt|fatal"), "nothing strange in the log")


run(test_age)
