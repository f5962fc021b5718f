#!/usr/bin/env python3
"""A milter on Sendmail's own library, with every callback and every change (t/lib/every_milter.c)."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
import peers
from instance import SRC, wait_until
from smtp import Client, Sink
from tap import is_eq, like, ok, run

peers.isolate("libmilter")


class Every:
    """The milter and a gateway that asks it."""

    def __init__(self, steps="", where="unix", **main):
        self.sink = Sink()
        self.dir = tempfile.TemporaryDirectory(prefix="every-")
        os.chmod(self.dir.name, 0o755)
        self.log, program, socket = (os.path.join(self.dir.name, n) for n in ("log", "every", "socket"))
        subprocess.run(["cc", "-o", program, os.path.join(SRC, "t/lib/every_milter.c"), "-lmilter", "-pthread"], check=True)
        conn, name = ("unix:" + socket, "unix:" + socket) if where == "unix" else ("inet:10025@127.0.0.1", "inet:127.0.0.1:10025")
        self.gw = peers.gateway(relayhost="[127.0.0.1]:%d" % self.sink.port, smtpd_milters=name, non_smtpd_milters=name, **main)
        self.milter = subprocess.Popen([program, conn, self.log, steps])
        wait_until(lambda: os.path.exists(socket) if where == "unix" else peers.listens(10025), "the milter's socket")
        if where == "unix":
            os.chmod(socket, 0o777)

    def __enter__(self):
        self.gw.start()
        return self

    def __exit__(self, *exc):
        self.gw.__exit__(*exc)
        self.milter.kill()
        self.milter.wait()
        self.sink.close()
        self.dir.cleanup()

    def events(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read().splitlines()

    def send(self, subject, *todo, sender="a@client.test", rcpts=("b@far.test",), helo="mx.client.test", body="body\n", fields=()):
        """A message; the replies, as far as it went."""
        with Client(2525) as c:
            replies = [c.ehlo(helo), c.cmd("MAIL FROM:<%s>" % sender)] + [c.cmd("RCPT TO:<%s>" % r) for r in rcpts]
            text = "Subject: %s\n" % subject + "".join("X-Do: %s\n" % t for t in todo) + "".join(f + "\n" for f in fields) + "\n" + body
            if all(r.code < 400 for r in replies):
                replies.append(c.data(text.replace("\n", "\r\n").encode()))
            c.cmd("QUIT")
        return replies


def head(m):
    """The header's lines, unfolded, without those of X-Do and of our own making."""
    text = m.data.split(b"\r\n\r\n")[0].decode().replace("\r\n\t", "~").split("\r\n")
    return [l for l in text if not l.startswith(("X-Do", "Message-Id", "Date", "From"))]


def test_events():
    with Every() as e:
        replies = e.send("events", body="one\n..two\n")
        is_eq([r.code for r in replies], [250, 250, 250, 250], "a message passes")
        got = wait_until(lambda: "close" in e.events() and e.events(), "the end of the session")
        is_eq([l.split()[0] for l in got if not l.startswith("header ")],
              ["negotiate", "connect", "helo", "mail", "rcpt", "data", "eoh", "eom", "close"], "events")
        is_eq([l for l in got if l.startswith("header ")][:1], ["header Subject:events"], "header")
        like([l for l in got if l.startswith("eom")][0], r"^eom i=[0-9A-F]+ client=\S+ j=gw\.example\.test body=11 chunks=1$", "macros and size of the body")
        like(got[0], r"^negotiate 1ff 1fffff$", "what is offered")


def test_changes():
    for where, steps in (("unix", ""), ("inet", "leading noreply symlist")):
        with Every(steps, where) as e:
            r = e.send("changes", "insert 0 X-Zero zero", "insert 1 X-One one", "add X-Last last\\n", "change 1 X-Twin first", "delete 2 X-Twin",
                       "change 1 Subject changed", "from <new@client.test> RET=HDRS", "rcpt <c@far.test>", "rcpt <d@far.test> NOTIFY=NEVER", "unrcpt <gone@far.test>",
                       "progress", "body new\\n.body\\n", "body more", rcpts=("b@far.test", "gone@far.test"), fields=("X-Twin: 1", "X-Twin: 2", "X-Twin: 3"))
            is_eq(r[-1].code, 250, "%s %s: a message that is changed" % (where, steps))
            m = e.sink.wait("changed")
            is_eq((m.sender, sorted(m.rcpts)), ("new@client.test", ["b@far.test", "c@far.test", "d@far.test"]), "envelope")
            space = "" if "leading" in steps else " "
            lines = head(m)
            lines = [l for l in lines if not l.startswith("Received")]
            is_eq(lines, ["X-Zero:%szero" % space, "X-One:%sone" % space, "Subject:%schanged" % space, "X-Twin:%sfirst" % space, "X-Twin: 3", "X-Last:%slast\\n" % space],
                  "header")
            is_eq(m.data.split(b"\r\n\r\n", 1)[1], b"new\r\n.body\r\nmore\r\n", "body")
            wait_until(lambda: [l for l in e.events() if l.startswith("did")].count("did body ok") == 2, "all was done")
            is_eq([l for l in e.events() if "failed" in l], [], "nothing failed")
            if "symlist" in steps:
                like("\n".join(e.events()), r"(?m)^eom i=[0-9A-F]+ client=127\.0\.0\.1 j=gw", "macros that the milter asked for")


def test_decisions():
    with Every(smtpd_hard_error_limit="1000", smtpd_error_sleep_time="0") as e:
        for who, code, text in (("reject", 550, "5.7.1 Command rejected"), ("tempfail", 451, "4.7.1 Service unavailable - try again later"),
                                ("reply", 554, "5.7.9 100% no"), ("lines", 450, "4.7.9 three")):
            for stage, r in (("MAIL", e.send("x", sender=who + "@client.test")[1]), ("RCPT", e.send("x", rcpts=[who + "@far.test"])[2]),
                             ("EOM", e.send("x", who)[-1]), ("EOH", e.send("x", fields=["X-Do-Eoh: " + who])[-1]),
                             ("BODY", e.send("x", fields=["X-Do-Body: " + who])[-1]), ("HEADER", e.send("x", fields=["X-Do-Header: " + who])[-1])):
                is_eq(r.code, code, "%s at %s" % (who, stage))
                like(r.text, text, "its text")
        for stage, r in (("MAIL", e.send("x", sender="discard@client.test")), ("RCPT", e.send("x", rcpts=["discard@far.test"])), ("EOM", e.send("x", "discard"))):
            is_eq(r[-1].code, 250, "discard at " + stage)
        is_eq(e.send("accepted", "reject", sender="accept@client.test")[-1].code, 250, "accept at MAIL: the milter is not asked again")
        e.sink.wait("accepted")
        is_eq(len(e.sink.messages), 1, "nothing else was delivered")
        is_eq(e.send("held", "quarantine looks odd")[-1].code, 250, "quarantine")
        e.gw.wait_log(r"milter-hold: END-OF-MESSAGE from .*: milter triggers HOLD action; .*looks odd")
        like(e.gw.cmd("postqueue", "-p").stdout, r"(?m)^[0-9A-F]+!", "it is on hold")


def test_large():
    with Every("skip noreply") as e:
        is_eq(e.send("big", "big 40000", "add X-Big yes", body="old line\n" * 100000)[-1].code, 250, "a large body is replaced by another")
        m = e.sink.wait("big")
        is_eq(len(m.data.split(b"\r\n\r\n", 1)[1]), 40000 * 42, "all of it")
        is_eq(m.header("X-Big"), ["yes"], "with its header")
    with Every(message_size_limit="1000000", milter_default_action="accept") as e:
        is_eq(e.send("too big", "add X-Big yes", "big 40000")[-1].code, 250, "a new body beyond message_size_limit is the milter's failure")
        m = e.sink.wait("too big")
        is_eq((m.header("X-Big"), m.data.split(b"\r\n\r\n", 1)[1]), ([], b"body\r\n"), "with its default action accept the message is as it was")


def test_local():
    with Every() as e:
        p = e.gw.cmd("sendmail", "-f", "u@client.test", "b@far.test", input="Subject: local\nX-Do: add X-Local yes\nX-Do: rcpt <c@far.test>\n\nbody\n")
        is_eq(p.returncode, 0, "mail of sendmail")
        m = e.sink.wait("local")
        is_eq((m.header("X-Local"), sorted(m.rcpts)), (["yes"], ["b@far.test", "c@far.test"]), "is changed, too")
        e.gw.cmd("sendmail", "-f", "u@client.test", "b@far.test", input="Subject: refused\nX-Do: reply\n\nbody\n")
        m = e.sink.wait("Undelivered Mail Returned to Sender")
        is_eq(m.rcpts, ["u@client.test"], "and returned when the milter refuses it")
        like(m.data.decode(), r"(?s)Status: 5\.7\.9.*Diagnostic-Code: .*100% no", "with the milter's text")


run(test_events, test_changes, test_decisions, test_large, test_local)
