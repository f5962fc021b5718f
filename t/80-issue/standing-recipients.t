#!/usr/bin/env python3
"""Recipients that exist without tables, addresses like options, junk commands, refusals for size in the log, replies before a chunk
has come."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from instance import Instance, free_port
from smtp import Client
import tap


def start(c, sender="s@x.test"):
    c.ehlo()
    c.cmd("MAIL FROM:<%s>" % sender)
    return c


def recipients(port, strict):
    c = start(Client(port))
    for to in ("postmaster", "PostMaster@gw.example.test", "mailer-daemon", "double-bounce@gw.example.test"):
        tap.is_eq(c.cmd("RCPT TO:<%s>" % to).code, 250, to + " exists")
    tap.is_eq(c.cmd("RCPT TO:<postmaster+x@gw.example.test>").code, 550, "an extension makes another address")
    tap.is_eq(c.cmd("RCPT TO:<-x@x.test>").text, "501 5.1.3 Bad recipient address syntax", "an address like an option")
    c = start(Client(strict))
    tap.is_eq(c.cmd("RCPT TO:<POSTMASTER>").code, 250, "rules do not keep the postmaster out")
    tap.is_eq(c.cmd("RCPT TO:<double-bounce@origin.test>").code, 250, "nor the sender of probes")
    tap.is_eq(c.cmd("RCPT TO:<postmaster@gw.example.test>").code, 554, "but those with a domain")


def limits(i, port):
    c = Client(port)
    c.ehlo()
    tap.is_eq([c.cmd("NOOP").code for _ in range(5)], [250] * 5, "junk up to its limit, and errors up to theirs")
    tap.is_eq(c.reply().text, "421 4.7.0 gw.example.test Error: too many errors", "each further one is an error; 421 does not wait for the next command")
    c = Client(port)
    c.ehlo()
    tap.is_eq(c.cmd("MAIL FROM:<s@x.test> SIZE=2000").text, "552 5.3.4 Message size exceeds fixed limit", "too large")
    tap.ok(i.wait_log(r"NOQUEUE: reject: MAIL from localhost\[127.0.0.1\]: 552 5.3.4 Message size exceeds fixed limit; from=<s@x.test>"), "and logged")


def check():
    port, strict, broken = free_port(), free_port(), free_port()
    with Instance(services=["%d inet n - n - - smtpd" % port, "%d inet n - n - - smtpd -o smtpd_recipient_restrictions=reject" % strict,
                            "%d inet n - n - - smtpd -o smtpd_discard_ehlo_keyword_address_maps=fail:broken" % broken],
                  main={"mydestination": "gw.example.test, $myorigin", "myorigin": "origin.test", "local_recipient_maps": "inline:{root=x}", "message_size_limit": "1000",
                        "smtpd_junk_command_limit": "3", "smtpd_hard_error_limit": "2", "smtpd_error_sleep_time": "0"}) as i:
        i.start()
        recipients(port, strict)
        limits(i, port)
        c = Client(port)
        c.ehlo()
        c.send("MAIL FROM:<s@x.test>\r\nRCPT TO:<postmaster>\r\nBDAT 14\r\nSubj")
        tap.is_eq([c.reply().code, c.reply().code], [250, 250], "replies do not wait for the chunk")
        c.send("ect: x\r\n\r\n")
        tap.is_eq(c.reply().text, "250 2.0.0 Ok: 14 bytes", "and the chunk is taken")
        c = Client(broken)
        tap.is_eq(c.cmd("EHLO x").text, "421 4.3.0 gw.example.test Server local data error", "what may be announced is not known")


tap.run(check)
