#!/usr/bin/env python3
"""smtpfilter: a session passes as it is but for the content; verdicts of the check; SMTP and LMTP; trouble on both sides."""
import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import DEBUG_BUILD, first_name, free_port, wait_until
from smtp import Client, Gone, Scripted
from tap import is_eq, like, ok, run

FILTER = os.path.join(DEBUG_BUILD, "libexec", "smtpfilter")
DIR = tempfile.mkdtemp(prefix="postern-t-")
USER = first_name(pwd.getpwnam, ["postern", "nobody"])
os.chmod(DIR, 0o777)
with open(os.path.join(DIR, "main.cf"), "w") as f:
    f.write("maillog_file = %s/log\nmaillog_file_prefixes = %s\nmyhostname = f.example.test\n" % (DIR, DIR))


def script(name, text):
    path = os.path.join(DIR, name)
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)
    return path


class Filter:
    def __init__(self, *args, check=None, next_port=None):
        self.next = Scripted()
        self.port = free_port()
        argv = [FILTER, "-d", DIR] + (["-u", USER] if os.geteuid() == 0 else []) + list(args)
        if check:
            argv += ["-c", check]
        argv += ["127.0.0.1:%d" % self.port, "127.0.0.1:%d" % (next_port or self.next.port)]
        self.process = subprocess.Popen(argv, env=dict(os.environ, MAIL_CONFIG=DIR), stderr=subprocess.PIPE)

        def up():
            if self.process.poll() is not None:
                raise AssertionError("it ended: %s" % self.process.stderr.read())
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                return False
        wait_until(up, "the filter listens")
        self.next.lines.clear()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.send_signal(signal.SIGTERM)
        errors = self.process.communicate(timeout=30)[1]
        if errors or self.process.returncode:
            raise AssertionError("it ended with %d: %s" % (self.process.returncode, errors.decode()))


def wire(*lines):
    return b"".join(l + b"\r\n" for l in lines)


def test_transparent():
    with Filter() as f:
        with Client(f.port) as c:
            is_eq(c.greeting.text, "220 next.test ESMTP", "greeting of the server behind")
            c.ehlo("me.test")
            is_eq(sorted(c.caps), ["8BITMIME", "PIPELINING", "SIZE", "XFORWARD"], "what is offered")
            f.next.replies.update({"MAIL": b"250-2.1.0 one\r\n250 2.1.0 two\r\n", "RCPT": b"450 4.2.0 not now\r\n"})
            is_eq(c.cmd("mail from:<a@b.test> SIZE=10").lines, ["2.1.0 one", "2.1.0 two"], "a reply of several lines")
            is_eq(c.cmd("RCPT TO:<x@far.test> NOTIFY=NEVER").text, "450 4.2.0 not now", "a refusal")
            f.next.replies.update({"DATA": b"554 5.5.1 no valid recipients\r\n"})
            is_eq(c.cmd("DATA").text, "554 5.5.1 no valid recipients", "DATA without recipients is the server's")
            f.next.replies.clear()
            is_eq(c.cmd("RCPT TO:<y@far.test>").text, "250 2.1.0 RCPT fine", "a recipient")
            content = wire(b"Subject: x", b"", b"..dots", b"gr\xc3\xbcn", b"a" * 5000)
            is_eq(c.data(content).text, "250 2.0.0 taken", "the server's word on the content")
            is_eq(f.next.messages, [content], "content as it came")
            for command in ("STARTTLS", "AUTH PLAIN x", "BDAT 5 LAST", "XCLIENT ADDR=1.2.3.4", "BURL x", "WHAT"):
                is_eq(c.cmd(command).code, 502, command)
            is_eq(c.cmd(b"MAIL FROM:<a@b.test>\rRCPT TO:<c@d.test>\r\n").code, 500, "a line break of another kind")
            is_eq(c.cmd(b"NOOP\0x\r\n").code, 500, "a zero byte")
            is_eq(c.cmd("QUIT").text, "221 2.0.0 bye", "QUIT")
            is_eq(c.ended(), b"", "and the end")
        is_eq(f.next.lines, ["EHLO me.test", "mail from:<a@b.test> SIZE=10", "RCPT TO:<x@far.test> NOTIFY=NEVER", "DATA", "RCPT TO:<y@far.test>", "DATA", "QUIT"], "what the server behind heard")
        with Client(f.port, first=b"EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n") as c:
            is_eq([c.reply().code for _ in range(4)], [250, 250, 250, 354], "a pipelined group")
            c.send(b"lf\n.\n\r\n.\r\nQUIT\r\n")
            is_eq([c.reply().code for _ in range(2)], [250, 221], "the end of data is CRLF.CRLF only")
        is_eq(f.next.messages[1], b"lf\r\n\r\n", "bare line ends become whole ones; a dot between them is dropped")


def test_verdicts():
    check = script("judge", 'm=$(cat); case "$m" in *virus*) echo 5.7.9 a virus; exit 69;; *busy*) exit 75;; *spam*) exit 99;; *env*) printf "%s|%s|%s|%s|%s" "$SENDER" "$RECIPIENTS" '
                   '"$CLIENT_NAME" "$CLIENT_ADDRESS" "$CLIENT_HELO" >' + DIR + '/env;; esac\n')
    with Filter(check=check) as f, Client(f.port) as c:
        c.ehlo()
        for word, reply in (("virus", "550 5.7.9 a virus"), ("busy", "451 4.7.1 Message not accepted now"), ("spam", "250 2.7.1 Ok: discarded"), ("good", "250 2.0.0 taken")):
            is_eq(c.message("a@b.test", ["x@far.test"], wire(b"Subject: x", b"", word.encode())).text, reply, word)
        is_eq(f.next.messages, [wire(b"Subject: x", b"", b"good")], "only one came through")
        is_eq(f.next.lines.count("RSET"), 3, "the others were given up at the server behind")
        c.cmd("XFORWARD NAME=up.test ADDR=IPV6:2001:db8::1 HELO=he+2Blo")
        c.message("", ["x@far.test", "y@far.test"], wire(b"env"))
        is_eq(open(DIR + "/env").read(), "|x@far.test\ny@far.test|up.test|IPV6:2001:db8::1|he+lo", "what the check is told")
    like(open(DIR + "/log").read(), r"smtpfilter\[\d+\]: from=<a@b\.test>, nrcpt=1, client=unknown\[unknown\], size=\d+, verdict=refuse: 5\.7\.9 a virus", "log")
    with Filter("-r", check="sed s/a/b/g") as f, Client(f.port) as c:
        c.ehlo()
        is_eq(c.message("a@b.test", ["x@far.test"], wire(b"..aaa", b"x", b"", b"banana")).code, 250, "-r")
        is_eq(f.next.messages, [wire(b"..bbb", b"x", b"", b"bbnbnb")], "what the check printed goes on")
    big = wire(*[b"line %d" % n for n in range(90000)])
    with Filter(check=script("cat", "exec cat >%s/big\n" % DIR)) as f, Client(f.port) as c:
        f.next.replies["EHLO"] = b"250 next.test\r\n"
        c.ehlo()
        is_eq(c.message("a@b.test", ["x@far.test"], big).code, 250, "a large message")
        ok(f.next.messages == [big] and open(DIR + "/big", "rb").read() == big.replace(b"\r\n", b"\n"), "arrives at the check and behind it")
    ok(not [n for n in os.listdir(DIR) if n.startswith(".")], "no temporary file is left")


def test_lmtp():
    with Filter(check=script("no", "grep -q virus && exit 69; exit 0\n")) as f, Client(f.port) as c:
        is_eq(c.cmd("LHLO me").code, 250, "LHLO")
        is_eq(f.next.lines, ["EHLO me"], "is EHLO behind")
        for word, code in ((b"good", 250), (b"virus", 550)):
            c.cmd("MAIL FROM:<a@b.test>")
            c.cmd("RCPT TO:<x@far.test>")
            f.next.replies["RCPT"] = b"550 5.1.1 no\r\n"
            c.cmd("RCPT TO:<y@far.test>")
            del f.next.replies["RCPT"]
            c.cmd("RCPT TO:<z@far.test>")
            is_eq([c.data(wire(word)).code, c.reply().code], [code, code], "a reply for each recipient: %s" % word.decode())
        is_eq(c.cmd("NOOP").code, 250, "and no more")


def fails(name, replies, steps=("MAIL FROM:<a@b.test>", "RCPT TO:<x@far.test>"), want=421):
    """The server behind misbehaves: the client is told, the session ends, the next one is served."""
    with Filter() as f:
        f.next.replies.update(replies)
        got = None
        with Client(f.port) as c:
            try:
                got = c.greeting
                if got.code == 220:
                    got = c.cmd("EHLO me")
                for s in steps:
                    if got.code < 400:
                        got = c.cmd(s)
                if got.code < 400:
                    got = c.data(b"x\r\n")
            except Gone:
                pass
            is_eq(got and got.code, want, name)
            if want == 421:
                is_eq(c.ended(), b"", name + ": the end")
        f.next.replies.clear()
        with Client(f.port) as c:
            is_eq(c.cmd("EHLO me").code, 250, name + ": the next session")


def test_trouble_behind():
    fails("it hangs up at once", {"CONNECT": None})
    fails("it refuses at once", {"CONNECT": b"554 5.3.2 no\r\n"}, want=554)
    fails("it hangs up at MAIL", {"MAIL": None})
    fails("it hangs up at the end of data", {"EOM": None})
    fails("it talks nonsense", {"RCPT": b"what?\r\n250 ok\r\n"})
    fails("a reply of several codes", {"RCPT": b"250-a\r\n550 b\r\n"})
    fails("two replies to a command", {"RCPT": b"250 ok\r\n354 go on\r\n250 taken\r\n"})
    fails("it takes what it has not seen", {"DATA": b"354 go on\r\n250 taken\r\n"})
    fails("a reply without end", {"MAIL": b"250-a\r\n" * 2000})
    fails("a line without end", {"MAIL": b"250 " + b"x" * 100000 + b"\r\n"}, want=250)
    fails("it refuses DATA", {"DATA": b"550 5.7.0 no data\r\n"}, want=550)
    fails("it refuses the content", {"EOM": b"550 5.6.0 no content\r\n"}, want=550)
    fails("it says goodbye", {"MAIL": b"421 4.3.2 goodbye\r\n"})
    with Filter(next_port=free_port()) as f, Client(f.port) as c:
        is_eq(c.greeting.code, 421, "it is not there")


def test_trouble_in_front():
    with Filter("-n", "2") as f:
        with Client(f.port) as c:
            c.ehlo()
            c.cmd("MAIL FROM:<a@b.test>")
            c.cmd("RCPT TO:<x@far.test>")
            c.cmd("DATA")
            c.send(b"half a mess")
        with Client(f.port) as c:
            c.ehlo()
            is_eq(c.cmd("NOOP " + "x" * 5000).code, 500, "a line that is too long")
            is_eq(c.ended()[:0], b"", "ends the session")
        with Client(f.port) as c:
            c.ehlo()
            is_eq(c.message("a@b.test", ["x@far.test"], wire(b"x" * 990) * 120).code, 552, "larger than the server behind takes")
            is_eq(c.message("a@b.test", ["x@far.test"], wire(b"small")).code, 250, "and the next one")
        a, b = Client(f.port), Client(f.port)
        third = socket.create_connection(("127.0.0.1", f.port), 20)
        third.settimeout(0.5)
        try:
            ok(not third.recv(100), "a third session waits")
        except socket.timeout:
            ok(True, "a third session waits")
        a.close()
        third.settimeout(20)
        like(third.recv(100).decode(), "^220 ", "until one ends")
        b.close()
        third.close()
        is_eq(f.next.messages, [wire(b"small")], "nothing but the good message went on")


def test_by_hand():
    n = Scripted()
    a, b = socket.socketpair()
    argv = [FILTER, "-d", DIR] + (["-u", USER] if os.geteuid() == 0 else []) + ["-", "127.0.0.1:%d" % n.port]
    p = subprocess.Popen(argv, stdin=b, stdout=b, stderr=b, env=dict(os.environ, MAIL_CONFIG=DIR))
    b.close()
    a.sendall(b"EHLO x\r\nQUIT\r\n")
    got = b""
    while True:
        piece = a.recv(4096)
        if not piece:
            break
        got += piece
    like(got.decode(), r"^220 next\.test ESMTP\r\n250-next\.test\r\n(250.*\r\n)+221 2\.0\.0 bye\r\n$", "one session on standard input")
    is_eq(p.wait(20), 0, "and the end")
    for args in ([], ["x"], ["127.0.0.1:0"], ["-n", "0", "127.0.0.1:1", "127.0.0.1:2"], ["-", "no such"]):
        p = subprocess.run([FILTER] + args, capture_output=True, env=dict(os.environ, MAIL_CONFIG=DIR), timeout=20)
        is_eq(p.returncode, 1, "bad usage: %s" % " ".join(args))
        like(p.stderr.decode(), "fatal: ", "which it says")
    own = ["-u", USER] if os.geteuid() == 0 else []
    p = subprocess.run([FILTER] + own + ["-d", DIR + "/none", "127.0.0.1:%d" % free_port(), "127.0.0.1:2"], capture_output=True,
                       env=dict(os.environ, MAIL_CONFIG=DIR), timeout=20)
    like(p.stderr.decode(), "fatal: directory %s/none: No such file" % DIR, "a directory that is not there")


run(test_transparent, test_verdicts, test_lmtp, test_trouble_behind, test_trouble_in_front, test_by_hand)
