#!/usr/bin/env python3
"""postlock: styles, exit status, who is kept out."""
import fcntl
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import Instance
from tap import is_eq, like, ok, run

QUICK = {"deliver_lock_attempts": "2", "deliver_lock_delay": "1s"}


def test_status():
    with Instance(QUICK, standard=False) as i:
        box = os.path.join(i.dir, "box")
        r = i.cmd("postlock", box, "/bin/sh", "-c", "echo locked; exit 9")
        is_eq((r.returncode, r.stdout), (9, "locked\n"), "output and exit status are the command's")
        ok(os.path.exists(box), "a mailbox that was not there is made")
        ok(not os.path.exists(box + ".lock"), "no lock file stays behind")
        is_eq(i.cmd("postlock", box, "/nonexistent/command").returncode, 1, "a command that is not there")
        is_eq(i.cmd("postlock", "/nonexistent/dir/box", "/bin/true").returncode, 75, "a file that cannot be opened")
        is_eq(i.cmd("postlock", "-l", "nosuchstyle", box, "/bin/true").returncode, 75, "an unknown style")
        is_eq(i.cmd("postlock", box).returncode, 75, "too few arguments")
        is_eq(i.cmd("postlock", box, "/bin/sh", "-c", "kill -9 $$").returncode, 1, "a command that was killed")


def test_styles():
    with Instance(QUICK, standard=False) as i:
        box = i.file("box", "x", 0o666)
        with open(box, "r+") as f:
            fcntl.lockf(f, fcntl.LOCK_EX)
            r = i.cmd("postlock", "-l", "fcntl", box, "/bin/echo", "no")
            is_eq((r.returncode, r.stdout), (75, ""), "fcntl: somebody else's lock is respected")
            like(r.stderr, "open file .*box: unable to lock for exclusive access: Resource temporarily unavailable", "and told")
            is_eq(i.cmd("postlock", "-l", "flock", box, "/bin/true").returncode, 0, "flock does not care")
        with open(box, "r+") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            is_eq(i.cmd("postlock", "-l", "flock", box, "/bin/true").returncode, 75, "flock: somebody else's lock is respected")
        i.file("box.lock", "")
        is_eq(i.cmd("postlock", "-l", "dotlock", box, "/bin/true").returncode, 75, "dotlock: so is a lock file")
        os.utime(box + ".lock", (time.time() - 1000, time.time() - 1000))
        r = i.cmd("postlock", "-l", "dotlock,fcntl", box, "/bin/sh", "-c", "test -f %s.lock" % box)
        is_eq(r.returncode, 0, "a stale one is removed, ours is there")
        ok(not os.path.exists(box + ".lock"), "and goes with the command")


run(test_status, test_styles)
