#!/usr/bin/env python3
"""A real Dovecot behind us: mail goes to it over LMTP and is read back over IMAP."""
import email
import imaplib
import os
import smtplib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
import peers
from tap import is_eq, like, ok, run

peers.isolate("dovecot")
USERS = ["anna@tcp.test", "bert@tcp.test", "anna@unix.test"]
BODY = ("First line\r\n.leading dot\r\n..two dots\r\n.\r\nFrom the start\r\n" + "x" * 900 + "\r\nNach 8 Bit: äöü €\r\n\r\nlast\r\n").encode()
HEAD = b"From: s@client.test\r\nTo: list@tcp.test\r\nSubject: =?utf-8?q?test?=\r\nMIME-Version: 1.0\r\n" \
       b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"


def mailbox(user):
    """All messages, as bytes."""
    with imaplib.IMAP4("127.0.0.1", 1143) as i:
        i.login(user, "secret")
        i.select("INBOX")
        numbers = i.search(None, "ALL")[1][0].split()
        return [i.fetch(n, "(BODY.PEEK[])")[1][0][1] for n in numbers]


def send(rcpts, data, options=()):
    with smtplib.SMTP("127.0.0.1", 2525, timeout=30) as s:
        s.sendmail("s@client.test", rcpts, data, options)


def test_lmtp():
    with peers.Dovecot(USERS) as d, peers.gateway(
            relay_domains="tcp.test, unix.test", smtpd_reject_unlisted_recipient="no",
            transport_maps="inline:{tcp.test=lmtp:inet:127.0.0.1:2400, unix.test=lmtp:unix:%s}" % d.socket) as g:
        g.start()
        send(USERS, HEAD + BODY, ["BODY=8BITMIME"])
        for user in USERS:
            how = r"127\.0\.0\.1\[127\.0\.0\.1\]:2400" if "tcp" in user else r"gw\.example\.test\[%s\]" % d.socket
            like(g.wait_log(r"to=<%s>" % user), r"postfix/lmtp\[\d+\]: .*relay=%s, .*dsn=2\.0\.0, status=sent \(250 2\.0\.0 <%s> \S+ Saved\)$" % (how, user),
                 "%s: the store's reply in the log" % user)
            got = mailbox(user)
            is_eq(len(got), 1, "%s: one message over IMAP" % user)
            head, _, body = got[0].partition(b"\r\n\r\n")
            is_eq(body, BODY, "%s: the body as it was sent" % user)
            m = email.message_from_bytes(got[0])
            is_eq((m["Return-Path"], m["Subject"]), ("<s@client.test>", "=?utf-8?q?test?="), "%s: its header" % user)
            like(m.get_all("Received")[-1], r"by gw\.example\.test .*with ESMTP", "%s: our Received" % user)
        g.wait_log("removed")


def test_refused():
    with peers.Dovecot(USERS) as d, peers.gateway(
            relay_domains="tcp.test", smtpd_reject_unlisted_recipient="no", virtual_mailbox_domains="client.test", virtual_mailbox_base=d.folder("senders", (5000, 5000), 0o700),
            virtual_mailbox_maps="inline:{s@client.test=s/}", virtual_uid_maps="static:5000", virtual_gid_maps="static:5000",
            transport_maps="inline:{tcp.test=lmtp:inet:127.0.0.1:2400}") as g:
        g.start()
        send(["anna@tcp.test", "nobody@tcp.test"], HEAD + BODY, ["BODY=8BITMIME"])
        like(g.wait_log(r"to=<nobody@tcp\.test>"), r"dsn=5\.1\.1, status=bounced \(host 127\.0\.0\.1\[127\.0\.0\.1\] said: 550 5\.1\.1 <nobody@tcp\.test> "
             r"User doesn't exist: nobody@tcp\.test \(in reply to RCPT TO command\)\)$", "a user whom the store does not know")
        g.wait_log(r"to=<anna@tcp\.test>.*status=sent")
        is_eq(len(mailbox("anna@tcp.test")), 1, "the other one has the mail")
        g.wait_log(r"to=<s@client\.test>.*status=sent \(delivered to maildir\)")
        new = d.path("senders/s/new")
        report = email.message_from_bytes(open(os.path.join(new, os.listdir(new)[0]), "rb").read())
        is_eq(report.get_content_type(), "multipart/report", "a report for the sender")
        like(report.get_payload(1).as_string(), r"Final-Recipient: rfc822; nobody@tcp\.test\n(.|\n)*Action: failed\nStatus: 5\.1\.1\n", "tells of the one")


def test_down():
    """The store comes after the mail."""
    with peers.gateway(relay_domains="tcp.test", smtpd_reject_unlisted_recipient="no", minimal_backoff_time="1s", maximal_backoff_time="1s", queue_run_delay="1s",
                       transport_maps="inline:{tcp.test=lmtp:inet:127.0.0.1:2400}") as g:
        g.start()
        send(["anna@tcp.test"], HEAD + BODY, ["BODY=8BITMIME"])
        g.wait_log(r"to=<anna@tcp\.test>.*dsn=4\.4\.1, status=deferred \(connect to 127\.0\.0\.1\[127\.0\.0\.1\]:2400: Connection refused\)")
        ok(True, "deferred while the store is down")
        with peers.Dovecot(USERS):
            g.cmd("postqueue", "-f", check=True)
            g.wait_log(r"to=<anna@tcp\.test>.*status=sent", timeout=60)
            is_eq([m.partition(b"\r\n\r\n")[2] for m in mailbox("anna@tcp.test")], [BODY], "delivered once when it is up")


run(test_lmtp, test_refused, test_down)
