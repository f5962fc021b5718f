#!/usr/bin/env python3
"""virtual: what is left when writing fails, and when the agent dies (fault points, sanitizers)."""
import os

from agent import DEFERRED, SENT, Box
from instance import wait_until
from tap import is_eq, ok, run


def faults(b, text):
    with open(b.faults + ".new", "w") as f:
        f.write(text)
    os.rename(b.faults + ".new", b.faults)


def test_errors():
    with Box({"d@box.test": "d/", "m@box.test": "m"}, debug=True) as b:
        b.start()
        faults(b, "none ENOSPC\n")
        is_eq(b.deliver(["d@box.test", "m@box.test"]), [(SENT, "2.0.0", "delivered to maildir"), (SENT, "2.0.0", "delivered to mailbox")], "at first")
        before = b.read("m")
        big = b"Subject: y\r\n\r\n" + b"z" * 1000 + b"\r\n" * 80000 + b"end\r\n"
        for fault, why in (("mailbox.write ENOSPC", "No space left on device"), ("mailbox.write SHORT", "No space left on device"),
                           ("mailbox.write#1 SHORT", "No space left on device"), ("mailbox.write EIO", "Input/output error"),
                           ("mailbox.fsync EIO", "Input/output error"), ("mailbox.fsync ENOSPC", "No space left on device")):
            faults(b, fault + "\n")
            is_eq(b.deliver("d@box.test", big), (DEFERRED, "4.3.0", "maildir delivery failed: error writing message: " + why), fault + ": maildir")
            is_eq((len(os.listdir(b.path("d/new"))), os.listdir(b.path("d/tmp"))), (1, []), "nothing is left")
            faults(b, fault + "\n# again\n")
            is_eq(b.deliver("m@box.test", big), (DEFERRED, "4.3.0", "delivery failed to mailbox %s: error writing message: %s" % (b.path("m"), why)), fault + ": mailbox")
            ok(b.read("m") == before, "nothing is left")
        faults(b, "mailbox.sync EIO\n")
        is_eq(b.deliver("d@box.test", big), (DEFERRED, "4.2.0", "maildir delivery failed: sync folder: Input/output error"), "mailbox.sync: maildir")
        is_eq((len(os.listdir(b.path("d/new"))), os.listdir(b.path("d/tmp"))), (1, []), "nothing is left")
        faults(b, "mailbox.write EDQUOT\n")
        is_eq(b.deliver("d@box.test")[1:], ("5.2.2", "maildir delivery failed: error writing message: Disk quota exceeded"), "over quota")
        faults(b, "none EIO\n")
        is_eq(b.deliver(["d@box.test", "m@box.test"], big)[1][:2], (SENT, "2.0.0"), "then it works again")


def test_death():
    for fault in ("mailbox.write", "mailbox.fsync"):
        with Box({"d@box.test": "d/", "m@box.test": "m"}, {"virtual_mailbox_lock": "fcntl"}, debug=True) as b:
            b.start()
            for who in ("d@box.test", "m@box.test"):
                faults(b, fault + " KILL\n")
                b.request(who)
                ok(b.client.recv() is None, "%s: killed while delivering to %s" % (fault, who))
                faults(b, "none EIO\n")
                b.client = wait_until(lambda: connected(b), "another worker", 60)
                is_eq(b.deliver(who)[:2], (SENT, "2.0.0"), "delivered by the next worker")
            is_eq(len(os.listdir(b.path("d/new"))), 1, "once in the maildir")


def connected(b):
    try:
        return b.connect()
    except (OSError, TypeError):
        return None


run(test_errors, test_death)
