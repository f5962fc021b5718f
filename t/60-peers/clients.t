#!/usr/bin/env python3
"""Real clients in front of us: swaks, smtp-source, msmtp; a real smtp-sink behind us."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
import peers
from instance import wait_until
from tap import diag, is_eq, like, ok, run

peers.isolate("swaks", "msmtp", "postfix")


def command(*args, text=""):
    p = subprocess.run(args, input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, cwd="/")
    out = p.stdout.decode("utf-8", "replace")
    if p.returncode:
        diag(out)
    return p.returncode, out


def queue_is_empty(g):
    wait_until(lambda: "is empty" in g.cmd("postqueue", "-p").stdout, "an empty queue", 60)


def test_swaks():
    with peers.Sink() as sink, peers.gateway(relayhost="[127.0.0.1]:2526") as g:
        g.start()
        common = ["swaks", "--server", "127.0.0.1", "--port", "2525", "--helo", "swaks.client.test", "--from", "s@client.test"]
        code, out = command(*common, "--to", "a@far.test,b@far.test", "--pipeline", "--header", "Subject: by swaks", "--body", "one\n.two\n..three\n")
        is_eq(code, 0, "swaks: a message in a pipeline")
        like(out, r"<~?-?\s+250[ -].*PIPELINING", "it saw the extension")
        like(out, r"250 2\.0\.0 Ok: queued as \w+", "and the queue ID")
        code, out = command(*common, "--to", "c@far.test", "--protocol", "SMTP", "--body", "old style")
        is_eq(code, 0, "swaks: HELO only")
        code, out = command(*common, "--to", "c@far.test", "--quit-after", "RCPT")
        is_eq(code, 0, "swaks: ends after RCPT")
        code, out = command(*common, "--to", "d@far.test", "--attach-type", "application/octet-stream", "--attach", "@/usr/bin/true")
        is_eq(code, 0, "swaks: an attachment")
        queue_is_empty(g)
        wait_until(lambda: len(sink.messages()) == 3, "three messages at the sink")
        m = next(x for x in sink.messages() if b"by swaks" in x)
        like(m.decode(), r"(?m)^X-Rcpt-Args: <a@far\.test>(.|\n)*^X-Rcpt-Args: <b@far\.test>", "both recipients in one transaction")
        like(m.decode(), r"(?m)^Received: from swaks\.client\.test \(localhost \[127\.0\.0\.1\]\)", "our Received")
        ok(m.replace(b"\r", b"").rstrip(b"\n").endswith(b"\n\none\n.two\n..three"), "the body") or diag(m)
        g.wait_log(r"smtpd\[\d+\]: disconnect from .* ehlo=1 mail=1 rcpt=2 data=1 quit=1 commands=6")


def test_smtp_source():
    with peers.Sink() as sink, peers.gateway(relayhost="[127.0.0.1]:2526") as g:
        g.start()
        for options, count in ((["-s", "10", "-m", "200", "-l", "4000"], 200), (["-d", "-s", "5", "-m", "50", "-l", "200000"], 50),
                               (["-o", "-m", "5"], 5), (["-c", "-r", "20", "-m", "3"], 3)):
            before = len(sink.messages())
            code, out = command("smtp-source", "-f", "s@client.test", "-t", "r@far.test", *options, "127.0.0.1:2525")
            is_eq(code, 0, "smtp-source " + " ".join(options))
            queue_is_empty(g)
            wait_until(lambda: len(sink.messages()) == before + count, "%d messages at the sink" % count)
            ok(True, "all of them arrive once")
        sent = [l for l in g.find_log(r"smtp\[\d+\]: \w+: to=<\S*r@far\.test>, .*status=sent")]
        is_eq(len(sent), 200 + 50 + 5 + 3 * 20, "delivery records")
        is_eq(len(g.find_log(r"qmgr\[\d+\]: \w+: removed$")), 258, "messages removed")


def test_msmtp():
    with peers.Sink() as sink, peers.gateway(relayhost="[127.0.0.1]:2526") as g:
        g.start()
        options = ["msmtp", "--host=127.0.0.1", "--port=2525", "--tls=off", "--auth=off", "--from=s@client.test"]
        code, out = command(*options, "-t", text="From: s@client.test\nTo: a@far.test\nCc: b@far.test\nBcc: c@far.test\nSubject: by msmtp\n\nfirst\n.dot\nüml\n")
        is_eq(code, 0, "msmtp: recipients of the header")
        code, out = command(*options, "--dsn-notify=success,failure", "--dsn-return=hdrs", "d@far.test", text="Subject: dsn\n\nx\n")
        is_eq(code, 0, "msmtp: with DSN options")
        code, out = command("msmtp", "--host=127.0.0.1", "--port=2525", "--serverinfo", "--tls=off")
        like(out, r"SMTP server at .*127\.0\.0\.1(.|\n)*gw\.example\.test ESMTP(.|\n)*PIPELINING(.|\n)*DSN", "msmtp --serverinfo")
        queue_is_empty(g)
        wait_until(lambda: len(sink.messages()) >= 2, "messages at the sink")
        m = next(x for x in sink.messages() if b"by msmtp" in x).replace(b"\r", b"")
        is_eq(sorted(re.findall(rb"(?m)^X-Rcpt-Args: <(\w+)@far\.test>", m)), [b"a", b"b", b"c"], "all recipients")
        ok(b"\nBcc:" not in m, "no Bcc in the header")
        ok(m.rstrip(b"\n").endswith("\n\nfirst\n.dot\nüml".encode()), "the body") or diag(m)


run(test_swaks, test_smtp_source, test_msmtp)
