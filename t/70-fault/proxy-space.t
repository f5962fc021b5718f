#!/usr/bin/env python3
"""A message that waits for the before-queue filter while the disk is full: the client may come again, and nothing is passed on in part."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
from instance import Instance, free_port
from smtp import Client, Scripted
from tap import is_eq, ok, run

FILTER, PORT = Scripted(), free_port()
SMALL, LARGE = b"Subject: x\r\n\r\nx\r\n", b"Subject: x\r\n\r\n" + (b"z" * 98 + b"\r\n") * 6000


def test_space():
    with Instance(debug=True, main={"smtpd_peername_lookup": "no", "smtpd_relay_restrictions": "permit_mynetworks, reject", "import_environment": "POSTERN_FAULTS ASAN_OPTIONS UBSAN_OPTIONS"},
                  services=["%d inet n - n - - smtpd -o smtpd_proxy_filter=127.0.0.1:%d -o smtpd_proxy_options=speed_adjust" % (PORT, FILTER.port)]) as g:
        g.env["POSTERN_FAULTS"] = g.file("faults", "spool.write#1 ENOSPC 1\n")
        g.start()
        with Client(PORT, timeout=60) as c:
            c.ehlo()
            is_eq(c.message("a@b.test", ["x@far.test"], LARGE).text, "451 4.3.0 Error: queue file write error", "the disk is full in the middle of a message")
            is_eq(FILTER.sessions, [], "the filter has not heard of it")
            is_eq(c.message("a@b.test", ["x@far.test"], SMALL).text, "250 2.0.0 taken", "a small one needs no disk")
            is_eq(c.message("a@b.test", ["x@far.test"], LARGE).text, "250 2.0.0 taken", "the large one comes again when there is space")
        g.wait_log("warning: write a temporary file in incoming: No space left on device")
        ok(FILTER.messages[-1].endswith(LARGE), "and arrives whole")
        is_eq([f for f in os.listdir(g.spool + "/incoming") if f.startswith(".")], [], "no temporary file is left")


run(test_space)
