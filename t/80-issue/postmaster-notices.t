#!/usr/bin/env python3
"""notify_classes: the postmaster gets the transcript of a session with errors of the classes that are named, and of no other."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "20-program", "smtp"))
from client import Server
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


def check_client():
    """The SMTP client: replies 500 to 504 are protocol errors; others are not."""
    port, sink = free_port(), Sink()
    with Server({"RCPT": ["500 5.5.2 what", "550 5.1.1 no"]}) as bad, \
         Instance(services=["%d inet n - n - - smtpd" % port],
                  main={"relayhost": "[127.0.0.1]:%d" % sink.port, "transport_maps": "inline:{bad.test=smtp:[127.0.0.1]:%d}" % bad.port,
                        "notify_classes": "protocol", "error_notice_recipient": "errors@x.test", "mydestination": ""}) as i:
        i.start()
        for n, sender in enumerate(("one@x.test", "two@x.test")):
            with Client(port) as c:
                c.ehlo()
                c.message(sender, ["u@bad.test"])
            i.wait_log(r"to=<%s>.*status=sent" % sender)        # its bounce
        i.wait_log(r"to=<errors@x\.test>.*status=sent")
        got = [m for m in sink.messages if m.rcpts == ["errors@x.test"]]
        tap.is_eq(len(got), 1, "one notice, of the reply 500")
        tap.is_eq(got[0].header("Subject"), ["Postfix SMTP client: errors from 127.0.0.1[127.0.0.1]:%d" % bad.port], "subject")
        tap.like(got[0].body.decode(), r"(?s) In:  220 .*\r\n Out: EHLO gw\.example\.test\r\n In:  250.* Out: MAIL FROM:<one@x\.test>.*"
                 r" Out: RCPT TO:<u@bad\.test>.* In:  500 5\.5\.2 what\r\n", "transcript")


tap.run(check, check_client)
