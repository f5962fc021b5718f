#!/usr/bin/env python3
"""pipefilter: what it makes of a check's exit status, what sendmail gets, and trouble of every kind."""
import fcntl
import os
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import DEBUG_BUILD, is_gone, wait_until
from tap import is_eq, like, ok, run

FILTER = os.path.join(DEBUG_BUILD, "libexec", "pipefilter")
DIR = tempfile.TemporaryDirectory(prefix="postern-t-")
MESSAGE = b"Subject: x\n\nbody\n.\n..two\nFrom here\n"


def script(name, text):
    path = os.path.join(DIR.name, name)
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, stat.S_IRWXU)
    return path


SENT = os.path.join(DIR.name, "sent")
SENDMAIL = script("sendmail", 'cat >%s.in; printf "%%s\\n" "$@" >%s.args; exit $(cat %s.exit 2>/dev/null || echo 0)\n' % (SENT, SENT, SENT))


def filtered(*args, message=MESSAGE, sender="a@client.test", rcpts=("b@far.test", "c d@far.test")):
    """(exit status, output, what sendmail read or None, its arguments)"""
    for f in (SENT + ".in", SENT + ".args"):
        if os.path.exists(f):
            os.unlink(f)
    p = subprocess.run([FILTER, "-m", SENDMAIL, "-d", DIR.name] + list(args) + ["-f", sender, "--"] + list(rcpts), input=message, capture_output=True, timeout=60)
    read = open(SENT + ".in", "rb").read() if os.path.exists(SENT + ".in") else None
    argv = open(SENT + ".args").read().splitlines() if os.path.exists(SENT + ".args") else None
    return p.returncode, p.stdout.decode(), read, argv


def check(name, text):
    return ["-c", script(name, text)]


def test_pass():
    code, out, read, argv = filtered()
    is_eq((code, out, read), (0, "", MESSAGE), "without a check the message goes on as it is")
    is_eq(argv, ["-G", "-i", "-f", "a@client.test", "--", "b@far.test", "c d@far.test"], "arguments of sendmail")
    code, out, read, argv = filtered(*check("pass", "cat >/dev/null; echo fine\n"), sender="", rcpts=["-x@far.test"])
    is_eq((code, out, argv), (0, "", ["-G", "-i", "-f", "", "--", "-x@far.test"]), "the null sender, a recipient like an option")
    seen = os.path.join(DIR.name, "seen")
    code, out, read, argv = filtered(*check("see", 'cat >%s; printf "%%s|%%s" "$SENDER" "$RECIPIENTS" >>%s\n' % (seen, seen)))
    is_eq(open(seen, "rb").read(), MESSAGE + b"a@client.test|b@far.test\nc d@far.test", "what the check is told")
    big = b"Subject: x\n\n" + b"x" * 70 + b"\n" + b"y" * 1000000 + b"\n" + b"z\n" * 300000
    is_eq(filtered(*check("half", "head -c 10 >/dev/null\n"), message=big)[2], big, "a large message, and a check that reads little of it")
    is_eq(filtered(message=b"no end")[2], b"no end\n", "a last line without its end")
    is_eq(filtered(message=b"")[0], 0, "nothing at all")


def test_shell():
    mark = os.path.join(DIR.name, "mark")
    evil = "$(touch %s)`touch %s`;touch %s|x@far.test" % (mark, mark, mark)
    code, out, read, argv = filtered(*check("pass", "exit 0\n"), sender=evil, rcpts=[evil])
    ok(not os.path.exists(mark), "no shell sees an address")
    is_eq(argv[3:], [evil, "--", evil], "addresses arrive as they are")


def test_refuse():
    for status in (65, 67, 69, 77):
        code, out, read, _ = filtered(*check("no", "echo 5.7.9 a virus; echo more; exit %d\n" % status))
        is_eq((code, out, read), (69, "5.7.9 a virus\n", None), "exit %d of the check refuses" % status)
    is_eq(filtered(*check("no", "exit 69\n"))[:2], (69, "5.7.1 Message content rejected\n"), "a refusal without text")
    is_eq(filtered(*check("no", "echo 4.7.0 odd class; exit 69\n"))[:2], (69, "5.7.1 odd class\n"), "an enhanced code of another class")
    is_eq(filtered(*check("no", "printf 'a\\001b\\377c'; exit 69\n"))[:2], (69, "5.7.1 a?b?c\n"), "unprintable text")
    is_eq(filtered(*check("drop", "exit 99\n"))[:3], (0, "", None), "exit 99 of the check discards")


def test_defer():
    is_eq(filtered(*check("later", "echo engine busy; exit 75\n"))[:3], (75, "4.7.1 engine busy\n", None), "exit 75 of the check defers")
    is_eq(filtered(*check("odd", "exit 3\n"))[0], 75, "any other exit status defers")
    is_eq(filtered(*check("dies", "kill -9 $$\n"))[0], 75, "a check that is killed")
    code, out, read, _ = filtered("-c", "/no/such/check")
    ok(code == 75 and read is None and "/no/such/check" in out, "a check that is not there")
    start = time.monotonic()
    code, out, read, _ = filtered("-t", "1", *check("slow", "sleep 60 & sleep 60\n"))
    ok(code == 75 and read is None and time.monotonic() - start < 30, "a check that takes too long, with its children")
    code, out, read, _ = filtered("-d", "/no/such/directory", *check("pass", "exit 0\n"))
    is_eq((code, read), (75, None), "a directory that is not there")
    code, out, read, _ = filtered("-m", "/no/such/sendmail")
    ok(code == 75 and "/no/such/sendmail" in out, "a sendmail that is not there")
    with open(SENT + ".exit", "w") as f:
        f.write("67")
    is_eq(filtered()[0], 67, "sendmail's exit status is passed on")
    os.unlink(SENT + ".exit")


def test_replace():
    is_eq(filtered("-r", *check("sed", "sed s/body/changed/\n"))[2], MESSAGE.replace(b"body", b"changed"), "-r: what the check prints takes the message's place")
    is_eq(filtered("-r", *check("sed", "sed s/body/changed/; exit 75\n"))[2], None, "-r: nothing of a check that failed")
    is_eq(filtered("-r", *check("half", "head -n 1; exit 0\n"), message=b"a\n" * 1000000)[0], 75, "-r: a check that does not read all cannot have changed it well")
    is_eq(filtered("-r", *check("yes", "cat >/dev/null; yes\n"))[0], 75, "-r: a check that prints without end")
    is_eq(filtered("-r", "-c", "{/bin/sed} {s/b o d y/x/;s/body/two words/}")[2], MESSAGE.replace(b"body", b"two words"), "a check with arguments of several words")


def unread(pid):
    """Bytes that wait at its standard input."""
    with open("/proc/%d/fd/0" % pid, "rb") as f:
        return struct.unpack("i", fcntl.ioctl(f, termios.FIONREAD, bytes(4)))[0]


def test_killed():
    """Killed while it feeds the check, or sendmail, which has read what there was and waits for more."""
    place = os.path.join(DIR.name, "killed")
    os.mkdir(place)
    part, end, number, go = (os.path.join(place, f) for f in ("part", "end", "number", "go"))
    reader = script("reader", "cd %s; echo $$ >n; mv n number; while ! test -e go; do sleep 0.05; done; cat | { cat >part; touch end; }; sleep 1000\n" % place)
    for what, args in (("check", ["-c", reader, "-m", SENDMAIL]), ("sendmail", ["-m", reader])):
        p = subprocess.Popen([FILTER, "-d", DIR.name] + args + ["-f", "a@client.test", "--", "b@far.test"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        p.stdin.write(b"x" * 70 + b"\n" * 2000000)
        p.stdin.close()
        wait_until(lambda: os.path.exists(number), "start of the " + what)
        pid = int(open(number).read())
        wait_until(lambda: unread(pid) >= 65536, "a full pipe")
        p.send_signal(signal.SIGSTOP)
        open(go, "w").close()
        wait_until(lambda: os.path.exists(part) and os.path.getsize(part) >= 65536, "a part of the message")
        p.kill()
        p.wait()
        wait_until(lambda: is_gone(pid), "end of the " + what)
        ok(not os.path.exists(end), "a %s does not see the end of a part of the message when the filter is killed" % what)
        for f in (part, number, go):
            os.unlink(f)


def test_usage():
    for args in ([], ["-f", "x"], ["-t", "0", "-f", "x", "y"], ["-z", "-f", "x", "y"]):
        p = subprocess.run([FILTER] + args, stdin=subprocess.DEVNULL, capture_output=True)
        like(p.stdout.decode(), "^usage: ", "usage: %s" % " ".join(args))
        is_eq(p.returncode, 64, "exit status")


run(test_pass, test_shell, test_refuse, test_defer, test_replace, test_killed, test_usage)
