#!/usr/bin/env python3
"""postdrop: takes whole messages while the system is down, refuses everything else, and leaves nothing behind."""
import os
import signal
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
import ipc
from instance import Instance, wait_until
from tap import is_eq, like, ok, run

OK, USAGE, DATAERR, NOPERM, IOERR = 0, 64, 65, 77, 74


def attr(name, value):
    p = b"".join(len(x).to_bytes(4, "little") + x for x in (name.encode(), value.encode()))
    return b"\xb5\x01" + ipc.MESSAGES["ENV_ATTR"][0].to_bytes(2, "little") + len(p).to_bytes(4, "little") + p


def message(sender="s@x.test", rcpts=("b@far.test",), content=b"Subject: x\r\n\r\nx\r\n", more=b"", end=True, **env):
    out = ipc.frame("ENV_SENDER", address=sender, **env) + more
    out += b"".join(ipc.frame("ENV_RCPT", address=r) for r in rcpts)
    if content:
        out += ipc.frame("CLEANUP_CONTENT", data=content)
    return out + (ipc.frame("DROP_END") if end else b"")


def answer(raw):
    number, n = struct.unpack_from("<HI", raw, 2)
    return ipc.decode(number, raw[8:8 + n])[1]


def drop(i, raw, *args):
    p = subprocess.run([os.path.join(i.build, "bin/postdrop"), "-r", *args], input=raw, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=i.env, timeout=60)
    return p.returncode, answer(p.stdout) if p.stdout else None, p.stderr.decode()


def maildrop(i):
    try:
        return sorted(os.listdir(os.path.join(i.spool, "maildrop")))
    except FileNotFoundError:
        return []


def instance(**main):
    i = Instance(dict({"default_transport": "discard:gone"}, **main))
    i.ctl("check")
    return i


def test_down():
    with instance() as i:
        rc, a, _ = drop(i, message(more=attr("rewrite_context", "local") + attr("trace", "yes")))
        is_eq((rc, a["status"], a["text"]), (OK, 0, ""), "a message while the system is down")
        is_eq(maildrop(i), [a["queue_id"]], "is in the maildrop")
        st = os.stat(os.path.join(i.spool, "maildrop", a["queue_id"]))
        is_eq(st.st_mode & 0o777, 0o744, "its mode says that it is complete")
        like(i.cmd("postcat", "-q", a["queue_id"]).stdout, r"sender: s@x\.test[\s\S]*recipient: b@far\.test", "postcat finds it")
        i.start()
        i.wait_log(r"uid=%d from=<s@x\.test>" % os.getuid())
        i.wait_log(r"to=<b@far\.test>.*status=sent")
        wait_until(lambda: not maildrop(i), "the maildrop is empty")
        rc, a, _ = drop(i, message(sender="two@x.test"))
        i.wait_log(r"from=<two@x\.test>", timeout=5)
        ok(True, "pickup is woken")


def test_malformed():
    with instance(message_size_limit="1000") as i:
        for what, raw, why in (
                ("mail instead of frames", b"From: x\n\nhello\n", "malformed"), ("an endless frame", b"\xb5\x01\x10\x00\xff\xff\xff\x7f", "malformed"),
                ("somebody else's message", ipc.frame("QMGR_SUPER", op="d", queue_id="ALL"), "QMGR_SUPER"), ("two senders", message(end=False) + message(), "two senders"),
                ("no recipient", message(rcpts=()), "no recipients"), ("no sender", message()[len(ipc.frame("ENV_SENDER", address="s@x.test")):], "no sender"),
                ("a line break in an address", message(rcpts=["a@x.test\r\nDATA"]), "bad recipient"), ("in the sender", message(sender="a\nb@x.test"), "bad sender"),
                ("an envelope ID with a blank", message(envid="a b"), "bad sender"), ("an attribute of network clients", message(more=attr("client_address", "127.0.0.1")), "not allowed"),
                ("a dot that ends the content", message(content=b"a\r\n.\r\nMAIL FROM:<x>\r\n"), "wire form"), ("a LF without CR", message(content=b"a\n"), "wire form"),
                ("content without an end", message(content=b"a"), "without an end"), ("too much", message(content=b"0123456789\r\n" * 100), "too big")):
            rc, a, err = drop(i, raw)
            ok(rc == DATAERR and a["status"] == DATAERR and why in a["text"], "%s: %s" % (what, a and a["text"]))
            like(err, r"postdrop: warning: uid=\d+: ", "and a warning")
        is_eq(maildrop(i), [], "nothing is left behind")
        rc, a, _ = drop(i, b"", "-x")
        is_eq((rc, a), (USAGE, None), "a bad option")


def test_cut():
    with instance() as i:
        raw = message()
        for n in (0, 5, 30, len(raw) - 9, len(raw) - 1):
            rc, a, _ = drop(i, raw[:n])
            is_eq((rc, a), (DATAERR, None), "input that ends after %d bytes" % n)
        for sig in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            p = subprocess.Popen([os.path.join(i.build, "bin/postdrop"), "-r"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=i.env)
            p.stdin.write(raw[:-8])
            p.stdin.flush()
            p.send_signal(sig)
            p.communicate()
            is_eq(p.returncode, -sig, "signal %d" % sig)
        is_eq(maildrop(i), [], "nothing is left behind")


def test_who():
    with instance(local_login_sender_maps="inline:{{root=root@x.test @own.test <>}}", recipient_delimiter="+") as i:
        for sender, good in (("root@x.test", True), ("ROOT@x.test", True), ("root+ext@x.test", True), ("any@own.test", True), ("", True), ("other@x.test", False), ("root", False)):
            rc, a, _ = drop(i, message(sender=sender))
            is_eq((rc, "not authorized to use sender='%s'" % sender in a["text"]), (OK, False) if good else (NOPERM, True), "sender <%s>" % sender)
    with instance(authorized_submit_users="nobody") as i:
        rc, a, err = drop(i, message())
        ok(rc != 0 and a is None, "a user who may not submit")
        like(err, r"User root\(0\) is not allowed to submit mail", "is told so")
        is_eq(maildrop(i), [], "nothing is left behind")


def test_full():
    """What cannot be stored is refused, and leaves nothing."""
    with instance() as i:
        p = subprocess.run(["sh", "-c", "ulimit -f 8; exec \"$0\" -r", os.path.join(i.build, "bin/postdrop")], input=message(content=b"0123456789\r\n" * 5000), stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, env=i.env)
        ok(p.returncode > 0 and answer(p.stdout)["status"] == p.returncode, "a file that may not grow: exit %d" % p.returncode)
        is_eq(maildrop(i), [], "nothing is left behind")
        os.rename(os.path.join(i.spool, "maildrop"), os.path.join(i.spool, "away"))
        open(os.path.join(i.spool, "maildrop"), "w").close()
        rc, a, _ = drop(i, message())
        ok(rc > 0 and a["status"] == rc, "no maildrop: " + a["text"])


if os.getuid() != 0:
    run(test_down, test_malformed, test_cut)
run(test_down, test_malformed, test_cut, test_who, test_full)
