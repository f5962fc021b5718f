#!/usr/bin/env python3
"""pipe: what commands see when their worker is killed: the whole message or no end of it, and then their own end."""
import os
import signal

from agent import SENT, Pipe
from instance import is_gone, wait_until
from tap import is_eq, ok, run

PIPE_ROOM = 65536
SMALL = b"Subject: x\r\n\r\n" + (b"z" * 70 + b"\r\n") * 500
BIG = SMALL + (b"z" * 70 + b"\r\n") * 20000
WAIT = "while ! test -e OUT/go; do sleep 0.05; done; "
START = "echo $$ >OUT/n; mv OUT/n OUT/run; "


def number(path):
    return int(open(path).read())


def children(pid):
    return [int(p) for p in open("/proc/%d/task/%d/children" % (pid, pid)).read().split()]


def guard(worker):
    found = [p for p in children(worker) if open("/proc/%d/comm" % p).read() == "command-guard\n"]
    return found[0] if found else None


def members(group):
    out = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = open("/proc/%s/stat" % pid).read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(stat[2]) == group and stat[0] != "Z":
            out.append(int(pid))
    return out


def begin(p, message, service="prog"):
    """The command waits for OUT/go; its worker is stopped: (worker, command)."""
    p.start()
    p.request(service, "u@pipe.test", message)
    p.wait_file("run")
    (worker,) = p.pids("pipe")
    return worker, number(p.path("run"))


def go(p):
    open(p.path("go"), "w").close()


def test_input():
    """The command has read what there was and waits for more, in the middle of a pipeline of its own."""
    script = START + WAIT + "cat | { cat >OUT/part; touch OUT/end; }; touch OUT/end; sleep 1000"
    for attributes in ("argv=SCRIPT", "flags=BFR argv=SCRIPT"):
        with Pipe({"prog": attributes}, script=script) as p:
            worker, command = begin(p, BIG)
            p.kill(worker, signal.SIGSTOP)
            go(p)
            wait_until(lambda: os.path.exists(p.path("part")) and os.path.getsize(p.path("part")) >= PIPE_ROOM, "a part of the message")
            p.kill(worker)
            wait_until(lambda: not members(command), "end of the command and its children")
            ok(not os.path.exists(p.path("end")), "killed while a command is fed: it never saw the end of a part of its input")


def test_children():
    with Pipe({"prog": "argv=SCRIPT"}, script="cat >/dev/null; sleep 1000 & sleep 1000 & " + START + "wait") as p:
        worker, command = begin(p, SMALL)
        is_eq(len(members(command)), 3, "a command and two children")
        p.kill(worker)
        wait_until(lambda: not members(command), "their end")
        ok(True, "all end with the worker")


def test_left_behind():
    with Pipe({"prog": "argv=SCRIPT"}, script="cat >/dev/null; sleep 1000 >/dev/null 2>&1 & echo $! >OUT/run") as p:
        p.start()
        is_eq(p.deliver("prog", "u@pipe.test", SMALL)[0], SENT, "a command that leaves a child behind")
        (worker,) = p.pids("pipe")
        watch = guard(worker)
        p.kill(worker)
        wait_until(lambda: is_gone(watch), "end of the guard")
        child = number(p.path("run"))
        ok(not is_gone(child), "its delivery is over: the child is let live")
        os.kill(child, signal.SIGKILL)


def test_without_guard():
    """Worker and guard at once: nobody ends the command, but it has all of its input."""
    with Pipe({"prog": "argv=SCRIPT"}, script=START + WAIT + "cat >OUT/part; touch OUT/end") as p:
        worker, command = begin(p, SMALL)
        p.kill(worker, signal.SIGSTOP)
        p.kill(guard(worker))
        p.kill(worker)
        wait_until(lambda: is_gone(worker), "end of the worker")
        go(p)
        p.wait_file("end")
        ok(open(p.path("part"), "rb").read() == SMALL.replace(b"\r\n", b"\n"), "a message that fits into the pipe is there in full before the command begins")


def test_new_guard():
    with Pipe({"prog": "argv=SCRIPT"}, script=START + WAIT + "cat >OUT/part; touch OUT/end; sleep 1000") as p:
        worker, command = begin(p, BIG)
        first = guard(worker)
        p.kill(first)
        wait_until(lambda: guard(worker) not in (None, first), "a new guard")
        p.kill(worker, signal.SIGSTOP)
        go(p)
        wait_until(lambda: os.path.exists(p.path("part")) and os.path.getsize(p.path("part")) >= PIPE_ROOM, "a part of the message")
        p.kill(worker)
        wait_until(lambda: not members(command), "end of the command")
        ok(not os.path.exists(p.path("end")), "a guard that was killed is replaced, and the new one knows the commands")
    with Pipe({"prog": "argv=SCRIPT"}, script=START + WAIT + "cat >OUT/part; mv OUT/part OUT/end") as p:
        worker, command = begin(p, BIG)
        first = guard(worker)
        p.kill(first)
        wait_until(lambda: guard(worker) not in (None, first), "a new guard")
        go(p)
        p.wait_file("end")
        ok(open(p.path("end"), "rb").read() == BIG.replace(b"\r\n", b"\n"), "the command it took over gets the end of its input")


run(test_input, test_children, test_left_behind, test_without_guard, test_new_guard)
