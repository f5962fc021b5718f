#!/usr/bin/env python3
"""Debian's pflogsumm reads our log and counts what was sent."""
import os
import re
import smtplib
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
import peers
from tap import diag, is_eq, like, run

peers.isolate("pflogsumm", "postfix")


def summary(g):
    p = subprocess.run(["/usr/sbin/pflogsumm", "--problems_first", g.logfile], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    if p.returncode or p.stderr:
        diag(p.stderr)
    return p.stdout


def count(text, what):
    """The number in front of a line of the totals."""
    m = re.search(r"(?m)^\s*(\d+)(k?)\s+%s\b" % what, text)
    return int(m.group(1)) * (1024 if m.group(2) else 1) if m else None


def test_counts():
    with peers.Sink() as sink, peers.gateway(
            relayhost="[127.0.0.1]:2526", virtual_mailbox_domains="box.test", virtual_mailbox_base=sink.folder("mail", peers.MAILBOX, 0o700),
            virtual_mailbox_maps="inline:{u@box.test=u/, s@box.test=s/}", virtual_uid_maps="static:5000", virtual_gid_maps="static:5000",
            transport_maps="inline:{down.test=smtp:[127.0.0.1]:9, {bad.test=error:5.7.0 never}}", smtpd_reject_unlisted_recipient="no",
            smtpd_recipient_restrictions="check_recipient_access inline:{{no@far.test = reject}}, permit_mynetworks, reject") as g:
        g.start()
        with smtplib.SMTP("127.0.0.1", 2525, timeout=60) as s:
            for n in range(30):
                s.sendmail("s%d@box.test" % (n % 3), ["r%d@far%d.test" % (n, n % 5)], "Subject: x\r\n\r\n" + "x" * 70 + "\r\n")
            for n in range(7):
                s.sendmail("s@box.test", ["u@box.test", "other@far.test"], "Subject: two\r\n\r\nx\r\n")
            for n in range(4):
                s.sendmail("s@box.test", ["x%d@down.test" % n], "Subject: later\r\n\r\nx\r\n")
            for n in range(3):
                s.sendmail("s@box.test", ["nobody%d@box.test" % n], "Subject: unknown\r\n\r\nx\r\n")
            for n in range(2):
                try:
                    s.sendmail("s@box.test", ["no@far.test"], "Subject: no\r\n\r\nx\r\n")
                except smtplib.SMTPRecipientsRefused:
                    pass
        g.wait_log(r"to=<x\d@down\.test>, .*status=deferred", count=4)
        g.wait_log(r"to=<s@box\.test>, .*status=sent \(delivered to maildir\)", count=3)
        g.wait_log(r"qmgr\[\d+\]: \w+: removed$", count=30 + 7 + 3 + 3)
        text = summary(g)
        for what, want in (("received", 30 + 7 + 4 + 3), ("delivered", 30 + 14 + 3), ("deferred", 4), ("bounced", 3), ("rejected", 2),
                           ("senders", 4), ("recipients", 30 + 2 + 1)):
            is_eq(count(text, what), want, "pflogsumm: " + what)
        like(text, r"(?m)^\s+7\s+other@far\.test$", "recipients by count")
        like(text, r"(?m)^\s+14\s+s@box\.test$", "senders by count")
        like(text, r"deferral detail(.|\n)*smtp \(total: 4\)(.|\n)*Connection refused", "why it was deferred")
        like(text, r"bounce detail(.|\n)*virtual \(total: 3\)|bounce detail(.|\n)*unknown user", "why it bounced")
        like(text, r"reject detail(.|\n)*RCPT(.|\n)*Recipient address rejected: Access denied \(total: 2\)", "why it was refused")
        like(text, r"(?m)^\s+7\s+\d+\s+0\s.*\sfar\.test$", "deliveries by domain")
        sizes = {q: int(n) for q, n in re.findall(r"qmgr\[\d+\]: (\w+): from=<.*>, size=(\d+), nrcpt=\d+ \(queue active\)", g.log())}
        is_eq(int(re.search(r"(\d+)\s+bytes received", text).group(1)), sum(sizes.values()) - sum(reports(g, sizes)), "bytes of what clients sent")
        like(text, r"Fatal Errors: none\n\nPanics: none", "no trouble")


def reports(g, sizes):
    """Sizes of the messages that we made ourselves."""
    return [sizes[q] for q in re.findall(r"sender non-delivery notification: (\w+)", g.log())]


run(test_counts)
