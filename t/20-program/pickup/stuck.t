#!/usr/bin/env python3
"""Very many files of the maildrop that cannot be taken (yet) are not in the way of the others, and cost no time."""
import os
import pwd
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import Instance, wait_until
from tap import is_eq, ok, run

STUCK, GOOD = 12000, 20
i = Instance(services=["discard unix - - n - - discard"], main={"default_transport": "discard", "relay_transport": "discard"})
drop = i.spool + "/maildrop/"


def test_behind_others():
    i.start()
    i.stop()
    is_eq(i.cmd("sendmail", "r@else.test", input="Subject: x\n\nbody\n").returncode, 0, "a message in the maildrop")
    name, = [n for n in os.listdir(drop) if not n.startswith(".")]
    with open(drop + name, "rb") as f:
        bytes = f.read()
    owner = pwd.getpwnam(i.owner)
    os.unlink(drop + name)
    for n in range(STUCK + GOOD):
        path = drop + "A%05X" % n
        with open(path, "wb") as f:
            os.fchown(f.fileno(), owner.pw_uid, owner.pw_gid)
            f.write(bytes)
        # The last step of whoever writes it is that its owner may execute it.
        os.chmod(path, 0o700 if n % (STUCK // GOOD) == 1 else 0o600)
    good = len([n for n in os.listdir(drop) if os.stat(drop + n).st_mode & 0o100])
    i.start()
    i.wait_log(r"status=sent", count=good, timeout=60)
    ok(True, "all that can be taken are taken")


def cpu():
    pid, = i.pids("pickup")
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_quiet():
    samples = [None]

    def is_idle():
        samples.append(cpu())
        return len(samples) > 12 and len(set(samples[-12:])) == 1
    wait_until(is_idle, "a pickup that does nothing", timeout=60)
    ok(True, "then pickup rests")


with i:
    run(test_behind_others, test_quiet)
