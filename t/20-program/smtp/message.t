#!/usr/bin/env python3
"""smtp: what a server is given: commands, parameters, content."""
import re
import time

from client import (BODY_7BIT, BOUNCED, CAPS, DEFERRED, EIGHT_BODY, EIGHT_HEADER, EIGHT_MIME, REUSE, SENT, UTF8, UTF8_HEADER, Server, Smtp)
from tap import is_eq, like, ok, run

NO_8BIT = ["PIPELINING", "SIZE", "DSN"]


def test_commands():
    with Smtp({"smtp_generic_maps": "inline:{{i@in.test=o@out.test}, {@dom.test=all@out.test}}", "propagate_unmatched_extensions": "generic", "recipient_delimiter": "+"},
              services=["plain unix - - n - - smtp -o smtp_discard_ehlo_keywords=dsn,8bitmime,smtputf8,pipelining,silent-discard -o smtp_quote_rfc821_envelope=no",
                        "old unix - - n - - smtp -o smtp_never_send_ehlo=yes -o smtp_helo_name=other.name",
                        "maybe unix - - n - - smtp -o smtp_always_send_ehlo=no",
                        "byaddr unix - - n - - smtp -o smtp_discard_ehlo_keyword_address_maps=inline:{127.0.0.1=size}"]) as s, Server() as peer:
        s.start()

        def commands(rcpts, service="smtp", **values):
            s.deliver(rcpts, peer.nexthop, service=service, **values)
            return peer.all_commands()
        n = len(b"Subject: x\r\n\r\nbody\r\n")
        is_eq(commands("u@far.test"), ["EHLO gw.example.test", "MAIL FROM:<s@client.test> SIZE=%d" % n, "RCPT TO:<u@far.test> ORCPT=rfc822;u@far.test", "DATA", "QUIT"], "plain")
        is_eq(commands([{"address": "u@far.test", "orig_address": "al@far.test", "orcpt": "rfc822;x+2By@z", "notify": 2 | 8}, {"address": "v@far.test", "notify": 1}],
                       envid="id+2B1", ret=2, content_flags=EIGHT_MIME)[1:4],
              ["MAIL FROM:<s@client.test> SIZE=%d BODY=8BITMIME ENVID=id+2B1 RET=HDRS" % n, "RCPT TO:<u@far.test> ORCPT=rfc822;x+2By@z NOTIFY=SUCCESS,DELAY",
               "RCPT TO:<v@far.test> ORCPT=rfc822;v@far.test NOTIFY=NEVER"], "8BITMIME and DSN")
        is_eq(commands("u@far.test", wire=b"a: b\r\n\r\n..dot\r\n")[1], "MAIL FROM:<s@client.test> SIZE=14", "SIZE without what dot-stuffing adds (RFC 1870 5)")
        is_eq(commands("u@far.test", sender_flags=BODY_7BIT)[1], "MAIL FROM:<s@client.test> SIZE=%d BODY=7BIT" % n, "what the client said of the body")
        is_eq(commands(["a b@far.test", "dot.@far.test", 'q"q@far.test'], sender="")[1:5],
              ["MAIL FROM:<> SIZE=%d" % n, 'RCPT TO:<"a b"@far.test> ORCPT=rfc822;"a+20b"@far.test', 'RCPT TO:<"dot."@far.test> ORCPT=rfc822;"dot."@far.test',
               'RCPT TO:<"q\\"q"@far.test> ORCPT=rfc822;"q\\"q"@far.test'], "null sender, quotes")
        is_eq(commands("dot.@far.test", "plain", content_flags=EIGHT_MIME)[1:3], ["MAIL FROM:<s@client.test>", "RCPT TO:<dot.@far.test>"],
              "smtp_discard_ehlo_keywords, smtp_quote_rfc821_envelope=no")
        is_eq(commands("u@far.test", "old")[:3], ["HELO other.name", "MAIL FROM:<s@client.test>", "RCPT TO:<u@far.test>"], "smtp_never_send_ehlo, smtp_helo_name")
        is_eq(commands("u@far.test", "maybe")[0], "EHLO gw.example.test", "smtp_always_send_ehlo=no, and ESMTP in the greeting")
        is_eq(commands("u@far.test", "byaddr")[1], "MAIL FROM:<s@client.test>", "smtp_discard_ehlo_keyword_address_maps")
        peer.replies["CONNECT"] = "220 hello there"
        is_eq(commands("u@far.test", "maybe")[0], "HELO gw.example.test", "not in the greeting")
        del peer.replies["CONNECT"]
        is_eq(commands(["i+ext@in.test", "x@dom.test", "y@other.test"], sender="i@in.test")[1:5],
              ["MAIL FROM:<o@out.test> SIZE=%d" % n, "RCPT TO:<o+ext@out.test> ORCPT=rfc822;i+2Bext@in.test", "RCPT TO:<all@out.test> ORCPT=rfc822;x@dom.test",
               "RCPT TO:<y@other.test> ORCPT=rfc822;y@other.test"], "smtp_generic_maps")
        f = s.deliver(["a@far.test", "b\r\nRSET@far.test", "c@far.test"], peer.nexthop)
        is_eq([x[:2] for x in f], [(SENT, "2.0.0"), (BOUNCED, "5.1.3"), (SENT, "2.0.0")], "an address with a line break is refused by ourselves")
        f = s.deliver("a@far.test", peer.nexthop, sender="s\r\n.\r\nQUIT@x")
        is_eq((f.kind, f.dsn), (BOUNCED, "5.1.7"), "so is a sender")
        many = ["u%d@far.test" % i for i in range(120)]
        is_eq({f.kind for f in s.deliver(many, peer.nexthop)}, {SENT}, "120 recipients")
        is_eq([c.split(">")[0][9:] for c in peer.commands() if c.startswith("RCPT")], many, "all of them in order")
        with Server({"RCPT": lambda session, arg: "452 4.5.3 too many" if len(session.rcpts) >= 100 else None}) as some:
            is_eq([f.kind for f in s.deliver(many, some.nexthop)], [SENT] * 100 + [DEFERRED] * 20, "a server that takes 100")
            is_eq(len(some.messages), 1, "one message")
        with Server(caps=["SIZE 10"]) as small:
            f = s.deliver("u@far.test", small.nexthop)
            is_eq((f.kind, f.dsn, f.reason), (BOUNCED, "5.3.4", "message size %d exceeds size limit 10 of server 127.0.0.1[127.0.0.1]" % n), "too big for the server")
            ok(not any(c.startswith("MAIL") for c in small.commands()), "it is not offered")


def test_utf8():
    with Smtp({"smtputf8_enable": "yes"}) as s, Server() as new, Server(caps=["PIPELINING"]) as old:
        s.start()
        s.deliver("j\u00fcr@far.test", new.nexthop, sender_flags=UTF8)
        like("\n".join(new.commands()), "MAIL FROM:<s@client.test> SIZE=\\d+ SMTPUTF8\nRCPT TO:<j\u00fcr@far.test>\n", "with SMTPUTF8")
        f = s.deliver("j\u00fcr@far.test", old.nexthop, sender_flags=UTF8)
        is_eq((f.kind, f.dsn, f.reason), (BOUNCED, "5.6.7", "SMTPUTF8 is required, but was not offered by host 127.0.0.1[127.0.0.1]"), "a server without it")
        is_eq(s.deliver("u@far.test", old.nexthop, sender_flags=UTF8).kind, SENT, "asked for, but not needed")
        is_eq(s.deliver("u@far.test", old.nexthop, sender_flags=UTF8 | UTF8_HEADER).kind, BOUNCED, "needed for a header")
        is_eq(s.deliver("u@far.test", old.nexthop, sender_flags=UTF8_HEADER, content_flags=EIGHT_HEADER).kind, SENT, "not asked for")
        is_eq(s.deliver("j\u00fcr@far.test", "%s, %s" % (old.nexthop, new.nexthop), sender_flags=UTF8).kind, SENT, "another server may have it")
        s.deliver("u@d\u00f6m.test", old.nexthop)
        like("\n".join(old.commands()), "RCPT TO:<u@xn--dm-fka.test>", "a domain that nobody asked SMTPUTF8 for")


def sent(s, wire, peer, **values):
    f = s.deliver("u@far.test", peer.nexthop, wire, **values)
    return peer.messages[-1] if f.kind == SENT else f


def test_content():
    with Smtp({"smtp_line_length_limit": "50"}, services=["any unix - - n - - smtp -o smtp_line_length_limit=0", "keep unix - - n - - smtp -o disable_mime_output_conversion=yes"]) as s, \
            Server() as peer, Server(caps=NO_8BIT) as old:
        s.start()
        wire = b"Subject: x\r\n\r\n..dot\r\n\r\nlast\r\n"
        is_eq(sent(s, wire, peer), wire, "wire form goes as it is")
        is_eq(sent(s, b"", peer), b"", "nothing at all")
        for n in (32767, 32768, 32769, 65536, 200000, 3000000):
            big = b"Subject: x\r\n\r\n" + b"z" * 38 + b"\r\n"
            big += (b"y" * 38 + b"\r\n") * ((n - len(big)) // 40)
            big += b"q" * (n - len(big) - 2) + b"\r\n"
            ok(len(big) == n and sent(s, big, peer) == big, "%d bytes" % n)
        is_eq(sent(s, b"X: " + b"a" * 100 + b"\r\n\r\n" + b"b" * 120 + b"\r\n", peer),
              b"X: " + b"a" * 47 + b"\r\n " + b"a" * 49 + b"\r\n aaaa\r\n\r\n" + b"b" * 50 + b"\r\n " + b"b" * 49 + b"\r\n " + b"b" * 21 + b"\r\n", "smtp_line_length_limit")
        long = b"X: " + b"a" * 5000 + b"\r\n\r\n"
        is_eq(sent(s, long, peer, service="any"), long, "no limit")
        mime = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\u00fc\u00dfe\r\n".encode()
        is_eq(sent(s, mime, peer, content_flags=EIGHT_BODY | EIGHT_MIME), mime, "8-bit content to a server with 8BITMIME")
        is_eq(sent(s, mime, old, content_flags=EIGHT_BODY | EIGHT_MIME),
              b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n", "and to one without")
        is_eq(sent(s, mime, old, content_flags=EIGHT_BODY | EIGHT_MIME, service="keep"), mime, "disable_mime_output_conversion")


def test_unreadable():
    """A message that cannot be read must never look complete."""
    for size in (1000, 200000):
        with Smtp(services=["bad unix - - n - - smtp -o smtp_header_checks=fail:x", "gen unix - - n - - smtp -o smtp_generic_maps=fail:x"]) as s, Server() as peer:
            s.start()
            wire = b"Subject: x\r\n\r\n" + b"y\r\n" * (size // 3)
            f = s.deliver("u@far.test", peer.nexthop, wire, length=len(wire) + 5000)
            is_eq((f.kind, f.dsn, f.reason), (DEFERRED, "4.3.0", "local data error while talking to 127.0.0.1[127.0.0.1]"), "content is shorter than it should be")
            like(s.wait_log("cannot read"), r"warning: QID\d+: cannot read content\d+: it is shorter than it should be$", "log")
            is_eq(peer.messages, [], "no message ended")
            f = s.deliver("u@far.test", peer.nexthop, wire, path="nothing")
            is_eq((f.kind, f.reason), (DEFERRED, "queue file read error"), "content is not there")
            f = s.deliver("u@far.test", peer.nexthop, wire, service="bad")
            is_eq((f.kind, f.dsn), (DEFERRED, "4.3.0"), "a check's table fails")
            f = s.deliver("u@far.test", peer.nexthop, wire, service="gen")
            is_eq((f.kind, f.dsn, f.reason), (DEFERRED, "4.3.0", "address mapping failed"), "the address table fails")
            is_eq(peer.messages, [], "no message ended")
            is_eq(s.deliver("u@far.test", peer.nexthop, wire).kind, SENT, "the next one goes")


def test_edits():
    checks = "regexp:%s"
    with Smtp() as s, Server() as peer:
        s.file("h", "/^X-Gone:/ IGNORE\n/^X-Rep: (.*)/ REPLACE X-New: $1\n/^X-Pre:/ PREPEND X-Top: 1\n/^Subject: .*secret/ WARN look\n")
        s.file("b", "/^drop/ IGNORE\n/^change/ REPLACE .changed\n")
        s.file("m", "/^Content-Type: text.html/ REPLACE Content-Type: text/plain\n")
        s.file("n", "/^X-Inner:/ IGNORE\n")
        s.main.update({"smtp_header_checks": checks % s.conf + "/h", "smtp_body_checks": checks % s.conf + "/b", "smtp_mime_header_checks": checks % s.conf + "/m",
                       "smtp_nested_header_checks": checks % s.conf + "/n", "smtp_generic_maps": "inline:{i@in.test=o@out.test}"})
        s.write_config()
        s.start()
        wire = (b"From: I <i@in.test>\r\nX-Gone: 1\r\n folded\r\nX-Rep: a\r\nX-Pre: b\r\nSubject: a\r\n secret\r\nTo: x@y.test,\r\n i@in.test\r\nMIME-Version: 1.0\r\n"
                b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\ni@in.test\r\ndrop me\r\nchange me\r\n..x\r\n"
                b"--b\r\nContent-Type: message/rfc822\r\n\r\nX-Inner: 1\r\nFrom: i@in.test\r\n\r\nend\r\n--b--\r\n")
        is_eq(sent(s, wire, peer).decode(),
              "From: I <o@out.test>\r\nX-New: a\r\nX-Top: 1\r\nX-Pre: b\r\nSubject: a\r\n secret\r\nTo: x@y.test, o@out.test\r\nMIME-Version: 1.0\r\n"
              "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\ni@in.test\r\n..changed\r\n..x\r\n"
              "--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: i@in.test\r\n\r\nend\r\n--b--\r\n", "checks and generic addresses")
        like(s.wait_log("look"), r"QID\d+: warning: header Subject: a.* secret: look$", "WARN")


def multiparts(n, depth=1):
    if depth > n:
        return "Content-Type: text/plain\r\n\r\nbody\r\n"
    return "Content-Type: multipart/mixed; boundary=b%d\r\nX-Gone: %d\r\n\r\n--b%d\r\n%s--b%d--\r\n" % (depth, depth, depth, multiparts(n, depth + 1), depth)


def test_nesting():
    with Smtp({"mime_nesting_limit": "1", "smtp_mime_header_checks": "regexp:{{/^X-Gone:/ IGNORE}}"}) as s, Server() as peer:
        s.start()
        got = sent(s, ("Subject: x\r\nMIME-Version: 1.0\r\n" + multiparts(6)).encode(), peer).decode()
        is_eq(re.findall(r"X-Gone: (\d)", got), ["1", "5", "6"], "mime_nesting_limit: checks see what they see when mail comes in")


def test_flags():
    with Smtp(services=["flg unix - - n - - smtp flags=DOR", "fin unix - - n - - smtp flags=X"]) as s, Server(caps=[]) as peer:
        s.start()
        wire = b"Delivered-To: other@far.test\r\nSubject: x\r\n\r\nDelivered-To: u@far.test\r\n"
        is_eq(sent(s, wire, peer, service="flg"), b"Return-Path: <s@client.test>\r\nX-Original-To: u@far.test\r\nDelivered-To: u@far.test\r\n" + wire, "flags=DOR")
        f = s.deliver("U@far.test", peer.nexthop, b"delivered-to:  u@FAR.test \r\n\r\n", service="flg")
        is_eq((f.kind, f.dsn, f.reason), (BOUNCED, "5.4.6", "mail forwarding loop for U@far.test"), "a loop")
        s.deliver(["a@far.test", "b@far.test"], peer.nexthop, wire, service="flg")
        is_eq(peer.messages[-1], b"Return-Path: <s@client.test>\r\n" + wire, "not with several recipients")
        is_eq((s.deliver("u@far.test", peer.nexthop).action, s.deliver("u@far.test", peer.nexthop, service="fin").action), ("relayed", "delivered"), "flags=X")


def test_xforward():
    caps = ["PIPELINING", "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE"]
    attrs = {"log_client_name": "h+x.test", "log_client_address": "2001:db8::1", "log_client_port": "99", "log_helo_name": "", "log_protocol_name": "ESMTP",
             "log_ident": "ABC", "log_message_origin": "h[1]"}
    with Smtp({"smtp_send_xforward_command": "yes"}) as s, Server(caps=caps) as peer:
        s.start()
        s.deliver("u@far.test", peer.nexthop, attrs=attrs)
        is_eq(peer.commands()[1:3], ["XFORWARD NAME=h+2Bx.test ADDR=IPV6:2001:db8::1 PORT=99", "XFORWARD PROTO=ESMTP IDENT=ABC SOURCE=REMOTE"], "XFORWARD")
        s.deliver("u@far.test", peer.nexthop, attrs={"log_message_origin": "local", "rewrite_context": "local"})
        is_eq(peer.commands()[1], "XFORWARD SOURCE=LOCAL", "local mail: what is not known is left out")
        for a in (attrs, {"log_message_origin": "local", "rewrite_context": "local"}):
            s.deliver("u@far.test", peer.nexthop, flags=REUSE, attrs=a)
        is_eq(peer.commands()[-5:-3], ["XFORWARD NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE] PORT=[UNAVAILABLE]",
                                       "XFORWARD PROTO=[UNAVAILABLE] HELO=[UNAVAILABLE] IDENT=[UNAVAILABLE] SOURCE=LOCAL"], "nothing is left of the message before")
        peer.replies["XFORWARD"] = "501 5.5.4 no"
        is_eq(s.deliver("u@far.test", peer.nexthop, attrs=attrs).kind, SENT, "a refusal is no reason to stop")
    with Server(caps=["XFORWARD ADDR"]) as some, Smtp({"smtp_send_xforward_command": "yes"}) as s:
        s.start()
        s.deliver("u@far.test", some.nexthop, attrs=attrs)
        is_eq(some.commands()[1:3], ["XFORWARD ADDR=IPV6:2001:db8::1", "MAIL FROM:<s@client.test>"], "only what the server takes")


def test_odd_servers():
    with Smtp() as s, Server(caps=["SMTPUTF8", "SIZE abc"]) as peer, Server(caps=["SIZE 5000"]) as old:
        s.start()
        s.deliver("u@far.test", peer.nexthop, content_flags=EIGHT_MIME)
        is_eq(peer.commands()[1], "MAIL FROM:<s@client.test> SIZE=20 BODY=8BITMIME", "SMTPUTF8 is 8BITMIME too")
        like(s.wait_log("offers SMTPUTF8"), r"smtp\[\d+\]: host 127\.0\.0\.1\[127\.0\.0\.1\] offers SMTPUTF8 support, but not 8BITMIME$", "log")
        like(s.wait_log("bad EHLO"), r'warning: bad EHLO SIZE limit "abc" from %s$' % re.escape(peer.relay), "a limit that is no number")
        s.deliver("u@far.test", old.nexthop)
        is_eq(old.commands()[1], "MAIL FROM:<s@client.test>", "no size of what could be converted")
        s.deliver("u@far.test", old.nexthop, sender_flags=BODY_7BIT)
        is_eq(old.commands()[1], "MAIL FROM:<s@client.test> SIZE=20", "7-bit content cannot")


run(test_odd_servers, test_commands, test_utf8, test_content, test_unreadable, test_edits, test_nesting, test_flags, test_xforward)
