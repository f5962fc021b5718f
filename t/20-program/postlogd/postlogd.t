#!/usr/bin/env python3
"""The log writer: its file, rotation, bad packets, configuration errors."""
import os
import re
import signal
import socket
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import Instance, wait_until
from tap import is_eq, like, ok, run

POSTLOG = ["postlog unix-dgram n - n - 1 postlogd"]


def instance(main=None):
    return Instance(main, services=POSTLOG, standard=False)


def test_lines():
    with instance({"maillog_file_permissions": "0640"}) as i:
        os.umask(0o077)
        i.start()
        line = i.wait_log("daemon started")
        ok(re.match(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d gw postfix/master\[\d+\]: daemon started -- version ", line), "a line of master")
        is_eq(stat.S_IMODE(os.stat(i.logfile).st_mode), 0o640, "maillog_file_permissions, whatever the umask")
        i.cmd("postlog", "-t", "some/tag", "hello", "world", check=True)
        like(i.wait_log("hello"), r" gw some/tag\[\d+\]: hello world$", "a line of postlog")
        # Many senders at once: nothing is lost or mixed up.
        text = "".join("line %d of many\n" % n for n in range(3000))
        i.cmd("postlog", input=text, check=True)
        i.wait_log("line 2999 of many")
        is_eq(len(i.find_log(r": line \d+ of many$")), 3000, "three thousand lines")
        is_eq(i.cmd("postlog", "caf\u00e9 \x01\x02").returncode, 0, "odd bytes")
        ok(i.wait_log("caf\u00e9 \\?\\?$"), "UTF-8 is kept, control characters are not")


def test_rotation():
    with instance() as i:
        i.start()
        i.wait_log("daemon started")
        os.rename(i.logfile, i.logfile + ".1")
        i.cmd("postlog", "first after the move", check=True)

        def has(path, text):
            return os.path.exists(path) and text in open(path).read()
        # What was in hand may still go to the old file; what comes then goes to the new one.
        wait_until(lambda: has(i.logfile, "first after") or has(i.logfile + ".1", "first after"), "the first line")
        wait_until(lambda: i.cmd("postlog", "second after the move", check=True) and has(i.logfile, "second after"), "a line in the new file")
        ok(True, "a new file after a rename")
        os.unlink(i.logfile)
        wait_until(lambda: i.cmd("postlog", "third", check=True) and has(i.logfile, "third"), "a new file")
        ok(True, "a new file after a removal")


def test_bad_packets():
    with instance() as i:
        i.start()
        i.wait_log("daemon started")
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.connect(os.path.join(i.spool, "public", "postlog"))
        pid = wait_until(lambda: i.pids("postlogd"), "postlogd")[0]
        os.kill(pid, signal.SIGSTOP)  # so that it gets them all at once
        for packet in (b"", b"x", b"plain text\n", b"PL" + b"\xff" * 30, b"PL\x05\x00", os.urandom(5000)):
            s.send(packet)
        os.kill(pid, signal.SIGCONT)
        i.wait_log("warning: malformed packet at the postlog socket")
        i.cmd("postlog", "still alive", check=True)
        ok(i.wait_log("still alive"), "malformed packets draw a warning and do no harm")
        is_eq(len(i.find_log("malformed packet")), 1, "one")
        forged = b"tag\nNov 11 11:11:11 gw forged[1]: line"
        s.send(b"PL" + (17 + 3 + len(forged)).to_bytes(2, "little") + bytes(8) + (7).to_bytes(4, "little") + b"\x03" + b"abc" + forged)
        ok(i.wait_log(r"abc\[7\]: tag\?Nov 11"), "line breaks are masked")


def test_stdout():
    with instance({"maillog_file": "/dev/stdout", "maillog_file_prefixes": "/dev"}) as i:
        import subprocess
        p = subprocess.Popen([os.path.join(i.build, "bin", "postern"), "start-fg"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             env=i.env, cwd="/")
        like(p.stdout.readline().decode(), r" gw postfix/\S+\[\d+\]: ", "start-fg writes the log to its standard output")
        i.ctl("stop")
        rest = p.stdout.read().decode()
        p.wait(timeout=20)
        like(rest, "terminating on signal 15", "to the end")


run(test_lines, test_rotation, test_bad_packets, test_stdout)
