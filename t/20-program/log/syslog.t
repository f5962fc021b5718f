#!/usr/bin/env python3
"""Logging to syslogd: the form of the datagrams, facility and severity, long lines, a log daemon that goes away and comes back."""
import os
import re
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
import namespace

namespace.enter()
from instance import Instance, free_port, wait_until
from smtp import Client
from tap import is_eq, like, ok, run

PORT = free_port()
LOG = "/dev/log"
RECORD = re.compile(r"^<(\d+)>(\w{3} [ \d]\d \d\d:\d\d:\d\d) ([^\[\s]+)\[(\d+)\]: (.*)$", re.S)


class Syslogd:
    """Takes datagrams from now to close()."""

    def __init__(self):
        self.raw, self.sock = [], socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(LOG)
        os.chmod(LOG, 0o666)
        threading.Thread(target=self.take, args=(self.sock,), daemon=True).start()

    def take(self, sock):
        while True:
            try:
                data = sock.recv(1 << 20)
            except OSError:
                return
            if not data:
                return
            self.raw.append(data.decode("utf-8", "replace"))

    def find(self, pattern):
        return [r for r in self.raw if re.search(pattern, r)]

    def wait(self, pattern):
        return wait_until(lambda: self.find(pattern), "datagram /%s/; there are:\n%s" % (pattern, "\n".join(self.raw)))[0]

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        os.unlink(LOG)


def session():
    with Client(PORT) as c:
        c.ehlo()
        c.cmd("QUIT")


def gate(**main):
    return Instance(dict({"smtpd_peername_lookup": "no"}, **main), services=["%d inet n - n - - smtpd" % PORT], syslog=True)


def test_form():
    d = Syslogd()
    with gate(syslog_facility="local3", syslog_name="other") as i:
        i.start()
        session()
        pri, stamp, tag, pid, text = RECORD.match(d.wait("disconnect from")).groups()
        is_eq((int(pri), tag), (19 * 8 + 6, "other/smtpd"), "facility local3, severity info, tag with syslog_name")
        ok(int(pid) in i.pids("smtpd"), "the process ID is that of the worker")
        is_eq(text, "disconnect from unknown[127.0.0.1] ehlo=1 quit=1 commands=2", "text, without a line end")
        like(d.wait("daemon started"), r"^<158>.* other/master\[\d+\]: daemon started -- version", "master")
        for priority, severity, word in (("info", 6, ""), ("warn", 4, "warning: "), ("error", 3, "error: "), ("fatal", 2, "fatal: "), ("panic", 2, "panic: ")):
            i.cmd("postlog", "-p", priority, "-t", "tag-" + priority, "text", check=True)
            like(d.wait("tag-%s" % priority), r"^<%d>\S+ .* tag-%s\[\d+\]: %stext$" % (19 * 8 + severity, priority, word), "priority " + priority)
        i.cmd("postlog", "-t", "long", "x" * 100000, check=True)
        ok(1000 < len(d.wait(r" long\[")) < 9000, "a very long line is cut to what a log daemon takes")
        i.cmd("postlog", "-t", "bad\ntag", "a\nb\tc", check=True)
        like(d.wait(" bad.tag"), r" bad\?tag\[\d+\]: a\?b\?c$", "no control characters")
        is_eq([r for r in d.raw if not RECORD.match(r)], [], "every datagram has the form")
        i.stop()
        d.wait("stopping the Postfix mail system")
        is_eq(d.find("throttling"), [], "postlogd is not started without maillog_file")
    d.close()


def test_default():
    d = Syslogd()
    with gate() as i:
        i.start()
        like(d.wait("daemon started"), r"^<22>.* postfix/master\[", "facility mail, name postfix")
        like(d.wait("starting the Postfix mail system"), r"^<22>.* postfix/postfix-script\[", "the control command too")
    d.close()


def test_away():
    d = Syslogd()
    with gate() as i:
        i.start()
        session()
        d.wait("disconnect from")
        d.close()
        for _ in range(3):
            session()
        ok(True, "work goes on without a log daemon")
        i.cmd("postlog", "unheard", check=True)
        d = Syslogd()

        def again():
            session()
            return d.find("disconnect from")
        wait_until(again, "lines after the log daemon came back")
        ok(True, "lines come again, from the same workers")
        like(d.wait("were lost"), r"^<20>.*warning: \d+ log lines were lost", "what was lost is counted")
        i.stop()
    d.close()


def test_absent():
    with gate() as i:
        i.start()
        session()
        d = Syslogd()

        def heard():
            session()
            return d.find("disconnect from")
        wait_until(heard, "lines of a daemon that started later")
        ok(True, "started without a log daemon, found when it comes")
        i.stop()
    d.close()


def test_busy():
    """A log daemon that does not read must not stop the mail."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(LOG)
    os.chmod(LOG, 0o666)
    with gate() as i:
        i.start()
        for _ in range(100):
            session()
        ok(True, "a hundred sessions while nobody reads the log")
        i.stop()
    sock.close()
    os.unlink(LOG)


import tempfile
with tempfile.TemporaryDirectory() as work:
    namespace.private_dev(work)
    run(test_form, test_default, test_away, test_absent, test_busy)
