#!/usr/bin/env python3
"""Messages of one line that is longer than programs may get: what each of them needed at most."""
import os
import pwd
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
from instance import Instance, free_port, wait_until
from smtp import Client, Sink
from tap import is_eq, ok, run

LENGTH = 48 << 20
MOST = 24 << 20  # of memory, of any program
USER = "daemon" if os.geteuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
PORT = free_port()


def memory(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", open("/proc/%d/status" % pid).read()).group(1)) << 10


def workers(gw):
    out = {}
    for pid in gw.pids():
        name = os.path.basename(open("/proc/%d/cmdline" % pid).read().split("\0")[0])
        out[name] = max(out.get(name, 0), memory(pid))
    return out


class Gateway(Instance):
    """Recipients at sink.test, cmd.test (a command), box.test (a maildir) and no.test (a report with all of it)."""

    def __init__(self, main=None):
        self.sink = Sink()
        limit = str(LENGTH * 3)
        super().__init__(main={
            "relayhost": "[127.0.0.1]:%d" % self.sink.port, "smtpd_relay_restrictions": "permit_mynetworks, reject", "smtpd_peername_lookup": "no", "smtpd_reject_unlisted_recipient": "no",
            "message_size_limit": limit, "mailbox_size_limit": "0", "virtual_mailbox_limit": "0", "bounce_size_limit": limit,
            "transport_maps": "inline:{cmd.test=cmd: no.test=bad:no}", "virtual_mailbox_domains": "box.test", "virtual_mailbox_maps": "inline:{r@box.test=r/}",
            "virtual_uid_maps": "static:%d" % (os.getuid() or 12345), "virtual_gid_maps": "static:%d" % (os.getgid() or 12345), **(main or {})})
        self.out = os.path.join(self.dir, "out")
        self.main["virtual_mailbox_base"] = self.out
        os.mkdir(self.out)
        os.chmod(self.out, 0o777)
        self.services += ["%d inet n - n - - smtpd" % PORT, "bad unix - - n - - error", "cmd unix - n n - - pipe flags=DFR> user=%s argv=/usr/bin/wc -c" % USER]
        self.main["cmd_destination_recipient_limit"] = "1"
        self.write_config()


def folded(body):
    return body.replace(b"\r\n ", b"")


def test_body():
    line = b"." + b"x" * LENGTH
    with Gateway({"body_checks": "regexp:{{/^begin/ DUNNO}}", "maximal_queue_lifetime": "1d"}) as gw:
        gw.start()
        with Client(PORT, timeout=120) as c:
            c.ehlo()
            r = c.message("s@sink.test", ["r@sink.test", "r@cmd.test", "r@box.test", "r@no.test"], b"Subject: long\r\n\r\n." + line + b"\r\nlast\r\n")
            is_eq(r.code, 250, "a body of one line is taken")
        gw.wait_log(r"to=<r@box\.test>.* status=sent", timeout=120)
        gw.wait_log(r"to=<r@cmd\.test>.* status=sent \(delivered via cmd service \(\d{8}\)\)", timeout=120)
        gw.wait_log(r"to=<r@sink\.test>.* status=sent", timeout=120)
        gw.wait_log(r"to=<s@sink\.test>.* status=sent", timeout=120)
        used = workers(gw)
        got = gw.sink.wait("long")
        ok(folded(got.body) == line + b"\r\nlast\r\n", "SMTP: it arrives whole")
        report = next(m for m in gw.sink.messages if m is not got)
        ok(line + b"\r\nlast\r\n" in folded(report.body), "the report returns all of it")
        (name,) = os.listdir(gw.out + "/r/new")
        ok(open(gw.out + "/r/new/" + name, "rb").read().split(b"\n\n", 1)[1] == line + b"\nlast\n", "maildir: it is there")
        for name in ("bounce", "cleanup", "pipe", "qmgr", "smtp", "smtpd", "virtual"):
            ok(used.get(name, MOST) < MOST, "%s: %d MiB" % (name, used.get(name, 0) >> 20))


def test_header():
    with Gateway({"header_checks": "regexp:{{/^begin/ DUNNO}}"}) as gw:
        gw.start()
        with Client(PORT, timeout=120) as c:
            c.ehlo()
            r = c.message("s@sink.test", ["r@cmd.test", "r@no.test"], b"Subject: long\r\nX-Long: " + b"y" * LENGTH + b"\r\n" + b"To: " + b"a@b.test, " * 3000000 + b"\r\n\r\nx\r\n")
            is_eq(r.code, 250, "header lines without end are taken")
        gw.wait_log(r"to=<r@cmd\.test>.* status=sent", timeout=120)
        gw.wait_log(r"to=<s@sink\.test>.* status=sent", timeout=120)
        for name, most in sorted(workers(gw).items()):
            ok(most < MOST, "%s: %d MiB" % (name, most >> 20))


def test_requeue():
    with Gateway({"transport_maps": "", "defer_transports": "smtp"}) as gw:
        gw.start()
        with Client(PORT, timeout=120) as c:
            c.ehlo()
            r = c.message("s@sink.test", ["r@sink.test"], b"Subject: again\r\n\r\n" + b"x" * LENGTH + b"\r\n")
        name = r.text.split("queued as ")[1]
        gw.wait_log(name + r": to=<r@sink\.test>.* status=deferred")
        gw.main["defer_transports"] = ""
        gw.write_config()
        gw.cmd("postsuper", "-r", name, check=True, timeout=120)
        most = workers(gw)["qmgr"]
        ok(most < MOST, "a message is queued anew: qmgr: %d MiB" % (most >> 20))
        gw.reload()
        # The old queue manager may have tried it once more, and put it off.
        wait_until(lambda: gw.cmd("postqueue", "-f", check=True) and gw.sink.messages, "a message", 120)
        ok(folded(gw.sink.wait("again").body) == b"x" * LENGTH + b"\r\n", "it arrives")


run(test_body, test_header, test_requeue)
