#!/usr/bin/env python3
"""Real milters, as Debian has them, with next to no configuration: opendkim, opendmarc, rspamd, clamav-milter, spamass-milter.
What is not installed is skipped."""
import base64
import email
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
import dnsd
import peers
from instance import wait_until
from smtp import Client, Sink
from tap import is_eq, like, ok, run, skip

peers.isolate()
SCRATCH = tempfile.TemporaryDirectory(prefix="milters-")
os.chmod(SCRATCH.name, 0o755)
ZONE = {("localhost", "A"): ["127.0.0.1"]}
DNS = dnsd.Dnsd(ZONE)
dnsd.use_it(SCRATCH.name)
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
HEAD = "From: Anna <anna@client.example>\r\nTo: b@far.test\r\nSubject: %s\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <%s@client.example>\r\n"


class Gateway:
    def __init__(self, milters, **main):
        self.sink = Sink()
        self.gw = peers.gateway(relayhost="[127.0.0.1]:%d" % self.sink.port, smtpd_milters=milters, non_smtpd_milters=milters, mynetworks="127.0.0.0/8", **main)

    def __enter__(self):
        self.gw.__enter__()
        self.gw.start()
        return self

    def __exit__(self, *exc):
        self.gw.__exit__(*exc)
        self.sink.close()

    def send(self, content, source="127.0.0.1", sender="anna@client.example", rcpt="b@far.test"):
        """content: bytes, not stuffed."""
        with Client(2525, source=source, timeout=120) as c:
            c.ehlo("mx.client.example")
            c.cmd("MAIL FROM:<%s> BODY=8BITMIME" % sender)
            c.cmd("RCPT TO:<%s>" % rcpt)
            r = c.data(content.replace(b"\r\n.", b"\r\n.."))
            c.cmd("QUIT")
        return r

    def mail(self, subject, body="body\r\n.dot\r\n", **how):
        return self.send((HEAD % (subject, subject) + "\r\n" + body).encode(), **how)

    def got(self, subject):
        return self.sink.wait(subject)


class Filter(peers.Peer):
    def own(self, user):
        shutil.chown(self.dir, user)
        return self.dir


class OpenDkim(Filter):
    port = 8891

    def config(self):
        subprocess.run(["opendkim-genkey", "-b", "2048", "-D", self.dir, "-d", "client.example", "-s", "sel"], check=True)
        text = open(self.path("sel.txt")).read()
        ZONE[("sel._domainkey.client.example", "TXT")] = ["".join(re.findall(r'"([^"]*)"', text))]
        self.own("opendkim")
        shutil.chown(self.path("sel.private"), "opendkim")
        self.write("opendkim.conf", "Canonicalization relaxed/simple\nOversignHeaders From\nUserID opendkim\nUMask 007\nDomain client.example\nSelector sel\n"
                   "KeyFile %s\nSocket inet:8891@127.0.0.1\nInternalHosts 127.0.0.1\nPidFile %s\nAuthservID gw.example.test\nBackground no\nRequireSafeKeys no\nNameservers 192.0.2.53\n" % (self.path("sel.private"), self.path("pid")))

    def args(self):
        return ["/usr/sbin/opendkim", "-x", self.path("opendkim.conf"), "-f"]


class OpenDmarc(Filter):
    port = 8893

    def config(self):
        ZONE[("_dmarc.client.example", "TXT")] = ["v=DMARC1; p=reject"]
        self.own("opendmarc")
        self.write("opendmarc.conf", "UserID opendmarc\nSocket inet:8893@127.0.0.1\nPidFile %s\nAuthservID gw.example.test\nTrustedAuthservIDs gw.example.test\n"
                   "RejectFailures true\nSyslog false\nBackground no\n" % self.path("pid"))

    def args(self):
        return ["/usr/sbin/opendmarc", "-c", self.path("opendmarc.conf"), "-f"]


class Rspamd(Filter):
    port = 11332

    def config(self):
        shutil.copytree("/etc/rspamd", self.path("etc"))
        os.makedirs(self.path("etc/local.d"), exist_ok=True)
        self.write("etc/local.d/options.inc", 'enable_test_patterns = true;\n')
        self.write("etc/local.d/milter_headers.conf", 'use = ["x-spamd-result"];\nskip_local = false;\n')
        for name in ("db", "run", "log"):
            self.folder(name)
            shutil.chown(self.path(name), "_rspamd")
        os.makedirs("/run/rspamd", exist_ok=True)
        subprocess.run(["mount", "--bind", self.path("run"), "/run/rspamd"], check=True)

    def args(self):
        return ["/usr/bin/rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd", "-c", self.path("etc/rspamd.conf"), "--var=CONFDIR=" + self.path("etc"),
                "--var=LOCAL_CONFDIR=" + self.path("etc"), "--var=DBDIR=" + self.path("db"), "--var=RUNDIR=" + self.path("run"), "--var=LOGDIR=" + self.path("log")]

    def said(self):
        try:
            return open(self.path("log/rspamd.log"), errors="replace").read()[-3000:]
        except OSError:
            return super().said()

    def __enter__(self):
        self.config()
        with open(self.path("output"), "w") as out:
            self.process = subprocess.Popen(self.args(), stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.env, cwd="/")
        wait_until(lambda: peers.listens(self.port), "rspamd (it compiles its rules first)", 120)
        return self


class Clamd(Filter):
    """With a signature of its own, and no others."""
    port = 3310

    def config(self):
        self.folder("db")
        self.write("db/test.ndb", "Postern.Test:0:*:%s\n" % b"postern-test-virus-body".hex())
        self.own("clamav")
        self.write("clamd.conf", "DatabaseDirectory %s\nTCPSocket 3310\nTCPAddr 127.0.0.1\nUser clamav\nForeground yes\nScanMail yes\n" % self.path("db"))

    def args(self):
        return ["/usr/sbin/clamd", "-c", self.path("clamd.conf")]


class ClamMilter(Filter):
    port = 7357

    def config(self):
        self.own("clamav")
        self.write("milter.conf", "MilterSocket inet:7357@127.0.0.1\nUser clamav\nForeground true\nClamdSocket tcp:127.0.0.1:3310\nOnClean Accept\nOnInfected Quarantine\n"
                   "OnFail Defer\nAddHeader Replace\nTemporaryDirectory /tmp\n")

    def args(self):
        return ["/usr/sbin/clamav-milter", "-c", self.path("milter.conf")]


class Spamd(Filter):
    port = 783

    def config(self):
        self.folder("home")

    def args(self):
        return ["/usr/sbin/spamd", "-L", "-x", "-q", "-H", self.path("home"), "-u", "nobody", "--max-children", "1", "-i", "127.0.0.1"]


class SpamassMilter(Filter):
    port = 7358

    def config(self):
        pass

    def args(self):
        return ["/usr/sbin/spamass-milter", "-p", "inet:7358@127.0.0.1"]


def have(name):
    programs, packages = peers.PACKAGES[name]
    if all(os.path.exists(p) for p in programs):
        return True
    skip(name, "not installed (Debian: %s)" % packages)
    return False


def results(m):
    return " ".join(m.header("Authentication-Results"))


def test_dkim():
    if not have("opendkim"):
        return
    body = "Zeile mit \u00e4\r\n\r\n.dot\r\n..two\r\n" + "long " * 150 + "\r\n\r\n\r\n"
    with OpenDkim(), Gateway("inet:127.0.0.1:8891") as g:
        for subject, text in (("signed", body), ("signed-empty", ""), ("signed-large", ("0123456789" * 7 + "\r\n.x\r\n") * 20000)):
            is_eq(g.mail(subject, text).code, 250, "opendkim, sign: " + subject)
            m = g.got(subject)
            like(m.header("DKIM-Signature")[0] if m.header("DKIM-Signature") else "", r"d=client\.example;\s*s=sel;", "the signature")
            ok(m.body == text.encode(), "the body is what was sent")
            lines = m.data.split(b"\r\n")
            ok(b"".join(lines[:8]).find(b"DKIM-Signature") >= 0, "near the top")
            r = g.send(m.data.replace(b"Subject: " + subject.encode(), b"Subject: " + subject.encode()), source="127.0.0.9")
            is_eq(r.code, 250, "the same, as it was delivered, comes from outside")
            wait_until(lambda: len([x for x in g.sink.messages if x.header("Subject") == [subject]]) == 2, "it passes")
            again = [x for x in g.sink.messages if x.header("Subject") == [subject]][1]
            like(results(again), r"dkim=pass .*header\.d=client\.example", "opendkim, verify: pass")
            broken = m.data.replace(b"From: Anna", b"From: Eve")
            is_eq(g.send(broken, source="127.0.0.9").code, 250, "with another From")
            wait_until(lambda: len([x for x in g.sink.messages if x.header("Subject") == [subject]]) == 3, "it passes")
            like(results([x for x in g.sink.messages if x.header("Subject") == [subject]][2]), r"dkim=fail", "opendkim, verify: fail")
        g.gw.cmd("sendmail", "-f", "anna@client.example", "b@far.test", input="From: anna@client.example\nSubject: by-sendmail\n\n.dot\nbody\n", check=True)
        m = g.got("by-sendmail")
        is_eq(len(m.header("DKIM-Signature")), 1, "mail of sendmail is signed")
        g.send(m.data, source="127.0.0.9")
        wait_until(lambda: len([x for x in g.sink.messages if x.header("Subject") == ["by-sendmail"]]) == 2, "comes back")
        like(results([x for x in g.sink.messages if x.header("Subject") == ["by-sendmail"]][1]), r"dkim=pass", "its signature is good")


def test_dmarc():
    if not have("opendkim") or not have("opendmarc"):
        return
    with OpenDkim(), OpenDmarc():
        with Gateway("inet:127.0.0.1:8891") as g:
            g.mail("dmarc")
            signed = g.got("dmarc").data
        with Gateway("inet:127.0.0.1:8891, inet:127.0.0.1:8893") as g:
            is_eq(g.send(signed, source="127.0.0.9", sender="x@stranger.test").code, 250, "opendmarc, behind opendkim: signed mail passes")
            m = g.got("dmarc")
            like(results(m), r"dkim=pass", "the first one's header")
            like(results(m), r"dmarc=pass", "the second one has read it")
            r = g.mail("forged", source="127.0.0.9", sender="x@stranger.test")
            is_eq(r.code, 550, "opendmarc: unsigned mail is refused")
            like(r.text, r"5\.7\.1 rejected by DMARC policy for client\.example", "with its words")
            g.gw.wait_log(r"milter-reject: END-OF-MESSAGE from unknown\[127\.0\.0\.9\]|milter-reject: END-OF-MESSAGE from \S+\[127\.0\.0\.9\]: 5\.7\.1 rejected by DMARC policy")


def test_rspamd():
    if not have("rspamd"):
        return
    with Rspamd(), Gateway("inet:localhost:11332") as g:
        wait_until(lambda: g.mail("warm-up").code == 250, "rspamd's workers", 60)
        is_eq(g.mail("fine").code, 250, "rspamd: mail passes")
        m = g.got("fine")
        is_eq(m.body, b"body\r\n.dot\r\n", "its body is untouched")
        ok(m.header("X-Spamd-Result"), "with rspamd's header")
        r = g.mail("gtube", GTUBE + "\r\n")
        is_eq(r.code, 554, "rspamd: spam is refused")
        like(r.text, r"5\.7\.1 Gtube pattern", "with its words")
        is_eq(g.mail("marked", GTUBE.replace("XJS", "YJS", 1) + "\r\n").code, 250, "rspamd: probable spam")
        is_eq(g.got("marked").header("X-Spam"), ["Yes"], "is marked")


def test_clamav():
    if not have("clamav-milter"):
        return
    with Clamd(), ClamMilter(), Gateway("inet:127.0.0.1:7357") as g:
        is_eq(g.mail("clean").code, 250, "clamav-milter: mail passes")
        m = g.got("clean")
        like(" ".join(m.header("X-Virus-Status")), "Clean", "its verdict")
        is_eq(m.body, b"body\r\n.dot\r\n", "its body is untouched")
        big = ("0123456789" * 7 + "\r\n") * 10000
        is_eq(g.mail("infected", big + base64.b64encode(b"x").decode() + "\r\npostern-test-virus-body\r\n").code, 250, "clamav-milter: infected mail")
        g.gw.wait_log(r"milter-hold: END-OF-MESSAGE .*milter triggers HOLD action; .*")
        like(g.gw.cmd("postqueue", "-p").stdout, r"(?m)^[0-9A-F]+!", "is on hold")


def test_spamassassin():
    if not have("spamass-milter"):
        return
    with Spamd(), SpamassMilter(), Gateway("inet:127.0.0.1:7358") as g:
        is_eq(g.mail("ham").code, 250, "spamass-milter: mail passes")
        m = g.got("ham")
        like(" ".join(m.header("X-Spam-Status")), "^No", "its verdict")
        is_eq(m.body, b"body\r\n.dot\r\n", "its body is untouched")
        is_eq(g.mail("spam", GTUBE + "\r\n").code, 250, "spamass-milter: spam")
        m = wait_until(lambda: next((x for x in g.sink.messages if x.header("X-Spam-Flag") == ["YES"]), None), "marked spam")
        parts = email.message_from_bytes(m.data)
        ok(parts.is_multipart() and "Content preview" in parts.get_payload(0).get_payload(), "has become a report, with another body")
        like(parts.get_payload(1).get_payload(0).get_payload(), re.escape(GTUBE), "that has the original in it")


run(test_dkim, test_dmarc, test_rspamd, test_clamav, test_spamassassin)
