#!/usr/bin/env python3
"""size= in the log is what a next hop gets: line ends of two bytes, stuffed dots not counted."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
from instance import Instance, free_port
from smtp import Client
from tap import is_eq, run

PORT = free_port()


def size_of(i, sender):
    qid, size = re.search(r"(\w+): from=<%s>, size=(\d+)" % sender, i.wait_log("from=<%s>, size=" % sender)).groups()
    i.wait_log("%s: to=.*status=deferred" % qid)
    content = i.cmd("postcat", "-bhq", qid, check=True).stdout
    return int(size), len(content) + content.count("\n")


def test_size():
    with Instance({"relayhost": "[127.0.0.1]:%d" % free_port(), "smtpd_peername_lookup": "no"}, services=["%d inet n - n - - smtpd" % PORT]) as i:
        i.start()
        with Client(PORT) as c:
            c.ehlo()
            c.message("a@x.test", ["b@far.test"], b"Subject: x\r\n\r\n..dot\r\n" + 20 * b"x\r\n")
        is_eq(*size_of(i, "a@x.test"), "over SMTP")
        i.cmd("sendmail", "-i", "-f", "c@x.test", "b@far.test", input="Subject: x\n\n.dot\n" + 20 * "x\n", check=True)
        is_eq(*size_of(i, "c@x.test"), "from sendmail")


run(test_size)
