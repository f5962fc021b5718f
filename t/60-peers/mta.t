#!/usr/bin/env python3
"""A real Postfix and a real Exim behind us: what we relay to them comes back through them and ends in a Maildir, unchanged."""
import email
import os
import re
import smtplib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
import peers
from instance import Instance, wait_until
from tap import diag, is_eq, like, ok, run

peers.isolate("postfix", "exim")
BODY = ("First line\r\n.leading dot\r\n..\r\n.\r\nFrom the start\r\n" + "x" * 900 + "\r\nNach 8 Bit: äöü €\r\n\r\n").encode()
HEAD = b"From: s@home.test\r\nTo: u@back.test\r\nSubject: %d\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n" \
       b"Content-Transfer-Encoding: 8bit\r\n\r\n"


def gates(port, folder):
    """Mail goes from the first one to the peer, and from that to the second, which delivers it."""
    out = Instance(main={"relay_domains": "back.test", "myhostname": "gw.example.test", "smtpd_reject_unlisted_recipient": "no",
                         "transport_maps": "inline:{back.test=smtp:[127.0.0.1]:%d, home.test=smtp:[127.0.0.1]:2525}" % port},
                   services=["127.0.0.1:2530 inet n - n - - smtpd"])
    store = peers.gateway(virtual_mailbox_domains="back.test home.test", virtual_mailbox_base=folder, virtual_uid_maps="static:5000",
                          virtual_gid_maps="static:5000", virtual_mailbox_maps="inline:{{@back.test = u/} {@home.test = s/}}")
    return out, store


def messages(folder, name):
    new = os.path.join(folder, name, "new")
    return [open(os.path.join(new, f), "rb").read() for f in sorted(os.listdir(new))] if os.path.isdir(new) else []


def body(m):
    return m.partition(b"\n\n")[2].replace(b"\n", b"\r\n")


def round_trip(peer, queued, refused):
    name = type(peer).__name__
    with peer:
        folder = peer.folder("back", peers.MAILBOX, 0o700)
        out, store = gates(peer.port, folder)
        with out as g, store:
            g.start()
            store.start()
            big = HEAD % 99 + (b"y" * 70 + b"\r\n") * 30000
            with smtplib.SMTP("127.0.0.1", 2530, timeout=60) as s:
                for n in range(20):
                    s.sendmail("s@home.test", ["u@back.test"], HEAD % n + BODY, ["BODY=8BITMIME"])
                s.sendmail("s@home.test", ["u@back.test"], big)
                s.sendmail("s@home.test", ["v@back.test", "w@back.test", "refused@back.test"], HEAD % 50 + BODY, ["BODY=8BITMIME"])
            wait_until(lambda: len(messages(folder, "u")) == 23, "%s: 23 messages in the Maildir" % name, 90)
            got = {int(email.message_from_bytes(m)["Subject"]): m for m in messages(folder, "u")}
            is_eq(sorted(got), list(range(20)) + [50, 99], "%s: all came back" % name)
            ok(all(body(got[n]) == BODY for n in got if n != 99), "%s: bodies as they were sent" % name) or diag(body(got[0]))
            ok(body(got[99]) == big.partition(b"\r\n\r\n")[2], "%s: a large one too" % name)
            trace = email.message_from_bytes(got[0]).get_all("Received")
            is_eq(len(trace), 3, "%s: through us, it, and us" % name)
            like(trace[1], r"by real\.", "%s: its Received" % name)
            is_eq(len(g.find_log(r"smtp\[\d+\]: \w+: to=<\w@back\.test>, relay=127\.0\.0\.1\[127\.0\.0\.1\]:%d, .*dsn=2\.0\.0, status=sent \(%s" % (peer.port, queued))),
                  23, "%s: delivery records with its replies" % name)
            like(g.wait_log(r"to=<refused@back\.test>"), r"dsn=5\.7\.9, status=bounced \(host 127\.0\.0\.1\[127\.0\.0\.1\] said: 550 %s" % refused,
                 "%s: a recipient that it refuses" % name)
            wait_until(lambda: messages(folder, "s"), "%s: a report" % name)
            report = email.message_from_bytes(messages(folder, "s")[0])
            like(report.get_payload(1).as_string(), r"Final-Recipient: rfc822; refused@back\.test\n(.|\n)*Status: 5\.7\.9\nRemote-MTA: dns; 127\.0\.0\.1\n", "tells the sender")
            ok(len({int(x) for x in re.findall(r"conn_use=(\d+)", g.log())}) > 0, "%s: connections are used again" % name)


def test_postfix():
    round_trip(peers.Postfix(), r"250 2\.0\.0 Ok: queued as \w+\)", r"5\.7\.9 <refused@back\.test>: Recipient address rejected: not here")


def test_exim():
    round_trip(peers.Exim(), r"250 OK id=\S+\)", r"5\.7\.9 not here")


def test_success_reports():
    """A DSN request goes on to a peer that knows DSN: it, not we, reports the success."""
    for peer in (peers.Postfix(), peers.Exim()):
        name = type(peer).__name__
        with peer:
            folder = peer.folder("back", peers.MAILBOX, 0o700)
            out, store = gates(peer.port, folder)
            with out, store:
                out.start()
                store.start()
                with smtplib.SMTP("127.0.0.1", 2530, timeout=60) as s:
                    s.sendmail("s@home.test", ["u@back.test"], HEAD % 1 + BODY, ["BODY=8BITMIME", "RET=HDRS", "ENVID=env1"], ["NOTIFY=SUCCESS", "ORCPT=rfc822;orig@back.test"])
                wait_until(lambda: messages(folder, "s"), "%s: a report" % name, 60)
                reports = [email.message_from_bytes(m) for m in messages(folder, "s")]
                is_eq(len(reports), 1, "%s: one report" % name)
                like(reports[0].get_payload(1).as_string(), r"Original-Envelope-Id: env1\n(.|\n)*Original-Recipient: rfc822; ?orig@back\.test\n(.|\n)*Action: delivered\n",
                     "%s: of the last delivery, with what the sender gave" % name)


run(test_postfix, test_exim, test_success_reports)
