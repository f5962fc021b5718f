#!/usr/bin/env python3
"""virtual: maildirs."""
import os
import re
import stat

from agent import BOUNCED, DEFERRED, SENT, Box, user
from tap import is_eq, like, ok, run

OK = (SENT, "2.0.0", "delivered to maildir")


def test_delivery():
    with Box({"u@box.test": "box.test/u/", "@all.test": "//all//x///", "big@box.test": "big/"}, {"myhostname": "gw.example.test"}) as b:
        b.start()
        is_eq(b.deliver("u@box.test", b"Subject: x\r\n\r\nFrom me\r\n..dot\r\nlast\r\n", orig="alias@box.test"), OK, "delivered")
        like(b.wait_log("to=<"), r"postfix/virtual\[\d+\]: QID1: to=<u@box\.test>, orig_to=<alias@box\.test>, relay=virtual, delay=\S+, "
             r"delays=\S+, dsn=2\.0\.0, status=sent \(delivered to maildir\)$", "record")
        is_eq(b.only("box.test/u/new"), b"Return-Path: <s@x.test>\nX-Original-To: alias@box.test\nDelivered-To: u@box.test\n"
              b"Subject: x\n\nFrom me\n.dot\nlast\n", "headers on top; plain lines, no quoting")
        is_eq(sorted(os.listdir(b.path("box.test/u"))), ["cur", "new", "tmp"], "folders")
        is_eq(os.listdir(b.path("box.test/u/tmp")), [], "nothing is left in tmp")
        name = os.listdir(b.path("box.test/u/new"))[0]
        like(name, r"^\d+\.V[0-9a-f]+I[0-9a-f]+M\d+\.gw\.example\.test$", "name of the file")
        for path, mode in (("box.test", 0o700), ("box.test/u", 0o700), ("box.test/u/new/" + name, 0o600)):
            st = os.stat(b.path(path))
            is_eq((st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)), user() + (mode,), "owner and mode of " + re.sub(r"\d{8,}\S+", "the file", path))
        is_eq(b.deliver(["u+ext@box.test", "U@BOX.test", "other@all.test", "u@box.test"]), [OK] * 4, "extension, case, catch-all, several recipients")
        is_eq(len(os.listdir(b.path("box.test/u/new"))), 4, "one file each")
        is_eq(len(os.listdir(b.path("all/x/new"))), 1, "slashes are folded")
        ok(any(b"Delivered-To: U@BOX.test\n" in b.read("box.test/u/new", n) for n in os.listdir(b.path("box.test/u/new"))), "the address is shown as it was given")
        is_eq(b.deliver("none@box.test"), (BOUNCED, "5.1.1", 'unknown user: "none@box.test"'), "unknown user")
        is_eq(b.deliver("u@box.test", sender=""), OK, "from the null sender")
        ok(any(b.read("box.test/u/new", n).startswith(b"Return-Path: <>\n") for n in os.listdir(b.path("box.test/u/new"))), "Return-Path: <>")
        is_eq(b.deliver("big@box.test", b"Subject: x\r\n\r\n" + b"y" * 90000 + b"\r\n" + b"z\r\n" * 20000)[:2], (SENT, "2.0.0"), "more than a buffer")
        ok(b.only("big/new").endswith(b"\n\n" + b"y" * 90000 + b"\n" + b"z\n" * 20000), "is written whole")
        is_eq(b.deliver("big@box.test", b"y\r\n" * 150000), (BOUNCED, "5.2.2", "maildir delivery failed: error writing message: File too large"),
              "virtual_mailbox_limit is for a file of a maildir")
        is_eq((len(os.listdir(b.path("big/new"))), os.listdir(b.path("big/tmp"))), (1, []), "nothing is left of it")
        is_eq(b.deliver("u@box.test", b"x\r\n", size=9000), (DEFERRED, "4.3.0", "maildir delivery failed: error reading message: Input/output error"),
              "the queue file is shorter than it should be")
        is_eq(b.deliver("u@box.test", flags=2), (SENT, "2.0.0", "delivers to maildir"), "a probe")
        is_eq(len(os.listdir(b.path("box.test/u/new"))), 5, "delivers nothing")


def test_places():
    """Links, and places that cannot be written to."""
    names = "up in_ abs out file user root".split()
    maps = {"%s@box.test" % n: "%s/" % n for n in names}
    maps.update({"up@box.test": "../mail2/", "part@box.test": "a/../../mail2/"})
    with Box(maps) as b:
        b.start()
        real = b.path("real")
        b.folder("real")
        os.mkdir(b.dir + "/elsewhere")
        os.chmod(b.dir + "/elsewhere", 0o777)
        os.symlink("real", b.path("in_"))
        os.symlink(real, b.path("abs"))
        os.symlink(b.dir + "/elsewhere", b.path("out"))
        for n in ("in_", "abs", "out"):
            os.lchown(b.path(n), *user())
        os.symlink(b.dir + "/elsewhere", b.path("root"))
        is_eq(b.deliver("in_@box.test"), OK, "the user's link to another mailbox")
        is_eq(b.deliver("abs@box.test"), OK, "an absolute one")
        is_eq(len(os.listdir(real + "/new")), 2, "both are there")
        r = b.deliver("out@box.test")
        is_eq(r[:2], (DEFERRED, "4.2.0"), "the user's link out of the base")
        like(r[2], r"^maildir delivery failed: open folder .*/mail/out: Too many levels of symbolic links$", "why")
        is_eq(os.listdir(b.dir + "/elsewhere"), [], "nothing is made there")
        for who in ("up", "part"):
            r = b.deliver(who + "@box.test")
            is_eq(r[:2], (DEFERRED, "4.2.0"), "a path that climbs: " + who)
        ok(not os.path.exists(b.dir + "/mail2"), "leads nowhere")
        b.put("file")
        r = b.deliver("file@box.test")
        is_eq(r[:2], (DEFERRED, "4.2.0"), "a file in the place of the maildir")
        like(r[2], r"Not a directory", "why")
        if os.geteuid() == 0:
            is_eq(b.deliver("root@box.test"), OK, "root's link is followed anywhere")
            ok(os.path.isdir(b.dir + "/elsewhere/new"), "and it is there")
            b.folder("user", 0o755, (0, 0))
            mark = len(b.log())
            r = b.deliver("user@box.test")
            is_eq(r[:2], (DEFERRED, "4.2.0"), "a folder that the user may not write to")
            like(r[2], r"^maildir delivery failed: .*/mail/user/tmp: Permission denied$", "why")
            b.wait_log(r"warning: maildir access problem for UID/GID=5000/5000: .*Permission denied$", since=mark)
            b.wait_log(r"warning: perhaps you need to create the maildirs in advance$", since=mark)
            ok(True, "and a warning helps")


def test_owners():
    uid, gid = user()
    who = {"nouid": None, "low": "0", "word": "joe", "neg": "-5", "huge": "4294967295", "fine": str(uid)}
    with Box({"%s@box.test" % n: n + "/" for n in list(who) + ["nogid", "badgid"]}, {
            "virtual_minimum_uid": str(min(uid, 1000)),
            "virtual_uid_maps": "inline:{%s}" % ", ".join("{%s@box.test = %s}" % (n, v) for n, v in
                                                         list(who.items()) + [("nogid", uid), ("badgid", uid)] if v),
            "virtual_gid_maps": "inline:{%s}" % ", ".join("{%s@box.test = %s}" % (n, v) for n, v in
                                                         [(n, gid) for n in who] + [("badgid", 0)])}) as b:
        b.start()
        for n in ("nouid", "low", "word", "neg", "huge", "nogid", "badgid"):
            mark = len(b.log())
            is_eq(b.deliver(n + "@box.test"), (DEFERRED, "4.3.5", "mail system configuration error"), n)
            what = "gid" if "gid" in n else "uid"
            pattern = r"not found in virtual_%s_maps$" if n.startswith("no") else r"bad %s \S+ in virtual_%s_maps$" % (what, "%s")
            b.wait_log(r"virtual\[\d+\]: warning: recipient %s@box\.test: %s" % (n, pattern % what), since=mark)
            ok(True, "and a warning")
        is_eq(b.deliver("fine@box.test"), OK, "a good one")
        is_eq(os.listdir(b.mail), ["fine"], "nothing else was made")


def test_tables():
    with Box("regexp:" + "/nowhere", {"virtual_mailbox_maps": "regexp:{ {/^(u.*)@box/ $$1/} {/^c@/ c/} }"}) as b:
        b.start()
        is_eq(b.deliver("c@box.test"), OK, "a pattern")
        is_eq(b.deliver("u@box.test")[:2], (BOUNCED, "5.1.1"), "a pattern with $1 is not used")
    with Box("fail:some") as b:
        b.start()
        is_eq(b.deliver("c@box.test"), (DEFERRED, "4.3.5", "mail system configuration error"), "a table that fails")
        b.wait_log(r"warning: table virtual_mailbox_maps: lookup c@box\.test: ")
    with Box({"u@box.test": "u/"}, {"virtual_delivery_status_filter": "inline:{{2.0.0 delivered to maildir = 2.1.5 put away}}",
                                    "enable_original_recipient": "no"}) as b:
        b.start()
        is_eq(b.deliver("u@box.test", orig="v@box.test"), (SENT, "2.1.5", "put away"), "virtual_delivery_status_filter")
        is_eq(b.only("u/new").split(b"\n")[:2], [b"Return-Path: <s@x.test>", b"Delivered-To: u@box.test"], "enable_original_recipient = no")


def test_start():
    for main, why in (({"virtual_mailbox_limit": "1000"}, "virtual_mailbox_limit is smaller than message_size_limit"),
                      ({"message_size_limit": "0"}, "virtual_mailbox_limit is limited but message_size_limit is unlimited"),
                      ({"virtual_mailbox_base": ""}, "parameter virtual_mailbox_base: empty"),
                      ({"virtual_mailbox_lock": "fcntl, padlock"}, "parameter virtual_mailbox_lock: lock style: .*padlock")):
        with Box({"u@box.test": "u/"}, main) as b:
            Box.__bases__[0].start(b)
            import socket
            s = socket.socket(socket.AF_UNIX)
            s.connect(os.path.join(b.spool, "private", "virtual"))
            b.wait_log(r"virtual\[\d+\]: fatal: .*" + why)
            ok(True, "fatal: " + why)
            s.close()


run(test_delivery, test_places, test_owners, test_tables, test_start)
