#!/usr/bin/env python3
"""smtpd: content by DATA and BDAT, line ends, lost connections, timeouts; what reaches the next hop."""
import itertools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import Instance, free_port
from smtp import Client, Sink
from tap import is_eq, like, ok, run

PORT, OLD, PICKY, HASTY, SLOW, HIDDEN = (free_port() for _ in range(6))
SMTPD = "%d inet n - n - - smtpd"
SINK = Sink()
MAIN = {"relayhost": "[127.0.0.1]:%d" % SINK.port, "mydestination": "gw.example.test", "local_recipient_maps": "inline:{root=x}",
        "smtpd_relay_restrictions": "permit_mynetworks, reject", "smtpd_peername_lookup": "no", "smtpd_forbid_bare_newline_exclusions": "",
        "smtpd_forbid_unauth_pipelining": "no", "smtpd_error_sleep_time": "0", "smtp_line_length_limit": "0", "message_size_limit": "1000000"}
GW = Instance(main=MAIN, services=[
    SMTPD % PORT, SMTPD % OLD + " -o smtpd_forbid_bare_newline=no", SMTPD % PICKY + " -o smtpd_forbid_bare_newline=reject", SMTPD % HASTY + " -o smtpd_timeout=1s",
    SMTPD % SLOW + " -o smtpd_timeout=2s -o smtpd_per_request_deadline=yes -o smtpd_min_data_rate=1000000", SMTPD % HIDDEN + " -o smtpd_hide_client_session=yes"])
numbers = itertools.count(1)


def head():
    """A header with a subject of its own, and that subject."""
    subject = "s%d" % next(numbers)
    return b"Subject: %s\r\n\r\n" % subject.encode(), subject


HEAD = b"Subject: x\r\n\r\n"


def bodies(port, *contents):
    """What the sink gets for each body."""
    out = []
    for content in contents:
        with Client(port) as c:
            c.ehlo()
            h, subject = head()
            like(c.message("a@b.test", ["u@far.test"], h + content).text, "^250 2.0.0 Ok: queued as ", "accepted")
            out.append(SINK.wait(subject).body)
            c.cmd("QUIT")
    return out


def bdat(c, chunks):
    codes = []
    for i, chunk in enumerate(chunks):
        c.send(b"BDAT %d%s\r\n" % (len(chunk), b" LAST" if i == len(chunks) - 1 else b"") + chunk)
        codes.append(c.reply().code)
    return codes


def test_lines():
    long = b"x" * 30000
    is_eq(bodies(PORT, b"a\nb\r\n", b"..\r\n..a\r\n", long + b"\r\n", b""), [b"a\r\nb\r\n", b".\r\n.a\r\n", long + b"\r\n", b""], "line ends, dots, length")
    with Client(PORT) as c:
        c.ehlo()
        is_eq(c.message("a@b.test", ["u@far.test"], b"").code, 250, "an empty message")


def test_smuggling():
    for end in (b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r"):
        is_eq(len(bodies(PORT, b"one" + end + b"MAIL FROM:<x@y.test>\r\n")), 1, "%r does not end the content" % end)
    with Client(OLD) as c:
        c.ehlo()
        c.message("a@b.test", ["u@far.test"])
        c.cmd("MAIL FROM:<a@b.test>")
        c.cmd("RCPT TO:<u@far.test>")
        c.cmd("DATA")
        c.send(HEAD + b"x\n.\n")
        is_eq(c.reply().code, 250, "it does where smtpd_forbid_bare_newline=no")
    with Client(PICKY) as c:
        c.ehlo()
        is_eq(c.message("a@b.test", ["u@far.test"], HEAD + b"a\nb\r\n").text, "550 5.5.2 gw.example.test Error: bare <LF> received", "refused")
        is_eq(c.message("a@b.test", ["u@far.test"], HEAD + b"a\r\nb\r\n").code, 250, "the session goes on")
        is_eq(c.cmd(b"NOOP\n").code, 550, "a command with a bare LF")
        c.ended()


def test_bdat():
    with Client(PORT) as c:
        c.ehlo()
        for chunks, body in (([b".a\r\n"], b".a\r\n"), ([b"", b"x\r", b"\n\r", b"\nx\r\n", b""], b"x\r\n\r\nx\r\n"), ([b"no end"], b"no end\r\n"),
                             ([b"a\n.\r\n.\r\nb", b"\r\n"], b"a\r\n.\r\n.\r\nb\r\n")):
            h, subject = head()
            chunks = [h[:-3], h[-3:] + chunks[0]] + chunks[1:]
            c.cmd("MAIL FROM:<a@b.test>")
            c.cmd("RCPT TO:<u@far.test>")
            is_eq(bdat(c, chunks), [250] * len(chunks), "chunks %r" % (chunks,))
            is_eq(SINK.wait(subject).body, body, "content")
        c.cmd("MAIL FROM:<a@b.test>")
        c.cmd("RCPT TO:<u@far.test>")
        is_eq(bdat(c, [b"x" * 600000, b"x" * 600000, b"y"]), [250, 552, 551], "too much in all")
        c.cmd("RSET")
        is_eq(bdat(c, [b"RSET\r\n"]), [503], "octets of a refused chunk are no commands")
        c.cmd("RSET")
        c.cmd("MAIL FROM:<a@b.test>")
        c.cmd("RCPT TO:<u@far.test>")
        c.send(b"BDAT 5000000\r\n")
        c.send(b"x" * 5000000)
        is_eq(c.reply().code, 552, "an enormous chunk")
        c.cmd("RSET")
        is_eq(c.message("a@b.test", ["u@far.test"]).code, 250, "the session goes on")


def test_lost():
    with Client(PORT) as c:
        c.ehlo()
        c.cmd("MAIL FROM:<a@b.test>")
        c.cmd("RCPT TO:<u@far.test>")
        c.cmd("DATA")
        c.send(HEAD + b"half")
    GW.wait_log(r"lost connection after DATA \(%d bytes\) from unknown" % (len(HEAD) + 4))
    with Client(PORT) as c:
        c.ehlo()
        c.cmd("MAIL FROM:<a@b.test>")
        c.cmd("RCPT TO:<u@far.test>")
        c.send(b"BDAT 100\r\n1234567890")
    GW.wait_log(r"lost connection after BDAT \(10 bytes\) from unknown")
    ok(not any(b"half" in m.data for m in SINK.messages), "nothing of it was sent")


def test_timeouts():
    with Client(HASTY) as c:
        like(c.line(), "^421 4.4.2 gw.example.test Error: timeout exceeded\r\n", "silence after the greeting")
        is_eq(c.ended(), b"", "and the end")
    with Client(HASTY) as c:
        c.ehlo()
        c.cmd("MAIL FROM:<a@b.test>")
        c.cmd("RCPT TO:<u@far.test>")
        c.cmd("DATA")
        like(c.line(), "^421 4.4.2", "silence in the content")
    GW.wait_log("timeout after DATA.* from unknown")
    with Client(SLOW) as c:
        c.ehlo()
        try:
            for _ in range(100):
                c.send("N")
                c.sock.settimeout(0.2)
                try:
                    c.buffer += c.sock.recv(1000)
                    break
                except TimeoutError:
                    pass
        except OSError:
            pass
        like(c.buffer.decode(), "^421 4.4.2", "a command that trickles in")


def test_received():
    with Client(HIDDEN, source="127.0.0.9") as c:
        c.ehlo("secret.test")
        h, subject = head()
        c.message("a@b.test", ["u@far.test"], h)
        like(SINK.wait(subject).header("Received")[0], r"^by gw\.example\.test \(Postfix\) id [0-9A-F]+; ", "smtpd_hide_client_session")
    with Client(PORT, source="127.0.0.9") as c:
        h, subject = head()
        c.cmd("HELO \"evil)")
        c.message("a@b.test", ["u@far.test"], h)
        like(SINK.wait(subject).header("Received")[0], r"^from \?evil\? \(unknown \[127\.0\.0\.9\]\)\s*by gw\.example\.test \(Postfix\) with SMTP id [0-9A-F]+\s+for <u@far\.test>; ",
             "a HELO name that would break the header")


with GW:
    GW.start()
    run(test_lines, test_smuggling, test_bdat, test_lost, test_timeouts, test_received)
