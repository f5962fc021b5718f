#!/usr/bin/env python3
"""Access rules: what a verdict of a table is about, DEFER_IF_PERMIT before RCPT, malformed HELO literals; the original recipient as it
was given; content that begins with white space."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from instance import Instance, free_port
from smtp import Client, Sink
import tap


def check():
    port, early = free_port(), free_port()
    sink = Sink()
    with Instance(services=["%d inet n - n - - smtpd" % port, "%d inet n - n - - smtpd -o smtpd_delay_reject=no -o smtpd_recipient_restrictions=permit" % early],
                  main={"relayhost": "[127.0.0.1]:%d" % sink.port, "myorigin": "origin.test", "sender_dependent_default_transport_maps": "inline:{{norelay@x.test=error:not you}}", "smtpd_helo_restrictions": "reject_invalid_helo_hostname",
                        "smtpd_sender_restrictions": "check_sender_access inline:{{bad@x.test=reject},{later@x.test=DEFER_IF_PERMIT not now}}"}) as i:
        i.start()
        c = Client(port)
        c.ehlo("[1.2.3]")
        c.cmd("MAIL FROM:<s@x.test>")
        tap.is_eq(c.cmd("RCPT TO:<r@x.test>").text, "501 5.5.2 <[1.2.3]>: Helo command rejected: invalid ip address", "a literal that is none")
        c = Client(port)
        c.ehlo("client.test.")
        c.cmd("MAIL FROM:<bad@x.test>")
        tap.is_eq(c.cmd("RCPT TO:<r@x.test>").text, "554 5.7.1 <bad@x.test>: Sender address rejected: Access denied", "a restriction in a table is about what was looked up")
        c = Client(early)
        c.ehlo()
        tap.is_eq(c.cmd("MAIL FROM:<later@x.test>").code, 250, "what is put off at MAIL")
        tap.is_eq(c.cmd("RCPT TO:<r@x.test>").text, "450 4.7.1 <later@x.test>: Sender address rejected: not now", "strikes at RCPT")
        c = Client(port)
        c.ehlo()
        c.cmd("MAIL FROM:<norelay@x.test>")
        tap.is_eq(c.cmd("RCPT TO:<r@x.test>").text, "550 5.1.1 <r@x.test>: Recipient address rejected: not you", "a route that depends on the sender refuses at RCPT")
        c.cmd("RSET")
        c.message("s@x.test", ["amy"], b"  no header\r\nSubject: x\r\n")
        tap.ok(i.wait_log(r"to=<amy@origin\.test>, orig_to=<amy>, relay="), "original recipient")
        m = sink.messages[0]
        tap.ok(m.body.startswith(b"  no header\r\nSubject: x\r\n") and b"no header" not in m.data.split(b"\r\n\r\n")[0], "the first line continues no header of ours")


tap.run(check)
