#!/usr/bin/env python3
"""smtpd: the before-queue filter: dialogue, replies passed on, trouble, collected messages, HOLD and DISCARD, milters in front of it."""
import os
import re
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import Instance, free_ports, wait_until
from smtp import Client, Gone, Scripted
from tap import is_eq, like, ok, run


class Milter:
    """Sees one message after the other. at_end(m) gives the actions and the answer, as (letter, bytes) pairs; m: events by letter."""

    def __init__(self, at_end):
        self.at_end, self.seen = at_end, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()

    def serve(self, conn):
        f, m = conn.makefile("rb"), []

        def say(*packets):
            conn.sendall(b"".join(struct.pack(">I", len(d) + 1) + c + d for c, d in packets))
        while True:
            head = f.read(4)
            if len(head) < 4:
                return
            packet = f.read(struct.unpack(">I", head)[0])
            command, data = packet[:1], packet[1:]
            if command == b"O":
                say((b"O", struct.pack(">III", 6, 0x1ff, 0)))
            elif command == b"E":
                self.seen.append(m)
                say(*self.at_end(m))
                m = []
            elif command == b"A":
                m = []
            elif command in (b"D", b"Q", b"K"):
                pass
            else:
                m.append((command, data))
                say((b"c", b""))


def zeros(*texts):
    return b"".join(t + b"\0" for t in texts)


SMTPD = "%d inet n - n - - smtpd -o smtpd_proxy_filter="
FILTER = Scripted()
DOWN, PLAIN, LATE, NOTHING, SLOW, RULES, LATE_RULES, END, MILTERS, LATE_MILTERS, SOCKET = free_ports(11)
WHERE = "127.0.0.1:%d" % FILTER.port
SPEED = " -o smtpd_proxy_options=speed_adjust"
ACCESS = " -o {smtpd_recipient_restrictions=check_recipient_access inline:{{h@far.test=HOLD}, {d@far.test=DISCARD}, {f@far.test=FILTER smtp:x}, {p@far.test=PREPEND X-A: 1}}}"
AT_END = " -o {smtpd_end_of_data_restrictions=check_sender_access inline:{{h@b.test=HOLD}, {r@b.test=REJECT}, {d@b.test=DISCARD}}}"
MILTER = Milter(lambda m: [(b"c", b"")])
GW = Instance(main={"relayhost": "[127.0.0.1]:%d" % DOWN, "smtpd_peername_lookup": "no", "smtpd_relay_restrictions": "permit_mynetworks, reject", "smtpd_error_sleep_time": "0",
                    "message_size_limit": "3000000"}, services=[
    SMTPD % PLAIN + WHERE, SMTPD % LATE + WHERE + SPEED, SMTPD % NOTHING + "127.0.0.1:%d" % DOWN, SMTPD % SLOW + WHERE + " -o smtpd_proxy_timeout=1s",
    SMTPD % RULES + "localhost:%d" % FILTER.port + ACCESS, SMTPD % LATE_RULES + WHERE + SPEED + ACCESS, SMTPD % END + WHERE + AT_END, SMTPD % SOCKET + "unix:private/filter",
    SMTPD % MILTERS + WHERE + " -o smtpd_milters=inet:127.0.0.1:%d" % MILTER.port, SMTPD % LATE_MILTERS + WHERE + SPEED + " -o smtpd_milters=inet:127.0.0.1:%d" % MILTER.port])
GW.main["milter_header_checks"] = "inline:{{X-Odd: 1 = REJECT odd field}, {X-Away: 1 = IGNORE}, {X-Old: 1 = REPLACE X-New: 2}, {X-Wait: 1 = HOLD}}"
GW.write_config()


def wire(*lines):
    return b"".join(l + b"\r\n" for l in lines)


BODY = wire(b"Subject: x", b"", b"body")
XFORWARD = re.compile(r"^XFORWARD NAME=\[UNAVAILABLE\] ADDR=127\.0\.0\.1 HELO=(\S+)$")


def send(port, content=BODY, sender="a@b.test", rcpts=("x@far.test",)):
    """The last reply, and what the filter heard meanwhile."""
    FILTER.sessions.clear()
    FILTER.messages.clear()
    with Client(port) as c:
        c.ehlo("me.test")
        r = c.cmd("MAIL FROM:<%s> BODY=8BITMIME" % sender)
        for rcpt in rcpts:
            if r.code < 400:
                r = c.cmd("RCPT TO:<%s> NOTIFY=NEVER" % rcpt)
        if r.code < 400:
            r = c.data(content)
        try:
            goes_on = c.cmd("NOOP").code == 250
            c.cmd("QUIT")
        except Gone:
            goes_on = False
    return r, goes_on


def heard():
    return [[l for l in s if not l.startswith("XFORWARD")] for s in FILTER.sessions]


def test_dialogue():
    for port, name in ((PLAIN, "plain"), (LATE, "speed_adjust")):
        r, _ = send(port, BODY + b"..dot\r\ngr\xc3\xbcn\r\n", rcpts=["x@far.test", "y@far.test"])
        is_eq(r.text, "250 2.0.0 taken", name + ": the filter's word")
        is_eq(heard(), [["EHLO gw.example.test", "MAIL FROM:<a@b.test> BODY=8BITMIME", "RCPT TO:<x@far.test> NOTIFY=NEVER", "RCPT TO:<y@far.test> NOTIFY=NEVER", "DATA", "QUIT"]], name + ": what it heard")
        like(FILTER.sessions[0][1], XFORWARD, name + ": XFORWARD")
        head, _, rest = FILTER.messages[0].partition(b"Subject: ")
        is_eq(rest, BODY[9:] + b"..dot\r\ngr\xc3\xbcn\r\n", name + ": content")
        like(head.decode(), r"^Received: from me\.test \(unknown \[127\.0\.0\.1\]\)\r\n\tby gw\.example\.test \(Postfix\) with ESMTP;\s[^;]*\r\n$", name + ": Received without an ID")
    GW.wait_log(r"smtpd\[\d+\]: NOQUEUE: client=unknown\[127\.0\.0\.1\]$")
    GW.wait_log(r"smtpd\[\d+\]: proxy-accept: END-OF-MESSAGE: 250 2\.0\.0 taken; from=<a@b\.test> to=<x@far\.test> proto=ESMTP helo=<me\.test>", count=2)
    big = wire(*[b"line %d" % n for n in range(200000)])
    for port in (PLAIN, LATE):
        r, _ = send(port, b"Subject: big\r\n\r\n" + big)
        ok(r.code == 250 and FILTER.messages[0].endswith(b"\r\n\r\n" + big), "a large message")
    r, _ = send(LATE, b"Subject: big\r\n\r\n" + big * 2)
    is_eq((r.text, FILTER.sessions), ("552 5.3.4 Error: message file too big", []), "one that is too large does not reach it")
    is_eq([f for f in os.listdir(GW.spool + "/incoming") if f.startswith(".")], [], "no temporary file is left")


def test_replies():
    cases = [("MAIL", b"550-5.1.0 bad\r\n550 5.1.0 sender\r\n"), ("RCPT", b"450 no\r\n"), ("DATA", b"554 5.7.0 no data\r\n"), ("EOM", b"550-5.7.0 one\r\n550 5.7.1 two\r\n"), ("EOM", b"421 4.3.2 bye\r\n"),
             ("EOM", b"250-2.6.0 a\r\n250 2.6.0 b\r\n")]
    for port in (PLAIN, LATE):
        for verb, reply in cases:
            FILTER.replies[verb] = reply
            r, goes_on = send(port)
            FILTER.replies.clear()
            lines = reply.decode().split("\r\n")[:-1]
            is_eq((r.code, r.lines, goes_on), (int(lines[0][:3]), [l[4:] for l in lines], not reply.startswith(b"421")), "%s: %s" % (verb, reply.decode()[:14]))
    GW.wait_log(r'warning: proxy %s rejected "MAIL FROM:<a@b\.test> BODY=8BITMIME": "550-5\.1\.0 bad 550 5\.1\.0 sender"' % re.escape(WHERE))
    GW.wait_log(r"proxy-reject: END-OF-MESSAGE: 550-5\.7\.0 one 550 5\.7\.1 two; from=<a@b\.test>")
    FILTER.replies["RCPT"] = b"550 5.1.1 not you\r\n"
    with Client(PLAIN) as c:
        c.ehlo()
        c.cmd("MAIL FROM:<a@b.test>")
        is_eq(c.cmd("RCPT TO:<x@far.test>").code, 550, "one recipient is refused")
        FILTER.replies.clear()
        is_eq(c.cmd("RCPT TO:<y@far.test>").code, 250, "another one is not")
        is_eq(c.data(BODY).code, 250, "and gets the message")


def test_trouble():
    generic = "451 4.3.0 Error: queue file write error"
    for port in (PLAIN, LATE):
        for verb, reply, log in (("CONNECT", b"554 5.3.2 closed\r\n", 'rejected "connection request": "554 5\\.3\\.2 closed"'), ("CONNECT", None, "lost connection with proxy"),
                                 ("EHLO", b"502 5.5.1 no\r\n", 'rejected "EHLO gw\\.example\\.test"'), ("XFOR", b"550 no\r\n", 'rejected "XFORWARD '), ("MAIL", None, "lost connection"),
                                 ("RCPT", b"hello\r\n250 ok\r\n", "received garbage from proxy [0-9.:]+: hello"), ("DATA", b"250 what\r\n", 'rejected "DATA"'), ("DATA", None, "lost connection"),
                                 ("EOM", None, "lost connection"), ("EOM", b"250-a\r\n550 b\r\n", "reply with several codes"), ("EOM", b"250-a\r\n" * 1500, "reply without end"),
                                 ("EOM", b"354 go on\r\n", "proxy-reject: END-OF-MESSAGE: 451"), ("RCPT", b"250 ok\r\n354 go on\r\n250 taken\r\n", "more replies than commands"),
                                 ("MAIL", b"250 ok\r\n250 ok\r\n", "more replies than commands"), ("DATA", b"354 go on\r\n250 taken\r\n", "reply before the end of the message: 250")):
            mark = len(GW.log())
            FILTER.replies[verb] = reply
            r, goes_on = send(port)
            FILTER.replies.clear()
            is_eq((r.text, goes_on), (generic, True), "%s: %r" % (verb, reply and reply[:14]))
            GW.wait_log(log, since=mark)
    for port in (PLAIN, LATE):
        FILTER.replies["DATA"] = b"354 go on\r\n552 5.3.4 enough\r\n"
        r, goes_on = send(port)
        FILTER.replies.clear()
        is_eq((r.text, goes_on), ("552 5.3.4 enough", True), "a refusal before the end of the message")
    r, goes_on = send(NOTHING)
    is_eq((r.text, goes_on), (generic, True), "nobody is there")
    GW.wait_log(r"warning: connect to proxy filter 127\.0\.0\.1:%d: Connection refused" % DOWN)
    is_eq(send(SOCKET)[0].text, generic, "no socket")
    GW.wait_log(r"warning: connect to proxy filter unix:private/filter: No such file or directory")
    FILTER.replies["EOM"] = b"250 half a line"
    r, goes_on = send(SLOW)
    FILTER.replies.clear()
    is_eq((r.text, goes_on), (generic, True), "a reply that does not come to its end")
    GW.wait_log(r"warning: timeout talking to proxy %s" % re.escape(WHERE))
    with Client(PLAIN) as c:
        FILTER.sessions.clear()
        FILTER.messages.clear()
        c.ehlo()
        c.cmd("MAIL FROM:<a@b.test>")
        c.cmd("RCPT TO:<x@far.test>")
        c.cmd("RSET")
        c.cmd("MAIL FROM:<b@b.test>")
        c.cmd("RCPT TO:<x@far.test>")
        c.cmd("DATA")
        c.send(BODY)
    GW.wait_log(r"lost connection after DATA \(%d bytes\) from unknown" % len(BODY))
    is_eq([s[-1] for s in FILTER.sessions], ["QUIT", "DATA"], "RSET ends the filter's session, a lost client cuts it off")
    with Client(PLAIN) as c:
        FILTER.sessions.clear()
        c.ehlo()
        c.cmd(b"MAIL FROM:<a@b.test> AUTH=x\rRCPT\r\n")
        is_eq(c.cmd("RCPT TO:<x@far.test>").code, 501, "a line end of another kind in MAIL")
        c.cmd("RSET")
        c.cmd("MAIL FROM:<a@b.test>")
        is_eq(c.cmd(b'RCPT TO:<"x\ry"@far.test>\r\n').code, 501, "in RCPT")
        is_eq([l for s in FILTER.sessions for l in s if "\r" in l], [], "does not reach the filter")
        is_eq(c.cmd("RCPT TO:<x@far.test>").code, 250, "the next recipient does")
    with Client(PLAIN) as c:
        c.ehlo()
        c.cmd("MAIL FROM:<a@b.test>")
        c.cmd("RCPT TO:<x@far.test>")
        c.send(b"BDAT 9\r\nSubject: ")
        is_eq(c.reply().code, 250, "BDAT")
        c.send(b"BDAT 8 LAST\r\nx\r\n\r\n.y\n")
        is_eq(c.reply().text, "250 2.0.0 taken", "BDAT LAST")
    ok(FILTER.messages[-1].endswith(b"Subject: x\r\n\r\n..y\r\n"), "chunks arrive as DATA")


def held():
    return sorted(os.listdir(GW.spool + "/hold"))


def test_actions():
    for port in (RULES, LATE_RULES):
        before = held()
        r, _ = send(port, rcpts=["h@far.test"])
        like(r.text, r"^250 2\.0\.0 Ok: queued as ", "HOLD")
        is_eq((len(held()) - len(before), FILTER.sessions), (1, []), "is on hold, and the filter has not heard of it")
        r, _ = send(port, rcpts=["x@far.test", "h@far.test"])
        like(r.text, r"^250 2\.0\.0 Ok: queued as ", "HOLD of a later recipient")
        is_eq((len(held()) - len(before), FILTER.messages), (2, []), "is on hold")
        r, _ = send(port, rcpts=["d@far.test"])
        like(r.text, r"^250 2\.0\.0 Ok: queued as ", "DISCARD")
        is_eq((len(held()) - len(before), FILTER.sessions), (2, []), "is gone")
        is_eq(send(port, rcpts=["f@far.test"])[0].text, "250 2.0.0 taken", "FILTER")
        GW.wait_log(r"warning: access table inline:.*: with smtpd_proxy_filter specified, action FILTER is unavailable")
        send(port, rcpts=["p@far.test"])
        ok(FILTER.messages[0].startswith(b"X-A: 1\r\nReceived: "), "PREPEND")
    before = held()
    r, _ = send(END, sender="h@b.test")
    like(r.text, r"^250 2\.0\.0 Ok: queued as ", "HOLD at the end of data")
    is_eq((len(held()) - len(before), FILTER.messages, heard()[0][-1]), (1, [], "QUIT"), "is on hold, and the filter got no content")
    is_eq((send(END, sender="r@b.test")[0].code, FILTER.messages), (554, []), "REJECT at the end of data")
    like(send(END, sender="d@b.test")[0].text, r"^250 2\.0\.0 Ok: queued as ", "DISCARD at the end of data")
    is_eq((len(held()) - len(before), FILTER.messages), (1, []), "is gone")
    is_eq(send(END)[0].text, "250 2.0.0 taken", "other mail goes on")


def test_release():
    send(RULES, BODY, "held@b.test", ["h@far.test"])
    qid = re.findall(r"cleanup\[\d+\]: ([0-9A-F]+): message-id", GW.log())[-1]
    FILTER.messages.clear()
    FILTER.sessions.clear()
    GW.cmd("postsuper", "-H", qid, check=True)
    GW.cmd("postqueue", "-f", check=True)
    GW.wait_log(r"%s: to=<h@far\.test>, relay=127\.0\.0\.1\[127\.0\.0\.1\]:%d, .*status=sent \(250 2\.0\.0 taken\)" % (qid, FILTER.port))
    ok(FILTER.messages[0].endswith(b"\r\n\r\nbody\r\n"), "what is released goes through the filter")
    like(FILTER.messages[0].decode().replace("\r\n\t", " "), r"Received: .* id %s" % qid, "with an ID in Received")


def milters(actions, **kw):
    MILTER.at_end = lambda m: actions
    MILTER.seen.clear()
    out = []
    for port in (MILTERS, LATE_MILTERS):
        r, goes_on = send(port, **kw)
        out.append((r.text, goes_on, [l for s in heard() for l in s if l[:4] in ("MAIL", "RCPT", "DATA")], list(FILTER.messages)))
    return out


def test_milters():
    rcpts = ["x@far.test", "y@far.test"]
    envelope = ["MAIL FROM:<a@b.test> BODY=8BITMIME"] + ["RCPT TO:<%s> NOTIFY=NEVER" % r for r in rcpts] + ["DATA"]
    for text, _, lines, messages in milters([(b"c", b"")], rcpts=rcpts):
        is_eq((text, lines), ("250 2.0.0 taken", envelope), "a milter that goes on")
        ok(messages[0].endswith(BODY), "content as it was")
    is_eq([e for e in MILTER.seen[0] if e[0] in b"LNB"], [(b"L", zeros(b"Subject", b"x")), (b"N", b""), (b"B", b"body\r\n")], "what the milter saw of the content")
    for text, goes_on, lines, messages in milters([(b"y", zeros(b"550 5.7.9 not this one"))]):
        is_eq((text, goes_on, messages), ("550 5.7.9 not this one", True, []), "a milter that refuses")
    for text, goes_on, lines, messages in milters([(b"y", zeros(b"421 4.7.9 go away"))]):
        is_eq((text, goes_on, messages), ("421 4.7.9 go away", False, []), "a milter that hangs up")
    for text, _, lines, messages in milters([(b"d", b"")]):
        like(text, r"^250 2\.0\.0 Ok: queued as ", "a milter that discards")
        is_eq(messages, [], "nothing goes on")
    change = [(b"h", zeros(b"X-New", b"1")), (b"i", struct.pack(">I", 0) + zeros(b"X-First", b"0")), (b"b", b"changed\r\n.dot\r\n"), (b"c", b"")]
    for text, _, lines, messages in milters(change, rcpts=rcpts):
        is_eq((text, lines), ("250 2.0.0 taken", envelope), "a milter that changes content")
        like(messages[0].decode(), r"^X-First: 0\r\nReceived: (.|\n)*\r\nSubject: x\r\nX-New: 1\r\n\r\nchanged\r\n\.\.dot\r\n$", "the filter gets what it made of it")
    change = [(b"e", zeros(b"<new@b.test>", b"RET=HDRS")), (b"-", zeros(b"<x@far.test>")), (b"2", zeros(b'<"z z"@far.test>', b"NOTIFY=SUCCESS")), (b"c", b"")]
    for text, _, lines, messages in milters(change, rcpts=rcpts):
        is_eq((text, lines[-4:]), ("250 2.0.0 taken", ["MAIL FROM:<new@b.test> BODY=8BITMIME RET=HDRS", "RCPT TO:<y@far.test> NOTIFY=NEVER", 'RCPT TO:<"z z"@far.test> NOTIFY=SUCCESS', "DATA"]),
              "a milter that changes the envelope")
        is_eq(len(messages), 1, "one message")
    for text, _, lines, messages in milters([(b"-", zeros(b"<x@far.test>")), (b"c", b"")]):
        like(text, r"^250 2\.0\.0 Ok: queued as ", "nobody is left")
        is_eq(messages, [], "nothing goes on")
    for text, _, lines, messages in milters([(b"h", zeros(b"X-Away", b"1")), (b"h", zeros(b"X-Old", b"1")), (b"c", b"")]):
        ok(b"X-Away" not in messages[0] and b"X-Old" not in messages[0] and b"X-New: 2\r\n" in messages[0], "milter_header_checks change what it adds")
    for text, _, lines, messages in milters([(b"h", zeros(b"X-Odd", b"1")), (b"c", b"")]):
        is_eq((text, messages), ("550 5.7.1 odd field", []), "or refuse the message")
    GW.wait_log(r"NOQUEUE: milter-header-reject: header X-Odd: 1 from unknown\[127\.0\.0\.1\]; from=<a@b\.test> to=<x@far\.test> proto=ESMTP helo=<me\.test>: 5\.7\.1 odd field")
    before = held()
    for text, _, lines, messages in milters([(b"h", zeros(b"X-Wait", b"1")), (b"c", b"")]):
        like(text, r"^250 2\.0\.0 Ok: queued as ", "or hold it")
    is_eq(len(held()) - len(before), 2, "it is on hold")
    before = held()
    for text, _, lines, messages in milters([(b"h", zeros(b"X-Bad", b"1")), (b"q", zeros(b"looks odd")), (b"c", b"")]):
        like(text, r"^250 2\.0\.0 Ok: queued as ", "quarantine")
        is_eq(messages, [], "the filter does not get it")
    is_eq(len(held()) - len(before), 2, "it is on hold")
    qid = (set(held()) - set(before)).pop()
    text = GW.cmd("postcat", "-qh", qid, check=True).stdout
    like(text, r"X-Bad: 1", "as the milter changed it")
    is_eq(text.count("X-Bad"), 1, "the milter was asked once")
    big = BODY + wire(*[b"line %d" % n for n in range(100000)])
    for text, _, lines, messages in milters([(b"h", zeros(b"X-New", b"1")), (b"c", b"")], content=big):
        is_eq(text, "250 2.0.0 taken", "a large message")
        ok(messages[0].endswith(b"Subject: x\r\nX-New: 1\r\n" + big[12:]), "with a header more")
    MILTER.at_end = lambda m: [(b"\xff", b"what?")]
    for port in (MILTERS, LATE_MILTERS):
        r, _ = send(port)
        is_eq((r.code, FILTER.messages), (451, []), "a milter that talks nonsense")


with GW:
    GW.start()
    wait_until(lambda: GW.find_log("daemon started"), "start")
    run(test_dialogue, test_replies, test_trouble, test_actions, test_release, test_milters)
