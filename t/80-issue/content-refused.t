#!/usr/bin/env python3
"""Refused content: what goes back to local senders passes the same checks; parts are looked into although an encoding claims to hide them, their
headers are checked strictly too; a message is put on hold once; of several errors the gravest is told."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from instance import Instance, free_port
from smtp import Client, Sink
import tap

RULES = """/^Subject: no/ REJECT not this
/name=.*\\.exe/ REJECT no programs
/^X-Hold/ HOLD
"""
PART = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n%s\r\n%s--b\r\nContent-Type: application/x; name=a.exe\r\n%s\r\nx\r\n--b--\r\n"


def said(port, content):
    with Client(port) as c:
        c.ehlo()
        c.cmd("MAIL FROM:<s@x.test>")
        c.cmd("RCPT TO:<r@x.test>")
        return c.data(content).text


def check():
    port, strict = free_port(), free_port()
    sink = Sink()
    with Instance(services=["%d inet n - n - - smtpd" % port, "%d inet n - n - - smtpd -o cleanup_service_name=strict" % strict,
                            "strict unix n - n - 0 cleanup -o strict_8bitmime=yes -o header_checks="],
                  main={"relayhost": "[127.0.0.1]:%d" % sink.port, "internal_mail_filter_classes": "bounce", "smtputf8_enable": "no"}) as i:
        i.main["header_checks"] = "regexp:" + i.file("checks", RULES)
        i.write_config()
        i.start()
        tap.like(said(port, PART % (b"Content-Transfer-Encoding: base64\r\n", b"", b"")), r"^550 5\.7\.1 no programs", "a part of a multipart that is called base64")
        tap.like(said(strict, PART % (b"", b"", b"X-E: \xc3\xa9\r\n")), r"^550 5\.6\.0 .*message header", "8-bit text in a part's header")
        tap.like(said(strict, PART % (b"", b"\xc3\xa9\r\n", b"X-E: \xc3\xa9\r\n")), r"^550 5\.6\.0 .*message header", "the header counts more than the body before it")
        tap.like(said(port, b"X-Hold: 1\r\nX-Hold: 2\r\n\r\nx\r\n"), r"^250", "on hold")
        tap.is_eq(len(i.find_log(r": hold: header X-Hold")), 1, "is logged once")
        i.cmd("sendmail", "-f", "s@x.test", "r@x.test", input="Subject: no\n\nthe body\n", check=True)
        m = sink.wait("Undelivered Mail Returned to Sender")
        tap.is_eq(m.rcpts, ["s@x.test"], "local mail comes back though reports are checked as well")
        tap.like(m.data.decode("latin-1"), r"(?s)text/rfc822-headers.*Subject: no", "its header does")
        tap.ok(b"the body" not in m.data, "and not its body")
    sink.close()


tap.run(check)
