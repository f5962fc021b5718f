#!/usr/bin/env python3
"""smtpd: idle sessions are cheap, and no client can make it grow without limit."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import Instance, free_port, wait_until
from smtp import Client
from tap import diag, ok, run

PORT = free_port()
GW = Instance(services=["%d inet n - n - 3000 smtpd" % PORT], main={
    "relay_domains": "far.test", "smtpd_relay_restrictions": "reject_unauth_destination", "smtpd_peername_lookup": "no", "smtpd_error_sleep_time": "0",
    "smtpd_soft_error_limit": "10000000", "smtpd_hard_error_limit": "10000000", "smtpd_junk_command_limit": "1000000", "smtpd_recipient_limit": "100",
    "smtpd_forbid_unauth_pipelining": "no", "smtpd_client_connection_count_limit": "0", "smtpd_authorized_xclient_hosts": "127.0.0.1",
    "smtpd_recipient_restrictions": "check_recipient_access inline:{{p@far.test = PREPEND X-Y: z}, {n@far.test = REJECT}}"})
SESSIONS = 800


def memory(pids=None):
    """Of the workers, or of these, in KiB. What they share with other processes (of other tests) is left out: it comes and goes with those."""
    total = 0
    for pid in pids or GW.pids("smtpd"):
        try:
            total += int(re.search(r"^Anonymous:\s+(\d+)", open("/proc/%d/smaps_rollup" % pid).read(), re.M).group(1))
        except OSError:
            pass
    return total


def test_idle():
    clients = [Client(PORT)]
    clients[0].ehlo()
    before = memory()
    while len(clients) < SESSIONS:
        clients.append(Client(PORT))
        clients[-1].ehlo()
    # Stacks are given back a second after the client fell silent.
    each = wait_until(lambda: (lambda m: m if m < 12 else 0)((memory() - before) / SESSIONS), "less than 12 KiB a session")
    diag("%.1f KiB a session" % each)
    ok(each < 12, "an idle session costs less than 12 KiB")
    for c in clients:
        c.close()


def repeat(c, lines, times, replies):
    """Sends the lines so often, pipelined in small batches."""
    for _ in range(times // 10):
        c.send(lines * 10)
        for _ in range(replies * 10):
            c.reply()


def growth(work):
    """Of the workers that are there now: a busy one may get a companion meanwhile."""
    pids = GW.pids("smtpd")
    before = memory(pids)
    work()
    return memory(pids) - before


def test_growth():
    """What a session may do again and again does not pile up."""
    with Client(PORT) as c:
        c.ehlo()
        c.cmd("MAIL FROM:<a@b.test>")
        cases = (("EHLO " + "a" * 250 + "\r\n", 1), ("MAIL FROM:<%s@b.test>\r\nRSET\r\n" % ("a" * 60), 2), ("XCLIENT NAME=%s.test\r\n" % ("a" * 60), 1),
                 ("MAIL FROM:<a@b.test>\r\nRCPT TO:<p@far.test>\r\nRSET\r\n", 3), ("MAIL FROM:<a@b.test> ENVID=%s RET=x\r\n" % ("x" * 90), 1), ("VRFY %s\r\n" % ("a" * 200), 1),
                 ("RCPT TO:<n@far.test> ORCPT=rfc822;%s\r\n" % ("o" * 200), 1))
        for lines, replies in cases:
            c.cmd("RSET")
            if lines.startswith("RCPT"):
                c.cmd("MAIL FROM:<a@b.test>")
            repeat(c, lines, 200, replies)
            more = growth(lambda: repeat(c, lines, 6000, replies))
            ok(more < 400, "6000 times %s: %d KiB more" % (lines[:20].replace("\r\n", " "), more))


def test_recipients():
    with Client(PORT) as c:
        c.ehlo()
        c.cmd("MAIL FROM:<a@b.test>")
        repeat(c, "RCPT TO:<p@far.test>\r\n", 100, 1)
        more = growth(lambda: repeat(c, "RCPT TO:<%s@far.test>\r\n" % ("a" * 60), 20000, 1))
        ok(more < 1000, "recipients beyond the limit: %d KiB more" % more)


with GW:
    GW.start()
    run(test_idle, test_growth, test_recipients)
