#!/usr/bin/env python3
"""Milters and the complete message: what they are shown at the end of data, what is queued of what they change, what becomes of
the message when they refuse it, hold it, or fail in the middle; mail of sendmail and bounces."""
import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
from instance import Instance, free_port, wait_until
from milter import (ACCEPT, CONTINUE, DISCARD, LEADING_SPACE, PROGRESS, REJECT, SKIP, SKIP_ALLOWED, TEMPFAIL, Close, Hang, Milter, add_header, add_rcpt,
                    change_from, change_header, delete_rcpt, insert_header, packet, quarantine, replace_body, reply)
from smtp import Client, Sink
from tap import is_eq, like, ok, run

SINK = Sink()
ONE, TWO, LOCAL = Milter(), Milter(), Milter()
PORT, BOTH, LENIENT = free_port(), free_port(), free_port()
GW = Instance(
    main={"relayhost": "[127.0.0.1]:%d" % SINK.port, "myhostname": "gw.example.test", "smtpd_error_sleep_time": "0", "smtpd_hard_error_limit": "1000",
          "smtpd_peername_lookup": "no", "mynetworks": "127.0.0.1", "message_size_limit": "4000000", "virtual_alias_maps": "inline:{alias@far.test=target@far.test}",
          "sender_canonical_maps": "inline:{plain@client.test=canonical@client.test}", "sender_bcc_maps": "inline:{watched@client.test=sent@far.test}",
          "transport_maps": "inline:{{bad.test=error:5.1.1 no such place}}", "milter_default_action": "tempfail", "milter_content_timeout": "20s", "non_smtpd_milters": LOCAL.where, "internal_mail_filter_classes": "bounce",
          "header_checks": "regexp:{{/^X-Bad:/ REJECT 5.7.3 bad} {/^X-Drop:/ DISCARD}}",
          "smtpd_sender_restrictions": "check_sender_access inline:{{pre@client.test=PREPEND X-Pre: p}}",
          "milter_header_checks": "regexp:{{/^X-Hold:/ HOLD} {/^X-Say: (.*)/ WARN said $$1} {/^X-Refuse:/ REJECT 5.7.2 not with this} {/^X-None:/ IGNORE}"
                                  " {/^X-Elsewhere:/ REDIRECT other@far.test} {/^X-Old: (.*)/ REPLACE X-New: $$1}}"},
    services=["%d inet n - n - - smtpd -o smtpd_milters=%s" % (PORT, ONE.where),
              "%d inet n - n - - smtpd -o { smtpd_milters = %s, %s }" % (BOTH, ONE.where, TWO.where),
              "%d inet n - n - - smtpd -o { smtpd_milters = { %s, default_action=accept } { %s, default_action=quarantine } }" % (LENIENT, ONE.where, TWO.where)])


def mail(subject, body=b"body\r\n", port=PORT, sender="a@client.test", rcpts=("b@far.test",), head=b""):
    """The reply to the message. body: stuffed."""
    for m in (ONE, TWO, LOCAL):
        m.clear()
    with Client(port, timeout=60) as c:
        c.ehlo("mx.client.test")
        c.cmd("MAIL FROM:<%s>" % sender)
        for r in rcpts:
            c.cmd("RCPT TO:<%s>" % r)
        r = c.data(b"Subject: %s\r\n%s\r\n" % (subject.encode(), head) + body)
        c.cmd("QUIT")
    return r


def eom(*answers):
    return {"eom": list(answers) + [CONTINUE]}


def names(m):
    return [h.split(":")[0] for h in m.headers if not re.match("Message-Id|Date|From", h)]


def queued():
    return GW.cmd("postqueue", "-p").stdout


def gone(rcpt):
    return not [m for m in SINK.messages if rcpt in m.rcpts]


def test_changes():
    ONE.answers = eom(insert_header(1, "X-Below", "1"), insert_header(0, "X-Above", "0"), change_header(2, "x-twin", "two"), change_header(1, "X-Twin", ""),
                      add_header("X-Last", "l\n\tm"), replace_body(b".x\n"), PROGRESS, replace_body(b"y"))
    is_eq(mail("changes", head=b"X-Twin: 1\r\nX-Twin: 2\r\n").code, 250, "a message that is changed")
    m = SINK.wait("changes")
    is_eq(names(m), ["X-Above", "Received", "X-Below", "Subject", "x-twin", "X-Last"], "order of the fields")
    is_eq((m.header("X-Twin"), m.body), (["two"], b".x\r\ny\r\n"), "values and body")
    GW.wait_log(r"from=<a@client\.test>, size=%d, nrcpt=1 \(queue active\)" % len(m.data))
    ONE.answers = eom(insert_header(1, "X-One", "1"), insert_header(2, "X-Two", "2"))
    mail("prepended", sender="pre@client.test")
    is_eq(names(SINK.wait("prepended"))[:5], ["X-Pre", "X-One", "X-Two", "Received", "Subject"], "positions count PREPENDed fields and our Received")
    like(ONE.seen("header")[0].args[0], "X-Pre", "which are shown, all but our own Received")
    ONE.answers = {}
    mail("stuffed", b"..\r\n...two\r\n\r\n..\r\n")
    is_eq((SINK.wait("stuffed").body, ONE.body()), (b".\r\n..two\r\n\r\n.\r\n",) * 2, "a milter and the next hop see the same body")


def test_large():
    body = b"".join(b"%06d %s\r\n" % (i, b"x" * 60) + b"..\r\n" for i in range(30000))
    plain = body.replace(b"\r\n..\r\n", b"\r\n.\r\n")
    for what, answers in (("large-looked-at", []), ("large-header", [add_header("X-N", "v")])):
        ONE.answers = eom(*answers)
        is_eq(mail(what, body).code, 250, what)
        ok(SINK.wait(what).body == plain, "its body is whole")
        ok(ONE.body() == plain and 60000 < max(len(e.data) for e in ONE.seen("body")) <= 65535, "and was shown in large chunks")
    new = b"".join(b"%07d\r\n.\r\n" % i for i in range(150000))
    ONE.answers = eom(*([replace_body(new[i:i + 50000]) for i in range(0, len(new), 50000)] + [add_header("X-N", "v")]))
    for what, old in (("large-by-large", body), ("small-by-large", b"x\r\n")):
        is_eq(mail(what, old).code, 250, what)
        m = SINK.wait(what)
        ok(m.body == new and m.header("X-N") == ["v"], "the new body is whole")
    ONE.answers, ONE.steps = {"body": SKIP}, SKIP_ALLOWED
    mail("skip", body)
    is_eq((len(ONE.seen("body")), len(ONE.seen("eom")), SINK.wait("skip").body == plain), (1, 1, True), "skip")
    ONE.steps = 0


def test_in_turn():
    ONE.answers = eom(insert_header(1, "X-One", "1"), change_header(1, "X-Gone", ""), replace_body(b"new\r\n"))
    TWO.answers = eom(change_header(1, "X-One", "  2"))
    TWO.steps = LEADING_SPACE
    mail("in-turn", port=BOTH, head=b"X-Gone: 1\r\n")
    m = SINK.wait("in-turn")
    is_eq((m.header("X-One"), m.header("X-Gone"), m.body, TWO.body()), (["2"], [], b"new\r\n", b"new\r\n"), "the second sees what the first has changed")
    is_eq(TWO.seen("header")[0].args, ["X-One", " 1"], "with the leading space that it asked for")
    ok(b"X-One:  2\r\n" in m.data, "and gives it itself")
    TWO.steps = 0
    ONE.answers, TWO.answers = {"header": ACCEPT}, eom(add_header("X-Two", "2"))
    mail("accepted", port=BOTH)
    is_eq((len(ONE.seen("header")), ONE.seen("eom"), SINK.wait("accepted").header("X-Two")), (1, [], ["2"]), "accept ends the first one's part only")
    ONE.answers, TWO.answers = {"eoh": reply("552 5.2.3 one says no")}, {}
    is_eq(mail("refused", port=BOTH).text, "552 5.2.3 one says no", "the first refusal decides")
    is_eq(TWO.seen("header"), [], "the second is not asked")


def test_envelope():
    ONE.answers = eom(change_from("<plain@client.test>", "RET=HDRS BAD=1"), add_rcpt("<alias@far.test>"), add_rcpt("x@far.test", "NOTIFY=NEVER"), add_rcpt("<>"),
                      delete_rcpt("<gone@far.test>"), delete_rcpt("<nobody@far.test>"), add_rcpt("<back@far.test>"), delete_rcpt("<B@far.test>"))
    mail("envelope", sender="watched@client.test", rcpts=("b@far.test", "gone@far.test", "back@far.test"))
    m = SINK.wait("envelope")
    is_eq(sorted(m.rcpts), ["b@far.test", "back@far.test", "sent@far.test", "target@far.test", "x@far.test"], "recipients; aliases and copies work")
    is_eq(m.sender, "canonical@client.test", "the new sender goes through the maps")
    GW.wait_log(r'warning: .*Ignoring bad ESMTP parameter "BAD=1" in SMFI_CHGFROM request')
    GW.wait_log(r"warning: .*ignoring attempt from Milter to add null recipient")
    ONE.answers = eom(delete_rcpt("<b@far.test>"))
    is_eq(mail("nobody").code, 250, "all recipients are removed: the client is not told")
    GW.wait_log(r"milters have removed all recipients")
    ONE.answers = eom(add_rcpt("<x\r\ny@far.test>"), add_header("X-N", "v"))
    is_eq(mail("line-break").code, 451, "a line break in an address is the milter's failure")


def test_checks():
    ONE.answers = eom(add_header("X-Say", "hello"), add_header("X-None", "n"), insert_header(1, "X-Old", "o"), change_header(1, "Subject", "checked"))
    mail("x", head=b"X-Refuse: not mine\r\n")
    m = SINK.wait("checked")
    is_eq((m.header("X-None"), m.header("X-Old"), m.header("X-New"), m.header("X-Refuse")), ([], [], ["o"], ["not mine"]), "milter_header_checks: IGNORE, REPLACE, not for others")
    GW.wait_log(r": milter-header-warning: header X-Say: hello from .*\[127\.0\.0\.1\]; from=<a@client\.test> to=<b@far\.test> proto=ESMTP helo=<mx\.client\.test>: said hello")
    ONE.answers = eom(add_header("X-Refuse", "r"))
    is_eq(mail("x").text, "550 5.7.2 not with this", "REJECT")
    ONE.answers = eom(add_header("X-Elsewhere", "e"), change_header(1, "Subject", "elsewhere"))
    mail("x")
    is_eq(SINK.wait("elsewhere").rcpts, ["other@far.test"], "REDIRECT")
    ONE.answers = eom(add_header("X-Hold", "h"))
    before = queued().count("!")
    mail("held-by-check")
    wait_until(lambda: queued().count("!") == before + 1, "HOLD")


def test_verdict_log():
    """The log names the recipient as the envelope would have it."""
    ONE.answers = {"eom": REJECT}
    is_eq(mail("verdict", rcpts=["root"]).code, 550, "refused")
    GW.wait_log(r"milter-reject: END-OF-MESSAGE from \S+: 5\.7\.1 Command rejected; from=<a@client\.test> to=<root@\S+> proto=ESMTP")


def test_verdicts():
    for stage in ("header", "eoh", "body", "eom"):
        for answer, text in ((REJECT, "550 5.7.1 Command rejected"), (TEMPFAIL, "451 4.7.1 Service unavailable - try again later"), (reply("554 no code"), "554 no code")):
            ONE.answers = {stage: answer}
            mark = len(GW.log())
            is_eq(mail("verdict").text, text, "%s at %s" % (text, stage))
            GW.wait_log(r"milter-reject: END-OF-MESSAGE from \S+\[127\.0\.0\.1\]: %s; from=<a@client\.test> to=<b@far\.test> proto=ESMTP helo=<mx\.client\.test>" % text[4:], since=mark)
        ONE.answers = {stage: DISCARD}
        mark = len(GW.log())
        is_eq(mail("verdict").code, 250, "discard at " + stage)
        GW.wait_log(r"milter-discard: END-OF-MESSAGE from \S+\[127\.0\.0\.1\]: milter triggers DISCARD action;", since=mark)
    ONE.answers = eom(quarantine("odd"), add_header("X-N", "v"))
    is_eq(mail("quarantined").code, 250, "quarantine")
    line = GW.wait_log(r"milter-hold: END-OF-MESSAGE from \S+\[127\.0\.0\.1\]: milter triggers HOLD action; from=<a@client\.test> .*: odd$")
    qid = re.search(r"\[\d+\]: (\w+): milter-hold", line).group(1)
    like(GW.cmd("postcat", "-q", qid).stdout, r"(?m)^X-N: v$", "what is held has the milter's changes")
    ONE.answers = {"eom": [quarantine("odd"), REJECT]}
    is_eq(mail("verdict").code, 550, "a refusal is more than a quarantine")
    is_eq([m for m in SINK.messages if m.header("Subject") == ["verdict"]], [], "nothing of this was delivered")


def test_failures():
    """Nothing that a milter asked for is done when it fails later on."""
    edits = [add_header("X-N", "v"), change_header(1, "Subject", ""), replace_body(b"half"), add_rcpt("<more@far.test>"), change_from("<x@client.test>")]
    endings = {"dies": [Close], "talks nonsense": [packet("Z")], "sends a wrong length": [b"\x7f\xff\xff\xff\x62"], "sends half a packet": [b"\0\0\0\x10h", Close],
               "answers out of turn": [packet("O", b"\0" * 12)], "wants too many changes": [add_header("X", "y")] * 10001,
               "replaces the body by a huge one": [replace_body(b"z" * 60000)] * 70}
    for port, code in ((PORT, 451), (LENIENT, 250)):
        for how, ending in endings.items():
            ONE.answers, TWO.answers = {"eom": edits + ending}, {}
            subject = "fails-%d-%s" % (port, how.replace(" ", "-"))
            r = mail(subject, port=port)
            is_eq(r.code, code, "a milter %s: its default action" % how)
            if code != 250:
                continue
            m = SINK.wait(subject)
            is_eq((m.header("X-N"), m.body, m.rcpts, m.sender), ([], b"body\r\n", ["b@far.test"], "a@client.test"), "nothing is changed")
            is_eq(len(TWO.seen("eom")), 1, "the next milter is asked")
    ONE.answers, TWO.answers = {}, {"body": Close}
    mark = len(GW.log())
    is_eq(mail("fails-held", port=LENIENT).code, 250, "default action quarantine")
    GW.wait_log(r"milter-hold: END-OF-MESSAGE .*: default_action$", since=mark)
    is_eq([m for m in SINK.messages if "more@far.test" in m.rcpts or m.sender == "x@client.test"], [], "nobody got anything")


def test_session_goes_on():
    """The milter's connection comes back to smtpd: one for all messages of a session."""
    ONE.answers = eom(add_header("X-N", "v"))
    ONE.clear()
    before = ONE.sessions
    with Client(PORT) as c:
        c.ehlo("mx.client.test")
        for n in range(3):
            is_eq(c.message("a@client.test", ["b@far.test"], b"Subject: session-%d\r\n\r\nx\r\n" % n).code, 250, "message %d" % n)
        ONE.answers = {"eom": Hang}
        c.cmd("MAIL FROM:<a@client.test>")
        c.cmd("RCPT TO:<b@far.test>")
        c.cmd("DATA")
        c.send(b"Subject: lost-cleanup\r\n\r\nx\r\n.\r\n")
        ONE.wait("eom", 4)
        for pid in GW.pids("cleanup"):
            GW.kill(pid, signal.SIGKILL)
        like(c.reply().text, r"^451 4\.3\.0", "cleanup is killed while a milter is being asked: nothing is acknowledged")
        ONE.answers = {}
        like(c.cmd("MAIL FROM:<a@client.test>").text, r"^451 4\.7\.1", "the milter is lost for this session: its default action")
        c.cmd("QUIT")
    is_eq(ONE.sessions - before, 1, "one connection to the milter")
    for n in range(3):
        is_eq(SINK.wait("session-%d" % n).header("X-N"), ["v"], "message %d was changed" % n)
    is_eq(mail("after-all").code, 250, "the next session has it again")
    is_eq([m for m in SINK.messages if m.header("Subject") == ["lost-cleanup"]], [], "the unacknowledged one is not delivered")


def test_refused_here():
    """What we refuse ourselves is not shown; the session's milters are there for its next message."""
    ONE.answers = eom(add_header("X-N", "v"))
    ONE.clear()
    before = ONE.sessions
    with Client(PORT) as c:
        c.ehlo("mx.client.test")
        is_eq(c.message("a@client.test", ["b@far.test"], b"X-Bad: x\r\n\r\nx\r\n").text, "550 5.7.3 bad", "refused by header_checks")
        is_eq(c.message("a@client.test", ["b@far.test"], b"X-Drop: x\r\n\r\nx\r\n").code, 250, "discarded by header_checks")
        is_eq(c.message("a@client.test", ["b@far.test"], b"Subject: too large\r\n\r\n" + b"x" * 78 * 60000 + b"\r\n").code, 552, "too large")
        is_eq(c.message("a@client.test", ["b@far.test"], b"Subject: after-refusals\r\n\r\nx\r\n").code, 250, "one that is good")
        c.cmd("QUIT")
    is_eq(SINK.wait("after-refusals").header("X-N"), ["v"], "is changed")
    is_eq((len(ONE.seen("eom")), len(ONE.seen("data")), ONE.sessions - before), (1, 4, 1), "the others' content was not shown")


def sendmail(subject, *rcpts):
    LOCAL.clear()
    return GW.cmd("sendmail", "-f", "anna@client.test", *rcpts, input="Subject: %s\n\n.body\n" % subject)


def test_local():
    LOCAL.answers = eom(insert_header(1, "X-Signed", "yes"), add_rcpt("<copy@far.test>"))
    sendmail("local", "b@far.test", "just-local")
    m = SINK.wait("local")
    is_eq((m.header("X-Signed"), "copy@far.test" in m.rcpts, m.body), (["yes"], True, b".body\r\n"), "mail of sendmail is shown and changed")
    is_eq(LOCAL.names()[:8], ["negotiate", "connect", "helo", "mail", "rcpt", "rcpt", "data", "eoh"], "in a session of its own")
    is_eq(LOCAL.seen("connect")[0].args, ["localhost", "4", 0, "127.0.0.1"], "from localhost")
    is_eq([LOCAL.seen("helo")[0].args, LOCAL.seen("mail")[0].args] + [e.args for e in LOCAL.seen("rcpt")],
          [["localhost"], ["anna@client.test"], ["b@far.test"], ["just-local@gw.example.test"]], "names; complete addresses without <>")
    returned = 0
    for stage, log in (("connect", "CONNECT"), ("helo", "EHLO"), ("mail", "MAIL"), ("data", "DATA"), ("header", "END-OF-MESSAGE"), ("eom", "END-OF-MESSAGE")):
        once = [reply("554 5.7.9 not this")]  # the bounce must pass
        LOCAL.answers = {stage: lambda e: once.pop() if once else CONTINUE}
        sendmail("local-refused", "to-%s@far.test" % stage)
        to = r" to=<to-%s@far\.test>" % stage if stage not in ("connect", "helo", "mail") else ""
        GW.wait_log(r"milter-reject: %s from localhost\[127\.0\.0\.1\]: 5\.7\.9 not this; from=<anna@client\.test>%s$" % (log, to))
        GW.wait_log(r"to=<to-%s@far\.test>, relay=none, .*dsn=5\.7\.9, status=bounced \(not this\)" % stage)
        returned += 1
        wait_until(lambda: len([m for m in SINK.messages if m.rcpts == ["anna@client.test"]]) == returned, "the returned mail")
        ok(gone("to-%s@far.test" % stage), "refused at %s: returned" % stage)
    LOCAL.answers = {"eom": TEMPFAIL}
    sendmail("local-later", "later@far.test")
    GW.wait_log(r"milter-reject: END-OF-MESSAGE from localhost\[127\.0\.0\.1\]: 4\.7\.1 Service unavailable")
    LOCAL.answers = {"rcpt": REJECT}
    sendmail("local-rcpt", "no@far.test")
    GW.wait_log(r"milter configuration error: can't reject recipient in non-smtpd\(8\) submission")
    is_eq(len(os.listdir(os.path.join(GW.spool, "maildrop"))), 2, "put off, or a recipient refused: the mail waits in the maildrop queue")
    LOCAL.answers = {}
    GW.cmd("postkick", "public", "pickup", "W")
    SINK.wait("local-later")
    SINK.wait("local-rcpt")
    LOCAL.answers = {"mail": DISCARD}
    sendmail("local-discard", "b@far.test")
    GW.wait_log(r"milter-discard: MAIL from localhost\[127\.0\.0\.1\]: milter triggers DISCARD action; from=<anna@client\.test>$")


def test_internal():
    LOCAL.answers = eom(add_header("X-Signed", "yes"))
    sendmail("bounces", "x@bad.test")
    m = wait_until(lambda: next((m for m in SINK.messages if m.rcpts == ["anna@client.test"] and b"no such place" in m.body), None), "a bounce")
    is_eq(m.header("X-Signed"), ["yes"], "internal_mail_filter_classes = bounce: it is shown to non_smtpd_milters")
    is_eq((LOCAL.seen("mail")[-1].args, LOCAL.seen("rcpt")[-1].args), ([""], ["anna@client.test"]), "with the null sender")


def test_requeued():
    LOCAL.answers = eom(quarantine("q"), add_header("X-Signed", "yes"))
    sendmail("requeued", "b@far.test")
    qid = re.search(r": (\w+): milter-hold: END-OF-MESSAGE from localhost", GW.wait_log(r"milter-hold: END-OF-MESSAGE from localhost\[127\.0\.0\.1\]")).group(1)
    GW.cmd("postsuper", "-r", qid, check=True)
    is_eq((SINK.wait("requeued").header("X-Signed"), len(LOCAL.seen("eom"))), (["yes"], 1), "postsuper -r: milters do not see it once more")


with GW:
    GW.start()
    run(test_changes, test_large, test_in_turn, test_envelope, test_checks, test_verdict_log, test_verdicts, test_failures, test_session_goes_on, test_refused_here, test_local, test_internal, test_requeued)
