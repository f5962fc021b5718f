#!/usr/bin/env python3
"""pipe: commands that are slow, or many, or are left behind; what a stop, a reload and a crash do to them."""
import os
import select
import signal
import socket

from agent import BOUNCED, DEFERRED, SENT, Pipe, ipc
from instance import is_gone, wait_until
from tap import is_eq, like, ok, run

BIG = b"Subject: x\r\n\r\n" + b"y" * 70 + b"\r\n" * 20 + (b"z" * 70 + b"\r\n") * 20000


def number(path):
    return int(open(path).read())


def alive(pid):
    return not is_gone(pid)


def test_time():
    with Pipe({"prog": "argv=SCRIPT", "own": "argv=SCRIPT", "quick": "argv=/bin/true"}, script="""cat >/dev/null; sleep 1000 & echo $! >OUT/child; echo started; wait""",
              main={"prog_time_limit": "1s", "command_time_limit": "2s"}) as p:
        p.start()
        text = 'Command time limit exceeded: "%s". Command output: started' % p.script
        slow = p.request("prog", "u@pipe.test")
        is_eq(p.deliver("quick", "u@pipe.test", name="other"), (SENT, "2.0.0", "delivered via quick service"), "nobody else waits")
        is_eq(p.answer(slow), [(BOUNCED, "5.3.0", text)], "transport_time_limit")
        wait_until(lambda: is_gone(number(p.path("child"))), "end of the child")
        ok(True, "the whole process group is killed")
        is_eq(p.deliver("own", "u@pipe.test")[2], text, "command_time_limit")


def test_pipes():
    with Pipe({"deaf": "argv=/bin/true", "stuck": "argv=SCRIPT stuck", "child": "argv=SCRIPT child", "loud": "argv=SCRIPT loud", "chatty": "argv=SCRIPT chatty"},
              main={"stuck_time_limit": "1s"}, script="""case $1 in
stuck) sleep 1000;;
child) cat >/dev/null; sleep 1000 & echo $! >OUT/child;;
loud) exec cat /dev/zero;;
chatty) cat; cat >/dev/null;;
esac""") as p:
        p.start()
        is_eq(p.deliver("deaf", "u@pipe.test", BIG)[0], SENT, "a command that does not read its input")
        is_eq(p.deliver("stuck", "u@pipe.test", BIG)[:2], (BOUNCED, "5.3.0"), "one that never ends")
        is_eq(p.deliver("child", "u@pipe.test", BIG)[0], SENT, "one that leaves a child with its pipes")
        child = number(p.path("child"))
        ok(alive(child), "the child goes on")
        os.kill(child, signal.SIGKILL)
        kind, _, reason = p.deliver("loud", "u@pipe.test", BIG)
        ok(kind == DEFERRED and reason.startswith('Command died with signal 13: "%s"' % p.script), "one that never stops printing")
        ok(len(reason) < 10000, "of that little is kept")
        kind, _, reason = p.deliver("chatty", "u@pipe.test", BIG)
        is_eq(kind, SENT, "one that gives everything back")
        like(reason, r"^delivered via chatty service \(Subject: x  y{70}", "the beginning is reported")


def test_short():
    """A queue file that is shorter than it should be: a part of a message must not look like the whole."""
    with Pipe({"prog": "argv=SCRIPT"}, script="cat >/dev/null; touch OUT/end") as p:
        p.start()
        is_eq(p.deliver("prog", "u@pipe.test", BIG, length=len(BIG) + 1), (DEFERRED, "4.3.0", "queue file read error"), "deferred")
        p.wait_log(r"pipe\[\d+\]: warning: QID1: reading the content: Input/output error")
        is_eq(os.listdir(p.out), [], "the command never saw the end of its input")


HOLD = "cat >/dev/null; echo $$ >OUT/n.$$; mv OUT/n.$$ OUT/run.$$; while ! test -e OUT/go; do sleep 0.05; done; rm OUT/run.$$"


def running(p):
    return [f for f in os.listdir(p.out) if f.startswith("run.")]


def test_limit():
    with Pipe({"prog": "argv=SCRIPT"}, script=HOLD, fields="- n n - 2") as p:
        p.start()
        clients = [p.connect("prog") for _ in range(2)]
        third = socket.socket(socket.AF_UNIX)
        third.connect(os.path.join(p.spool, "private", "prog"))
        for c in clients:
            p.request("prog", "u@pipe.test", client=c)
        wait_until(lambda: len(running(p)) == 2, "two commands")
        try:
            third.recv(1, socket.MSG_DONTWAIT)
            ok(False, "maxproc is the number of commands at a time")
        except BlockingIOError:
            ok(True, "maxproc is the number of commands at a time")
        open(p.path("go"), "w").close()
        is_eq([p.answer(c)[0][0] for c in clients], [SENT, SENT], "both end")


def test_default_limit():
    with Pipe({"prog": "argv=SCRIPT"}) as p:
        p.start()
        clients = [socket.socket(socket.AF_UNIX) for _ in range(103)]
        for c in clients:
            c.connect(os.path.join(p.spool, "private", "prog"))

        def ready():
            return len(select.select(clients, [], [], 0)[0])
        wait_until(lambda: ready() >= 100, "agents")
        is_eq(ready(), 100, 'maxproc "-" is the default of default_process_limit')
        for c in clients:
            c.close()


def test_reload():
    with Pipe({"prog": "argv=SCRIPT"}, script=HOLD.replace("OUT/go", "OUT/go.${1%%@*}"), fields="- n n - 2") as p:
        p.services[-1] += " ${recipient}"
        p.write_config()
        p.start()
        old = [p.request("prog", u + "@pipe.test", client=p.connect("prog"), name=u) for u in ("a", "b")]
        wait_until(lambda: len(running(p)) == 2, "two commands")
        p.reload()
        new = [ipc.Client(os.path.join(p.spool, "private", "prog"), 60) for _ in range(2)]
        is_eq(len(select.select([c.sock for c in new], [], [], 1.5)[0]), 0, "commands that outlive a reload count for maxproc")
        open(p.path("go.a"), "w").close()
        is_eq(p.answer(old[0])[0][0], SENT, "the result of one is told")
        wait_until(lambda: select.select([c.sock for c in new], [], [], 0)[0], "a turn of a new one")
        is_eq(len(select.select([c.sock for c in new], [], [], 0)[0]), 1, "and one takes its place")
        ready = next(c for c in new if select.select([c.sock], [], [], 0)[0])
        other = next(c for c in new if c is not ready)
        open(p.path("go.b"), "w").close()
        is_eq(p.answer(old[1])[0][0], SENT, "of the other one too")
        ready.recv()
        p.request("prog", "c@pipe.test", client=ready, name="c")
        wait_until(lambda: any(f.startswith("run.") for f in os.listdir(p.out)), "its command")
        is_eq(other.recv()[0], "DELIVER_READY", "then there are two again")


def test_stop():
    with Pipe({"prog": "argv=SCRIPT", "hungry": "argv=SCRIPT"}, script="test -e OUT/eat && cat >/dev/null; echo $$ >OUT/n.$$; mv OUT/n.$$ OUT/run.$$; sleep 1000; cat >/dev/null; touch OUT/end") as p:
        p.start()
        p.request("prog", "u@pipe.test", BIG)
        wait_until(lambda: running(p), "the command")
        pid = number(p.path(running(p)[0]))
        p.ctl("stop")
        wait_until(lambda: is_gone(pid), "end of the command")
        p.wait_log(r"status=deferred \(mail system is stopping: the command was ended\)")
        ok(True, "a command that does not end is killed at a stop, and the message stays")
        ok(not os.path.exists(p.path("end")), "without seeing the end of a part of its input")


run(test_time, test_pipes, test_short, test_limit, test_default_limit, test_reload, test_stop)
