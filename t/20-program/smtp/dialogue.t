#!/usr/bin/env python3
"""smtp: what a server may say at each step, and what becomes of the recipients."""
import re
import time

from client import BOUNCED, DEFERRED, PROBE, SENT, Close, Server, Smtp
from tap import is_eq, like, ok, run

QUICK = {"smtp_helo_timeout": "1s", "smtp_mail_timeout": "1s", "smtp_rcpt_timeout": "1s", "smtp_data_init_timeout": "1s", "smtp_data_done_timeout": "1s",
         "smtp_data_xfer_timeout": "1s", "smtp_xforward_timeout": "1s"}


def hang(session, arg):
    time.sleep(30)


def test_refusals():
    cases = [("CONNECT", "554 5.3.2 no", DEFERRED, "4.3.2", "host H refused to talk to me: 554 5.3.2 no"),
             ("CONNECT", "421 4.3.2 busy", DEFERRED, "4.3.2", "host H refused to talk to me: 421 4.3.2 busy"),
             ("HELO", "550 who", BOUNCED, "5.0.0", "host H refused to talk to me: 550 who"),
             ("EHLO", "421 4.3.2 bye", DEFERRED, "4.3.2", "host H refused to talk to me: 421 4.3.2 bye"),
             ("MAIL", "550 5.7.1 no", BOUNCED, "5.7.1", "host H said: 550 5.7.1 no (in reply to MAIL FROM command)"),
             ("MAIL", "451 4.3.0 no", DEFERRED, "4.3.0", "host H said: 451 4.3.0 no (in reply to MAIL FROM command)"),
             ("MAIL", "300 odd", BOUNCED, "5.5.0", "host H said: 300 odd (in reply to MAIL FROM command)"),
             ("RCPT", "553 5.1.3 a\n553 5.1.4 b", BOUNCED, "5.1.4", "host H said: 553-5.1.3 a 553 5.1.4 b (in reply to RCPT TO command)"),
             ("RCPT", "550 4.1.1 wrong class", BOUNCED, "5.0.0", "host H said: 550 4.1.1 wrong class (in reply to RCPT TO command)"),
             ("RCPT", "450 4.2.0 later", DEFERRED, "4.2.0", "host H said: 450 4.2.0 later (in reply to RCPT TO command)"),
             ("RCPT", "421 4.2.0 closing", DEFERRED, "4.2.0", "host H said: 421 4.2.0 closing (in reply to RCPT TO command)"),
             ("RCPT", "999 odd", BOUNCED, "5.5.0", "host H said: 999 odd (in reply to RCPT TO command)"),
             ("DATA", "554 5.6.0 no", BOUNCED, "5.6.0", "host H said: 554 5.6.0 no (in reply to DATA command)"),
             ("DATA", "451 no", DEFERRED, "4.0.0", "host H said: 451 no (in reply to DATA command)"),
             ("DATA", "250 2.0.0 thanks", BOUNCED, "5.5.0", "Protocol error: host H said: 250 2.0.0 thanks (in reply to DATA command)"),
             ("EOM", "552 5.3.4 big", BOUNCED, "5.3.4", "host H said: 552 5.3.4 big (in reply to end of DATA command)"),
             ("EOM", "451 4.3.0 full", DEFERRED, "4.3.0", "host H said: 451 4.3.0 full (in reply to end of DATA command)"),
             ("EOM", "354 more?", BOUNCED, "5.5.0", "host H said: 354 more? (in reply to end of DATA command)")]
    with Smtp() as s:
        s.start()
        for caps in (["PIPELINING"], []):
            for event, reply, kind, dsn, text in cases:
                replies = {event: reply}
                if event == "HELO":
                    replies["EHLO"] = "500 what"
                with Server(replies, caps=caps) as peer:
                    f = s.deliver("u@far.test", peer.nexthop)
                    is_eq((f.kind, f.dsn, f.reason), (kind, dsn, text.replace("host H", "host 127.0.0.1[127.0.0.1]")), "%s: %r %s" % (event, reply, caps))
                    is_eq(len(peer.messages), event == "EOM", "messages taken")
        with Server({"EHLO": "500 5.5.1 what"}) as peer:
            is_eq(s.deliver("u@far.test", peer.nexthop).kind, SENT, "EHLO unknown: HELO")
            is_eq(peer.commands()[:3], ["EHLO gw.example.test", "HELO gw.example.test", "MAIL FROM:<s@client.test>"], "commands")
        with Server({"RCPT": ["450 4.2.0 a", "550 5.1.1 b", "250 2.1.5 c"]}) as peer:
            fates = s.deliver(["a@x.test", "b@x.test", "c@x.test"], peer.nexthop)
            is_eq([f.kind for f in fates], [DEFERRED, BOUNCED, SENT], "each recipient has its own fate")
            is_eq((fates[1].mta, fates[1].diag, fates[2].action), ("127.0.0.1", "550 5.1.1 b", "passed-on"), "what the report will say")
        with Server({"RCPT": ["250 2.1.5 a", "421 4.3.2 bye", "250 2.1.5 c"]}) as peer:
            fates = s.deliver(["a@x.test", "b@x.test", "c@x.test"], peer.nexthop)
            is_eq([f.kind for f in fates], [SENT, DEFERRED, SENT], "421 in the middle is for one")
            is_eq(len(peer.messages), 1, "and the others have it")
        with Server({"RCPT": ["250 2.1.5 a", "421 4.3.2 bye", Close]}) as peer:
            fates = s.deliver(["a@x.test", "b@x.test", "c@x.test"], peer.nexthop)
            is_eq([(f.kind, f.dsn) for f in fates], [(DEFERRED, "4.4.2"), (DEFERRED, "4.3.2"), (DEFERRED, "4.4.2")], "unless the server means it")
            is_eq(len(peer.messages), 0, "and nothing is sent")
        with Server({"RCPT": "550 5.1.1 no", "DATA": "354 go"}, caps=["PIPELINING"]) as peer:
            is_eq(s.deliver("u@far.test", peer.nexthop).kind, BOUNCED, "DATA was pipelined and is accepted for nobody")
            is_eq(peer.messages, [b""], "then it is ended at once")


def test_lost_and_late():
    phases = [("CONNECT", "receiving the initial server greeting"), ("EHLO", "performing the EHLO handshake"), ("MAIL", "sending MAIL FROM"),
              ("RCPT", "sending RCPT TO"), ("DATA", "sending DATA command"), ("EOM", "sending end of data -- message may be sent more than once")]
    with Smtp(QUICK) as s:
        s.start()
        for event, phase in phases:
            for caps in (["PIPELINING"], []):
                with Server({event: Close}, caps=caps) as peer:
                    f = s.deliver("u@far.test", peer.nexthop)
                    is_eq((f.kind, f.dsn, f.reason), (DEFERRED, "4.4.2", "lost connection with 127.0.0.1[127.0.0.1] while " + phase), "hangs up at %s %s" % (event, caps))
            with Server({event: hang}, caps=[]) as peer:
                begun = time.monotonic()
                f = s.deliver("u@far.test", peer.nexthop)
                is_eq((f.kind, f.dsn, f.reason), (DEFERRED, "4.4.2", "conversation with 127.0.0.1[127.0.0.1] timed out while " + phase), "silent at " + event)
                ok(0.9 < time.monotonic() - begun < 6, "in time")
        is_eq(s.deliver("u@far.test", "[127.0.0.1]:1").reason, "connect to 127.0.0.1[127.0.0.1]:1: Connection refused", "nobody listens")
        is_eq((s.done["site"], s.done["dsn"]), (1, "4.4.1"), "the site is told to be dead")
        like(s.wait_log("Connection refused"), r"postfix/smtp\[\d+\]: connect to 127\.0\.0\.1\[127\.0\.0\.1\]:1: Connection refused$", "log line")
        with Server() as peer:
            f = s.deliver("u@far.test", "[127.0.0.1]:1, %s" % peer.nexthop)
            is_eq((f.kind, s.done["site"]), (SENT, 0), "the next one of a list")
        with Server({"RCPT": "450 4.2.0 first"}) as one, Server({"EOM": Close}) as two, Server() as three:
            mark = len(s.log())
            is_eq(s.deliver("u@far.test", "%s %s,%s" % (one.nexthop, two.nexthop, three.nexthop)).kind, SENT, "each server of a list is tried")
            like(s.wait_log("first", since=mark), r"smtp\[\d+\]: QID\d+: host 127\.0\.0\.1\[127\.0\.0\.1\] said: 450 4\.2\.0 first \(in reply to RCPT TO command\)$", "what the first said is logged")
            like(s.wait_log("lost conn", since=mark), r"smtp\[\d+\]: QID\d+: lost connection with .* while sending end of data", "what the second did is logged")
        for hop, text in (("[127.0.0.1", 'bad next hop "[127.0.0.1": missing ]'), ("[127.0.0.1]x", 'bad next hop "[127.0.0.1]x": text behind ]'),
                          ("[127.0.0.1]:noport", "unknown service: noport/tcp"), ("[]:25", 'bad next hop "[]:25": no host'), ("", "no next hop")):
            f = s.deliver("u@far.test", hop)
            is_eq((f.kind, f.reason), (DEFERRED, text), "next hop %r" % hop)


def test_limits_and_order():
    """smtp_mx_session_limit does not count servers that do not greet; smtp_fallback_relay."""
    with Server({"CONNECT": "421 4.3.2 busy"}) as busy, Server({"RCPT": "450 4.2.0 a"}) as soft, Server() as last, \
            Smtp(services=["fb unix - - n - - smtp -o smtp_fallback_relay=%s" % last.nexthop]) as s:
        s.start()
        f = s.deliver("u@far.test", soft.nexthop, service="fb")
        is_eq(f.kind, SENT, "fall-back after a soft refusal")
        f = s.deliver("u@far.test", busy.nexthop, service="fb")
        is_eq(f.kind, SENT, "fall-back after a server that does not greet")
        with Server({"RCPT": "550 5.1.1 never"}) as hard:
            is_eq(s.deliver("u@far.test", hard.nexthop, service="fb").kind, BOUNCED, "not after a hard refusal")
        is_eq(len(last.messages), 2, "what it got")
        like(s.record("fb.*status=sent|/smtp.*status=sent"), r"^relay=%s, delay=" % re.escape(last.relay), "relay of the record")


def test_probes():
    with Server({"RCPT": ["250 2.1.5 fine", "550 5.1.1 no"]}) as peer, Server({"DATA": ["354 go", "550 5.7.1 no"]}) as data, \
            Smtp(services=["data unix - - n - - smtp -o smtp_address_verify_target=data"]) as s:
        s.start()
        fates = s.deliver(["a@x.test", "b@x.test"], peer.nexthop, flags=PROBE)
        is_eq([(f.kind, f.action, f.reason[-15:]) for f in fates], [(SENT, "deliverable", "250 2.1.5 fine"), (BOUNCED, "undeliverable", "RCPT TO command)"[-15:])], "verdicts of RCPT")
        ok("DATA" not in peer.commands(), "no DATA")
        is_eq(s.deliver("a@x.test", data.nexthop, flags=PROBE, service="data")[:2], (SENT, "2.0.0"), "smtp_address_verify_target=data")
        is_eq(s.deliver("a@x.test", data.nexthop, flags=PROBE, service="data")[:2], (BOUNCED, "5.7.1"), "the reply to DATA tells")
        is_eq(peer.messages + data.messages, [], "nothing is sent")


def test_firewall():
    with Smtp({"smtp_pix_workaround_threshold_time": "0", "smtp_pix_workaround_delay_time": "1s", "smtp_pix_workaround_maps": "inline:{127.0.0.1=delay_dotcrlf}"}) as s:
        s.start()
        with Server({"CONNECT": "220 ****0*2**"}) as peer:
            begun = time.monotonic()
            is_eq(s.deliver("u@far.test", peer.nexthop).kind, SENT, "a greeting of asterisks")
            ok(time.monotonic() - begun >= 1, "the final dot waits")
            like(s.wait_log("PIX"), r": enabling PIX workarounds: delay_dotcrlf for %s$" % re.escape(peer.relay), "log")
            like(peer.commands()[0], "^EHLO ", "EHLO stays")
    with Smtp() as s:
        s.start()
        with Server({"CONNECT": "220 ****0*2**"}) as peer:
            is_eq(s.deliver("u@far.test", peer.nexthop).kind, SENT, "by default")
            like(s.wait_log("PIX"), r": enabling PIX workarounds: disable_esmtp for ", "young mail is not held up")
            like(peer.commands()[0], "^HELO ", "HELO")
        with Server({"CONNECT": "220 *** ESMTP"}) as peer:
            s.deliver("u@far.test", peer.nexthop)
            like(peer.commands()[0], "^EHLO ", "but not when there is a word")


def test_loops():
    us, text = "[127.0.0.1]:25", "mail for 127.0.0.1 loops back to myself"
    with Smtp({"inet_interfaces": "127.0.0.1"}, services=["relayed unix - - n - - smtp -o relayhost=%s" % us, "odd unix - - n - - smtp -o best_mx_transport=nowhere"]) as s, Server() as peer:
        s.start()
        f = s.deliver("u@far.test", us)
        is_eq((f.kind, f.dsn, f.reason), (BOUNCED, "5.4.6", text), "[host] is this one")
        f = s.deliver("u@far.test", us + ", " + peer.nexthop)
        is_eq((f.kind, f.dsn, f.reason), (BOUNCED, "5.4.6", text), "the next in the list is no way round")
        is_eq(s.deliver("u@far.test", peer.nexthop + ", " + us).kind, SENT, "the first that works is used")
        f = s.deliver("u@far.test", us, service="relayed")
        is_eq((f.kind, f.dsn, f.reason), (DEFERRED, "4.3.5", text), "as relayhost that is a mistake of ours, and mail waits")
        like(s.wait_log("configuration problem"), r"smtp\[\d+\]: warning: relayhost configuration problem$", "warning")
        is_eq(s.deliver("u@far.test", us, service="odd").kind, DEFERRED, "best_mx_transport")


run(test_loops, test_refusals, test_lost_and_late, test_limits_and_order, test_probes, test_firewall)
