#!/usr/bin/env python3
"""A real amavisd-new (Debian's configuration) as content filter: behind the queue, and before it with and without speed_adjust."""
import os
import smtplib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
import peers
from instance import wait_until
from smtp import Sink
from tap import is_eq, like, ok, run

peers.isolate("amavis")
SINK = Sink()
# As README.postfix of amavisd-new has them.
AMAVIS = "amavis unix - - n - 2 smtp -o smtp_data_done_timeout=1200 -o smtp_send_xforward_command=yes -o disable_dns_lookups=yes -o max_use=20"
BACK = """127.0.0.1:10025 inet n - n - - smtpd
    -o content_filter= -o smtpd_proxy_filter= -o smtpd_delay_reject=no -o smtpd_client_restrictions=permit_mynetworks,reject
    -o smtpd_helo_restrictions= -o smtpd_sender_restrictions= -o smtpd_recipient_restrictions=permit_mynetworks,reject
    -o smtpd_data_restrictions=reject_unauth_pipelining -o smtpd_end_of_data_restrictions= -o smtpd_restriction_classes=
    -o mynetworks=127.0.0.0/8 -o smtpd_error_sleep_time=0 -o smtpd_soft_error_limit=1001 -o smtpd_hard_error_limit=1000
    -o smtpd_client_connection_count_limit=0 -o smtpd_client_connection_rate_limit=0
    -o receive_override_options=no_header_body_checks,no_unknown_recipient_checks,no_milters,no_address_mappings
    -o local_header_rewrite_clients= -o smtpd_authorized_xforward_hosts=127.0.0.0/8"""
HEAD = b"From: s@client.test\r\nTo: list@example.test\r\nDate: Thu, 26 Nov 2026 12:00:00 +0000\r\nMessage-ID: <%s@client.test>\r\nSubject: %s\r\nMIME-Version: 1.0\r\n"
TEXT = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
BODY = ("First line\r\n.leading dot\r\n..two dots\r\n.\r\n" + "x" * 900 + "\r\nNach 8 Bit: äöü €\r\nlast\r\n").encode()
BANNED = b"""Content-Type: multipart/mixed; boundary=b\r
\r
--b\r
Content-Type: text/plain\r
\r
see there\r
--b\r
Content-Type: application/octet-stream; name="invoice.pdf.exe"\r
Content-Disposition: attachment; filename="invoice.pdf.exe"\r
\r
MZ nothing\r
--b--\r
"""


def message(subject, rest):
    return HEAD % (subject.encode(), subject.encode()) + rest


def send(data, rcpts, port=2525):
    with smtplib.SMTP("127.0.0.1", port, "mx.client.test", timeout=120) as s:
        s.ehlo()
        codes = [s.mail("s@client.test", ["BODY=8BITMIME"])] + [s.rcpt(r) for r in rcpts]
        if any(c[0] != 250 for c in codes):
            return codes[-1]
        return s.data(data)


def arrives(subject, rcpts):
    m = wait_until(lambda: [m for m in SINK.messages if subject in m.header("Subject")], subject, 60)[0]
    is_eq(sorted(m.rcpts), sorted(rcpts), "%s: recipients" % subject)
    is_eq(m.body, BODY, "%s: the body as it was sent" % subject)
    ok(any("port 10024" in r for r in m.header("Received")), "%s: by amavis" % subject)


def gateway(**main):
    return peers.gateway([AMAVIS, BACK], relayhost="[127.0.0.1]:%d" % SINK.port, **main)


def test_after_queue():
    with peers.Amavis(), gateway(content_filter="amavis:[127.0.0.1]:10024") as g:
        g.start()
        code, text = send(message("after", TEXT + BODY), ["a@example.test", "b@example.test"])
        is_eq(code, 250, "a message is taken")
        first = text.decode().split("queued as ")[1]
        arrives("after", ["a@example.test", "b@example.test"])
        for r in ("a", "b"):
            like(g.wait_log(r"%s: to=<%s@example\.test>, relay=127\.0\.0\.1\[127\.0\.0\.1\]:10024" % (first, r), timeout=60),
                 r"dsn=2\.0\.0, status=sent \(250 2\.0\.0 from MTA\(smtp:\[127\.0\.0\.1\]:10025\): 250 2\.0\.0 Ok: queued as \w+\)", "%s: amavis passes on what the reinjection said" % r)
        g.wait_log(r"smtpd\[\d+\]: \w+: client=\S+, orig_queue_id=%s, orig_client=localhost\[127\.0\.0\.1\]" % first)
        code, text = send(message("banned", BANNED), ["a@example.test"])
        qid = text.decode().split("queued as ")[1]
        like(g.wait_log(r"%s: to=<a@example\.test>" % qid, timeout=60), r"status=sent \(250 2\.7\.0 Ok, discarded, id=\S+ - BANNED", "what is banned is discarded, as is the default")
        ok(not [m for m in SINK.messages if "banned" in m.header("Subject")], "and does not arrive")
        big = message("large", TEXT + BODY * 2000)
        is_eq(send(big, ["a@example.test"])[0], 250, "a large message")
        m = wait_until(lambda: [m for m in SINK.messages if "large" in m.header("Subject")], "large", 60)[0]
        ok(m.body == BODY * 2000, "arrives as it was")


def before_queue(name, services):
    with peers.Amavis("$final_banned_destiny = D_REJECT;") as amavis, peers.gateway([BACK] + services, relayhost="[127.0.0.1]:%d" % SINK.port) as g:
        g.start()
        code, text = send(message(name, TEXT + BODY), ["a@example.test", "b@example.test"], 2526)
        like("%d %s" % (code, text.decode()), r"^250 2\.0\.0 from MTA\(smtp:\[127\.0\.0\.1\]:10025\): 250 2\.0\.0 Ok: queued as \w+$", name + ": amavis's word is the client's")
        arrives(name, ["a@example.test", "b@example.test"])
        g.wait_log(r"proxy-accept: END-OF-MESSAGE: 250 2\.0\.0 from MTA")
        g.wait_log(r"smtpd\[\d+\]: \w+: client=\S+, orig_client=localhost\[127\.0\.0\.1\]")
        code, text = send(message(name + " banned", BANNED), ["a@example.test"], 2526)
        like("%d %s" % (code, text.decode()), r"^554 5\.7\.0 (Reject|id=|Message rejected)", name + ": what is banned is refused")
        g.wait_log(r"proxy-reject: END-OF-MESSAGE: 554 5\.7\.0 ")
        ok(not [m for m in SINK.messages if name + " banned" in m.header("Subject")], name + ": and does not arrive")
        amavis.end()
        is_eq(send(message(name + " later", TEXT + BODY), ["a@example.test"], 2526)[0], 451, name + ": without amavis the client is to come again")


def test_before_queue():
    before_queue("before", ["2526 inet n - n - 20 smtpd -o smtpd_proxy_filter=127.0.0.1:10024"])


def test_speed_adjust():
    before_queue("adjusted", ["2526 inet n - n - 20 smtpd -o smtpd_proxy_filter=127.0.0.1:10024 -o smtpd_proxy_options=speed_adjust"])


run(test_after_queue, test_before_queue, test_speed_adjust)
