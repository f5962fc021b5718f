#!/usr/bin/env python3
"""bounce: what reports say, to whom, as their readers see them."""
import email
import os
import re
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, "../../lib"), os.path.join(HERE, "../smtp")]
from client import Server
from instance import Instance, free_port, wait_until
from smtp import Client
from tap import is_eq, like, ok, run

PORT = free_port()
SENDER = "s@client.test"


class Gate(Instance):
    """A gateway between a client and two servers: new has DSN, old has not. Reports end at new."""

    def __init__(self, main=None):
        self.new = Server({"RCPT": lambda s, a: "550 5.1.1 no such user" if "bad" in a else "450 4.2.0 wait" if "late" in a else None})
        self.old = Server(caps=["PIPELINING"])
        super().__init__(dict({"relayhost": self.new.nexthop, "transport_maps": "inline:{old.test=smtp:%s gone.test=discard:away}" % self.old.nexthop,
                               "virtual_alias_maps": "inline:{{al@far.test=a@far.test b@old.test} {postmaster@gw.example.test=pm@client.test}}", "smtpd_peername_lookup": "no",
                               "mydestination": "", "default_transport": "smtp"}, **(main or {})), services=["%d inet n - n - - smtpd" % PORT])
        self.seen = 0

    def send(self, rcpts, sender=SENDER, mail="", content=b"Subject: s\r\nMessage-Id: <m@x>\r\n\r\nsome body\r\n"):
        with Client(PORT) as c:
            c.ehlo()
            c.cmd("MAIL FROM:<%s> %s" % (sender, mail))
            for r in rcpts:
                address, _, params = r.partition(" ")
                like(c.cmd("RCPT TO:<%s> %s" % (address, params)).text, "^250", "recipient " + r)
            return c.data(content).text.split("queued as ")[1]

    def reports(self, n=1):
        """The next n messages from the null sender or the double-bounce address, parsed."""
        def found():
            return [(s, m) for s in self.new.sessions for s, m in zip([c for c in s.commands if c.startswith("MAIL FROM:<>") or "double-bounce@" in c], [
                m for m in s.messages if b"Auto-Submitted" in m or b"Transcript" in m])]
        wait_until(lambda: len(found()) >= self.seen + n, "%d reports" % n)
        new = found()[self.seen:]
        self.seen += n
        out = []
        for command, raw in new:
            raw = re.sub(rb"(?m)^\.\.", b".", raw).replace(b"\r\n", b"\n")
            m = email.message_from_bytes(raw)
            m.command, m.raw = command, raw.decode()
            out.append(m)
        return out


def parts(m):
    return [p.get_content_type() for p in m.get_payload()]


def test_via():
    with Gate() as g:
        g.start()
        g.send(["u@old.test NOTIFY=SUCCESS"])
        m = g.reports()[0]
        is_eq((m["Subject"], m["To"]), ("Successful Mail Delivery Report", SENDER), "relayed")
        like(m.raw.replace("\n    ", " "), r"\n<u@old\.test>: delivery via %s: 250 2\.0\.0 queued\n" % re.escape(g.old.relay), "by whom")
        like(m.raw, r"\nAction: relayed\nStatus: 2\.0\.0\nRemote-MTA: dns; 127\.0\.0\.1\nDiagnostic-Code: smtp; 250 2\.0\.0 queued\n", "for machines")
        g.send(["u@gone.test NOTIFY=SUCCESS"])
        like(g.reports()[0].raw, r"\n<u@gone\.test>: away\n(?s:.*)\nDiagnostic-Code: X-Postfix; away\n", "no way was gone")
        g.send(["al@far.test NOTIFY=SUCCESS"])
        m = g.reports()[0]
        like(m.raw, r"\nAction: expanded\n", "expanded")
        is_eq(parts(m), ["text/plain", "message/delivery-status", "text/rfc822-headers"], "with the headers only")
        g.send(["bad@far.test", "u@far.test"])
        m = g.reports()[0]
        like(m.raw, r"\n<bad@far\.test>: host 127\.0\.0\.1\[127\.0\.0\.1\] said: 550 5\.1\.1 no such user \(in\n", "failures name the host in their own words")
        like(m.raw, r"\n\tby gw\.example\.test \(Postfix\) with ESMTP id \w+;\n\t\w\w\w, ", "Received of a message for two")


def test_asked_for():
    with Gate() as g:
        g.start()
        p = g.cmd("sendmail", "-v", "-f", SENDER, "u@far.test", "bad@far.test", input="Subject: x\n\nx\n")
        is_eq(p.stdout, "Mail Delivery Status Report will be mailed to <%s>.\n" % SENDER, "-v says so")
        m, failure = sorted(g.reports(2), key=lambda m: m["Subject"])
        is_eq((m["Subject"], failure["Subject"]), ("Mail Delivery Status Report", "Undelivered Mail Returned to Sender"), "-v: a report beside the failure's own")
        text = m.raw.replace("\n    ", " ")
        like(text, r"\n<u@far\.test>: delivery via %s: 250 2\.0\.0 queued\n" % re.escape(g.new.relay), "delivered")
        like(text, r"\n<bad@far\.test>: delivery via %s: host 127\.0\.0\.1\[127\.0\.0\.1\] said: 550" % re.escape(g.new.relay), "failed")
        n = len(g.new.messages)
        g.cmd("sendmail", "-bv", "-f", SENDER, "u@far.test", "late@far.test")
        m = g.reports()[0]
        like(m.raw, r"(?s)\nAction: deliverable\nStatus: 2\.1\.5\n.*\nAction: undeliverable\nStatus: 4\.2\.0\n", "-bv")
        like(m.raw, r"\nSubject: probe\nTo:\tu@far\.test,\n\tlate@far\.test\n", "the message that was not sent")
        is_eq(len(g.new.messages), n + 1, "nothing but the report was sent")


def test_returned():
    with Gate() as g:
        g.start()
        for mail, kind in (("RET=HDRS", "text/rfc822-headers"), ("RET=FULL", "message/rfc822"), ("", "message/rfc822")):
            g.send(["bad@far.test"], mail=mail)
            m = g.reports()[0]
            is_eq(parts(m)[2], kind, "returned with " + (mail or "no wish"))
            like(m.raw, r"\nReturn-Path: <%s>\nReceived: " % re.escape(SENDER), "Return-Path")
            is_eq(("some body" in m.raw), kind == "message/rfc822", "its body")


LONG = "bad-" + "very-" * 12 + "long@far.test"


def test_declared():
    for utf8, charset, encoding in (("yes", "utf-8", "8bit"), ("no", "us-ascii", None)):
        with Gate({"smtputf8_enable": utf8}) as g:
            g.start()
            g.send([LONG])
            m = g.reports()[0]
            text, status, returned = m.get_payload()
            is_eq((m["Content-Transfer-Encoding"], text["Content-Transfer-Encoding"], status["Content-Transfer-Encoding"], returned["Content-Transfer-Encoding"]),
                  (encoding, encoding, None, encoding), "encodings, smtputf8_enable=" + utf8)
            is_eq(text.get_content_charset(), charset, "character set")
            ok((" BODY=8BITMIME" in m.command) == (encoding is not None), "MAIL: " + m.command)
            like(m.raw, r"\nFinal-Recipient: rfc822; %s\nOriginal-Recipient: rfc822;%s\n" % (re.escape(LONG), re.escape(LONG)), "addresses are not folded")


def test_postmaster_hears_of_all():
    with Gate({"notify_classes": "bounce, 2bounce", "bounce_notice_recipient": "watch@client.test", "2bounce_notice_recipient": "two@client.test"}) as g:
        g.start()
        g.send(["bad@far.test NOTIFY=NEVER"])
        m = g.reports()[0]
        is_eq((m["To"], m["Subject"]), ("watch@client.test", "Postmaster Copy: Undelivered Mail"), "the sender wanted no news")
        g.send(["bad@far.test NOTIFY=SUCCESS"], sender="")
        is_eq(g.reports()[0]["To"], "two@client.test", "the same of what has no sender")
        g.send(["u@old.test NOTIFY=SUCCESS"], sender="")
        m = g.reports()[0]
        is_eq((m["To"], m["Subject"]), ("two@client.test", "Successful Mail Delivery Report"), "success that nobody waits to hear of")


def test_refused_and_expired():
    with Gate({"maximal_queue_lifetime": "0"}) as g:
        g.start()
        g.send(["bad@far.test", "late@far.test"])
        a, b = g.reports(2)
        is_eq(sorted(re.findall(r"\nStatus: (\S+)\n", a.raw) + re.findall(r"\nStatus: (\S+)\n", b.raw)), ["4.2.0", "5.1.1"], "a report for each kind")
        ok("late@" not in a.raw.split("Delivery report")[0] or "bad@" not in a.raw.split("Delivery report")[0], "each has its own recipients")


def test_loops_and_verp():
    with Gate({"transport_maps": "inline:{{no.test=error:5.1.1 nobody}}"}) as g:
        g.start()
        id = g.send(["bad@far.test"], sender="double-bounce@gw.example.test")
        g.wait_log(r"%s: undeliverable postmaster notification discarded" % id)
        g.wait_log(r"%s: removed" % id)
        g.cmd("sendmail", "-f", SENDER, "-XV", "u@no.test", "v@no.test", input="Subject: v\n\nbody\n")
        is_eq(sorted(m["To"] for m in g.reports(2)), ["s+u=no.test@client.test", "s+v=no.test@client.test"], "a return path of its own for each recipient")
        ok(not g.find_log(r"%s: .*notification: " % id), "what cannot be told to the postmaster ends")
    with Gate({"transport_maps": "inline:{{no.test=error:5.1.1 nobody}}", "disable_verp_bounces": "yes"}) as g:
        g.start()
        g.cmd("sendmail", "-f", SENDER, "-XV", "u@no.test", "v@no.test", input="Subject: v\n\nbody\n")
        is_eq([m["To"] for m in g.reports()], [SENDER], "disable_verp_bounces: one report")


def test_threads():
    with Gate({"enable_threaded_bounces": "yes"}) as g:
        g.start()
        g.send(["bad@far.test"], content=b"Message-Id:\r\n <m1@x>\r\nReferences: <r1@x>\r\n <r2@x>\r\nSubject: s\r\n\r\nx\r\n")
        m = g.reports()[0]
        is_eq((m["References"], m["In-Reply-To"]), ("<m1@x>", "<m1@x>"), "the report follows the message")


def test_verp():
    with Gate({"transport_maps": "inline:{{no.test=error:5.1.1 nobody}}"}) as g:
        g.start()
        g.cmd("sendmail", "-XV", "-f", SENDER, "u@no.test", input="Subject: x\n\nx\n")
        m = g.reports()[0]
        is_eq(m["To"], "s+u=no.test@client.test", "to an address of its own")
        like(m.raw, r"\nX-Postfix-Sender: rfc822; %s\n(?s:.*)\nReturn-Path: <%s>\n" % (SENDER, SENDER), "about the sender's message")


def test_counted():
    with Gate({"bounce_queue_lifetime": "9d"}) as g:
        g.start()
        g.send(["al@far.test NOTIFY=SUCCESS"])
        g.reports()
        like(g.wait_log(r"from=<s@client\.test>.*queue active"), r"nrcpt=2 \(queue active\)$", "an address that was replaced is no recipient")
        like(g.wait_log("adjusting"), "qmgr.*warning: bounce_queue_lifetime is larger than maximal_queue_lifetime - adjusting bounce_queue_lifetime$", "lifetimes")


def test_templates():
    """Of a file with one good and one bad template the good one is used, and the bad one named."""
    with Gate() as g:
        g.main["bounce_template_file"] = g.file("bounce.cf", """failure_template = <<EOF
Charset: utf-8
Subject: Nicht zugestellt
  von $myhostname

Gr\u00fc\u00dfe von $myhostname
EOF
success_template = <<EOF
Colour: blue

never seen
EOF
""")
        g.write_config()
        g.start()
        g.send(["bad@far.test NOTIFY=FAILURE"])
        m = g.reports()[0]
        like(m["Subject"], r"^Nicht zugestellt\s+von \$myhostname$", "its subject, which is not expanded")
        like(m.raw, r"\nContent-Type: text/plain; charset=utf-8\n(?s:.*)\nGr\u00fc\u00dfe von gw\.example\.test\n", "its text, which is")
        g.send(["u@old.test NOTIFY=SUCCESS"])
        is_eq(g.reports()[0]["Subject"], "Successful Mail Delivery Report", "the built-in text in place of a bad one")
        like(g.wait_log("bounce.cf"), r'unknown "Colour" header label in success template -- ignoring this template$', "which is named")


run(test_via, test_asked_for, test_returned, test_declared, test_postmaster_hears_of_all, test_refused_and_expired, test_loops_and_verp, test_threads, test_verp, test_counted, test_templates)
