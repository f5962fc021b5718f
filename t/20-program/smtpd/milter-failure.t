#!/usr/bin/env python3
"""Milters that are away, silent, slow, or talk nonsense: one line names them, the default action follows, and nobody else waits."""
import os
import re
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import Instance, free_port, wait_until
from milter import CONN_FAIL, CONTINUE, Close, Hang, Milter, Reset, add_header, packet, reply
from smtp import Client
from tap import is_eq, like, ok, run

state = {}
STAGES = ("connect", "helo", "mail", "rcpt", "data", "unknown")
CONTENT = ("header", "eoh", "body", "eom")
M = Milter({name: (lambda n: lambda event: state.get(n))(name) for name in STAGES + CONTENT})
OTHER = Milter()
go = {name: threading.Event() for name in ("mail", "header")}
SLOW = Milter({name: (lambda n, at: lambda e: go[n].wait(60) and None if "slow" in e.args[at] else None)(name, at) for name, at in (("mail", 0), ("header", 1))})
AWAY = free_port()
ACTIONS = ("tempfail", "reject", "accept", "quarantine", "shutdown")
PORTS = {a: free_port() for a in ACTIONS}
NEG, DOWN, DOWN_UNIX, SLEEPY, NONAME, MANY = (free_port() for _ in range(6))
SMTPD = "%d inet n - n - - smtpd"
MAIN = {"smtpd_relay_restrictions": "permit_mynetworks, reject", "smtpd_peername_lookup": "no", "smtpd_error_sleep_time": "0", "relayhost": "[127.0.0.1]:9",
        "milter_command_timeout": "1s", "milter_connect_timeout": "2s"}


def service(port, milters, **settings):
    return SMTPD % port + "".join(" -o { %s = %s }" % i for i in dict(settings, smtpd_milters=milters).items())


GW = Instance(main=MAIN, services=[service(PORTS[a], M.where, milter_default_action=a) for a in ACTIONS] + [
    service(DOWN, "inet:127.0.0.1:%d" % AWAY), service(DOWN_UNIX, "{ unix:/no/such/socket, default_action=reject }"),
    service(SLEEPY, SLOW.where, milter_command_timeout="30s"), service(NONAME, "inet:nosuch.invalid:7", milter_default_action="accept"),
    service(MANY, "{ inet:127.0.0.1:%d, default_action=accept } { %s, { default_action = quarantine } }" % (AWAY, OTHER.where))])

NONSENSE = {
    "end of file": Close, "Connection reset|end of file": Reset, "unknown reply": packet("Z"), "bad packet length 0": b"\0\0\0\0c",
    "bad packet length 1213486160": b"HTTP/1.0 400 Bad request\r\n\r\n", "end of file in the middle of a packet": [b"\0\0\0\7y550", Close],
    "unexpected add header reply": add_header("a", "b"), "continue reply has 4 bytes too many": packet("c", b"junk"),
    "unexpected negotiation reply": packet("O", b"x" * 12), "unexpected conn_fail reply": CONN_FAIL,
}
COMMANDS = {"mail": "MAIL FROM:<a@b.test>", "rcpt": "RCPT TO:<u@far.test>", "unknown": "ODD", "data": "DATA"}


def codes(port):
    with Client(port) as c:
        out = {"connect": c.greeting.text}
        for name, line in dict({"helo": "EHLO c.test"}, **COMMANDS).items():
            if out["connect"].startswith("421") or name != "helo" and last.startswith("421"):
                c.ended()
                break
            last = out[name] = c.cmd(line).text
        return out


TEMPFAIL, REJECT = "451 4.7.1 Service unavailable - try again later", "550 5.5.0 Service unavailable"


def good_sessions():
    """The milter must not be one that keeps failing, for the next test."""
    state.clear()
    for port in PORTS.values():
        codes(port)


def check(stage, answer, what):
    """All default actions when this is what the milter says at that stage."""
    good_sessions()
    state[stage] = answer
    seen = stage if stage in COMMANDS else "mail"
    is_eq(codes(PORTS["tempfail"])[seen], TEMPFAIL, "%s at %s: tempfail" % (what, stage))
    r = codes(PORTS["reject"])
    is_eq((r[seen], r["connect"][:3]), (REJECT, "554" if stage == "connect" else "220"), "%s at %s: reject" % (what, stage))
    is_eq([c[:3] for c in codes(PORTS["accept"]).values()], ["220", "250", "250", "250", "500", "354"], "%s at %s: accept" % (what, stage))
    mark = len(GW.log())
    is_eq([c[:3] for c in codes(PORTS["quarantine"]).values()], ["220", "250", "250", "250", "500", "354"], "%s at %s: quarantine" % (what, stage))
    GW.wait_log("milter-hold: .*: milter triggers HOLD action; ", since=mark)
    r = list(codes(PORTS["shutdown"]).values())[-1]
    like(r, "^421 ", "%s at %s: shutdown" % (what, stage))


def test_nonsense():
    for what, answer in NONSENSE.items():
        mark = len(GW.log())
        check("rcpt", answer, what)
        GW.wait_log(r"warning: milter %s: RCPT: .*(%s)" % (M.where, what), count=5, since=mark)
        GW.wait_log(r"NOQUEUE: milter %s: RCPT from unknown\[127.0.0.1\]: failed, default_action reject; time=\d" % M.where, since=mark)


def test_stages():
    for stage in STAGES:
        check(stage, packet("Z"), "nonsense")


def test_bad_reply():
    good_sessions()
    for text in (b"250 ok\0", b"550 no", b"550\0", b"550 nul\0inside\0", b"abc\0", b"55\0", b"550x\0", b"550 a\r\n551 b\0", b"\0"):
        state.clear()
        state["rcpt"] = packet("y", text)
        is_eq([codes(PORTS[a])["rcpt"][:9] for a in ("tempfail", "reject", "accept")], ["451 4.3.5", "451 4.3.5", "250 2.1.5"], "reply code %r" % text)
    state["rcpt"] = reply("550 5.7.1 bell\a and \x80")
    like(codes(PORTS["tempfail"])["rcpt"], "^550 5.7.1 bell\\? and ", "control characters")


def test_silence():
    state.clear()
    state["mail"] = Hang
    mark = len(GW.log())
    is_eq(codes(PORTS["tempfail"])["mail"], TEMPFAIL, "time-out")
    GW.wait_log(r"warning: milter %s: MAIL: timeout" % M.where, since=mark)
    GW.wait_log(r"MAIL from .*: failed, default_action tempfail; time=(0\.[5-9]|[1-9]\.)\d+: timeout", since=mark)


def test_content():
    """What happens in cleanup holds in smtpd, too."""
    for stage in CONTENT:
        good_sessions()
        state[stage] = Close
        for action, end, again in (("tempfail", TEMPFAIL, TEMPFAIL), ("reject", REJECT, REJECT), ("accept", "250", "250"), ("quarantine", "250", "250")):
            mark = len(GW.log())
            with Client(PORTS[action]) as c:
                c.ehlo()
                r = c.message("a@b.test", ["u@far.test"])
                is_eq((r.text[:len(end)], c.cmd("MAIL FROM:<a@b.test>").text[:len(again)]), (end, again), "closed at %s: %s" % (stage, action))
            GW.wait_log(r"warning: milter %s: [A-Z-]+: (end of file|Connection reset)" % M.where, since=mark)
    good_sessions()
    state["eom"] = [packet("m", b"\0\0\0\1" + b"Subject\0changed\0"), packet("q", b"odd\0"), packet("Z")]
    with Client(PORTS["tempfail"]) as c:
        c.ehlo()
        is_eq(c.message("a@b.test", ["u@far.test"]).text, TEMPFAIL, "nonsense among changes")


def test_out_of_turn():
    """What was not asked for is no answer to the next question."""
    with_twice = [CONTINUE + CONTINUE]
    for stage, blamed in (("helo", "MAIL"), ("mail", "RCPT"), ("rcpt", "UNKNOWN")):
        good_sessions()
        state[stage] = with_twice
        mark = len(GW.log())
        is_eq(codes(PORTS["tempfail"])["data"][:3], "451" if stage == "rcpt" else "503" if stage == "helo" else "554", "two answers at %s" % stage)
        GW.wait_log(r"warning: milter %s: %s: unexpected continue reply" % (M.where, blamed), since=mark)
    for stage in ("header", "eoh", "body"):
        for answer in (CONTINUE + CONTINUE, CONTINUE + packet("r")):
            good_sessions()
            state[stage] = answer
            mark = len(GW.log())
            with Client(PORTS["tempfail"]) as c:
                c.ehlo()
                is_eq(c.message("a@b.test", ["u@far.test"]).text, TEMPFAIL, "two answers at %s: the message is not taken" % stage)
            GW.wait_log(r"warning: milter %s: [A-Z-]+: unexpected (continue|reject) reply" % M.where, since=mark)
    for stage in ("header", "body"):
        good_sessions()
        M.steps = 0x80 | 0x80000 | 0x40000
        state[stage] = packet("p")
        with Client(PORTS["tempfail"]) as c:
            c.ehlo()
            is_eq(c.message("a@b.test", ["u@far.test"]).code, 250, "progress is always allowed")
        M.steps = 0
    good_sessions()
    state["eom"] = [CONTINUE + CONTINUE]
    mark = len(GW.log())
    with Client(PORTS["tempfail"]) as c:
        c.ehlo()
        is_eq(c.message("a@b.test", ["u@far.test"]).code, 250, "two answers to the end of a message")
        is_eq(c.cmd("MAIL FROM:<a@b.test>").text, TEMPFAIL, "and the next one is not taken")


def test_floods():
    """At the end of a message: an end to it, and it costs nothing but time."""
    floods = {"add header": packet("h", b"X\0" + b"y" * 500 + b"\0"), "add recipient": packet("+", b"<a@b.test>\0"), "bad header name": packet("h", b"X Y\0z\0"), "quarantine": packet("q", b"odd\0"),
              "empty body": packet("b"), "body": packet("b", b"x" * 65000), "large header": packet("h", b"X\0" + b"y" * 65000 + b"\0"), "change header": packet("m", b"\xff\xff\xff\xffX\0y\0")}
    for what, part in floods.items():
        good_sessions()
        state["eom"] = [part * (200000 // len(part) + 1)] * 2000 + [Close]
        mark = len(GW.log())
        with Client(PORTS["tempfail"]) as c:
            c.ehlo()
            is_eq(c.message("a@b.test", ["u@far.test"]).text, TEMPFAIL, "a flood of %s" % what)
        GW.wait_log(r"warning: milter %s: END-OF-MESSAGE: (more than \d+ replies|more changes than can be kept|new body of more than)" % M.where, since=mark)
    for pid in GW.pids("cleanup"):
        peak = int(re.search(r"VmHWM:\s+(\d+)", open("/proc/%d/status" % pid).read()).group(1))
        ok(peak < 100000, "cleanup needed %d KB at the most" % peak)


def test_lasting():
    state.clear()
    state["rcpt"] = Close
    with Client(PORTS["tempfail"]) as c:
        c.ehlo()
        c.cmd("MAIL FROM:<a@b.test>")
        c.cmd("RCPT TO:<u@far.test>")
        state.clear()
        is_eq([c.cmd(l).text for l in ("RCPT TO:<v@far.test>", "RSET", "MAIL FROM:<a@b.test>", "ODD")], [TEMPFAIL, "250 2.0.0 Ok", TEMPFAIL, TEMPFAIL],
              "for the rest of the session")


def test_away():
    is_eq(codes(DOWN)["mail"], TEMPFAIL, "nobody there")
    GW.wait_log(r"warning: connect to Milter service inet:127.0.0.1:%d: Connection refused$" % AWAY)
    with Client(DOWN_UNIX) as c:
        is_eq(c.greeting.code, 554, "no such socket")
    GW.wait_log(r"warning: connect to Milter service unix:/no/such/socket: No such file or directory")
    is_eq(codes(NONAME)["data"][:3], "354", "no such host")
    GW.wait_log(r"warning: connect to Milter service inet:nosuch.invalid:7: host nosuch.invalid: ")
    is_eq(codes(MANY)["data"][:3], "354", "others are asked all the same")
    ok("data" in OTHER.names(), "and see everything")


def test_backoff():
    mark = len(GW.log())
    for _ in range(40):
        is_eq(codes(DOWN)["mail"], TEMPFAIL, "still away")
    dialled = len(GW.find_log("connect to Milter service inet:127.0.0.1:%d" % AWAY, since=mark))
    GW.wait_log(r"milter inet:127.0.0.1:%d: CONNECT from .*: failed, default_action tempfail; time=\S+: not asked: it has just failed several times" % AWAY, since=mark)
    ok(dialled < 38, "not dialled at full rate (%d of 40)" % dialled)


def test_negotiation():
    for what, answer in {"cut short": packet("O", b"\0\0\0\6\0\0"), "continue reply": CONTINUE, "bad packet length": b"HTTP/1.0 400 Bad request\r\n", "end of file": Close,
                         "protocol version 7": packet("O", b"\0\0\0\7" + b"\0" * 8), "unknown actions 0xfe00": packet("O", b"\0\0\0\6\0\0\xff\xff\0\0\0\0"),
                         "list of macros is cut short": packet("O", b"\0\0\0\6" + b"\0" * 8 + b"abc"),
                         "list of macros of 10000 bytes": packet("O", b"\0\0\0\6" + b"\0" * 12 + b"i" * 10000 + b"\0"), "timeout": Hang}.items():
        M.negotiate = answer
        mark = len(GW.log())
        is_eq(codes(PORTS["tempfail"])["mail"], TEMPFAIL, "negotiation: " + what)
        GW.wait_log("(warning: milter .*: CONNECT: negotiation.*%s|not asked)" % what, since=mark)
    M.negotiate = packet("O", b"\0\0\0\6" + b"\0" * 8 + b"\0\0\0\x63i\0" * 100000)
    mark = len(GW.log())
    wait_until(lambda: codes(PORTS["tempfail"])["mail"].startswith("250"), "macros for a stage that there is not")
    is_eq(len(GW.find_log("macros for the unknown stage 99", since=mark)), 1, "one warning for 100000 lists of them")
    M.negotiate = packet("O", b"\0\0\0\2" + b"\0\0\0\0" + b"\xff\xff\xff\x00")
    state.clear()
    wait_until(lambda: codes(PORTS["tempfail"])["mail"].startswith("250"), "the milter is asked again")
    M.idle().clear()
    codes(PORTS["tempfail"])
    is_eq(M.idle().names(), ["negotiate", "connect", "helo", "mail", "rcpt", "quit"], "an old milter that asks for too much gets what version 2 has")
    M.negotiate = None


def test_sleep():
    sleepers = [Client(SLEEPY) for _ in range(50)]
    for c in sleepers:
        c.ehlo()
        c.send("MAIL FROM:<slow@b.test>\r\n")
    SLOW.wait("mail", 50)
    is_eq(codes(SLEEPY)["data"][:3], "354", "a session while others wait for the milter")
    go["mail"].set()
    for c in sleepers:
        is_eq(c.reply().code, 250, "and they get their answer")
        c.cmd("RCPT TO:<u@far.test>")
        c.cmd("DATA")
        c.send(b"Subject: slow\r\n\r\nx\r\n.\r\n")
    SLOW.wait("header", 50)
    with Client(SLEEPY) as c:
        c.ehlo()
        is_eq(c.message("a@b.test", ["u@far.test"]).code, 250, "a message while cleanup waits for the milter")
    go["header"].set()
    for c in sleepers:
        is_eq(c.reply().code, 250, "accepted")
        c.close()


with GW:
    GW.start()
    run(test_nonsense, test_stages, test_bad_reply, test_silence, test_content, test_out_of_turn, test_floods, test_lasting, test_away, test_backoff, test_negotiation, test_sleep)
