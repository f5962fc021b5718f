#!/usr/bin/env python3
"""cleanup's conversation: verdicts, limits, malformed requests, many messages on one connection."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
import ipc
from instance import Instance
from tap import is_eq, like, ok, run

OK, BAD, WRITE, SPACE, SIZE, CONTENT, HOPS, NO_RCPT, DEFER, EXPANSION = range(10)
MAP, FILTER, AUTO, INTERNAL, LOCAL, DISCARD, HOLD = 1 << 3, 1 << 1, 1 << 7, 1 << 8, 1 << 9, 1 << 10, 1 << 11
# The messages are of 2023; they must not expire while they are looked at.
MAIN = {"default_transport": "hold:nowhere", "maximal_queue_lifetime": "10000d", "header_checks": "static:HOLD", "message_size_limit": "20000", "hopcount_limit": "4",
        "message_reject_characters": r"\001", "message_strip_characters": r"\002", "strict_7bit_headers": "yes", "strict_mime_encoding_domain": "yes",
        "queue_file_attribute_count_limit": "20", "smtputf8_enable": "yes", "virtual_alias_maps": "inline:{{many@v.test=a@x.test b@x.test c@x.test}}",
        "virtual_alias_expansion_limit": "2", "recipient_canonical_maps": "inline:{can@far.test=canned@far.test}"}
number = [0x10000]


class Cleanup:
    def __init__(self, i):
        self.i = i
        self.c = ipc.Client(os.path.join(i.spool, "public/cleanup"))

    def begin(self, rcpts=("b@far.test",), sender="a@client.test", flags=FILTER, attrs=(), qid=None):
        number[0] += 1
        self.qid = qid or "ABC%X" % number[0]
        self.c.send("CLEANUP_BEGIN", queue_id=self.qid, arrival_us=1700000000000000, flags=flags)
        self.c.send("ENV_SENDER", address=sender)
        for k, v in dict({"log_message_origin": "there[192.0.2.1]", "log_protocol_name": "ESMTP", "log_helo_name": "h"}, **dict(attrs)).items():
            self.c.send_raw(attr(k, v))
        for r in rcpts:
            self.c.send("ENV_RCPT", address=r)
        return self

    def content(self, text, step=1 << 20):
        data = text if isinstance(text, bytes) else text.replace("\n", "\r\n").encode()
        for at in range(0, len(data), step):
            self.c.send("CLEANUP_CONTENT", data=data[at:at + step])
        return self

    def end(self):
        self.c.send("CLEANUP_END")
        return self.verdict()

    def verdict(self):
        name, f = self.c.recv()
        return f["status"], f["text"]

    def message(self, text="Subject: x\n\nx\n", **how):
        return self.begin(**how).content(text).end()


def attr(name, value):
    p = b"".join(len(x).to_bytes(4, "little") + x for x in (name.encode(), value.encode()))
    return b"\xb5\x01" + ipc.MESSAGES["ENV_ATTR"][0].to_bytes(2, "little") + len(p).to_bytes(4, "little") + p


def stored(i, qid):
    return i.cmd("postcat", "-bhq", qid, check=True).stdout


def test_verdicts(i):
    c = Cleanup(i)
    is_eq(c.message(), (OK, ""), "a message")
    like(stored(i, c.qid), r"^Subject: x\n\nx\n$", "as it is stored")
    is_eq(c.message(rcpts=()), (NO_RCPT, ""), "no recipients")
    is_eq(c.message("Received: x\n" * 3 + "\nx\n")[0], OK, "three hops")
    is_eq(c.message("Received: x\n" * 4 + "\nx\n")[0], HOPS, "four")
    i.wait_log("warning: %s: message rejected: hopcount exceeded" % c.qid)
    is_eq(c.message("Subject: x\n\n" + "0123456789\n" * 2000)[0], SIZE, "too big")
    is_eq(c.message("Subject: x\n\n" + "0123456789\n" * 2000, flags=FILTER | INTERNAL)[0], OK, "no limit for our own mail")
    is_eq(c.message("Subject: a\1b\n\nx\n"), (CONTENT, "5.7.1 disallowed character"), "a character that is refused")
    i.wait_log(r"%s: reject: content Subject: a.b from there\[192.0.2.1\]; from=<a@client.test> to=<b@far.test> proto=ESMTP helo=<h>: 5.7.1 disallowed character" % c.qid)
    is_eq(c.message("Subject: a\2b\n\nx\2y\n")[0], OK, "characters that are taken out")
    like(stored(i, c.qid), r"^Subject: ab\n\nxy\n$", "they are")
    is_eq(c.message("Subject: gr\u00fcn\n\nx\n"), (CONTENT, "5.6.0 improper use of 8-bit data in message header"), "strict_7bit_headers")
    i.wait_log(r"%s: reject: mime-error improper use of 8-bit data in message header: Subject: gr.*n from there\[192.0.2.1\]; from=<a@client.test> to=<b@far.test>$" % c.qid)
    is_eq(c.message("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nx\n")[0], CONTENT, "strict_mime_encoding_domain")
    is_eq(c.message(flags=FILTER | MAP, rcpts=["many@v.test"])[0], EXPANSION, "an alias of too many")
    is_eq(c.message(rcpts=["a\r\nDATA@x.test"])[0], BAD, "a line break in a recipient")
    is_eq(c.message(attrs={"x%d" % n: "y" for n in range(30)})[0], BAD, "too many attributes")
    is_eq(c.message(flags=DISCARD), (OK, ""), "discarded")
    ok(not i.cmd("postcat", "-q", c.qid).stdout, "and nowhere")
    is_eq(c.message("", flags=0), (OK, ""), "an empty message")
    is_eq(stored(i, c.qid), "", "stays empty")


def test_pieces(i):
    text = "".join("X-Field-%d: value %d\n\tfolded\n" % (n, n) for n in range(50)) + "\n" + "body line\n.stuffed\n" * 100
    for step in (1, 2, 7, 1000):
        c = Cleanup(i)
        is_eq(c.begin().content(text.replace("\n.", "\n.."), step).end()[0], OK, "content in pieces of %d bytes" % step)
        is_eq(stored(i, c.qid), text, "whole")
    c = Cleanup(i)
    is_eq(c.begin().content(b"Subject: x\r\n\r\na\rb\r\nc\r\r\n").end()[0], OK, "stray CRs")
    is_eq(stored(i, c.qid), "Subject: x\n\na b\nc \n", "are replaced")
    c = Cleanup(i)
    is_eq(c.begin().content(b"Subject: x\r\nno header line\r\nbody\r\n").end()[0], OK, "a header that ends without an empty line")
    is_eq(stored(i, c.qid), "Subject: x\n\nno header line\nbody\n", "gets one")


def test_utf8(i):
    def sender_flags(**how):
        c = Cleanup(i)
        c.message(**how)
        return re.findall(r"message_size:.* (\d)$", i.cmd("postcat", "-eq", c.qid, check=True).stdout, re.M)
    is_eq(sender_flags(rcpts=["gr\u00fcn@far.test"]), ["0"], "UTF-8 that nobody declared")
    is_eq(sender_flags(rcpts=["gr\u00fcn@far.test"], flags=AUTO), ["1"], "is found where it is looked for")
    is_eq(sender_flags(flags=AUTO), ["0"], "and only if there is any")


def test_many(i):
    c = Cleanup(i)
    for n in range(50):
        c.begin(flags=0)
        c.content("Subject: %d\n\nx\n" % n)
        c.c.send("CLEANUP_END")
    is_eq([c.verdict()[0] for n in range(50)], [OK] * 50, "fifty messages ahead of their answers")
    c = Cleanup(i)
    is_eq(c.message(rcpts=["u%d@far.test" % n for n in range(20000)], flags=0)[0], OK, "20000 recipients")
    c.begin().content("Subject: x\n")
    c.c.send("CLEANUP_ABORT")
    i.wait_log("%s: canceled" % c.qid)
    is_eq(c.message()[0], OK, "a message after one that was aborted")
    c.begin()
    c.c.close()
    i.wait_log("%s: canceled" % c.qid)
    ok(True, "a client that goes away")


def test_shown(i):
    """Log lines of checks name the envelope as it will be: completed and canonical, not expanded."""
    for rcpts, want in ((("b@far.test",), "b@far.test"), (("b@far.test", "root"), "root@gw.example.test"), (("can@far.test",), "canned@far.test"), (("many@v.test",), "many@v.test")):
        c = Cleanup(i)
        c.message(rcpts=rcpts, flags=FILTER | MAP)
        i.wait_log(r"%s: hold: header Subject: x from there\[192\.0\.2\.1\]; from=<a@client\.test> to=<%s> proto=ESMTP helo=<h>" % (c.qid, re.escape(want)))
        ok(True, "to=<%s>" % want)


def test_malformed(i):
    for what, bad in (("another service's message", lambda c: c.c.send("QMGR_FLUSH")), ("garbage", lambda c: c.c.send_raw(b"EHLO there\r\n" * 10)),
                      ("an endless frame", lambda c: c.c.send_raw(b"\xb5\x01\x40\x00\xff\xff\xff\x7f")), ("a queue ID with a slash", lambda c: c.begin(qid="../../etc/x")),
                      ("a message in a message", lambda c: c.begin().begin())):
        c, other = Cleanup(i), Cleanup(i)
        try:
            bad(c)
            got = c.c.recv()
        except ConnectionError:
            got = None
        is_eq(got, None, what + ": hung up on")
        is_eq(other.message()[0], OK, "others are served")
    is_eq(i.find_log("panic|signal"), [], "no crash")


def test_headers(i):
    def both(text, flags, sender="s@x.test"):
        c = Cleanup(i)
        c.message(text, flags=flags, sender=sender)
        return stored(i, c.qid), c.qid
    got, qid = both("Subject: x\n\nx\n", LOCAL | MAP)
    is_eq(got, "Subject: x\nMessage-Id: <20231114221320.%s@gw.example.test>\nDate: Tue, 14 Nov 2023 22:13:20 +0000 (UTC)\nFrom: s@x.test\n\nx\n" % qid, "what is missing is added")
    i.wait_log("%s: message-id=<20231114221320.%s@gw.example.test>" % (qid, qid))
    is_eq(both("Subject: x\n\nx\n", MAP)[0], "Subject: x\n\nx\n", "but not for strangers")
    like(both("To: amy, Bob <bob@host>\n\nx\n", LOCAL | MAP)[0], r"^To: amy@gw.example.test, Bob <bob@host(\.example\.test)?>\n", "addresses are completed")
    like(both("Bcc: x@y.test\nReturn-Path: <z>\nContent-Length: 5\nX: y\n\nx\n", 0)[0], r"^X: y\n\nx\n$", "message_drop_headers")


def main(test):
    def with_instance():
        with Instance(MAIN, env_tz()) as i:
            i.start()
            test(i)
    with_instance.__name__ = test.__name__
    return with_instance


def env_tz():
    os.environ["TZ"] = "UTC"
    return ()


run(*[main(t) for t in (test_verdicts, test_pieces, test_utf8, test_many, test_malformed, test_shown, test_headers)])
