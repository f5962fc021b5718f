#!/usr/bin/env python3
"""allow_min_user: an address that begins with a dash is refused by smtpd, and not delivered to otherwise."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
from instance import Instance, free_port
from smtp import Client
from tap import is_eq, like, run

PORT = free_port()
MAIN = {"transport_maps": "static:discard:gone", "virtual_alias_maps": "inline:{alias@far.test=-x@far.test}", "smtpd_peername_lookup": "no"}


def dashes(main, mail, rcpt, vrfy):
    with Instance(dict(MAIN, **main), services=["%d inet n - n - - smtpd" % PORT]) as i:
        i.start()
        with Client(PORT) as c:
            c.ehlo()
            is_eq(c.cmd("MAIL FROM:<-a@x.test>").text, mail, "sender")
            c.cmd("RSET")
            c.cmd("MAIL FROM:<a@x.test>")
            is_eq(c.cmd("RCPT TO:<-b@far.test>").text, rcpt, "recipient")
            is_eq(c.cmd("VRFY -b@far.test").text, vrfy, "VRFY")
        yield i


def test_refused():
    for i in dashes({}, "501 5.1.7 Bad sender address syntax", "501 5.1.3 Bad recipient address syntax", "501 5.1.3 Bad recipient address syntax"):
        i.cmd("sendmail", "-f", "-me@x.test", "--", "alias@far.test", "-y@far.test", input="Subject: x\n\nx\n", check=True)
        for to in ("-y@far.test>", "-x@far.test>, orig_to=<alias@far.test>"):
            like(i.wait_log("to=<" + to), r"relay=none, .*dsn=5\.1\.3, status=bounced \(bad address syntax\)$", to)
        like(i.wait_log("from=<-me@x.test>, size"), "queue active", "a sender of local mail may have one")


def test_allowed():
    for i in dashes({"allow_min_user": "yes"}, "250 2.1.0 Ok", "250 2.1.5 Ok", "252 2.0.0 -b@far.test"):
        i.cmd("sendmail", "--", "-y@far.test", input="Subject: x\n\nx\n", check=True)
        like(i.wait_log("to=<-y@far.test>"), r"status=sent \(gone\)$", "delivered")


run(test_refused, test_allowed)
