#!/usr/bin/env python3
"""smtpd and its milters: events, answers at every stage, macros, milters by client."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import Instance, free_port
from milter import (ACCEPT, CONN_FAIL, DISCARD, NO, NO_REPLY, REJECT, REJECTED_RCPT, SHUTDOWN, SKIP, TEMPFAIL, Milter, reply)
from smtp import Client
from tap import is_eq, like, ok, run, skip

state = {}


def decide(name):
    return lambda event: state.get(name)


M = Milter({name: decide(name) for name in ("connect", "helo", "mail", "rcpt", "data", "unknown")})
SECOND = Milter()
WANTS_ALL = Milter(steps=REJECTED_RCPT, macros={"rcpt": "i {rcpt_addr} {rcpt_host} {rcpt_mailer}", "connect": "{client_ptr},{client_port} _", "helo": ""})
QUIET = Milter(steps=sum(NO_REPLY.values()) | NO["mail"])
DIR = tempfile.TemporaryDirectory()
os.chmod(DIR.name, 0o755)
LOCAL = Milter({"mail": reply("550 5.7.1 local")}, path=DIR.name + "/m")
os.chmod(DIR.name + "/m", 0o777)
NAMED = Milter({"mail": REJECT})
try:
    SIX = Milter({"mail": REJECT}, host="::1")
except OSError:
    SIX = None
PORT, TWO, ALL, SILENT, MAPS, NONE, SOFT, UNIX, NAME, V6 = (free_port() for _ in range(10))
SMTPD = "%d inet n - n - - smtpd -o smtpd_milters=%s"
MAIN = {"smtpd_relay_restrictions": "permit_mynetworks, reject", "smtpd_peername_lookup": "no", "smtpd_error_sleep_time": "0", "relayhost": "[127.0.0.1]:9",
        "smtpd_recipient_restrictions": "check_recipient_access inline:{{no@far.test=REJECT we do not like it}, {drop@far.test=DISCARD}}, permit",
        "inet_protocols": "all", "smtpd_authorized_xclient_hosts": "127.0.0.0/8"}
GW = Instance(main=MAIN, services=[
    SMTPD % (PORT, M.where), SMTPD % (TWO, M.where + "," + SECOND.where), SMTPD % (ALL, WANTS_ALL.where), SMTPD % (SILENT, QUIET.where),
    SMTPD % (MAPS, M.where) + " -o { smtpd_milter_maps = inline:{ 127.0.0.8=DISABLE, { 127.0.0.9 = { %s, default_action=accept } }, 127.0.0.7=oops } }"
    % SECOND.where, SMTPD % (UNIX, LOCAL.where), SMTPD % (NAME, NAMED.where.replace("127.0.0.1", "localhost")), SMTPD % (V6, SIX.where if SIX else M.where), SMTPD % (NONE, M.where) + " -o receive_override_options=no_milters", SMTPD % (SOFT, M.where) + " -o soft_bounce=yes"])


def set_state(**answers):
    state.clear()
    state.update(answers)
    for m in (M, SECOND, WANTS_ALL, QUIET):
        m.idle().clear()


def codes(port=PORT, commands=("MAIL FROM:<a@b.test>", "RCPT TO:<u@far.test>", "RCPT TO:<v@far.test>", "ODD thing", "DATA")):
    """Reply codes of a session, the greeting's first."""
    with Client(port) as c:
        out = [c.greeting.code]
        for line in ("EHLO c.test",) + tuple(commands):
            if out[-1] == 421:
                c.ended()
                break
            out.append(c.cmd(line).code)
        return out


def test_events():
    set_state()
    with Client(PORT) as c:
        c.ehlo("one.test")
        is_eq(M.names(), ["negotiate", "connect", "helo"], "events when their commands come")
        c.cmd("MAIL FROM:<a@B.test> SIZE=10 BODY=8BITMIME")
        c.cmd('RCPT TO:<"x y"@far.test> NOTIFY=NEVER')
        c.cmd("RCPT TO:<no@far.test>")
        c.cmd("Odd thing")
        c.cmd("RSET")
        M.wait("abort")
        c.cmd("MAIL FROM:<>")
        c.cmd("EHLO two.test")
        c.cmd("DATA")
        c.cmd("VRFY x")
        c.cmd("MAIL FROM:<x")
        c.cmd("QUIT")
    M.wait("quit")
    is_eq(M.names(but=()), ["negotiate", "connect", "helo", "mail", "rcpt", "unknown", "abort", "mail", "abort", "helo", "quit"], "all events")
    e = {name: M.seen(name)[0] for name in ("connect", "helo", "mail", "rcpt", "unknown")}
    is_eq([e["connect"].args[i] for i in (0, 1, 3)], ["[127.0.0.1]", "4", "127.0.0.1"], "connect")
    is_eq([e[n].args for n in ("helo", "mail", "rcpt", "unknown")],
          [["one.test"], ["<a@B.test>", "SIZE=10", "BODY=8BITMIME"], ['<"x y"@far.test>', "NOTIFY=NEVER"], ["Odd"]], "arguments")
    is_eq(M.seen("mail")[1].args, ["<>"], "the null sender")
    is_eq(M.offers[-1], (6, 0x1ff, 0x1fffff), "negotiation")


def test_connect():
    for answer, greeting, mail in ((REJECT, 554, 550), (reply("553 5.7.7 go"), 554, 553), (TEMPFAIL, 220, 451), (reply("450 4.7.7 later"), 220, 450)):
        set_state(connect=answer)
        is_eq(codes(commands=("MAIL FROM:<a@b.test>", "RCPT TO:<u@far.test>", "ODD", "RSET")), [greeting, 250, mail, 503, mail, 250], "%r" % answer)
        is_eq(M.idle().names(), ["negotiate", "connect", "quit"], "the milter's work is done")
    set_state(connect=REJECT)
    with Client(PORT) as c:
        is_eq(c.greeting.text, "554 gw.example.test ESMTP not accepting connections", "greeting")
        is_eq(c.ehlo().lines[1:], ["ENHANCEDSTATUSCODES"], "EHLO of a client that was refused")
        is_eq(c.cmd("MAIL FROM:<a@b.test>").text, "550 5.7.1 Command rejected", "reply to MAIL")
    GW.wait_log(r"NOQUEUE: milter-reject: CONNECT from unknown\[127.0.0.1\]: 550 5.7.1 Command rejected; proto=SMTP$")
    GW.wait_log(r"NOQUEUE: milter inet:127.0.0.1:\d+: CONNECT from unknown\[127.0.0.1\]: reject; time=\d+\.\d{4}$")
    for answer in (SHUTDOWN, reply("421 4.3.2 bye")):
        set_state(connect=answer)
        with Client(PORT) as c:
            is_eq(c.greeting.text, "421 gw.example.test Service unavailable - try again later", "greeting")
            c.ended()
    set_state(connect=ACCEPT)
    codes()
    is_eq(M.idle().names(), ["negotiate", "connect", "quit"], "a session that was accepted")
    set_state(connect=DISCARD)
    is_eq(codes(), [220, 250, 250, 250, 250, 500, 354], "nothing is there to discard yet")


def test_helo():
    set_state(helo=reply("550 5.7.1 bad name"))
    is_eq(codes(), [220, 250, 550, 503, 503, 550, 503], "a refusal at HELO comes at MAIL")
    is_eq(codes(commands=("VRFY", "VRFY a@b.test", "ETRN b.test", "STARTTLS", "NOOP", "RSET"))[2:], [501, 550, 550, 550, 250, 250], "and at what milters are not told of")
    GW.wait_log(r"NOQUEUE: milter-reject: EHLO from unknown\[127.0.0.1\]: 550 5.7.1 bad name; proto=SMTP helo=<c.test>")
    set_state(helo=SHUTDOWN)
    is_eq(codes(), [220, 421], "shutdown")
    GW.wait_log(r"milter-reject: EHLO from .*: 421 4.7.0 Server closing connection")


def test_envelope():
    for stage, index in (("mail", 2), ("rcpt", 3), ("unknown", 5), ("data", 6)):
        for answer, code in ((REJECT, 550), (TEMPFAIL, 451), (reply("552 5.2.3 100%% full"), 552)):
            set_state(**{stage: answer})
            is_eq(codes()[index], code, "%r at %s" % (answer, stage))
        for answer in (reply("421 4.3.2 bye"), SHUTDOWN):
            set_state(**{stage: answer})
            is_eq(codes()[index:], [421], "%r at %s" % (answer, stage))
        set_state(**{stage: SKIP})
        is_eq(codes(), [220, 250, 250, 250, 250, 500, 354], "skip at %s means nothing" % stage)
        set_state(**{stage: ACCEPT})
        is_eq(codes(), [220, 250, 250, 250, 250, 500, 354], "accept at %s" % stage)
        is_eq(M.idle().names()[-2:], [stage, "quit"], "no more events of this message")
    set_state(rcpt=lambda e: reply("550-5.1.1 first", "550 5.1.2 second") if "<u" in e.args[0] else None)
    with Client(PORT) as c:
        c.ehlo()
        c.cmd("MAIL FROM:<a@b.test>")
        is_eq(c.cmd("RCPT TO:<u@far.test>").lines, ["5.1.1 first", "5.1.2 second"], "several lines, verbatim")
        is_eq(c.cmd("RCPT TO:<v@far.test>").code, 250, "another recipient")
    GW.wait_log(r"milter-reject: RCPT from .*: 550 5.1.1 first 5.1.2 second; from=<a@b.test> to=<u@far.test> proto=ESMTP")
    GW.wait_log(r"NOQUEUE: milter-reject: RCPT from .*: 552 5.2.3 100% full; ")
    set_state(mail=REJECT)
    is_eq(codes(SOFT)[2], 450, "soft_bounce")


def test_discard():
    for stage in ("mail", "rcpt", "data"):
        set_state(**{stage: DISCARD})
        with Client(TWO) as c:
            c.ehlo()
            is_eq(c.message("a@b.test", ["u@far.test"]).code, 250, "discard at %s" % stage)
            is_eq(M.names()[-1], stage, "nobody is asked about it any more")
            ok("eom" not in SECOND.names(), "nor is the next milter")
            state.clear()
            c.cmd("MAIL FROM:<a@b.test>")
            is_eq((M.names()[-1], SECOND.names()[-1]), ("mail", "mail"), "the next message is another matter")
    GW.wait_log(r"milter-discard: DATA from .*: milter triggers DISCARD action; from=<a@b.test> to=<u@far.test>")
    set_state(data=REJECT)
    is_eq(codes()[-1], 550, "refused at DATA")
    GW.wait_log(r"milter-reject: DATA from .*: 550 5.7.1 Command rejected; from=<a@b.test> to=<u@far.test>")  # the first of two
    set_state()
    with Client(PORT) as c:
        c.ehlo()
        c.message("a@b.test", ["drop@far.test"])
    ok("rcpt" not in M.names(), "a message that our own rules discard is not shown")


def test_two():
    set_state(rcpt=lambda e: REJECT if "<u" in e.args[0] else None)
    codes(TWO)
    is_eq(SECOND.names()[:7], ["negotiate", "connect", "helo", "mail", "rcpt", "unknown", "data"], "the second does not see what the first refused")
    is_eq(SECOND.seen("rcpt")[0].args, ["<v@far.test>"], "and sees what it did not")


def test_rejected_rcpt():
    set_state()
    codes(ALL, ("MAIL FROM:<a@b.test>", "RCPT TO:<no@far.test> NOTIFY=NEVER", "RCPT TO:<Some.Body@FAR.test>", "RCPT TO:<x"))
    is_eq([e.args for e in WANTS_ALL.seen("rcpt")], [["<no@far.test>", "NOTIFY=NEVER"], ["<Some.Body@FAR.test>"]], "recipients shown")
    is_eq(WANTS_ALL.seen("rcpt")[0].macros, {"{rcpt_addr}": "Recipient address rejected: we do not like it", "{rcpt_host}": "5.7.1", "{rcpt_mailer}": "error"},
          "macros of a recipient that was refused")
    is_eq(WANTS_ALL.seen("rcpt")[1].macros, {"{rcpt_addr}": "some.body@far.test", "{rcpt_host}": "[127.0.0.1]:9", "{rcpt_mailer}": "smtp"}, "and of one that was not")
    m = WANTS_ALL.seen("connect")[0].macros
    is_eq((m["_"], m["{client_ptr}"], sorted(m)), ("unknown [127.0.0.1]", "unknown", ["_", "{client_port}", "{client_ptr}"]), "macros that it asked for")
    is_eq(WANTS_ALL.seen("mail")[0].macros, {"{mail_addr}": "a@b.test", "{mail_host}": "[127.0.0.1]:9", "{mail_mailer}": "smtp"}, "others are the configured ones")


def test_macros():
    set_state()
    codes()
    is_eq(M.seen("connect")[0].macros.items() >= {"j": "gw.example.test", "{daemon_name}": "gw.example.test", "{daemon_addr}": "127.0.0.1",
                                                  "_": "unknown [127.0.0.1]"}.items(), True, "connect")
    first, second = M.seen("rcpt")
    ok("i" not in first.macros, "no queue ID before the first recipient")
    like(second.macros["i"], "^[0-9A-F]+$", "then there is one")
    is_eq(M.seen("data")[0].macros, {"i": second.macros["i"]}, "DATA")
    is_eq(M.seen("helo")[0].macros, {}, "HELO without TLS")


def test_quiet():
    set_state()
    is_eq(codes(SILENT), [220, 250, 250, 250, 250, 500, 354], "a milter that does not answer")
    is_eq(QUIET.idle().names(), ["negotiate", "connect", "helo", "rcpt", "rcpt", "unknown", "data", "quit"], "sees what it did not decline, at once")


def test_xclient():
    set_state()
    with Client(PORT) as c:
        c.cmd("EHLO one.test")
        is_eq(c.cmd("XCLIENT NAME=foo.test ADDR=192.0.2.7 PORT=77").code, 220, "XCLIENT")
        c.cmd("EHLO two.test")
        c.cmd("QUIT")
    M.wait("quit", 2)
    is_eq([M.names(n) for n in (M.sessions - 1, M.sessions)], [["negotiate", "connect", "helo", "quit"]] * 2, "a new session")
    is_eq(M.seen("connect")[1].args, ["foo.test", "4", 77, "192.0.2.7"], "of another client")
    set_state()
    with Client(PORT) as c:
        c.cmd("XCLIENT ADDR=IPV6:2001:db8::1 NAME=[UNAVAILABLE]")
        is_eq(M.wait("connect", 2).args[::3], ["[2001:db8::1]", "2001:db8::1"], "IPv6")


def test_by_client():
    for source, seen in (("127.0.0.6", (1, 0)), ("127.0.0.8", (0, 0)), ("127.0.0.9", (0, 1))):
        set_state()
        with Client(MAPS, source=source) as c:
            c.ehlo()
            is_eq((len(M.seen("helo")), len(SECOND.seen("helo"))), seen, "milters of " + source)
    with Client(MAPS, source="127.0.0.7") as c:
        is_eq((c.greeting.code, c.ehlo().code, c.cmd("MAIL FROM:<a@b.test>").text), (220, 250, "451 4.3.5 Server configuration problem - try again later"), "a list that makes no sense")
    GW.wait_log('warning: milter oops: "oops" begins with neither inet: nor unix:')
    set_state()
    codes(NONE)
    is_eq(M.names(), [], "no_milters")


def test_addresses():
    is_eq(codes(NAME)[2], 550, "a name")
    if SIX:
        is_eq(codes(V6)[2], 550, "IPv6")
    else:
        skip("IPv6", "there is none")
    is_eq(codes(UNIX)[2], 550, "a UNIX socket")


def test_bdat():
    set_state(data=REJECT)
    with Client(PORT) as c:
        c.ehlo()
        for line in ("MAIL FROM:<a@b.test>", "RCPT TO:<u@far.test>"):
            c.cmd(line)
        c.send(b"BDAT 4\r\na: bBDAT 2 LAST\r\n\r\n")
        is_eq([c.reply().code for _ in range(2)], [550, 551], "the DATA event comes with the first BDAT")
        is_eq(c.cmd("NOOP").code, 250, "in step")


with GW:
    GW.start()
    run(test_events, test_connect, test_helo, test_envelope, test_discard, test_two, test_rejected_rcpt, test_macros, test_quiet, test_xclient, test_by_client, test_addresses, test_bdat)
