#!/usr/bin/env python3
"""cleanup: as many header fields and lines match a check as a client likes; that costs time, and no memory."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import Instance, free_port
from smtp import Client, Sink
from tap import is_eq, ok, run

PORT, SINK, N = free_port(), Sink(), 60000
RULES = "{/^b/ BCC copy@far.test} {/^w/ WARN no} {/^r/ REPLACE A: b} {/^f/ FILTER smtp:[127.0.0.1]:%d} {/^d/ REDIRECT r@far.test} {/^(m.*):/ BCC $1@far.test}" % SINK.port
GW = Instance(services=["%d inet n - n - - smtpd" % PORT], main={
    "smtpd_peername_lookup": "no", "smtpd_relay_restrictions": "permit_mynetworks, reject", "relayhost": "[127.0.0.1]:%d" % SINK.port,
    "header_checks": "regexp:{ %s }" % RULES.replace("$", "$$"), "body_checks": "regexp:{ %s }" % RULES.replace("$", "$$")})


def peak():
    return max(int(re.search(r"VmHWM:\s+(\d+)", open("/proc/%d/status" % pid).read()).group(1)) for pid in GW.pids("cleanup"))


def send(content):
    with Client(PORT, timeout=60) as c:
        c.ehlo()
        return c.message("a@b.test", ["u@far.test"], content)


def test_matches():
    is_eq(send(b"Subject: x\r\n\r\nx\r\n").code, 250, "a message")
    before = peak()
    for letter in "bwrfd":
        line = letter.encode() + b":\r\n"
        is_eq(send(b"Subject: header %s\r\n" % letter.encode() + line * N + b"\r\nx\r\n").code, 250, "header fields that match %s" % letter)
        is_eq(send(b"Subject: body %s\r\n\r\n" % letter.encode() + line * N).code, 250, "body lines that match %s" % letter)
    ok(peak() - before < 40000, "cleanup needed %d KiB more" % (peak() - before))
    is_eq(sorted(SINK.wait("header b").rcpts + SINK.wait("body b").rcpts), sorted(["u@far.test", "copy@far.test"] * 2), "each copy goes once")


def test_different():
    fields = b"".join(b"m%d: x\r\n" % n for n in range(11000))
    is_eq(send(b"Subject: many\r\n" + fields + b"\r\nx\r\n").text, "451 4.3.0 Error: internal error", "more copies than anybody can mean")
    GW.wait_log(r"cleanup.*: warning: \S+: more than 10000 different BCC addresses$")


with GW:
    GW.start()
    run(test_matches, test_different)
