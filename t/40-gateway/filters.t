#!/usr/bin/env python3
"""The content filters that we ship, with the configurations of conf/examples as they are: after the queue with pipe and SMTP, and before it."""
import os
import pwd
import re
import signal
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
from instance import BUILD, SRC, Instance, first_name, free_port, free_ports, wait_until
from smtp import Client, Sink
from tap import is_eq, like, ok, run, skip

USER = first_name(pwd.getpwnam, ["mail", "daemon"])
DIR = tempfile.TemporaryDirectory(prefix="postern-t-")
os.chmod(DIR.name, 0o755)
SPOOL = os.path.join(DIR.name, "filter")
os.mkdir(SPOOL, 0o700)
if os.geteuid() == 0:
    os.chown(SPOOL, pwd.getpwnam(USER).pw_uid, pwd.getpwnam(USER).pw_gid)
CHECK = os.path.join(DIR.name, "check")
with open(CHECK, "w") as f:
    f.write('#!/bin/sh\nm=$(cat)\ncase "$m" in\n*virus*) echo "5.7.9 a virus from $CLIENT_ADDRESS"; exit 69 ;;\n*busy*) exit 75 ;;\n*spam*) exit 99 ;;\nesac\n')
os.chmod(CHECK, 0o755)


def example(name, port, *services):
    """A gateway with the services and parameters of an example, a sink behind it, and the filter's two ports."""
    sink, (front, back) = Sink(), free_ports(2)
    services, params = list(services), {"relayhost": "[127.0.0.1]:%d" % sink.port, "smtpd_peername_lookup": "no", "smtpd_relay_restrictions": "permit_mynetworks, reject"}
    for line in open(os.path.join(SRC, "conf/examples", name)):
        for old, new in (("/usr/local/libexec/mail-check", CHECK), ("/usr/local/libexec/postern", os.path.join(BUILD, "libexec")), ("/pipefilter", "/pipefilter -m %s/bin/sendmail" % BUILD), ("/var/spool/filter", SPOOL), ("user=filter", "user=" + USER), ("10025", str(front)), ("10026", str(back))):
            line = line.replace(old, new)
        m = re.match(r"#    (\w+) = (.*)", line)
        if m:
            params[m.group(1)] = m.group(2)
        elif not line.startswith("#"):
            services.append(re.sub(r"^smtp( +inet)", r"%d\1" % port, line.rstrip()))
    gw = Instance(main=params, services=["\n".join(services)])
    return gw, sink, front, back


class SmtpFilter:
    def __init__(self, gw, front, back):
        argv = [os.path.join(BUILD, "libexec/smtpfilter"), "-d", SPOOL, "-c", CHECK] + (["-u", USER] if os.geteuid() == 0 else [])
        self.process = subprocess.Popen(argv + ["127.0.0.1:%d" % front, "127.0.0.1:%d" % back], env=gw.env)
        wait_until(lambda: any(l.split()[1].endswith(":%04X" % front) and l.split()[3] == "0A" for l in open("/proc/net/tcp")), "the filter listens")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


def send(port, subject, sender="a@client.test"):
    with Client(port) as c:
        c.ehlo("mx.client.test")
        r = c.message(sender, ["b@far.test"], b"Subject: " + subject.encode() + b"\r\n\r\n.dot\r\n..\r\nend\r\n")
        c.cmd("QUIT")
    return r


def queued(reply):
    return reply.text.split("queued as ")[1]


def settled(gw):
    wait_until(lambda: "Mail queue is empty" in gw.cmd("postqueue", "-p").stdout, "an empty queue")


def after_queue(gw, sink, port, relay):
    first = queued(send(port, "fine"))
    m = sink.wait("fine")
    is_eq((m.sender, m.rcpts, m.body), ("a@client.test", ["b@far.test"], b"dot\r\n.\r\nend\r\n"), "what passes arrives, once, as it was")
    is_eq(len(m.header("Received")), 2, "having gone through the queue twice")
    gw.wait_log(r"%s: to=<b@far\.test>, relay=%s, .*status=sent" % (first, relay))
    qid = queued(send(port, "a virus", "victim@client.test"))
    line = gw.wait_log(r"%s: to=<b@far\.test>, relay=%s, .*status=bounced" % (qid, relay))
    like(line, r"dsn=5\.7\.9, .*a virus from", "what is refused is returned with the check's words")
    wait_until(lambda: [m for m in sink.messages if m.rcpts == ["victim@client.test"]], "the report")
    qid = queued(send(port, "spam"))
    gw.wait_log(r"%s: to=<b@far\.test>, relay=%s, .*status=sent" % (qid, relay))
    qid = queued(send(port, "busy"))
    gw.wait_log(r"%s: to=<b@far\.test>, relay=%s, .*dsn=4\.7\.1, status=deferred" % (qid, relay))
    gw.cmd("postsuper", "-d", qid, check=True)
    settled(gw)
    is_eq(sorted(m.rcpts[0] for m in sink.messages), ["b@far.test", "victim@client.test"], "nothing else came through")
    return first


def test_simple():
    if os.geteuid() != 0:
        skip("filter-simple.cf", "pipe(8) needs root to become another user")
        return
    port = free_port()
    gw, sink, _, _ = example("filter-simple.cf", port)
    with gw:
        gw.start()
        # postdrop is not set-gid where it was built.
        os.chmod(gw.spool, 0o755)
        os.chmod(gw.spool + "/maildrop", 0o777)
        os.chmod(gw.spool + "/public", 0o755)
        os.chmod(gw.spool + "/public/pickup", 0o666)
        after_queue(gw, sink, port, "filter")


def over(protocol):
    """With the client of the filter as smtp or lmtp."""
    port = free_port()
    gw, sink, front, back = example("filter-smtp.cf", port, "%d inet n - n - - smtpd" % port)
    gw.services[-1] = re.sub(r"^(scan .*)smtp\n(.*)smtp_send", r"\1%s\n\2%s_send" % (protocol, protocol), gw.services[-1], flags=re.M)
    gw.write_config()
    with gw, SmtpFilter(gw, front, back):
        gw.start()
        first = after_queue(gw, sink, port, r"127\.0\.0\.1\[127\.0\.0\.1\]:%d" % front)
        gw.wait_log(r"postfix/%s\[\d+\]: %s: to=<b@far\.test>" % (protocol, first))
        gw.wait_log(r"client=unknown\[127\.0\.0\.1\], orig_queue_id=%s, orig_client=unknown\[127\.0\.0\.1\]" % first)
        gw.wait_log(r"smtpfilter\[\d+\]: from=<a@client\.test>, nrcpt=1, client=unknown\[127\.0\.0\.1\], size=\d+, verdict=pass")
        gw.wait_log(r"dsn=5\.7\.9, .*said: 550 5\.7\.9 a virus from 127\.0\.0\.1 \(in reply to end of DATA command\)")


def test_smtp():
    over("smtp")


def test_lmtp():
    over("lmtp")


def test_log():
    """The filter's own lines, over a stop and a start of the gateway, which has a new log server then. The filter has given up root."""
    port = free_port()
    gw, sink, front, back = example("filter-before-queue.cf", port)
    verdict = r"smtpfilter\[\d+\]: from=<a@client\.test>, .*verdict=refuse"
    with gw:
        gw.start()
        with SmtpFilter(gw, front, back):
            send(port, "a virus")
            gw.wait_log(verdict)
            for n in (2, 3):
                gw.stop()
                gw.start()
                send(port, "a virus")
                gw.wait_log(verdict, count=n)
                ok(True, "the filter logs after a new start of the gateway")


def test_before_queue():
    port = free_port()
    gw, sink, front, back = example("filter-before-queue.cf", port)
    with gw, SmtpFilter(gw, front, back):
        gw.start()
        r = send(port, "fine")
        m = sink.wait("fine")
        is_eq((m.sender, m.rcpts, m.body, len(m.header("Received"))), ("a@client.test", ["b@far.test"], b"dot\r\n.\r\nend\r\n", 2), "what passes arrives")
        gw.wait_log(r"%s: client=unknown\[127\.0\.0\.1\], orig_client=unknown\[127\.0\.0\.1\]" % queued(r))
        gw.wait_log(r"proxy-accept: END-OF-MESSAGE: 250 2\.0\.0 Ok: queued as %s; from=<a@client\.test>" % queued(r))
        is_eq(send(port, "a virus").text, "550 5.7.9 a virus from 127.0.0.1", "what is refused was never queued")
        is_eq(send(port, "busy").code, 451, "what the check cannot judge now comes again")
        is_eq(send(port, "spam").text, "250 2.7.1 Ok: discarded", "what is discarded")
        settled(gw)
        is_eq(len(sink.messages), 1, "nothing else came through")


run(test_simple, test_smtp, test_lmtp, test_before_queue, test_log)
