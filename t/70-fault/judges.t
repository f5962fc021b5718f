#!/usr/bin/env python3
"""Those who judge a message, and those who ask them, die or go away in the middle: what was acknowledged is there, once and whole; what was
not is not there in part; nobody keeps a descriptor of it."""
import os
import re
import signal
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
from instance import Instance, free_ports, wait_until
from milter import CONTINUE, Close, Milter, Reset, add_header, packet
from policy import PolicyServer
from smtp import Client, Gone, Scripted, Sink
from tap import is_eq, ok, run

TEMPFAIL = "451 4.7.1 Service unavailable - try again later"
GENERIC = "451 4.3.0 Error: queue file write error"
STAGES = ("connect", "helo", "mail", "rcpt", "data", "header", "body", "eom")
state, gates = {}, {s: threading.Event() for s in STAGES + ("policy",)}


def answer(stage):
    def fn(event):
        what = state.get(stage)
        if what == "wait":
            gates[stage].wait(60)
            return CONTINUE
        return what
    return fn


def policy(request):
    if state.get("policy") == "wait":
        gates["policy"].wait(60)
    return "DUNNO"


M, SECOND, SINK, FILTER, POLICY = Milter({s: answer(s) for s in STAGES}), Milter(), Sink(), Scripted(), PolicyServer(policy)
PORT, PROXY, PORTS = free_ports(3)
SMTPD = "%d inet n - n - - smtpd -o "
BODY = b"Subject: %s\r\n\r\n" + b"z" * 98 + b"\r\n"
GW = Instance(main={"smtpd_peername_lookup": "no", "smtpd_relay_restrictions": "permit_mynetworks, reject", "smtpd_error_sleep_time": "0", "relayhost": "[127.0.0.1]:%d" % SINK.port,
                    "smtpd_end_of_data_restrictions": "", "smtp_send_xforward_command": "no"},
              services=[SMTPD % PORT + "{smtpd_milters=%s %s} -o {smtpd_recipient_restrictions=check_policy_service %s}" % (M.where, SECOND.where, POLICY.name),
                        SMTPD % PROXY + "smtpd_proxy_filter=127.0.0.1:%d" % FILTER.port])


def descriptors(program):
    return {pid: len(os.listdir("/proc/%d/fd" % pid)) for pid in GW.pids(program)}


def total():
    return sum(sum(descriptors(p).values()) for p in ("smtpd", "cleanup"))


def reset():
    state.clear()
    for g in gates.values():
        g.set()
    M.idle()
    for g in gates.values():
        g.clear()
    M.clear()


def send(subject, port=PORT, n=1):
    with Client(port, timeout=60) as c:
        c.ehlo()
        for i in range(n):
            r = c.message("a@b.test", ["u@far.test"], BODY % subject)
    return r.text


def attempt(port):
    try:
        send(b"fails", port)
    except (Gone, OSError, AssertionError):  # refused before its end
        pass


def taken(subject):
    try:
        return send(subject)
    except AssertionError:
        return None


def begin(subject, port=PORT):
    """A client that has sent everything, and has no answer yet."""
    c = Client(port, timeout=60)
    c.ehlo()
    for line in ("MAIL FROM:<a@b.test>", "RCPT TO:<u@far.test>", "DATA"):
        c.cmd(line)
    c.send(BODY % subject + b".\r\n")
    return c


def subjects():
    return [m.header("Subject")[0] for m in SINK.messages]


def kill(program):
    pids = GW.pids(program)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not set(pids) & set(GW.pids(program)), "end of " + program)


def test_cleanup():
    for stage in ("header", "eom"):
        reset()
        state[stage] = "wait"
        c = begin(b"cleanup")
        M.wait(stage)
        kill("cleanup")
        is_eq(c.reply().code, 451, "cleanup dies while it asks a milter (%s): the message is not taken" % stage)
        reset()
        is_eq(c.cmd("MAIL FROM:<a@b.test>").text, TEMPFAIL, "the milter is lost for this session")
        c.close()
        is_eq(send(b"next")[:3], "250", "another session has it")
    SINK.wait("next")
    ok("cleanup" not in subjects(), "nothing of the lost message is delivered")


def test_smtpd():
    reset()
    state["eom"] = "wait"
    c = begin(b"smtpd")
    M.wait("eom")
    kill("smtpd")
    is_eq(c.ended(), b"", "smtpd dies while cleanup asks a milter")
    reset()
    is_eq(send(b"next")[:3], "250", "the next message")
    SINK.wait("next")
    ok(subjects().count("smtpd") <= 1, "the one without an answer is there once, or not at all")


def test_filter():
    for verb in ("DATA", "EOM"):
        FILTER.replies[verb] = None
        is_eq(send(b"filter", PROXY), GENERIC, "the filter dies at %s" % verb)
        FILTER.replies.clear()
    is_eq(send(b"filter", PROXY), "250 2.0.0 taken", "the next one has the message")
    is_eq(len([m for m in FILTER.messages if m.count(b"Subject") != 1]), 0, "it has no message in part")


def vanish(stage):
    """The client goes while somebody is asked."""
    reset()
    state[stage] = "wait"
    before = len(POLICY.requests)
    s = socket.create_connection(("127.0.0.1", PORT), 60)
    steps = [b"EHLO c\r\n", b"MAIL FROM:<a@b.test>\r\n", b"RCPT TO:<u@far.test>\r\n", b"DATA\r\n", BODY % b"vanished" + b".\r\n"]
    for step in steps[:("connect", "helo", "mail", "rcpt", "data").index(stage) if stage in ("connect", "helo", "mail", "rcpt", "data") else 3 if stage == "policy" else 5]:
        seen = b""
        while not re.search(rb"(^|\n)\d\d\d [^\n]*\n$", seen):
            seen += s.recv(4096)
        s.sendall(step)
    if stage == "policy":
        wait_until(lambda: len(POLICY.requests) > before, "the policy server is asked")
    else:
        M.wait(stage)
    s.close()
    state.clear()
    gates[stage].set()


def test_descriptors():
    reset()
    for n in range(3):
        send(b"warm", n=2)
        send(b"warm", PROXY)
    base = total()
    send(b"many", n=300)
    for i in range(60):
        send(b"many")
    wait_until(lambda: total() <= base + 4, "descriptors after many messages: %d, then %d" % (base, total()))
    ok(True, "many messages leave no descriptors behind")
    for stage in STAGES + ("policy",):
        for i in range(10):
            vanish(stage)
    reset()
    wait_until(lambda: total() <= base + 4, "descriptors after clients that vanished: %d" % base)
    ok(True, "so do clients that vanish while somebody is asked")
    kinds = {"close": Close, "reset": Reset, "garbage": packet("Z"), "too much": CONTINUE + CONTINUE, "cut short": [b"\0\0\0\7y550", Close], "changes and no end": [add_header("a", "b"), Close]}
    for name, what in kinds.items():
        for stage in STAGES:
            for i in range(3):
                reset()
                state[stage] = what
                attempt(PORT)
    reset()
    for i in range(10):
        for verb in ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "EOM"):
            for reply in (None, b"nonsense\r\n421 bye\r\n"):
                FILTER.replies[verb] = reply
                attempt(PROXY)
                FILTER.replies.clear()
    wait_until(lambda: total() <= base + 4, "descriptors after failures: %d" % base)
    ok(True, "so does every way to fail")
    wait_until(lambda: taken(b"last"), "the milter is asked again")  # it was left alone for a moment
    SINK.wait("last")
    is_eq(GW.find_log("(process exit|panic|Sanitizer)"), [], "without complaints")


with GW:
    GW.start()
    run(test_cleanup, test_smtpd, test_filter, test_descriptors)
