#!/usr/bin/env python3
"""Addresses where the documents leave room, as existing set-ups know them: the null sender in patterns, MAILER-DAEMON as sender, extensions over
several steps, copies beside recipients of the client's, originals, classes of domains."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from instance import Instance, free_port, wait_until
from smtp import Client
import tap

MAIN = {
    "mydestination": "gw.example.test", "myorigin": "gw.example.test", "relayhost": "[127.0.0.1]:9", "recipient_delimiter": "+", "header_checks": "static:HOLD",
    "sender_canonical_maps": "regexp:{{/^\"\"$$/ null@x.test}}", "canonical_maps": "inline:{c1@v.test=c2@v.test, c2@v.test=c3@v.test, {two@v.test=a@x.test, b@x.test}}",
    "virtual_alias_maps": "inline:{self@v.test=Self@v.test}", "virtual_alias_domains": "alias.test", "virtual_mailbox_domains": ".dot.test",
    "relay_domains": ".below.test", "transport_maps": "inline:{u@alias.test=discard:x}", "remote_header_rewrite_domain": "remote.invalid",
    "local_header_rewrite_clients": "", "always_bcc": "log@v.test", "smtpd_reject_unlisted_recipient": "no",
}


def envelope(i, qid):
    i.wait_log(r"%s: hold: " % qid)
    # The line comes before the message is in the queue.
    return wait_until(lambda: i.cmd("postcat", "-q", qid).stdout, "the message on hold")


def send(i, port, sender, rcpts, content=b"Subject: x\r\n\r\nx\r\n"):
    with Client(port) as c:
        c.ehlo()
        c.cmd("MAIL FROM:<%s>" % sender)
        for r in rcpts:
            c.cmd("RCPT TO:<%s>" % r)
        text = c.data(content).text
        return envelope(i, re.search(r"queued as (\w+)", text).group(1))


def senders(i, port):
    tap.like(send(i, port, "", ["r@x.test"]), r"(?m)^sender: null@x\.test$", 'a pattern sees the null sender as ""')
    tap.like(send(i, port, "Mailer-Daemon", ["r@x.test"]), r"(?m)^sender: null@x\.test$", "MAILER-DAEMON is the null sender")
    text = send(i, port, "s@x.test", ["r@x.test"], b"To: bob\r\n\r\nx\r\n")
    for field in ("To: bob@remote\\.invalid", "Message-Id: <", "Date: ", "From: s@x\\.test"):
        tap.like(text, "(?m)^" + field, field + " with remote_header_rewrite_domain")


def recipients(i, port):
    tap.like(send(i, port, "s@x.test", ["c1+e@v.test"]), r"(?m)^recipient: c3\+e@v\.test$", "an extension goes through each step")
    send(i, port, "s@x.test", ["two@v.test"])
    tap.ok(i.wait_log(r"multi-valued canonical_maps entry for two@v\.test"), "several addresses where one is wanted")
    tap.like(send(i, port, "s@x.test", ["self@v.test"]), r"(?m)^recipient: Self@v\.test$", "an alias of itself is spelt as in the table")
    text = send(i, port, "s@x.test", ["log@v.test", "@route.test:z@x.test"])
    tap.is_eq(len(re.findall(r"(?m)^recipient: log@v\.test$", text)), 2, "a copy beside a recipient of the same address")
    tap.like(text, r"(?m)^named_attribute: dsn_orig_rcpt=rfc822;@route\.test:z@x\.test$", "original recipient as given")
    i.cmd("sendmail", "-f", "s@x.test", "bob", input="Subject: x\n\nx\n", check=True)
    qid = re.search(r"(\w+): uid=", i.wait_log(r": uid=")).group(1)
    tap.like(envelope(i, qid), r"(?m)^original_recipient: bob$", "original recipient of our own user")


def check_forms():
    port = free_port()
    with Instance(services=["%d inet n - n - - smtpd" % port], main=MAIN) as i:
        i.start()
        senders(i, port)
        recipients(i, port)


def reply(port, to):
    with Client(port) as c:
        c.ehlo()
        c.cmd("MAIL FROM:<s@x.test>")
        return c.cmd("RCPT TO:<%s>" % to).text


def check_classes():
    port = free_port()
    with Instance(services=["%d inet n - n - - smtpd" % port],
                  main={"mynetworks": "", "relay_domains": ".below.test", "virtual_mailbox_domains": ".dot.test", "virtual_alias_domains": "alias.test, both.test",
                        "mydestination": "both.test [10.9.9.9]", "transport_maps": "inline:{u@alias.test=discard:x}", "local_recipient_maps": ""}) as i:
        i.start()
        tap.like(reply(port, "u@sub.below.test"), r"Relay access denied", ".domain is not needed, and no match, where parents match")
        tap.like(reply(port, "u@sub.dot.test"), r"Relay access denied", "virtual_mailbox_domains has whole names only")
        tap.like(reply(port, "u@alias.test"), r"^550 5\.1\.1 .*User unknown in virtual alias table", "a transport makes no mailbox of an alias")
        tap.like(reply(port, "u@[10.9.9.9]"), r"^250", "an address literal among the destinations")
        reply(port, "u@both.test")
        tap.ok(i.wait_log(r"do not list domain both\.test in BOTH mydestination and virtual_alias_domains"), "two classes")


tap.run(check_forms, check_classes)
