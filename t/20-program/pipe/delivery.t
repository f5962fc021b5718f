#!/usr/bin/env python3
"""pipe: what commands get, and what becomes of their results."""
import os
import re

from agent import BOUNCED, DEFERRED, SENT, USER, Pipe
from tap import is_eq, like, ok, run, skip

WIRE = b"Subject: x\r\n\r\nFrom me\r\n..dot\r\n..\r\nlast\r\n"
PLAIN = b"Subject: x\n\nFrom me\n.dot\n.\nlast\n"


def test_input():
    with Pipe({"plain": "argv=SCRIPT", "all": "flags=BDFORX.> eol=\\r\\n argv=SCRIPT", "null": "flags=FR null_sender= argv=SCRIPT",
               "name": "flags=R null_sender=x argv=SCRIPT"}) as p:
        p.start()
        is_eq(p.deliver("plain", "u@pipe.test", WIRE), (SENT, "2.0.0", "delivered via plain service"), "delivered")
        like(p.wait_log("to=<"), r"postfix/pipe\[\d+\]: QID1: to=<u@pipe\.test>, relay=plain, delay=\S+, delays=\S+, dsn=2\.0\.0, "
             r"status=sent \(delivered via plain service\)$", "record")
        is_eq(p.runs(), [([], PLAIN)], "plain lines, nothing added")
        p.deliver("all", "u@pipe.test", WIRE, sender="a b@x.test", orig="alias@pipe.test")
        lines = p.runs()[0][1].split(b"\r\n")
        like(lines[0].decode(), r'^From "a b"@x\.test  \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}$', "From line")
        is_eq(lines[1:], [b'Return-Path: <"a b"@x.test>', b"X-Original-To: alias@pipe.test", b"Delivered-To: u@pipe.test", b"Subject: x", b"",
                          b">From me", b"..dot", b"..", b"last", b"", b""], "header lines, quoting, an empty line; with the line ends that were wanted")
        p.deliver("null", "u@pipe.test", b"Subject: x\r\n", sender="")
        like(p.runs()[0][1].decode(), r"^From MAILER-DAEMON  [^\n]*\nReturn-Path: <>\nSubject: x\n$", "the null sender, by no name")
        p.deliver("name", "u@pipe.test", b"Subject: x\r\n", sender="")
        is_eq(p.runs()[0][1], b"Return-Path: <x>\nSubject: x\n", "and by another")
        big = b"Subject: x\r\n\r\n" + b"y" * 100000 + b"\r\n" + b"z\r\n" * 400000
        is_eq(p.deliver("plain", "u@pipe.test", big)[0], SENT, "a large message")
        ok(p.runs()[0][1] == big.replace(b"\r\n", b"\n"), "arrives whole")


def test_arguments():
    with Pipe({"prog": "flags=qhu argv=SCRIPT $sender -- ${recipient} $user $extension $domain n=$nexthop ca=$client_address $sasl_username {two $queue_id}"}) as p:
        p.start()
        is_eq(p.deliver("prog", ["A+b@Pipe.Test", "c d@pipe.test"], sender="S@x.test",
                        attrs={"log_client_address": "192.0.2.1", "client_address": "127.0.0.1", "sasl_username": "joe"}),
              [(SENT, "2.0.0", "delivered via prog service")] * 2, "two recipients")
        is_eq(p.runs()[0][0], ["S@x.test", "--", "a+b@pipe.test", '"c d"@pipe.test', "a", "c d", "b", "", "pipe.test", "pipe.test",
                               "n=hop.test", "ca=192.0.2.1", "joe", "two QID1"], "arguments")
        p.deliver("prog", "x@pipe.test; touch /tmp/no $(x) `y`")
        is_eq(p.runs()[0][0][2], "x@pipe.test; touch /tmp/no $(x) `y`", "no shell sees them")


def test_surroundings():
    script = "{ pwd -P; id -u; id -g; id -G; umask; env | sort; } >OUT/new; cat >/dev/null; mv OUT/new OUT/env.$1\n"
    with Pipe({"here": "argv=SCRIPT here", "there": "directory=/usr argv=SCRIPT there", "root": "chroot=/ directory=usr argv=SCRIPT root"},
              script=script, main={"export_environment": "TZ MAIL_CONFIG {GREETING = good day}"}) as p:
        os.environ["SECRET"] = "x"
        p.env["TZ"] = "UTC"
        p.start()
        is_eq(p.deliver("here", "u@pipe.test")[0], SENT, "run")
        lines = open(p.path("env.here")).read().split("\n")
        is_eq(lines[0], os.path.realpath(p.spool), "in the queue directory")
        if os.geteuid() == 0:
            is_eq(lines[1:4], ["1", "1", "1"], "as the user, without other groups")
        is_eq(lines[4], "0077", "umask")
        env = [l for l in lines[5:] if l and not re.match(r"PWD=|SHLVL=|_=|OLDPWD=", l)]
        is_eq(env, ["GREETING=good day", "MAIL_CONFIG=" + p.conf, "PATH=/usr/bin:/bin", "TZ=UTC"], "environment")
        is_eq(p.deliver("there", "u@pipe.test")[0], SENT, "directory=")
        is_eq(open(p.path("env.there")).readline(), "/usr\n", "is the working directory")
        if os.geteuid() == 0:
            is_eq(p.deliver("root", "u@pipe.test")[0], SENT, "chroot=")
            is_eq(open(p.path("env.root")).readline(), "/usr\n", "and a directory in it")


def test_chroot_column():
    if os.geteuid() != 0:
        skip("the chroot column", "not root")
        return
    with Pipe({"prog": "argv=/bin/true"}, fields="- n y - -") as p:
        p.start()
        is_eq(p.deliver("prog", "u@pipe.test")[1:], ("4.3.0", "temporary failure: cannot execute /bin/true: No such file or directory"),
              "a service in a chroot finds its commands there")


def test_results():
    script = """cat >/dev/null; case $1 in
ok) echo done; echo well;; temp) echo later >&2; exit 75;; gone) exit 67;; soft) echo 4.2.2 full; exit 69;; odd) exit 3;; sig) kill -TERM $$;;
esac"""
    with Pipe({"prog": "argv=SCRIPT ${user}", "none": "argv=/no/such/program", "dir": "directory=/no/such argv=SCRIPT", "filter": "argv=SCRIPT ${user}"},
              script=script, main={"pipe_delivery_status_filter": "inline:{{2.0.0 delivered via filter service = 2.1.9 put there}}"}) as p:
        p.start()
        died = 'Command died with %s: "' + p.script + '"'
        for user, want in (("ok", (SENT, "2.0.0", "delivered via prog service (done well)")), ("temp", (DEFERRED, "4.3.0", "temporary failure. Command output: later")),
                           ("gone", (BOUNCED, "5.1.1", "user unknown")), ("soft", (DEFERRED, "4.2.2", "full")), ("odd", (BOUNCED, "5.3.0", died % "status 3")),
                           ("sig", (DEFERRED, "4.3.0", died % "signal 15"))):
            is_eq(p.deliver("prog", user + "@pipe.test"), want, user)
        is_eq(p.deliver("prog", ["gone+a@pipe.test", "gone+b@pipe.test"]), [(BOUNCED, "5.1.1", "user unknown")] * 2, "one result for all")
        is_eq(p.deliver("none", "u@pipe.test"), (DEFERRED, "4.3.0", "temporary failure: cannot execute /no/such/program: No such file or directory"), "no program")
        is_eq(p.deliver("dir", "u@pipe.test"), (DEFERRED, "4.3.0", "temporary failure: cannot change directory to /no/such: No such file or directory"), "no folder")
        is_eq(p.deliver("filter", "other@pipe.test"), (SENT, "2.1.9", "put there"), "pipe_delivery_status_filter")


def test_without_command():
    with Pipe({"prog": "size=100 flags=D argv=SCRIPT $recipient", "o": "flags=O argv=SCRIPT", "macro": "argv=SCRIPT ${nosuch}"}) as p:
        p.start()
        is_eq(p.deliver("prog", "u@pipe.test", b"x" * 99 + b"\r\n"), (BOUNCED, "5.2.3", "message too large"), "size=")
        is_eq(p.deliver("prog", "u@pipe.test", flags=2), (SENT, "2.0.0", "delivers to command: " + p.script), "a probe")
        for n, head in enumerate((b"Delivered-To: u@pipe.test", b"DELIVERED-to:  U@Pipe.Test ", b"X: y\r\nDelivered-To:\r\n\tu@pipe.test\r\nZ: z")):
            is_eq(p.deliver("prog", "u@pipe.test", head + b"\r\n\r\nb\r\n"), (BOUNCED, "5.4.6", "mail forwarding loop for u@pipe.test"), "a loop %d" % n)
        is_eq(p.runs(), [], "no command was run")
        for n, head in enumerate((b"Delivered-To: v@pipe.test", b"X-Delivered-To: u@pipe.test", b"Delivered-To: u@pipe.test.org", b"X: y\r\n\r\nDelivered-To: u@pipe.test")):
            is_eq(p.deliver("prog", "u@pipe.test", head + b"\r\n\r\nb\r\n")[0], SENT, "none %d" % n)
        for service in ("prog", "o"):
            is_eq(p.deliver(service, ["u@pipe.test", "v@pipe.test"]), [(DEFERRED, "4.3.5", "mail system configuration error")] * 2, "flags for one recipient")
            p.wait_log(r"pipe\[\d+\]: warning: pipe flag \"[DO]\" requires %s_destination_recipient_limit = 1" % service)
        is_eq(p.deliver("macro", "u@pipe.test"), (DEFERRED, "4.3.5", "mail system configuration error"), "an unknown macro")
        p.wait_log(r'warning: service macro: argument "\$\{nosuch\}": unknown macro name: "nosuch"')


def test_start():
    cases = [("argv=SCRIPT", "missing user="), ("user=%s" % USER, "missing argv="), ("user=nosuch argv=SCRIPT", "unknown user name: nosuch"),
             ("user=root argv=SCRIPT", "do not run as root"), ("user=%s flags=Z argv=SCRIPT" % USER, "unknown flag: Z"),
             ("user=%s size=x argv=SCRIPT" % USER, "bad size= value: x"), ("user=%s argv:SCRIPT" % USER, "unknown attribute name: argv:")]
    with Pipe({"p%d" % n: text for n, (text, _) in enumerate(cases)}, user=False, main={"p9_time_limit": "0"}) as p:
        p.services.append("p9 unix - n n - - pipe user=%s argv=/bin/true" % USER)
        cases += [("", "")] * (9 - len(cases)) + [("", "p9_time_limit: 0")]
        if os.geteuid() == 0:
            p.services.append("p10 unix - - n - - pipe user=%s argv=/bin/true" % USER)
            cases.append(("", "unpriv column"))
        p.write_config()
        p.start()
        import socket
        for n, (_, why) in enumerate(cases):
            if why:
                s = socket.socket(socket.AF_UNIX)
                s.connect(os.path.join(p.spool, "private", "p%d" % n))
                p.wait_log(r"pipe\[\d+\]: fatal: .*" + why)
                ok(True, "fatal: " + why)
                s.close()


run(test_input, test_arguments, test_surroundings, test_chroot_column, test_results, test_without_command, test_start)
