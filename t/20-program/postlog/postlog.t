#!/usr/bin/env python3
"""The command postlog, while the system is down (running: ../postlogd)."""
import os
import pty
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import Instance
from tap import is_eq, like, ok, run


def lines(i):
    return [l.split(" gw ", 1)[1] for l in i.log().splitlines()]


def on_terminal(i, *command):
    """Exit status and what comes on standard error, a terminal."""
    ours, theirs = pty.openpty()
    r = subprocess.run([os.path.join(i.build, "bin", command[0])] + list(command[1:]), stderr=theirs, env=i.env, timeout=60)
    os.close(theirs)
    text = b""
    try:
        while piece := os.read(ours, 4096):
            text += piece
    except OSError:
        pass  # the other side is closed
    os.close(ours)
    return r.returncode, text.decode().replace("\r\n", "\n")


def test_options():
    with Instance(standard=False) as i:
        r = i.cmd("postlog", "hello", "world")
        is_eq((r.returncode, r.stderr, r.stdout), (0, "", ""), "text on the command line")
        is_eq(on_terminal(i, "postlog", "hello"), (0, "postfix/postlog: hello\n"), "copied to a terminal")
        if os.geteuid() == 0 or os.access(i.logfile, os.W_OK):
            like(lines(i)[0], r"^postfix/postlog\[\d+\]: hello world$", "without postlogd the file is written directly")
        for name, word in (("info", ""), ("warn", "warning: "), ("error", "error: "), ("fatal", "fatal: "), ("panic", "panic: ")):
            r = i.cmd("postlog", "-i", "-p", name, "-t", "my/tag", "text")
            is_eq((r.returncode, r.stderr), (0, ""), "priority " + name)
            like(lines(i)[-1], r"^my/tag\[\d+\]: %stext$" % word, "in the file")
        r = i.cmd("postlog", "-p", "nonsense", "x")
        is_eq(r.returncode, 1, "an unknown priority")
        like(r.stderr, 'fatal: bad severity: "nonsense"', "is named")
        r = i.cmd("postlog", "-Z")
        is_eq(r.returncode, 1, "an unknown option")
        like(r.stderr, "fatal: usage: postlog", "shows the usage")
        is_eq(i.cmd("postlog", "-c", "/nonexistent", "x").returncode, 1, "no configuration")


def test_input():
    with Instance(standard=False) as i:
        r = i.cmd("postlog", input="one\ntwo\tx\r\n\nlast")
        is_eq(r.stderr, "", "nothing on stderr")
        is_eq([l.split("]: ", 1)[1] for l in lines(i)], ["one", "two?x?", "", "last"], "each input line is a record")
        long = "x" * 100000
        i.cmd("postlog", input=long)
        last = lines(i)[-1]
        ok(1000 < len(last) < 20000, "a very long line is cut")


def test_name():
    with Instance({"syslog_name": "other"}, standard=False) as i:
        is_eq(on_terminal(i, "postlog", "x"), (0, "other/postlog: x\n"), "syslog_name")


run(test_options, test_input, test_name)
