#!/usr/bin/env python3
"""virtual: mailbox files."""
import fcntl
import os
import re
import socket
import stat
import time

from agent import BOUNCED, DEFERRED, SENT, Box, user
from instance import wait_until
from tap import is_eq, like, ok, run

OK = (SENT, "2.0.0", "delivered to mailbox")


def maps(names):
    return {"%s@box.test" % n: n for n in names.split()}


def failed(b, name, why):
    return "delivery failed to mailbox %s: %s" % (b.path(name), why)


def test_delivery():
    with Box(maps("u sub/u v big")) as b:
        b.start()
        is_eq(b.deliver("u@box.test", b"Subject: x\r\n\r\nFrom me\r\n>From you\r\nFrom\r\n..dot\r\n", orig="a@box.test"), OK, "delivered")
        like(b.read("u").decode(), r"\AFrom s@x\.test  \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\nReturn-Path: <s@x\.test>\nX-Original-To: a@box\.test\n"
             r"Delivered-To: u@box\.test\nSubject: x\n\n>From me\n>From you\nFrom\n\.dot\n\n\Z", "From line, headers, quoting, an empty line")
        st = os.stat(b.path("u"))
        is_eq((st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)), user() + (0o600,), "owner and mode")
        is_eq(os.listdir(b.mail), ["u"], "no lock file is left")
        is_eq(b.deliver(["u@box.test", "u@box.test"], sender=""), [OK, OK], "two more")
        is_eq(len(re.findall(r"^From MAILER-DAEMON  ", b.read("u").decode(), re.M)), 2, "from the null sender, behind it")
        r = b.deliver("sub/u@box.test")
        is_eq(r[:2], (DEFERRED, "4.2.0"), "folders of mailboxes are not made")
        like(r[2], r"/mail/sub: No such file or directory$", "why")
        b.folder("sub")
        is_eq(b.deliver("sub/u@box.test"), OK, "in a folder that is there")
        b.put("big", b"x" * 199900)
        is_eq(b.deliver("big@box.test"), (BOUNCED, "5.2.2", failed(b, "big", "error writing message: File too large")), "virtual_mailbox_limit")
        is_eq(b.read("big"), b"x" * 199900, "nothing of it is left")
        is_eq(b.deliver("big@box.test", b"y\r\n" * 100000)[:2], (BOUNCED, "5.2.2"), "a message of several buffers")
        is_eq(os.path.getsize(b.path("big")), 199900, "nothing of it is left")
        is_eq(b.deliver("v@box.test", b"x\r\n", size=9000), (DEFERRED, "4.3.0", failed(b, "v", "error reading message: Input/output error")),
              "the queue file is shorter than it should be")
        is_eq(b.read("v"), b"", "nothing of it is left")
        is_eq(b.deliver("v@box.test", flags=4), (SENT, "2.0.0", "delivers to mailbox"), "a probe")


def test_files():
    with Box(maps("link hard dir fifo sock other ro rootdir/link"), {"deliver_lock_attempts": "1"}) as b:
        b.start()
        b.put("target")
        os.symlink("target", b.path("link"))
        is_eq(b.deliver("link@box.test"), (DEFERRED, "4.2.0", failed(b, "link", "file is a symbolic link")), "a symbolic link")
        b.put("hard")
        os.link(b.path("hard"), b.path("hard2"))
        is_eq(b.deliver("hard@box.test"), (DEFERRED, "4.2.0", failed(b, "hard", "file has 2 hard links")), "a hard link")
        b.folder("dir")
        is_eq(b.deliver("dir@box.test"), (DEFERRED, "4.2.0", failed(b, "dir", "cannot open file: Is a directory")), "a folder")
        os.mkfifo(b.path("fifo"))
        os.chown(b.path("fifo"), *user())
        is_eq(b.deliver("fifo@box.test"), (DEFERRED, "4.2.0", failed(b, "fifo", "cannot open file: No such device or address")), "a FIFO")
        fd = os.open(b.path("fifo"), os.O_RDONLY | os.O_NONBLOCK)
        is_eq(b.deliver("fifo@box.test"), (DEFERRED, "4.2.0", failed(b, "fifo", "file is not a regular file")), "a FIFO with a reader")
        os.close(fd)
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(b.path("sock"))
            is_eq(b.deliver("sock@box.test")[:2], (DEFERRED, "4.2.0"), "a socket")
        if os.geteuid() == 0:
            b.put("other", mode=0o666, owner=(0, 0))
            is_eq(b.deliver("other@box.test"), (DEFERRED, "4.2.0", failed(b, "other", "destination %s is not owned by recipient" % b.path("other"))),
                  "strict_mailbox_ownership")
            is_eq(b.read("other"), b"", "nothing is written")
            b.put("ro", mode=0o400)
            is_eq(b.deliver("ro@box.test"), (DEFERRED, "4.2.0", failed(b, "ro", "cannot open file: Permission denied")), "root's power is not used")
            b.folder("rootdir", 0o755, (0, 0))
            os.symlink("../target", b.path("rootdir/link"))
            b.main["virtual_mailbox_lock"] = "fcntl"
            b.main["strict_mailbox_ownership"] = "no"
            b.reload()
            b.client = b.connect()
            is_eq(b.deliver("rootdir/link@box.test"), OK, "root's link in root's folder")
            ok(b.read("target").startswith(b"From "), "is followed")
            is_eq(b.deliver("other@box.test"), OK, "strict_mailbox_ownership = no")


def test_locks():
    for styles, take in (("dotlock", None), ("fcntl", fcntl.lockf), ("flock", fcntl.flock)):
        with Box(maps("u"), {"virtual_mailbox_lock": styles, "deliver_lock_attempts": "2", "deliver_lock_delay": "1s"}) as b:
            b.start()
            b.put("u")
            why = "unable to lock for exclusive access: Resource temporarily unavailable"
            f = open(b.path("u"), "r+b")
            if take:
                take(f, fcntl.LOCK_EX)
            else:
                b.put("u.lock")
                why = "unable to create lock file %s.lock: File exists" % "u"
            is_eq(b.deliver("u@box.test"), (DEFERRED, "4.2.0", failed(b, "u", why)), styles + ": locked by another")
            if not take:
                os.utime(b.path("u.lock"), (1, 1))
                is_eq(b.deliver("u@box.test"), OK, "a stale lock file is removed")
                b.put("u.lock")
            b.main["deliver_lock_attempts"] = "20"
            b.reload()
            b.client = b.connect()
            b.request("u@box.test")
            time.sleep(0.3)
            if take:
                f.write(b"x\n")
                f.close()
            else:
                # What a reader does: a new file instead of the old one.
                b.put("new", b"x\n")
                os.rename(b.path("new"), b.path("u"))
                os.unlink(b.path("u.lock"))
            is_eq(b.answer(), [OK], styles + ": freed in time")
            ok(b.read("u").startswith(b"x\nFrom "), "behind what the other wrote")
            ok(not os.path.exists(b.path("u.lock")), "no lock file is left")


def test_many():
    """Deliveries at the same time to one mailbox."""
    for styles in ("fcntl", "fcntl, dotlock"):
        with Box("inline:{{@one.test = one}}", {"virtual_mailbox_lock": styles, "virtual_mailbox_limit": "0"}) as b:
            b.start()
            clients = [b.connect() for _ in range(20)]
            body = b"".join(b"%d %s\r\n" % (n, b"x" * 50) for n in range(2000))
            before = time.monotonic()
            for k in range(3):
                for n, c in enumerate(clients):
                    b.request("u%d@one.test" % n, b"Subject: %d\r\n\r\n" % n + body, client=c, name="content%d" % n)
                is_eq({x for c in clients for x in b.answer(c)}, {OK}, "%s: 20 at once" % styles)
            ok(time.monotonic() - before < 20, "who waits for another delivery does not sleep")
            parts = re.split(rb"^From s@x\.test.*\n", b.read("one"), flags=re.M)[1:]
            is_eq(len(parts), 60, "all are there")
            is_eq({p.split(b"\n\n", 1)[1] for p in parts}, {body.replace(b"\r\n", b"\n") + b"\n"}, "and whole")


run(test_delivery, test_files, test_locks, test_many)
