#!/usr/bin/env python3
"""sendmail: what becomes of its input and options, with the system up and down."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import Instance
from tap import is_eq, like, ok, run

HELD = {"header_checks": "static:HOLD", "undisclosed_recipients_header": "", "recipient_delimiter": "+"}


class Box:
    """Messages end on hold, where they can be looked at."""

    def __init__(self, **main):
        self.i = Instance(dict(HELD, **main))
        self.i.start()

    def send(self, *args, text="Subject: x\n\nx\n", env=None):
        mark = len(self.i.log())
        self.p = self.i.cmd("sendmail", *args, input=text, env=dict({"TZ": "UTC"}, **(env or {})))
        if self.p.returncode:
            return None
        qid = self.i.wait_log(r"cleanup.*: hold: header Received", since=mark).split("]: ")[1].split(":")[0]
        self.i.wait_log("%s: message-id=" % qid, since=mark)
        text = ""
        while not text:
            text = self.i.cmd("postcat", "-q", qid).stdout
        self.sender = re.findall(r"^sender: (.*)$", text, re.M)[0]
        self.rcpts = re.findall(r"^recipient: (.*)$", text, re.M)
        self.all = text
        content = text.split("*** MESSAGE CONTENTS", 1)[1].split("***\n", 1)[1].split("*** HEADER EXTRACTED")[0]
        self.head, _, self.body = content.partition("\n\n")
        return self

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.i.__exit__(*exc)


def test_input():
    with Box(myorigin="gw.example.test") as b:
        for what, text, body in (
                ("the lone dot", "Subject: x\n\nbefore\n.\nafter\n", "before\n"), ("CRLF lines", "Subject: x\r\n\r\na\r\nb\nc\r\n", "a\nb\nc\n"), ("a CRLF dot", "Subject: x\r\n\r\na\r\n.\r\nb\r\n", "a\n"),
                ("no line end at the end", "Subject: x\n\na", "a\n"), ("no header", "hello\nthere\n", "hello\nthere\n"), ("dots", "Subject: x\n\n..\n.x\n", "..\n.x\n"), ("a mailbox line", "From me Mon\nSubject: x\n\na\n", "a\n"),
                ("a quoted one", ">From me Mon\nSubject: x\n\na\n", "a\n"), ("white space first", " a\nSubject: x\n\nb\n", " a\nSubject: x\n\nb\n"), ("a long line", "Subject: x\n\n" + "y" * 100000 + "\n", "y" * 100000 + "\n"),
                ("nothing", "", ""), ("NULs", "Subject: x\n\na\0b\n", "a\0b\n")):
            b.send("b@far.test", text=text)
            is_eq(b.body, body, what)
        b.send("-i", "b@far.test", text="Subject: x\n\na\n.\nb\n")
        is_eq(b.body, "a\n.\nb\n", "-i")
    with Box(sendmail_fix_line_endings="strict", cleanup_replace_stray_cr_lf="no") as b:
        b.send("b@far.test", text="Subject: x\n\na\r\n")
        is_eq(b.body, "a\r\n", "sendmail_fix_line_endings=strict: the first line decides")


def test_recipients():
    with Box() as b:
        b.send("a@x.test, B C <b@x.test>", "(note) c@x.test", "local")
        is_eq(b.rcpts, ["a@x.test", "b@x.test", "c@x.test", "local@gw.example.test"], "lists, names, comments, local names")
        b.send("-t", "extra@x.test", text="To: a@x.test,\n b@x.test\nCc: c@x.test\nBcc: d@x.test\nSubject: x\n\nTo: no@x.test\n")
        is_eq(sorted(b.rcpts), ["a@x.test", "b@x.test", "c@x.test", "d@x.test", "extra@x.test"], "-t")
        ok("Bcc" not in b.head, "Bcc is dropped")
        b.send("-t", text="To: a@x.test\nResent-To: r@x.test\nSubject: x\n\nx\n")
        is_eq(b.rcpts, ["r@x.test"], "-t with Resent- fields")
        b.send("-t", text="Subject: x\nno header\nTo: a@x.test\n\nx\n")
        is_eq(b.p.returncode, 75, "-t: the header ends with its last field")
        b.send("a@x.test", "-f", "b@x.test", "-i")
        is_eq((b.sender, b.rcpts), ("root@gw.example.test", ["a@x.test", "-f@gw.example.test", "b@x.test", "-i@gw.example.test"]), "options end at the first recipient")
        b.send("")
        is_eq(b.rcpts, ["MAILER-DAEMON@gw.example.test"], "the null address")
        for args, text, why in ((("-t",), "Subject: x\n\nx\n", r"root\(0\): No recipient addresses found in message header"), ((), "x\n", "Recipient addresses must be specified on the command line or via the -t option")):
            b.send(*args, text=text)
            is_eq(b.p.returncode, 75, "no recipients")
            like(b.p.stderr, "sendmail: fatal: .*" + why, "why")


def test_sender():
    with Box() as b:
        b.send("-f", "Some One <me@x.test>", "-F", "The, Boss", "b@far.test")
        is_eq(b.sender, "me@x.test", "-f")
        like(b.head, r'\nFrom: "The, Boss" <me@x\.test>$', "-F")
        b.send("-r", "other@x.test", "-F", "", "b@far.test")
        is_eq(b.sender, "other@x.test", "-r")
        like(b.head, r"\nFrom: other@x\.test$", "no name")
        b.send("b@far.test", env={"NAME": "N. Ame"})
        is_eq(b.sender, "root@gw.example.test", "who runs it")
        like(b.head, r'\nFrom: "N\. Ame" <root@gw\.example\.test>$', "NAME")
        for null in ("<>", ""):
            b.send("-f", null, "b@far.test")
            is_eq(b.sender, "", "the null sender")
            like(b.head, r"\nFrom: MAILER-DAEMON$", "has no name")
        b.send("-f", "a, b", "b@far.test")
        like(b.p.stderr, "warning: -f option specified malformed sender: a, b", "two senders")
        b.send("-G", "-f", "me@x.test", "b@far.test", text="From: x\nTo: y\n\nx\n")
        like(b.head, r"\nFrom: x\nTo: y$", "-G: no completion, nothing added")


def test_options():
    with Box(message_size_limit="2000") as b:
        b.send("-N", "success,delay", "-R", "hdrs", "-V", "my id", "-B", "8BITMIME", "b@far.test")
        like(b.all, r"my\+20id", "-V")
        b.send("-N", "often", "-R", "some", "-V", "", "b@far.test")
        like(b.p.stderr, "(?s)bad -N option value -- ignored.*bad -R option value -- ignored.*bad syntax in -V option value -- ignored", "bad values are warned of")
        b.send("-oem", "-odb", "-oi", "-om", "-o7", "-Ac", "-L", "tag", "-h", "9", "-n", "-m", "-U", "-O", "x=y", "-X", "log", "b@far.test")
        is_eq(b.p.returncode, 0, "old options are accepted")
        for args, why in ((["-bz"], "unsupported: -bz"), (["-qSx"], "-qS is not implemented"), (["-B", "9", "b@x"], "-B option needs"), (["-XV!!", "b@x"], "-V requires two characters"),
                          (["-bv", "-t"], "cannot be used with -bv"), (["-Z"], "usage: sendmail"), (["-C", "/nonexistent", "b@x"], "/nonexistent")):
            b.send(*args)
            is_eq(b.p.returncode, 75, " ".join(args))
            like(b.p.stderr, r"sendmail: fatal: .*" + re.escape(why), "why")
        b.send("b@far.test", text="Subject: x\n\n" + "0123456789\n" * 300)
        is_eq(b.p.returncode, 75, "too big")
        like(b.p.stderr, r"root\(0\): message file too big", "why")
        is_eq(b.i.cmd("sendmail", "-bp").stdout, b.i.cmd("postqueue", "-p").stdout, "-bp")
        link = os.path.join(b.i.dir, "mailq")
        os.symlink(os.path.join(b.i.build, "bin/sendmail"), link)
        is_eq(b.i.cmd(link).stdout, b.i.cmd("postqueue", "-p").stdout, "mailq")
        is_eq(b.i.cmd("sendmail", "-q30m").returncode, 0, "-q30m")
        aliases = b.i.file("aliases", "root: me@x.test\n")
        is_eq(b.i.cmd("sendmail", "-I", "-oAhash:" + aliases).returncode, 0, "-I")
        like(b.i.cmd("postalias", "-q", "root", "hash:" + aliases).stdout, "me@x.test", "the aliases are there")
        is_eq(b.i.find_log("panic"), [], "no crash")


def test_down():
    with Instance({"default_transport": "discard:gone"}) as i:
        i.ctl("check")
        p = i.cmd("sendmail", "b@far.test", input="Subject: x\n\nx\n")
        is_eq((p.returncode, p.stderr), (0, ""), "the system is down")
        is_eq(len(os.listdir(os.path.join(i.spool, "maildrop"))), 1, "the message is kept")
        i.start()
        i.wait_log(r"to=<b@far\.test>.*status=sent")
        ok(True, "and goes when it is up")


def test_trouble():
    with Instance({"default_transport": "discard:gone", "command_directory": "/nonexistent"}) as i:
        p = i.cmd("sendmail", "b@far.test", input="x\n")
        is_eq(p.returncode, 75, "no postdrop")
        like(p.stderr, "postdrop", "why")
    with Instance({"local_login_sender_maps": "inline:{{root=me@x.test}}"}) as i:
        i.ctl("check")
        p = i.cmd("sendmail", "-f", "you@x.test", "b@far.test", input="x\n")
        is_eq(p.returncode, 75, "a sender that is somebody else's")
        is_eq(p.stderr, "sendmail: fatal: you@x.test(0): not authorized to use sender='you@x.test'\n", "why")
    with Instance() as i:
        i.ctl("check")
        p = subprocess.run([os.path.join(i.build, "bin/sendmail"), "b@far.test"], stdin=os.open("/", os.O_RDONLY), stderr=subprocess.PIPE, env=i.env)
        is_eq(p.returncode, 75, "input that cannot be read")


def test_memory():
    """With sanitizers: a leak is an error of its own at the end."""
    with Instance({"authorized_submit_users": "inline:{u=x}, static:all", "local_login_sender_maps": "regexp:{ {/./ *} }"}, debug=True) as i:
        i.ctl("check")
        for args in (["b@far.test"], ["-t"], ["-bv", "b@far.test"], ["-f", "", "-v", "b@far.test"]):
            p = i.cmd("sendmail", *args, input="To: b@far.test\n\nx\n")
            is_eq((p.returncode, p.stderr), (0, ""), "sendmail %s" % args)


def test_nobody():
    if os.geteuid() != 0:
        return
    with Instance(standard=False) as i:
        program = os.path.join(i.dir, "sendmail")
        shutil.copy(os.path.join(i.build, "bin/sendmail"), program)
        p = subprocess.run([program, "b@far.test"], input=b"x\n", stderr=subprocess.PIPE, user=54321, group=54321, extra_groups=[], env=i.env, timeout=60, cwd="/")
        is_eq(p.returncode, 75, "a user without a name, and no -f")
        like(p.stderr.decode(), "sendmail: fatal: no login name found for user ID 54321", "  is told so")


tests = [test_input, test_recipients, test_sender, test_options, test_down, test_trouble, test_memory]
run(test_nobody, *(tests if os.getuid() == 0 else [test_input, test_down]))
