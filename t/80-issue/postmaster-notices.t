#!/usr/bin/env python3
"""notify_classes: the postmaster gets the transcript of a session with errors of the classes that are named, and of no other."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from instance import Instance, free_port
from smtp import Client, Sink
import tap


def check():
    port = free_port()
    sink = Sink()
    with Instance(services=["%d inet n - n - - smtpd" % port],
                  main={"relayhost": "[127.0.0.1]:%d" % sink.port, "notify_classes": "policy, bounce", "error_notice_recipient": "errors@x.test",
                        "bounce_notice_recipient": "bounces@x.test", "mydestination": "gw.example.test", "local_recipient_maps": "inline:{root=x}",
                        "smtpd_sender_restrictions": "check_sender_access inline:{{bad@x.test=REJECT}}"}) as i:
        i.start()
        c = Client(port)
        c.ehlo()
        c.cmd("FOO")
        c.cmd("MAIL FROM:<bad@x.test>")
        c.cmd("RCPT TO:<a@x.test>")
        c.cmd("QUIT")
        c.ended()
        c = Client(port)
        c.ehlo()
        c.cmd("MAIL FROM:<s@x.test>")
        c.cmd("RCPT TO:<nosuch@gw.example.test>")
        c.close()
        c = Client(port)
        c.ehlo()
        c.cmd("FOO")
        c.message("s@x.test", ["last@x.test"])
        c.cmd("QUIT")
        for to in ("errors", "bounces", "last"):
            tap.ok(i.wait_log(r"to=<%s@x\.test>.*status=sent" % to), to)
        got = {m.rcpts[0]: m for m in sink.messages}
        tap.is_eq(sorted(got), ["bounces@x.test", "errors@x.test", "last@x.test"], "one notice for each class, none for protocol errors")
        m = got["errors@x.test"]
        tap.is_eq(m.sender, "double-bounce@gw.example.test", "sender")
        tap.is_eq(m.header("Subject"), ["Postfix SMTP server: errors from localhost[127.0.0.1]"], "subject")
        tap.is_eq(m.header("To"), ["Postmaster <errors@x.test>"], "recipient")
        tap.like(m.body.decode(), r"(?s) Out: 220 .*\r\n In:  EHLO .*\r\n Out: 250 CHUNKING\r\n In:  FOO\r\n.* In:  RCPT TO:<a@x.test>\r\n Out: 554 5.7.1 .*Access denied\r\n"
                 r" In:  QUIT\r\n Out: 221 2.0.0 Bye\r\n", "transcript")
        tap.like(got["bounces@x.test"].body.decode(), r"Session aborted, reason: lost connection", "how it ended")


tap.run(check)
