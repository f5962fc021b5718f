#!/usr/bin/env python3
"""qmgr under control: flushing, holding, deleting, requeueing, listing; showq and postqueue; restarts."""
import json
import os
import re
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import wait_until
from ipc import Client
from qmgrfakes import BOUNCED, DEFERRED, SENT, Gate
from tap import is_eq, like, ok, run, skip

BUSY = (DEFERRED, "4.2.1", "host h said: 450 4.2.1 busy")


def deferring(g):
    g.start()
    g.agent("smtp").answer = lambda r: BUSY
    return g


def deferred(g, *rcpts, **more):
    qid = g.put(*rcpts, **more)
    g.wait_queue(qid, "deferred")
    return qid


def test_super():
    with Gate() as g:
        deferring(g)
        a, b, c, d = (deferred(g, "u@far.test") for _ in range(4))
        is_eq(g.super("h", a)["count"], 1, "hold")
        is_eq(g.list()[a]["queue"], "hold", "it is on hold")
        ok(os.path.exists(os.path.join(g.spool, "hold", a)), "in its folder")
        is_eq(g.super("h", a)["count"], 0, "twice is once")
        is_eq((g.super("H", b)["count"], g.super("d", "NOSUCH1")["count"], g.super("d", "../../x")["status"] != 0), (0, 0, True), "what is not on hold, not there, no name")
        is_eq(g.super("d", b)["count"], 1, "delete")
        ok(b not in g.list(), "it is gone")
        is_eq(g.super("e", c)["count"], 1, "expire")
        g.agent("smtp").answer = lambda r: (SENT, "2.0.0", "ok")
        g.flush()
        g.wait_removed(c, d)
        is_eq(list(g.list()), [a], "a flush leaves what is on hold")
        is_eq(g.super("H", a)["count"], 1, "release")
        g.wait_removed(a)
        a = g.put("u@far.test", flags=["-h"])
        is_eq(g.list()[a]["queue"], "hold", "held by cleanup")
        is_eq(g.super("d", a)["count"], 1, "deleted there")
        is_eq(g.list(), {}, "empty")
        g.agent("smtp").answer = lambda r: BUSY
        ids = [deferred(g, "u@far.test") for _ in range(30)]
        is_eq(g.super("h", "ALL", "deferred")["count"], 30, "hold all that is deferred")
        is_eq(g.super("d", "ALL", "deferred incoming active")["count"], 0, "none is left there")
        is_eq(g.super("f", ids[0])["count"], 1, "expire and release")
        g.wait_log("%s: from=.*status=force-expired, returned to sender" % ids[0])
        g.wait_removed(ids[0])
        is_eq(g.super("H", "ALL")["count"], 29, "release all")
        is_eq(g.super("d", "ALL")["count"], 29, "delete all")
        wait_until(lambda: g.list() == {}, "nothing is left")


def test_super_active():
    with Gate({"smtp_destination_concurrency_limit": "1", "initial_destination_concurrency": "1"}) as g:
        g.start()
        go = threading.Event()
        g.agent("smtp").answer = lambda r: go.wait(20) and (SENT if r.to != ["late@far.test"] else DEFERRED, "2.0.0", "ok")
        first = g.put("one@far.test", "two@far.test", flags=[])
        wait_until(lambda: g.agent("smtp").now == 1, "in flight")
        second, third, fourth = (g.put("u@far.test") for _ in range(3))
        wait_until(lambda: len(g.list()) == 4, "all are active")
        is_eq(g.super("d", second)["count"], 1, "a message that waits in the active queue is deleted")
        wait_until(lambda: second not in g.list(), "and gone")
        is_eq(g.super("h", third)["count"], 1, "another one is held")
        wait_until(lambda: g.list()[third]["queue"] == "hold", "and on hold")
        is_eq(g.super("d", first)["count"], 1, "one that is being delivered is marked")
        ok(first not in g.list(), "and not listed any more")
        go.set()
        g.wait_removed(fourth)
        wait_until(lambda: list(g.list()) == [third], "what is left")
        is_eq(sorted(g.agent("smtp").to()), ["one@far.test", "two@far.test", "u@far.test"], "nothing else was delivered")


def test_requeue():
    with Gate() as g:
        deferring(g)
        g.agent("smtp").answer = lambda r: [(SENT, "2.0.0", "ok") if a == "done@far.test" else BUSY for a in r.to]
        g.agent("scan").answer = g.agent("smtp").answer
        qid = deferred(g, "done@far.test", "orig@far.test=left@far.test", flags=["-a", "content_filter=scan:x"])
        is_eq(g.super("r", qid)["count"], 1, "requeue")
        is_eq(g.list(), {}, "it has left the queue")
        path = os.path.join(g.spool, "maildrop", qid)
        ok(os.stat(path).st_mode & 0o100, "and waits in the maildrop, complete")
        data = open(path, "rb").read()
        ok(b"left@far.test" in data and b"orig@far.test" in data and b"done@far.test" not in data, "with the recipients that are left")
        ok(b"content_filter" not in data and b"Subject: test\r\n\r\nbody\r\n" in data, "with its content, without its filter")
        j = g.json()
        is_eq([(m["queue_name"], m["queue_id"]) for m in j], [("maildrop", qid)], "listed there")


def test_flush():
    with Gate({"fast_flush_domains": "one.test, two.test", "relay_domains": "one.test"}) as g:
        deferring(g)
        ids = {d: deferred(g, "u@%s.test" % d) for d in ("one", "two", "three")}
        g.agent("smtp").answer = lambda r: (SENT, "2.0.0", "ok")
        r = g.cmd("postqueue", "-s", "three.test")
        is_eq((r.returncode, 'fatal: Flush service is not configured for destination "three.test"' in r.stderr), (69, True), "a site that is not eligible")
        is_eq(g.cmd("postqueue", "-s", "one.test").returncode, 0, "postqueue -s")
        g.wait_removed(ids["one"])
        is_eq(g.cmd("postqueue", "-i", ids["three"]).returncode, 0, "postqueue -i")
        g.wait_removed(ids["three"])
        is_eq(list(g.list()), [ids["two"]], "the other stays")
        r = g.cmd("postqueue", "-i", "../x")
        is_eq((r.returncode != 0, 'fatal: Cannot flush queue ID - invalid name: "../x"' in r.stderr), (True, True), "a bad name")
        is_eq(g.cmd("postqueue", "-f").returncode, 0, "postqueue -f")
        g.wait_removed(ids["two"])
        g.agent("smtp").answer = lambda r: BUSY
        qid = deferred(g, "u@one.test")
        g.agent("smtp").answer = lambda r: (SENT, "2.0.0", "ok")
        s = socket.socket(socket.AF_UNIX)
        s.connect(os.path.join(g.spool, "public/qmgr"))
        s.sendall(b"FAD")
        s.close()
        g.wait_removed(qid)
        ok(True, "trigger letters")


def test_listing():
    with Gate({"initial_destination_concurrency": "1"}, debug=True) as g:
        deferring(g)
        is_eq(g.cmd("postqueue", "-p").stdout, "Mail queue is empty\n", "empty")
        is_eq(g.cmd("postqueue", "-j").stdout, "", "empty, JSON")
        long = "a reason that is so long that it does not fit into the seventy-six columns that are given to it in the listing"
        answers = {"a@far.test": BUSY, "b@far.test": BUSY, "c@far.test": (DEFERRED, "4.0.0", long)}
        g.agent("smtp").answer = lambda r: [answers.get(a, BUSY) for a in r.to]
        one = deferred(g, "a@far.test", "b@far.test", "c@far.test")
        two = deferred(g, 'q"uo te@far.test', sender="")
        g.super("h", two)
        g.super("e", one)
        out = g.cmd("postqueue", "-p", check=True).stdout
        day = r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d"
        pad = " " * (76 - len(BUSY[2]))
        like(out, r"""\A-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------
%s#      20 %s  sender@example\.test
%s\(host h said: 450 4\.2\.1 busy\)
 {41}a@far\.test
 {41}b@far\.test
\(%s\)
 {41}c@far\.test

%s!      20 %s  MAILER-DAEMON
%s\(host h said: 450 4\.2\.1 busy\)
 {41}"q\\"uo te"@far\.test

-- 0 Kbytes in 2 Requests\.
\Z""" % (one, day, pad, long, two, day, pad), "classic listing")
        j = {m["queue_id"]: m for m in g.json()}
        is_eq(j[one]["recipients"], [{"address": a, "delay_reason": answers[a][2]} for a in sorted(answers)], "JSON: recipients")
        m = j[two]
        is_eq((m["queue_name"], m["message_size"], m["forced_expire"], m["sender"], m["recipients"][0]["address"]), ("hold", 20, False, "MAILER-DAEMON", '"q\\"uo te"@far.test'), "JSON: message")
        ok(abs(m["arrival_time"] - time.time()) < 60, "JSON: arrival")
        r = g.cmd("postqueue")
        is_eq((r.returncode, "usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | postqueue -s site" in r.stderr), (69, True), "usage")
        s = socket.socket(socket.AF_UNIX)
        s.connect(os.path.join(g.spool, "public/showq"))
        raw = s.makefile("rb").read()
        ok(raw.startswith(b"protocol\0mail_queue_list_protocol\0\0queue_name\0deferred\0queue_id\0"), "the stream: head")
        ok(raw.endswith(b"delay_reason\0") is False and raw.endswith(b"\0\0\0"), "the stream: end")
        fields = raw.split(b"\0\0queue_name\0")[1].split(b"\0")
        is_eq(fields[1:10:2], [b"queue_id", b"time", b"size", b"forced_expire", b"sender"], "the stream: order of a record")
        g.stop()
        if os.getuid() == 0:
            r = g.cmd("postqueue", "-p")
            is_eq(r.stdout, out, "the same when the system is down")
            like(r.stderr, r"postqueue: warning: Mail system is down -- accessing queue directly \(Connect to the Postfix showq service: ", "with a warning")
        r = g.cmd("postqueue", "-f")
        is_eq((r.returncode, "fatal: Cannot flush mail queue - mail system is down" in r.stderr), (69, True), "no flush then")


def test_many_listed():
    with Gate() as g:
        deferring(g)
        ids = g.put("a@far.test", n=2000)
        wait_until(lambda: [m["queue"] for m in g.list().values()].count("deferred") == 2000, "2000 are deferred", 60)
        c = g.qmgr()            # a reader that does not read holds nothing up
        c.send("QMGR_LIST", queue_id="")
        is_eq(len(g.json()), 2000, "all are listed")
        g.agent("smtp").answer = lambda r: (SENT, "2.0.0", "ok")
        g.wait_removed(g.put("b@far.test"))
        c.close()
        is_eq(g.flush(), 2000, "flush")
        wait_until(lambda: g.list() == {}, "all are delivered", 60)
        is_eq(sorted(r.id for r in g.agent("smtp").requests if r.to == ["a@far.test"])[::2], sorted(ids), "twice each, no more")


def test_window():
    with Gate({"qmgr_message_active_limit": "10", "initial_destination_concurrency": "2", "smtp_destination_concurrency_limit": "2"}) as g:
        g.start()
        go = threading.Event()
        g.agent("smtp").answer = lambda r: go.wait(20) and (SENT, "2.0.0", "ok")
        ids = g.put("u@far.test", n=50)
        def queues():
            names = [m["queue"] for m in g.list().values()]
            return names.count("active"), names.count("incoming")
        wait_until(lambda: queues() == (10, 40), "a bounded active queue")
        time.sleep(0.2)
        is_eq(queues(), (10, 40), "a bounded active queue")
        go.set()
        g.wait_removed(*ids)
        is_eq(sorted(r.id for r in g.agent("smtp").requests), sorted(ids), "each once")


def test_restart():
    with Gate() as g:
        deferring(g)
        late = deferred(g, "u@far.test")
        held = g.put("h@far.test", flags=["-h"])
        g.agent("smtp").answer = lambda r: [(SENT, "2.0.0", "ok") if a == "done@far.test" else BUSY for a in r.to]
        mixed = deferred(g, "done@far.test", "left@far.test")
        unknown = g.put("k@far.test", flags=["-k"])
        g.agent("smtp").answer = lambda r: (SENT, "2.0.0", "ok")
        pid = g.pids("qmgr")[0]
        g.kill(pid)
        wait_until(lambda: g.pids("qmgr") not in ([], [pid]), "another qmgr")
        g.wait_removed(unknown)
        g.flush()
        g.wait_removed(late, mixed)
        is_eq(g.agent("smtp").to().count("done@far.test"), 1, "what was delivered before is not delivered again")
        is_eq(list(g.list()), [held], "what is on hold stays there")
        # What an agent has in hand when qmgr dies is not begun again.
        go = threading.Event()
        g.agent("smtp").marks = True
        g.agent("smtp").answer = lambda r: go.wait(30) and (SENT, "2.0.0", "ok")
        flying, second = g.put("f@far.test"), g.put("g@far.test", flags=["-f"])
        wait_until(lambda: g.agent("smtp").now == 2, "in flight")
        g.kill(g.pids("qmgr")[0])
        g.wait_log("%s: skipped, still being delivered" % flying)
        g.wait_log("%s: skipped, still being delivered" % second)
        is_eq(sorted(g.list()), sorted([flying, second, held]), "they are still listed")
        go.set()
        g.wait_removed(flying, second)
        is_eq([g.agent("smtp").to().count(a) for a in ("f@far.test", "g@far.test")], [1, 1], "their results come late, and count")
        # What is told late of a message that was put off takes no attempt away.
        agent, sent = g.agent("smtp"), g.agent("smtp").answer
        agent.answer = lambda r: BUSY
        again = deferred(g, "r@far.test")
        agent.late(agent.requests[-1], DEFERRED)
        agent.answer = lambda r: (SENT, "2.0.0", "ok")
        g.flush()
        g.wait_removed(again)
        is_eq(len(g.find_log("%s: from=" % again)), 2, "what is told late of a message that was put off takes no attempt away")
        agent.answer = sent
        # A reload neither.
        go.clear()
        flying = g.put("i@far.test")
        wait_until(lambda: g.agent("smtp").now == 1, "in flight")
        pid = g.pids("qmgr")[0]
        g.reload()
        wait_until(lambda: pid not in g.pids("qmgr") and g.pids("qmgr"), "a new qmgr after the reload, though a delivery takes its time")
        g.wait_log("%s: skipped, still being delivered" % flying)
        go.set()
        g.wait_removed(flying)
        is_eq(g.agent("smtp").to().count("i@far.test"), 1, "once")
        # A reload waits a little for what is in flight.
        go = threading.Event()
        g.agent("smtp").answer = lambda r: go.wait(20) and (SENT, "2.0.0", "ok")
        flying = g.put("j@far.test")
        wait_until(lambda: g.agent("smtp").now == 1, "in flight")
        pid = g.pids("qmgr")[0]
        g.reload()
        go.set()
        wait_until(lambda: pid not in g.pids("qmgr") and g.pids("qmgr"), "a new qmgr after the reload")
        g.wait_removed(flying)
        is_eq(g.agent("smtp").to().count("j@far.test"), 1, "delivered once")
        g.wait_removed(g.put("k2@far.test"))


def test_malformed():
    with Gate() as g:
        g.start()
        for raw in (b"\xb5", b"\xb5\x01\xff\xff\x00\x00\x00\x00", b"\xb5\x01\x80\x00\xff\xff\xff\xff", b"\xb5\x01\x80\x00\x04\x00\x00\x00\xff\xff\xff\xff", os.urandom(3000), b"\xb5" + os.urandom(3000)):
            s = socket.socket(socket.AF_UNIX)
            s.connect(os.path.join(g.spool, "public/qmgr"))
            try:
                s.sendall(raw)
                s.shutdown(socket.SHUT_WR)
                s.settimeout(5)
                while s.recv(1000):
                    pass
            except OSError:
                pass
            s.close()
        c = g.qmgr()
        c.send("QMGR_NEW", queue_id="../../etc/x", lane=2, queue="incoming", envelope="junk")
        c.send("QMGR_NEW", queue_id="A" * 500, lane=2, queue="incoming")
        c.send("QMGR_NEW", queue_id="ABCDEF1", lane=9, queue="incoming")
        c.send("QMGR_NEW", queue_id="ABCDEF2", lane=2, queue="incoming", envelope="junk")
        c.send("QMGR_NEW", queue_id="ABCDEF3", lane=1, segment=77, generation=5, offset=1 << 60, length=1 << 60)
        c.send("QMGR_CLOSED", segment=99, generation=99)
        c.send("QMGR_LIST", queue_id="")
        while c.recv()[0] != "QLIST_END":
            pass
        g.wait_removed(g.put("u@far.test"))
        ok(not g.find_log("panic|killed by|exit status") and len(g.pids("qmgr")) == 1, "nonsense does no harm")


run(test_super, test_super_active, test_requeue, test_flush, test_listing, test_many_listed, test_window, test_restart, test_malformed)
