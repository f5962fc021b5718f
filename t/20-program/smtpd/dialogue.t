#!/usr/bin/env python3
"""smtpd: order of commands, parameters, address forms, odd input."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import Instance, free_port
from smtp import Client, Gone
from tap import is_eq, like, ok, run

PORT, STRICT, LIMITED, PICKY = (free_port() for _ in range(4))
SMTPD = "%d inet n - n - - smtpd"
MAIN = {"relay_domains": "far.test", "mydestination": "gw.example.test", "local_recipient_maps": "inline:{root=x}",
        "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination", "smtpd_peername_lookup": "no",
        "smtpd_error_sleep_time": "0", "smtpd_soft_error_limit": "1000", "smtpd_hard_error_limit": "2000", "transport_maps": "static:discard:"}
GW = Instance(main=MAIN, services=[
    SMTPD % PORT, SMTPD % STRICT + " -o strict_rfc821_envelopes=yes -o smtpd_helo_required=yes -o strict_smtputf8=yes -o smtpd_noop_commands=XNOP,vrfy"
    " -o smtpd_discard_ehlo_keywords=chunking,dsn -o soft_bounce=yes", SMTPD % LIMITED + " -o line_length_limit=100 -o message_size_limit=1000"
    " -o smtpd_recipient_limit=2 -o smtpd_recipient_overshoot_limit=1 -o smtpd_hard_error_limit=3 -o smtpd_junk_command_limit=2",
    SMTPD % PICKY + " -o smtpd_delay_reject=no -o smtpd_helo_restrictions=reject_invalid_helo_hostname -o smtpd_sender_restrictions=reject_non_fqdn_sender"])


def table(port, rows, setup=("EHLO client.example.org",)):
    """Each row is a command and the code (or codes and text) it gets, in one session."""
    with Client(port) as c:
        for s in setup:
            c.cmd(s)
        for command, want in rows:
            got = c.cmd(command).text
            like(got, "^" + want, "%r" % command)


def test_order():
    table(PORT, [("RCPT TO:<root>", "503 5.5.1 Error: need MAIL command"), ("DATA", "503 5.5.1 Error: need RCPT"), ("BDAT 0 LAST", "503 5.5.1"),
                 ("RSET", "250"), ("MAIL FROM:<a@b.test>", "250 2.1.0 Ok"), ("MAIL FROM:<a@b.test>", "503 5.5.1 Error: nested"), ("DATA", "554 5.5.1 Error: no valid"),
                 ("RCPT TO:<nobody>", "550 5.1.1"), ("DATA", "554 5.5.1"), ("RCPT TO:<root>", "250 2.1.5 Ok"), ("DATA x", "501 5.5.4 Syntax: DATA"),
                 ("RSET x", "501 5.5.4"), ("RSET", "250"), ("DATA", "503"), ("HELO", "501 Syntax"), ("EHLO  ", "501 Syntax"), ("NOOP x y", "250"),
                 ("", "500 5.5.2 Error: bad syntax"), ("FOO", "500 5.5.2 Error: command not"), ("STARTTLS", "502"), ("AUTH PLAIN", "503"), ("QUIT x", "221")])


def test_parameters():
    rows = [("SIZE=1", 250), ("SIZE=x", "501 5.5.4"), ("SIZE", "555 5.5.4"), ("SIZE=99999999999999999999999", "552 5.3.4"), ("BODY=7bit BODY=8BITMIME", 250),
            ("BODY=x", 555), ("RET=FULL RET=FULL", 501), ("ENVID=" + "x" * 101, 501), ("ENVID=a+0A", 501), ("SMTPUTF8 SIZE=1", 250), ("SMTPUTF8=1", 555), ("=", 555)]
    with Client(PORT) as c:
        c.ehlo()
        for params, want in rows:
            like(c.cmd("MAIL FROM:<a@b.test> " + params).text, "^%s" % want, "MAIL with " + params[:40])
            c.cmd("RSET")
        c.cmd("MAIL FROM:<>")
        for params, want in [("NOTIFY=NEVER,DELAY", 501), ("NOTIFY=", 501), ("NOTIFY=SUCCESS,SUCCESS", 250), ("NOTIFY=,DELAY,", 250), ("NOTIFY=,", 501), ("ORCPT=x", 501), ("ORCPT=rfc822;a+", 501), ("FOO=1", 555),
                             ("NOTIFY=delay ORCPT=rfc822;a+2Bb", 250), ("ORCPT=rfc822;a=b", 250)]:
            like(c.cmd("RCPT TO:<root> " + params).text, "^%s" % want, "RCPT with " + params)


def test_addresses():
    rows = [("<a@b.test", 501), ("<a b@c.test>", 501), ("<a@b..test>", 501), ("<a@-.test>", 501), ("a@b.test", 250), ("<Some One <a@b.test>>", 250), ("<\"a b\"@c.test>", 250),
            ("<\"a\\\"b\"@c.test>", 250), ("<@r.test:a@b.test>", 250), ("<a@[192.0.2.1]>", 250), ("<a@[IPv6:::1]>", 250), ("<a@[IPv6:1]>", 501), ("<a@192.0.2.1>", 501), ("<>", 250),
            ("<\"\"@b.test>", 250), ("<\"a@b.test>", 501), ("<" + "(" * 500 + ">", 501), ("<" + "<" * 500 + ">" * 501, 501), ("<a\x01b@c.test>", 501), ("<é@b.test>", 250), ("<a@é.test>", 501)]
    with Client(PORT) as c:
        c.ehlo()
        for path, want in rows:
            r = c.cmd("MAIL FROM:" + path)
            ok(r.code == want, "MAIL FROM:%s gets %d" % (path[:40].replace("\x01", "^A"), want))
            c.cmd("RSET")
        is_eq(c.cmd(b"MAIL FROM:<\xff@b.test>\r\n").text, "500 5.5.2 Error: bad UTF-8 syntax", "no UTF-8")
        is_eq(c.cmd("MAIL FROM:<a@é.test> SMTPUTF8").code, 250, "UTF-8 domain with SMTPUTF8")


def test_phrases():
    """RFC 822 forms, where strict_rfc821_envelopes=no; a path that never ends is not shown in the log."""
    table(PORT, [("MAIL FROM:(c)<a@b.test>", "250"), ("RSET", "250"), ("MAIL FROM:\"A\"<a@b.test>; SIZE=1", "250"), ("RCPT TO:root(c)", "250"), ("RCPT TO:A<root>", "250"),
                 ("RCPT TO :<root>", "501 5.5.4 Syntax: RCPT TO:<address>"), ("RCPT TO: <root>", "250"), ("RCPT TO:<a@unclosed.test", "501 5.1.3"),
                 ("VRFY \"A B\" <root>", "252 2.0.0 \"A B\" <root>"), ("RSET", "250"), ("MAIL FROM :<a@b.test>", "501 5.5.4 Syntax: MAIL FROM:<address>")])
    is_eq(GW.find_log(r"unclosed\.test"), [], "nothing is said of it")


def test_bdat_order():
    table(PORT, [("BDAT 0", "551 5.7.1 Null BDAT request"), ("RCPT TO:<root>", "503 5.5.1 Error: need MAIL command"), ("BDAT 0", "551 5.7.1"), ("RSET", "250"),
                 ("MAIL FROM:<a@b.test>", "250"), ("RCPT TO:<root>", "250"), ("BDAT 0", "551 5.7.1"), ("RCPT TO:<root>", "503 5.5.1 Error: RCPT after BDAT"), ("RSET", "250"),
                 ("MAIL FROM:<a@b.test>", "250"), ("RCPT TO:<root>", "250"), ("BDAT 9 LAST\r\na: b\n\nx\ny", "250 2.0.0 Ok: 14 bytes queued as ")])
    with Client(PORT) as c:  # CHUNKING was never offered
        c.send(b"BDAT 3\r\nabc")
        is_eq(c.reply().text, "554 5.5.0 Error: SMTP protocol synchronization", "octets behind BDAT without EHLO")
    with Client(STRICT) as c:
        is_eq(c.cmd("BDAT 0 LAST").code, 421, "a keyword that is not offered is refused before EHLO as well")
    with Client(PORT) as c:
        is_eq(c.cmd("BDAT").text, "521 5.5.4 Syntax: BDAT count [LAST]", "no size")
    GW.wait_log(r"malformed BDAT command syntax from unknown\S+: BDAT$")


def test_helo_names():
    with Client(PICKY) as c:
        is_eq(c.cmd("EHLO two  words").text, "501 5.5.2 <two words>: Helo command rejected: Invalid name", "all of it is the name; rules that strike at once see it as it came")
        is_eq(c.cmd("EHLO (a)").text, "501 5.5.2 <(a)>: Helo command rejected: Invalid name", "as it came")
        is_eq(c.cmd("MAIL FROM:<postmaster>").text, "504 5.5.2 <postmaster>: Sender address rejected: need fully-qualified address", "reject_non_fqdn_sender spares no postmaster")
    with Client(PORT) as c:
        c.ehlo("two words")
        c.cmd("MAIL FROM:<a@b.test> AUTH=c+2Bd")
        c.cmd("RCPT TO:<nobody>")
        is_eq(c.cmd("DATA").code, 554, "nobody")
        is_eq(c.cmd("RCPT TO:<root>").code, 250, "somebody")
        is_eq(c.cmd("RSET").code, 250, "RSET")
        is_eq(c.cmd("MAIL FROM:<a@b.test> AUTH=c AUTH=d").text, "503 5.5.4 Error: multiple AUTH= options", "once")
    GW.wait_log(r"reject: RCPT from .*: 550 5\.1\.1 <nobody>: .*; from=<a@b\.test> to=<nobody> proto=ESMTP helo=<two\?words>")
    GW.wait_log(r": client=unknown\[127\.0\.0\.1\], sasl_sender=c\+2Bd$")


def test_non_smtp():
    for line, shown in [(" To: x", " To: x$"), ("Subject:\tx ", r"Subject:\\tx $"), ("GET /ü", r"GET /\\303\\274$")]:
        with Client(PORT) as c:
            is_eq(c.cmd(line).text, "221 2.7.0 Error: I can break rules, too. Goodbye.", "non-SMTP")
        GW.wait_log(r"non-SMTP command from unknown\[127\.0\.0\.1\]: " + shown)


def test_limit_order():
    with Client(LIMITED) as c:
        c.ehlo()
        c.cmd("MAIL FROM:<a@b.test>")
        for i in range(2):
            c.cmd("RCPT TO:<%d@far.test>" % i)
        is_eq(c.cmd("RCPT TO:<x@far.test> FOO").code, 555, "syntax comes before the limit")


def test_same_recipient():
    """The same address twice is one recipient, unless what is to be told of it differs."""
    with Client(PORT) as c:
        c.ehlo()
        for line in ["MAIL FROM:<twice@b.test>"] + ["RCPT TO:<a@far.test>" + x for x in ("", "", " NOTIFY=NEVER", " NOTIFY=never", " ORCPT=rfc822;x", " ORCPT=rfc822;X")]:
            is_eq(c.cmd(line).code, 250, line)
        c.data(b"Subject: x\r\n\r\nx\r\n")
    GW.wait_log(r": from=<twice@b\.test>, size=\d+, nrcpt=3 \(queue active\)")


def test_strict():
    with Client(STRICT) as c:
        is_eq(c.cmd("MAIL FROM:<a@b.test>").text, "403 4.5.1 Error: send HELO/EHLO first", "HELO is demanded; soft_bounce")
        is_eq(c.cmd("RCPT TO:<root>").code, 403, "soft_bounce")
        is_eq(c.cmd("XNOP whatever").code, 250, "smtpd_noop_commands")
        is_eq(c.cmd("VRFY root").text, "250 2.0.0 Ok", "they come before real ones")
        c.ehlo()
        is_eq(("CHUNKING" in c.caps, "DSN" in c.caps, "SIZE" in c.caps), (False, False, True), "keywords")
        for command, want in [("MAIL FROM:a@b.test", 401), ("MAIL FROM:<é@b.test>", 453), ("MAIL FROM:<@b.test>", 401), ("MAIL FROM:<a@b.test> RET=FULL", 401), ("MAIL FROM:<a@b.test>", 250),
                              ("RCPT TO:<x <root>>", 401), ("RCPT TO:<root> NOTIFY=NEVER", 401)]:
            is_eq(c.cmd(command).code, want, command)
        is_eq(c.cmd("BDAT 1 LAST").code, 421, "BDAT that is not offered")
        try:
            c.cmd("NOOP")
            ok(False, "it ends the session")
        except (Gone, OSError):
            ok(True, "it ends the session")


def test_limits():
    with Client(LIMITED) as c:
        c.ehlo()
        is_eq(c.cmd("NOOP " + "x" * 5000).code, 250, "an endless line counts as its beginning")
        is_eq(c.cmd("x" * 100000).code, 500, "an endless verb")
        c.cmd("MAIL FROM:<a@b.test>")
        is_eq([c.cmd("RCPT TO:<%d@far.test>" % i).code for i in range(3)], [250, 250, 452], "recipients beyond the limit")
        is_eq(c.data(b"x" * 3000 + b"\r\n").text, "552 5.3.4 Error: message file too big", "content beyond the limit")
        c.message("a@b.test", ["a@far.test"])
        is_eq([c.cmd("NOOP").code for _ in range(6)], [250] * 5 + [421], "junk commands are forgiven for a while, then each is an error")
    GW.wait_log("too many errors after NOOP from unknown")
    GW.wait_log(r"request longer than 100: NOOP xxxxxxxxxxxxxxxxxxxxxxxxx\.\.\.")


def test_cut():
    """Commands cut anywhere, and several in one packet, get the same replies."""
    text = b"EHLO a.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<root>\r\nRSET\r\nMAIL FROM:<a@b.test>\r\nQUIT\r\n"
    codes = []
    for step in (1, 7, 1000):
        with Client(PORT) as c:
            c.cmd("EHLO a.test")
            for i in range(0, len(text) - 13, step):
                c.send(text[13:][i:i + step])
            codes.append([c.reply().code for _ in range(5)])
    is_eq(codes, [[250, 250, 250, 250, 221]] * 3, "replies do not depend on packets")
    with Client(PORT) as c:
        c.ehlo()
        c.send("NOOP\r\nNO")
        # The reply to the first must not wait for the rest of the second; sending ahead behind NOOP ends the session.
        is_eq(c.reply().code, 554, "a reply comes although half a command follows")


def test_no_newline_at_end():
    with Client(PORT) as c:
        c.ehlo()
        c.send("QUIT")
        c.half_close()
        is_eq(c.ended(), b"", "half a command is none")
    GW.wait_log("lost connection after EHLO from unknown")


with GW:
    GW.start()
    run(test_order, test_parameters, test_addresses, test_phrases, test_bdat_order, test_helo_names, test_non_smtp, test_limit_order, test_same_recipient, test_strict, test_limits, test_cut, test_no_newline_at_end)
