#!/usr/bin/env python3
"""Access control of a whole gateway: lists, tables, actions on messages, overrides."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
from instance import Instance, free_port, wait_until
from smtp import Client, Sink
from tap import is_eq, like, ok, run

SINK = Sink()
SMTPD = "%d inet n - n - - smtpd"
MAIN = {"relayhost": "[127.0.0.1]:%d" % SINK.port, "relay_domains": "far.test", "mydestination": "gw.example.test", "local_recipient_maps": "inline:{root=x}",
        "mynetworks": "127.0.0.1", "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination", "smtpd_peername_lookup": "no",
        "smtpd_error_sleep_time": "0", "smtpd_soft_error_limit": "1000", "smtpd_hard_error_limit": "1000", "recipient_delimiter": "+",
        "virtual_alias_maps": "inline:{alias@far.test=target@far.test}", "always_bcc": "archive@far.test"}
ports = {}
services = []


def service(name, **options):
    """A port with smtpd options of its own (spaces in values as in master.cf: braces)."""
    ports[name] = free_port()
    services.append(SMTPD % ports[name] + "".join(" -o { %s = %s }" % o for o in options.items()))


RCPT = "smtpd_recipient_restrictions"
service("plain")
service("order", smtpd_client_restrictions="check_client_access inline:{127.0.0.9=OK}, reject", smtpd_sender_restrictions="permit",
        **{RCPT: "check_recipient_access inline:{{root@ = REJECT no root}}, permit"})
service("actions", **{RCPT: "check_recipient_access inline:{{hold@far.test = HOLD}, {disc@far.test = DISCARD}, {redir@far.test = REDIRECT to@far.test},"
                      " {bcc@far.test = BCC copy@far.test}, {pre@far.test = PREPEND X-One: 1}, {bad@far.test = FROBNICATE}, {tab@far.test = check_sender_access hash:/x},"
                      " {num@far.test = 559 5.1.1 gone}, {slow@far.test = DEFER_IF_PERMIT later}, {four@far.test = 421 4.3.2 bye}, {many@far.test = defer_if_reject, reject}},"
                      " check_sender_access inline:{{dsn.test = REJECT 5.1.1 moved}}, permit"})
service("warn", smtpd_log_access_permit_actions="static:all",
        **{RCPT: "warn_if_reject check_sender_access inline:{{w.test = REJECT maybe}}, check_sender_access inline:{{w.test = REJECT sure}}, permit_auth_destination, reject"})
service("early", smtpd_delay_reject="no", smtpd_helo_restrictions="reject_non_fqdn_helo_hostname", smtpd_client_restrictions="check_client_access inline:{{127.0.0.8 = REJECT away}}",
        smtpd_sender_restrictions="reject_non_fqdn_sender")
service("broken", **{RCPT: "check_sender_access fail:x, permit"})
service("unknown", **{RCPT: "permit_everything_nice, permit"})
service("over", receive_override_options="no_unknown_recipient_checks,no_address_mappings")
service("late", smtpd_data_restrictions="reject_multi_recipient_bounce", smtpd_end_of_data_restrictions="check_sender_access inline:{{late@s.test = REJECT too late}}")
service("filter", smtpd_command_filter="pcre:{{/^RCPT TO:<'(.*)'>/ RCPT TO:<$$1>}}", smtpd_reject_filter_maps="pcre:{{/^550 5.1.1 (.*)/ 450 4.1.1 $$1}}",
        smtpd_reject_footer="\\c; ask $server_name")
GW = Instance(main=MAIN, services=services)


def ask(name, sender, rcpt, source="127.0.0.9", helo="mx.stranger.test"):
    """The reply to RCPT in a session of its own."""
    with Client(ports[name], source=source) as c:
        c.ehlo(helo)
        c.cmd("MAIL FROM:<%s>" % sender)
        r = c.cmd("RCPT TO:<%s>" % rcpt)
        c.cmd("QUIT")
    return r.text


def put(name, rcpts, sender="a@b.test", subject="x", source="127.0.0.1"):
    with Client(ports[name], source=source) as c:
        c.ehlo()
        r = c.message(sender, rcpts, b"Subject: %s\r\n\r\nx\r\n" % subject.encode())
        c.cmd("QUIT")
    return r


def test_relay():
    is_eq(ask("plain", "x@y.test", "u@elsewhere.test"), "554 5.7.1 <u@elsewhere.test>: Relay access denied", "a stranger")
    is_eq(ask("plain", "x@y.test", "u@elsewhere.test", source="127.0.0.1"), "250 2.1.5 Ok", "one of ours")
    for to in ("u%elsewhere.test@gw.example.test", "elsewhere.test!u@gw.example.test", "\"u@elsewhere.test\"@gw.example.test", "u@elsewhere.test@far.test", "@gw.example.test:u@elsewhere.test"):
        like(ask("plain", "x@y.test", to), "^55[04] 5", "routing by the sender: " + to)
    is_eq(ask("plain", "x@y.test", "nobody"), "550 5.1.1 <nobody>: Recipient address rejected: User unknown in local recipient table", "unknown user")
    is_eq(ask("over", "x@y.test", "nobody"), "250 2.1.5 Ok", "receive_override_options")


def test_lists():
    like(ask("order", "x@y.test", "root"), "no root$", "a later list rejects what an earlier one let pass")
    like(ask("order", "x@y.test", "u@elsewhere.test"), "Relay access denied$", "permit does not open the relay")
    like(ask("order", "x@y.test", "u@far.test", source="127.0.0.8"), r"^554 5\.7\.1 <unknown\[127\.0\.0\.8\]>: Client host rejected: Access denied$", "the client's list comes first")
    like(ask("warn", "x@w.test", "u@far.test"), "sure$", "warn_if_reject spares once")
    GW.wait_log(r"reject_warning: RCPT from unknown\[127\.0\.0\.9\]: 554 5\.7\.1 <x@w\.test>: Sender address rejected: maybe; from=<x@w\.test> to=<u@far\.test> proto=ESMTP helo=<mx\.stranger\.test>$")
    is_eq(ask("warn", "x@y.test", "u@far.test"), "250 2.1.5 Ok", "permitted")
    GW.wait_log(r"NOQUEUE: permit: RCPT from unknown\[127\.0\.0\.9\]: action=permit_auth_destination for Recipient address=u@far\.test ; from=")


def test_early():
    with Client(ports["early"], source="127.0.0.8") as c:
        like(c.greeting.text, r"^554 5\.7\.1 <unknown\[127\.0\.0\.8\]>: Client host rejected: away$", "greeting")
        is_eq((c.cmd("EHLO a.test").code, c.cmd("MAIL FROM:<a@b.test>").code, c.cmd("QUIT").code), (503, 503, 221), "nothing but QUIT is left")
    with Client(ports["early"]) as c:
        is_eq([c.cmd(x).code for x in ("EHLO short", "MAIL FROM:<a@b.test>", "RSET", "EHLO a.test", "MAIL FROM:<a@b>", "MAIL FROM:<a@b.test>")], [504, 250, 250, 250, 504, 250], "HELO and MAIL")


def test_errors():
    like(ask("broken", "x@y.test", "u@far.test"), r"^451 4\.3\.5 <x@y\.test>: Sender address rejected: Server configuration error$", "a table that fails")
    is_eq(ask("unknown", "x@y.test", "u@far.test"), "451 4.3.5 Server configuration error", "a restriction that does not exist")
    GW.wait_log('warning: unknown smtpd restriction: "permit_everything_nice"')
    for user in ("bad", "tab"):
        is_eq(ask("actions", "x@y.test", user + "@far.test"), "451 4.3.5 Server configuration error", "a bad result for " + user)
    is_eq(ask("actions", "x@y.test", "num@far.test"), "559 5.1.1 <num@far.test>: Recipient address rejected: gone", "a code of its own")
    is_eq(ask("actions", "x@y.test", "slow@far.test"), "450 4.7.1 <slow@far.test>: Recipient address rejected: later", "DEFER_IF_PERMIT")
    like(ask("actions", "x@y.test", "many@far.test"), r"^450 4\.7\.0 ", "restrictions as a result")
    is_eq(ask("actions", "x@dsn.test", "u@far.test"), "554 5.1.7 <x@dsn.test>: Sender address rejected: moved", "enhanced code for a sender")
    with Client(ports["actions"]) as c:
        c.ehlo()
        c.cmd("MAIL FROM:<a@b.test>")
        is_eq(c.cmd("RCPT TO:<four@far.test>").code, 421, "421")
        is_eq(c.ended(), b"", "ends the session")


def test_message_actions():
    qid = put("actions", ["hold@far.test"]).text.split()[-1]
    wait_until(lambda: qid + "!" in GW.cmd("postqueue", "-p").stdout, "on hold")
    like(put("actions", ["disc@far.test", "num@far.test"], subject="disc").text, "^250 2.0.0 Ok: queued as", "DISCARD lets everything pass")
    put("actions", ["redir@far.test", "other@far.test"], subject="redir")
    is_eq(SINK.wait("redir").rcpts, ["to@far.test"], "REDIRECT")
    put("actions", ["bcc@far.test"], subject="bcc")
    wait_until(lambda: sorted(r for m in SINK.messages if m.header("Subject") == ["bcc"] for r in m.rcpts) == ["archive@far.test", "bcc@far.test", "copy@far.test"], "BCC")
    put("actions", ["pre@far.test"], subject="pre")
    is_eq([h.split(":")[0] for h in SINK.wait("pre").headers][:2], ["X-One", "Received"], "PREPEND stands on top")
    ok(not any(m.header("Subject") == ["disc"] for m in SINK.messages), "the discarded one never comes")


def test_overrides():
    put("plain", ["alias@far.test"], subject="mapped")
    wait_until(lambda: sorted(r for m in SINK.messages if m.header("Subject") == ["mapped"] for r in m.rcpts) == ["archive@far.test", "target@far.test"], "aliases and copies")
    put("over", ["alias@far.test"], subject="unmapped")
    is_eq(SINK.wait("unmapped").rcpts, ["alias@far.test"], "no_address_mappings")


def test_late():
    with Client(ports["late"], source="127.0.0.9") as c:
        c.ehlo()
        for line in ("MAIL FROM:<>", "RCPT TO:<a@far.test>", "RCPT TO:<b@far.test>"):
            c.cmd(line)
        is_eq(c.cmd("DATA").text, "550 5.5.3 <DATA>: Data command rejected: Multi-recipient bounce", "at DATA")
        c.cmd("RSET")
        is_eq(c.message("late@s.test", ["a@far.test"]).text, "554 5.7.1 <late@s.test>: Sender address rejected: too late", "after the content")
        is_eq(c.message("a@s.test", ["a@far.test"]).code, 250, "the session goes on")


def test_filters():
    with Client(ports["filter"]) as c:
        c.ehlo()
        c.cmd("MAIL FROM:<a@b.test>")
        is_eq(c.cmd("RCPT TO:<'u@far.test'>").code, 250, "smtpd_command_filter")
        is_eq(c.cmd("RCPT TO:<nobody>").text, "450 4.1.1 <nobody>: Recipient address rejected: User unknown in local recipient table; ask gw.example.test", "smtpd_reject_filter_maps and the footer")
    GW.wait_log('replacing command "RCPT TO:<\'u@far.test\'>" with "RCPT TO:<u@far.test>"')


with GW:
    GW.start()
    run(test_relay, test_lists, test_early, test_errors, test_message_actions, test_overrides, test_late, test_filters)
