#!/usr/bin/env python3
"""spawn: commands with a connection as standard input, output and error."""
import os
import pwd
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import Instance, free_port, is_gone, wait_until
from tap import is_eq, like, ok, run

ROOT = os.geteuid() == 0
USER = "daemon" if ROOT else pwd.getpwuid(os.geteuid()).pw_name
PORT = free_port()
GW = Instance(main={"slow_time_limit": "1s", "never_time_limit": "0", "export_environment": "TZ {GREETING = hello there}"})
SCRIPT = GW.file("script", """#!/bin/sh
case $1 in
show) id -un; id -gn; id -G; pwd; echo "$#:$2:$3:$4"; env | sort; umask; grep -h CapEff /proc/self/status; ls /proc/self/fd | wc -l; echo to-stderr >&2 ;;
lines) while read line; do echo "$$ $line"; [ "$line" = end ] && exit 0; done ;;
hang) echo $$; sleep 100 & echo $!; exec sleep 100 ;;
exit) exit $2 ;;
signal) kill -9 $$ ;;
esac
""", 0o755)


def service(name, args, maxproc="0", kind="unix"):
    GW.services.append("%s %s n n n - %s spawn %s" % (name, kind, maxproc, args))


for name, args in (("show", "user=%s argv=%s show $$ ${x} { two  words }"), ("lines", "user=%s argv=%s lines"), ("slow", "user=%s argv=%s hang"), ("hang", "user=%s argv=%s hang"),
                   ("three", "user=%s argv=%s exit 3"), ("signal", "user=%s argv=%s signal"), ("never", "user=%s argv=%s show")):
    service(name, args % (USER, SCRIPT))
service("one", "user=%s argv=%s lines" % (USER, SCRIPT), maxproc="1")
service(str(PORT), "user=%s argv=%s lines" % (USER, SCRIPT), kind="inet")
service("absent", "user=%s argv=/no/such/command" % USER)
BAD = {"noargv": "user=%s" % USER, "nouser": "argv=/bin/true", "empty": "user=%s argv=" % USER, "junk": "user=%s foo=bar argv=/bin/true" % USER, "unknown": "user=no-such-user argv=/bin/true",
       "asroot": "user=root argv=/bin/true", "asgroup": "user=%s:root argv=/bin/true" % USER, "asowner": "user=%s argv=/bin/true" % GW.owner}
for name, args in BAD.items():
    service(name, args)


def connect(name):
    s = socket.socket(socket.AF_UNIX if isinstance(name, str) else socket.AF_INET)
    s.settimeout(20)
    s.connect(os.path.join(GW.spool, "public", name) if isinstance(name, str) else ("127.0.0.1", name))
    return s


def talk(name, text=b""):
    """All that the command says."""
    with connect(name) as s:
        out = b""
        try:
            s.sendall(text)
            s.shutdown(socket.SHUT_WR)
            while True:
                got = s.recv(65536)
                if not got:
                    break
                out += got
        except ConnectionError:  # it may end without having read what it got, even before it got it
            pass
    return out.decode()


def test_child():
    out = talk("show").splitlines()
    is_eq(out[0], USER, "the user")
    if ROOT:
        is_eq(out[1:3], ["daemon", str(pwd.getpwnam("daemon").pw_gid)], "its group, and no other")
    is_eq(out[3], GW.spool, "starts in the queue directory")
    is_eq(out[4], "4:$$:${x}:two  words", "arguments as they are, braces around several words")
    is_eq(sorted(l.split("=")[0] for l in out[5:] if "=" in l and not l.startswith(("PWD", "_", "OLDPWD", "SHLVL"))), ["GREETING", "PATH"] + (["TZ"] if os.environ.get("TZ") else []),
          "environment")
    ok("GREETING=hello there" in out, "exported")
    ok("0077" in out, "umask")
    like("\n".join(out), r"CapEff:\s*0+\n", "no privileges") if ROOT else None
    ok("4" in [l.strip() for l in out[-2:]], "only three descriptors (and that of ls)")
    is_eq(out[-1], "to-stderr", "standard error is the connection too")


def test_connections():
    a, b = connect("lines"), connect("lines")
    fa, fb = a.makefile("rb"), b.makefile("rb")
    a.sendall(b"x\n")
    pid_a = fa.readline().split()[0]
    b.sendall(b"y\n")
    pid_b, word = fb.readline().split()
    ok(pid_a != pid_b and word == b"y", "two connections, two processes at the same time")
    a.sendall(b"z\n")
    is_eq(fa.readline().split(), [pid_a, b"z"], "one process for all that comes over a connection")
    a.sendall(b"end\n")
    fa.readline()
    is_eq(fa.read(), b"", "the connection ends with the command")
    b.close()
    fb.close()
    wait_until(lambda: is_gone(int(pid_b)), "the end of a command whose client went")
    ok(True, "a command sees that its client has gone")
    is_eq(talk(PORT, b"x\nend\n").split()[1::2], ["x", "end"], "TCP")
    c, d = connect("one"), connect("one")
    c.sendall(b"c\n")
    c.makefile("rb").readline()
    d.sendall(b"d\n")
    d.settimeout(0.3)
    try:
        ok(d.recv(10) is None, "maxproc")
    except TimeoutError:
        ok(True, "maxproc counts commands: the second waits")
    c.sendall(b"end\n")
    d.settimeout(20)
    like(d.makefile("rb").readline().decode(), r" d$", "until the first has ended")
    d.close()


def test_ends():
    is_eq(talk("three"), "", "an exit status")
    GW.wait_log(r"spawn\[\d+\]: warning: command %s exit status 3$" % SCRIPT)
    talk("signal")
    GW.wait_log(r"warning: command %s killed by signal 9$" % SCRIPT)
    out = talk("slow").split()
    GW.wait_log(r"warning: %s: process id %s: command time limit exceeded$" % (SCRIPT, out[0]))
    wait_until(lambda: all(is_gone(int(p)) for p in out), "the end of its process group")
    ok(True, "the time limit ends it with its children")
    is_eq(talk("absent"), "", "a command that is not there")
    GW.wait_log(r"warning: service absent: execute:? /no/such/command: No such file or directory$")


def test_bad():
    for name in BAD:
        if name == "asowner" and not ROOT:
            continue
        t = time.monotonic()
        is_eq(talk(name), "", "bad configuration: " + name)
        ok(time.monotonic() - t < 15, "the client does not wait long")
        GW.wait_log(r"error: service %s: \w" % name)
    talk("never")
    GW.wait_log(r"error: service never: its time limit must be greater than 0")


def test_crash():
    with connect("hang") as s:
        pids = [int(x) for f in [s.makefile("rb")] for x in (f.readline(), f.readline())]
        for worker in GW.pids("spawn"):
            GW.kill(worker)
        wait_until(lambda: all(is_gone(p) for p in pids), "the end of the command and its child")
        ok(True, "a worker that is killed leaves neither its commands nor their children")


def test_stop():
    with connect("hang") as s:
        pids = [int(x) for f in [s.makefile("rb")] for x in (f.readline(), f.readline())]
        GW.reload()
        ok(not is_gone(pids[0]), "a reload leaves commands alone")
        GW.stop()
        wait_until(lambda: is_gone(pids[0]), "the end of the command")
        ok(True, "a stop ends them")


with GW:
    GW.write_config()
    GW.start()
    run(test_child, test_connections, test_ends, test_bad, test_crash, test_stop)
