#!/usr/bin/env python3
"""smtpd behind others: PROXY protocol, XCLIENT, XFORWARD."""
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import Instance, free_port
from smtp import Client, Gone, Sink
from tap import is_eq, like, ok, run

PORT, PROXIED, EARLY = (free_port() for _ in range(3))
SMTPD = "%d inet n - n - - smtpd"
SINK = Sink()
MAIN = {"relayhost": "[127.0.0.1]:%d" % SINK.port, "mydestination": "gw.example.test", "local_recipient_maps": "inline:{root=x}", "mynetworks": "127.0.0.1",
        "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination", "smtpd_peername_lookup": "no", "smtpd_error_sleep_time": "0",
        "smtpd_authorized_xclient_hosts": "127.0.0.1", "smtpd_authorized_xforward_hosts": "127.0.0.1", "smtpd_soft_error_limit": "1000", "smtpd_hard_error_limit": "1000",
        "smtpd_client_restrictions": "check_client_access inline:{{192.0.2.66 = REJECT not you}}"}
GW = Instance(main=MAIN, services=[
    SMTPD % PORT, SMTPD % PROXIED + " -o smtpd_upstream_proxy_protocol=haproxy -o smtpd_upstream_proxy_timeout=1s -o smtpd_client_port_logging=yes",
    SMTPD % EARLY + " -o smtpd_delay_reject=no"])
V2 = b"\r\n\r\n\x00\r\nQUIT\n"


def v2(src, extra=b""):
    body = socket.inet_aton(src) + socket.inet_aton("127.0.0.1") + struct.pack("!HH", 4242, 25) + extra
    return V2 + b"\x21\x11" + struct.pack("!H", len(body)) + body


def test_proxy():
    for first, who in ((b"PROXY TCP4 192.0.2.10 192.0.2.1 4001 25\r\n", r"unknown\[192\.0\.2\.10\]:4001"), (v2("192.0.2.11"), r"unknown\[192\.0\.2\.11\]:4242"),
                       (v2("192.0.2.12", b"\x04\x00\x01x"), r"unknown\[192\.0\.2\.12\]:4242"), (V2 + b"\x20\x00\x00\x00", r"unknown\[127\.0\.0\.1\]:\d+"),
                       (b"PROXY UNKNOWN\r\n", r"unknown\[127\.0\.0\.1\]:\d+")):
        with Client(PROXIED, first=first) as c:
            is_eq(c.greeting.code, 220, "greeting after %r" % first[:20])
            c.cmd("QUIT")
        ok(GW.wait_log("connect from %s$" % who), "connect from %s" % who)
    with Client(PROXIED, first=v2("192.0.2.66")) as c:
        c.ehlo()
        c.cmd("MAIL FROM:<a@b.test>")
        like(c.cmd("RCPT TO:<root>").text, r"^554 5\.7\.1 <unknown\[192\.0\.2\.66\]:4242>: Client host rejected: not you$", "rules see the proxied address")


def test_bad_proxy():
    for bad in (b"EHLO a.test\r\n", b"PROXY TCP4 192.0.2.10 192.0.2.1 4001\r\n", b"PROXY TCP6 ::1 ::1 1 2\r\n", V2 + b"\x21\x11\x00\x03abc", V2 + b"\x11\x11\x00\x0c" + 12 * b"x",
                b"PROXY " + b"x" * 1000, b""):
        with Client(PROXIED, first=bad, greet=False) as c:
            is_eq(c.ended(), b"421 4.3.0 gw.example.test Server local error\r\n", "no greeting after %r" % bad[:30])


def test_xclient():
    with Client(PORT, source="127.0.0.9") as c:
        ok("XCLIENT" not in str(c.cmd("EHLO a.test").lines), "not offered to everybody")
        is_eq(c.cmd("XCLIENT NAME=x").text, "550 5.7.0 Error: insufficient authorization", "nor taken from them")
    with Client(PORT) as c:
        for bad, text in (("", "Syntax: XCLIENT attribute=value..."), ("NAME", "Error: attribute=value expected"), ("NAME=a..b", "Bad NAME syntax: a..b"), ("NAME=192.0.2.1", "Bad NAME syntax: 192.0.2.1"), ("ADDR=1.2.3", "Bad ADDR syntax: 1.2.3"),
                          ("ADDR=::1", "Bad ADDR syntax: ::1"), ("ADDR=IPV6:::1", "Bad ADDR syntax: ::1"), ("PORT=x", "Bad PORT syntax: x"), ("PROTO=FOO", "Bad PROTO syntax: FOO"),
                          ("FOO=x", "Bad XCLIENT attribute name: FOO"), ("HELO=" + "a" * 300, "Error: attribute value too long"), ("NAME=a " * 20, "Error: too many attributes")):
            r = c.cmd("XCLIENT " + bad)
            ok(r.code == 501 and (text in r.text or "IPV6" in bad), "XCLIENT %s: %s" % (bad[:20], r))
        is_eq(c.cmd("XCLIENT NAME=mail.outer.test REVERSE_NAME=ptr.outer.test ADDR=127.0.0.1 PORT=4321 HELO=outer.helo PROTO=ESMTP DESTADDR=192.0.2.1 DESTPORT=587").code, 220, "a new greeting")
        c.message("a@b.test", ["u@far.test"], b"Subject: xclient\r\n\r\n")
        like(SINK.wait("xclient").header("Received")[0], r"^from outer\.helo \(mail\.outer\.test \[127\.0\.0\.1\]\)\s*by gw\.example\.test \(Postfix\) with ESMTP id", "Received names whom the client plays")
        for i in range(200):
            c.send("XCLIENT HELO=a+0Ab NAME=[TEMPUNAVAIL]\r\n")
            c.reply()
        is_eq(c.cmd("XCLIENT ADDR=192.0.2.5").code, 220, "many times")
        is_eq(c.cmd("XCLIENT ADDR=127.0.0.1").code, 550, "the new address has no right to it")
        ok(c.cmd("MAIL FROM:<a@b.test>").code == 250 and c.cmd("RCPT TO:<u@far.test>").code == 554, "nor to relay")
    with Client(PORT, source="127.0.0.1") as c:
        c.cmd("XCLIENT LOGIN=joe@users.test ADDR=127.0.0.9")
        c.message("a@b.test", ["root"])
        c.cmd("QUIT")
    GW.wait_log(r": client=unknown\[127\.0\.0\.9\], sasl_method=XCLIENT, sasl_username=joe@users\.test$")
    GW.wait_log(r"disconnect from unknown\[127\.0\.0\.9\] xclient=0/1 mail=1 rcpt=1 data=1 quit=1 commands=4/5$")
    with Client(EARLY) as c:
        like(c.cmd("XCLIENT NAME=bad.test ADDR=192.0.2.66").text, r"^554 5\.7\.1 <bad\.test\[192\.0\.2\.66\]>: Client host rejected: not you$", "connection rules are asked again")
        is_eq((c.cmd("EHLO a.test").text, c.cmd("QUIT").code), ("503 5.7.0 Error: access denied for bad.test[192.0.2.66]", 221), "and bind")


def test_xforward():
    with Client(PORT) as c:
        c.ehlo()
        ok(c.caps["XFORWARD"] == "NAME ADDR PROTO HELO SOURCE PORT IDENT".split(), "offered")
        is_eq(c.cmd("XFORWARD NAME=up.test ADDR=192.0.2.66 PORT=99 IDENT=UPID HELO=h+20x PROTO=ESMTPS SOURCE=REMOTE").text, "250 2.0.0 Ok", "taken")
        is_eq(c.message("a@b.test", ["u@far.test"]).code, 250, "rules see the real client")
        GW.wait_log(r": client=unknown\[127\.0\.0\.1\], orig_queue_id=UPID, orig_client=up\.test\[192\.0\.2\.66\]$")
        mark = len(GW.log())
        c.message("a@b.test", ["u@far.test"])
        GW.wait_log(r": client=unknown\[127\.0\.0\.1\]$", since=mark)
        ok(True, "forgotten after the message")
        for command in ("RSET", "EHLO again.test"):
            c.cmd("XFORWARD NAME=up.test ADDR=192.0.2.67")
            c.cmd(command)
            c.message("a@b.test", ["u@far.test"])
        is_eq(GW.find_log(r"192\.0\.2\.67"), [], "and by RSET and EHLO")
        for bad in ("", "NAME", "NAME=a+20b", "ADDR=x", "SOURCE=x", "FOO=x"):
            is_eq(c.cmd("XFORWARD " + bad).code, 501, "XFORWARD " + bad)
        c.cmd("MAIL FROM:<a@b.test>")
        is_eq(c.cmd("XFORWARD NAME=x").code, 503, "not inside a transaction")


with GW:
    GW.start()
    run(test_proxy, test_bad_proxy, test_xclient, test_xforward)
