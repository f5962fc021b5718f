#!/usr/bin/env python3
"""smtpd: transcripts for the postmaster, by notify_classes."""
import os
import re
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, "../../lib"), os.path.join(HERE, "../smtp")]
from client import Server
from instance import Instance, free_port, wait_until
from smtp import Client
from tap import is_eq, like, ok, run

PORT = free_port()


class Gate(Instance):
    def __init__(self, classes, **main):
        self.peer, self.seen = Server(), 0
        super().__init__(dict({"notify_classes": classes, "relayhost": self.peer.nexthop, "smtpd_peername_lookup": "no", "smtpd_error_sleep_time": "0", "mydestination": "",
                               "smtpd_hard_error_limit": "3", "virtual_alias_maps": "inline:{postmaster@gw.example.test=pm@far.test}", "relay_domains": "rel.test",
                               "relay_recipient_maps": "inline:{good@rel.test=x}", "smtpd_recipient_restrictions":
                               "check_recipient_access inline:{{policy@far.test=REJECT no} {soft@far.test=nonsense}}"}, **main), services=["%d inet n - n - - smtpd" % PORT])
        self.start()

    def session(self, *commands, quit=True):
        with Client(PORT) as c:
            c.ehlo()
            for command in commands:
                if isinstance(command, bytes):
                    c.data(command)
                else:
                    c.cmd(command)
            if quit:
                c.cmd("QUIT")

    def notice(self):
        wait_until(lambda: len(self.peer.messages) > self.seen, "a notice")
        self.seen += 1
        return self.peer.messages[self.seen - 1].decode().replace("\r\n", "\n")


def test_text():
    with Gate("policy, protocol, software") as g:
        g.session("MAIL FROM:<a@x.test>", "RCPT TO:<policy@far.test>")
        m = g.notice()
        like(m, r"\nFrom: Mail Delivery System <MAILER-DAEMON@gw\.example\.test>\nTo: Postmaster <postmaster@gw\.example\.test>\n"
             r"Subject: Postfix SMTP server: errors from unknown\[127\.0\.0\.1\]\n", "header")
        like(m, r"\n\nTranscript of session follows\.\n\n Out: 220 gw\.example\.test ESMTP Postfix\n In:  EHLO \S+\n Out: 250-gw\.example\.test\n(?: Out: 250-\S.*\n)+ Out: 250 \S+\n"
             r" In:  MAIL FROM:<a@x\.test>\n Out: 250 2\.1\.0 Ok\n In:  RCPT TO:<policy@far\.test>\n Out: 554 5\.7\.1 <policy@far\.test>: Recipient address rejected: no\n"
             r" In:  QUIT\n Out: 221 2\.0\.0 Bye\n\nFor other details, see the local mail logfile\n$", "what was said")
        like(g.peer.commands()[1], r"^MAIL FROM:<double-bounce@gw\.example\.test>", "sender")
        like(g.peer.commands()[2], r"^RCPT TO:<pm@far\.test>", "postmaster is an alias")
        g.session("FOO", "AUTH PLAIN c2VjcmV0", "FOO", quit=False)
        m = g.notice()
        like(m, r" In:  FOO\n Out: 500 5\.5\.2 Error: command not recognized\n In:  AUTH PLAIN\n", "no passwords")
        like(m, r" Out: 421 4\.7\.0 gw\.example\.test Error: too many errors\n\nSession aborted, reason: too many errors\n", "why it ended")
        g.session("MAIL FROM:<a@x.test>", "RCPT TO:<soft@far.test>")
        like(g.notice(), r" Out: 451 4\.3\.5 Server configuration error\n", "software")
        g.session("NOOP", "MAIL FROM:<a@x.test>", "RCPT TO:<bad@rel.test>")
        g.session("MAIL FROM:<a@x.test>", "RCPT TO:<policy@far.test>")
        ok("bad@rel.test" not in g.notice(), "no notice of what is in no wanted class, nor of success")


def test_classes():
    with Gate("bounce") as g:
        g.session("FOO", "MAIL FROM:<a@x.test>", "RCPT TO:<policy@far.test>")
        g.session("MAIL FROM:<a@x.test>", "RCPT TO:<bad@rel.test>")
        like(g.notice(), r" Out: 550 5\.1\.1 <bad@rel\.test>: Recipient address rejected: User unknown in relay recipient table\n", "bounce: refused recipients")
        is_eq(len(g.peer.messages), 1, "nothing else")
    with Gate("software", smtpd_data_restrictions="check_sender_access fail:table") as g:
        g.session("MAIL FROM:<a@x.test>", "RCPT TO:<u@far.test>", "DATA")
        g.session("MAIL FROM:<a@x.test>", "RCPT TO:<soft@far.test>")
        ok(" Out: 451 4.3.5 Server configuration error" in g.notice(), "software: our own configuration, not a table that fails")
    with Gate("", error_notice_recipient="errors@far.test") as g:
        g.session("FOO", "MAIL FROM:<a@x.test>", "RCPT TO:<soft@far.test>")
        g.main["notify_classes"] = "software"
        g.reload()

        def again():
            g.session("MAIL FROM:<a@x.test>", "RCPT TO:<soft@far.test>")
            return g.peer.messages
        wait_until(again, "a notice after the reload")
        like("\n".join(g.peer.sessions[0].commands), r"\nRCPT TO:<errors@far\.test>", "error_notice_recipient")
        ok(b"FOO" not in g.peer.messages[0], "none before")
    with Gate("policy", smtpd_history_flush_threshold="5") as g:
        g.session("NOOP", "NOOP", "NOOP", "NOOP", "RSET", "MAIL FROM:<a@x.test>", "RCPT TO:<policy@far.test>")
        like(g.notice(), r"follows\.\n\n In:  RSET\n", "smtpd_history_flush_threshold")


run(test_text, test_classes)
