#!/usr/bin/env python3
"""Policy servers: what they are told, over which connections, what their answers do, and what holds when they fail."""
import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
from instance import Instance, free_port, wait_until
from policy import PolicyServer
from smtp import Client, Sink
from tap import is_eq, like, ok, run

SRC = os.environ.get("POSTERN_SRC") or os.path.join(os.path.dirname(os.path.realpath(__file__)), "../..")
SINK = Sink()
MAIN = {"relayhost": "[127.0.0.1]:%d" % SINK.port, "relay_domains": "far.test", "mynetworks": "127.0.0.2", "smtpd_peername_lookup": "no", "smtpd_error_sleep_time": "0",
        "smtpd_soft_error_limit": "100000", "smtpd_hard_error_limit": "100000", "smtpd_policy_service_retry_delay": "1s", "smtpd_client_connection_count_limit": "0",
        "smtpd_recipient_limit": "100000", "smtpd_policy_service_policy_context": "usual"}
GW = Instance(main=MAIN)
ANSWERS = {}
PORTS = {}


def answer(r):
    return ANSWERS.get(r["recipient"].split("@")[0], "DUNNO")


SERVER = PolicyServer(answer)
PATH = PolicyServer(lambda r: "OK", os.path.join(GW.dir, "policy"))
NOBODY = "inet:127.0.0.1:%d" % free_port()


def service(name, **options):
    PORTS[name] = free_port()
    GW.services.append("%d inet n - n - - smtpd" % PORTS[name] + "".join(" -o { %s = %s }" % (k, v.replace("SERVER", SERVER.name)) for k, v in options.items()))


RCPT = "smtpd_recipient_restrictions"
ASK = "check_policy_service SERVER"
service("stages", smtpd_delay_reject="no", **{"smtpd_%s_restrictions" % w: ASK for w in "client helo sender recipient data end_of_data etrn".split()})
service("rcpt", **{RCPT: ASK + ", reject_unauth_destination"})
service("path", **{RCPT: "check_policy_service { unix:%s, policy_context=mine }, reject" % PATH.where, "smtpd_log_access_permit_actions": "static:all"})
service("reject", **{RCPT: ASK + ", reject"})
service("warn", **{RCPT: "warn_if_reject " + ASK})
service("gone", **{RCPT: "check_policy_service " + NOBODY})
service("skip", **{RCPT: "check_policy_service { %s, try_limit=1 default_action=DUNNO }, permit" % NOBODY})
service("nested", smtpd_restriction_classes="other", other="check_policy_service { %s, try_limit=1, default_action=OK }" % NOBODY,
        **{RCPT: "check_policy_service { %s, try_limit=1, default_action=other }, permit" % NOBODY})
service("class", smtpd_restriction_classes="ask", ask=ASK, **{RCPT: "check_recipient_access inline:{{c@far.test=ask}}, permit"})
service("few", **{RCPT: "check_policy_service { SERVER, max_idle=1s, policy_context=few }", "default_process_limit": "4"})
service("patient", **{RCPT: "check_policy_service { SERVER, timeout=1s, try_limit=1 }"})
BAD = {"none": "check_policy_service", "type": "check_policy_service tcp:1", "port": "check_policy_service inet:127.0.0.1:no-such-port", "group": "check_policy_service {}",
       "setting": "check_policy_service { SERVER, colour=red }", "value": "check_policy_service { SERVER, timeout=soon }", "zero": "check_policy_service { SERVER, try_limit=0 }",
       "equals": "check_policy_service { SERVER, timeout }", "empty": "check_policy_service { SERVER, { default_action = } }"}
for name, text in BAD.items():
    service(name, **{RCPT: text})


def at_rcpt(name, rcpt="b@far.test", sender="a@client.test"):
    with Client(PORTS[name]) as c:
        c.ehlo()
        c.cmd("MAIL FROM:<%s>" % sender)
        return c.cmd("RCPT TO:<%s>" % rcpt)


def since():
    return len(SERVER.requests)


def test_attributes():
    table = open(os.path.join(SRC, "src/smtpd/policy.tbl")).read()
    with Client(PORTS["stages"]) as c:
        c.cmd("HELO old.test")
        c.cmd("VRFY v@far.test")
        c.cmd("ETRN far.test")
        c.ehlo("new.test")
        for _ in range(2):
            c.message("A@client.test", ["\"b c\"@far.test", "d@far.test"], b"Subject: x\r\n\r\n..y\r\n")
        c.cmd("MAIL FROM:<> SIZE=777")
        c.cmd("RCPT TO:<e@far.test>")
        c.send(b"BDAT 16 LAST\r\nSubject: x\n\n..y\n")
        queued = c.reply().text
        port = str(c.sock.getsockname()[1])
    got = SERVER.requests[:]
    is_eq([r["protocol_state"] for r in got], ["CONNECT", "HELO", "VRFY", "ETRN", "EHLO"] + ["MAIL", "RCPT", "RCPT", "DATA", "END-OF-MESSAGE"] * 2 + ["MAIL", "RCPT", "DATA", "END-OF-MESSAGE"],
          "stages; BDAT counts as DATA")
    is_eq(got[0]["names"], re.findall(r"^POLICY_ATTR\((\w+),", table, re.M), "attributes, in the order of the table")
    ok(all(r["names"] == got[0]["names"] for r in got), "at every stage")
    is_eq({(r["request"], r["client_address"], r["client_port"], r["client_name"], r["server_address"], r["server_port"], r["policy_context"]) for r in got},
          {("smtpd_access_policy", "127.0.0.1", port, "unknown", "127.0.0.1", str(PORTS["stages"]), "usual")}, "both ends")
    is_eq([r["protocol_name"] for r in got[:6]], ["SMTP"] * 5 + ["ESMTP"], "protocol_name")
    is_eq([r["helo_name"] for r in got[:5]], ["", "old.test", "old.test", "old.test", "new.test"], "helo_name")
    is_eq([r["recipient"] for r in got[:10]], ["", "", "v@far.test", "", "", "", "b c@far.test", "d@far.test", "", ""], "recipient")
    is_eq([r["recipient"] for r in got[15:]], ["", "e@far.test", "e@far.test", "e@far.test"], "recipient, when there is one")
    is_eq([r["recipient_count"] for r in got[5:10] + got[15:]], ["0", "0", "0", "2", "2", "0", "0", "1", "1"], "recipient_count")
    is_eq([r["sender"] for r in got[4:7] + got[15:17]], ["", "A@client.test", "A@client.test", "", ""], "sender")
    is_eq([r["etrn_domain"] for r in got[2:5]], ["", "far.test", ""], "etrn_domain")
    is_eq([r["size"] for r in got[5:10] + got[15:]], ["0", "0", "0", "0", "18", "777", "777", "777", "19"], "size: CRLF counts two, a doubled dot one")
    ids = [r["queue_id"] for r in got[5:10]]
    is_eq([ids[0], ids[1], len(set(ids[2:])), bool(ids[2])], ["", "", 1, True], "queue_id, from the first accepted recipient on")
    like(queued, got[18]["queue_id"] + "$", "the same that the client is told")
    names = [r["instance"] for r in got]
    is_eq(names[:6], [""] * 6, "no instance before RCPT")
    is_eq([len(set(names[6:10])), len(set(names[11:15])), len(set(names[16:]))], [1, 1, 1], "one instance for all requests about a message")
    is_eq(len(set(names) - {""}), 3, "another one for another message")
    ok(got[0]["mail_version"] and got[0]["compatibility_level"] == "3.6", "mail_version, compatibility_level")
    is_eq(got[0]["encryption_keysize"], "0", "a number that is not known")
    is_eq(SERVER.connections, 1, "all over one connection")


def test_answers():
    ANSWERS.update({"no": "REJECT 5.7.9 go away", "grey": "DEFER_IF_PERMIT 4.2.0 greylisted", "class": "reject_unauth_destination, reject", "table": "check_sender_access inline:{x=y}",
                    "policy": "check_policy_service " + SERVER.name, "odd": "FROBNICATE it", "ok": "OK", "empty": "", "utf8": b"action=REJECT \xff\n\n", "long": "REJECT " + "x" * 1900,
                    "prepend": "PREPEND X-Policy: " + "y" * 900, "hold": "HOLD", "bcc1": "BCC one@far.test", "bcc2": "BCC two@far.test", "bcc3": "BCC one@far.test"})
    for rcpt, want in (("no", "554 5.7.9 <no@far.test>: Recipient address rejected: go away"), ("grey", "450 4.2.0 <grey@far.test>: Recipient address rejected: greylisted"),
                       ("class", "554 5.7.1 <class@far.test>: Recipient address rejected: Access denied"), ("table", "451 4.3.5 Server configuration error"),
                       ("policy", "451 4.3.5 Server configuration error"), ("odd", "451 4.3.5 Server configuration error"), ("empty", "250 2.1.5 Ok"),
                       ("utf8", "451 4.3.5 <utf8@far.test>: Recipient address rejected: Server configuration problem"), ("long", "554 5.7.1 <long@far.test>: Recipient address rejected: " + "x" * 1900)):
        is_eq(at_rcpt("rcpt", rcpt + "@far.test").text, want, "answer: " + str(ANSWERS[rcpt])[:40])
    GW.wait_log(r"warning: unknown smtpd restriction: \"FROBNICATE\"")
    GW.wait_log(r"warning: policy server %s: its answer has an empty action" % re.escape(SERVER.name))
    GW.wait_log(r"warning: malformed UTF-8 in policy server %s response: \"REJECT \\377\"" % re.escape(SERVER.name))
    is_eq(at_rcpt("rcpt", "x@else.test").code, 454, "DUNNO leaves it to the next restriction")
    is_eq([at_rcpt("reject", r + "@far.test").code for r in ("ok", "b", "empty")], [250, 554, 554], "OK ends the list; DUNNO and nothing do not")
    is_eq(at_rcpt("warn", "no@far.test").code, 250, "warn_if_reject")
    GW.wait_log(r"reject_warning: RCPT from .* go away; from=<a@client.test> to=<no@far.test>")
    is_eq(at_rcpt("path", "b@far.test").code, 250, "a UNIX socket")
    is_eq(PATH.requests[-1]["policy_context"], "mine", "a setting of its own")
    GW.wait_log(r"permit: RCPT from .*: action=OK for Recipient address=b@far.test from \{ unix:\S+, policy_context=mine \}; from=")
    n = since()
    is_eq([at_rcpt("class", r).code for r in ("d@far.test", "c@far.test")], [250, 250], "in a restriction class")
    is_eq([r["recipient"] for r in SERVER.requests[n:]], ["c@far.test"], "asked only when the class is")
    with Client(PORTS["rcpt"]) as c:
        c.ehlo()
        is_eq(c.message("a@client.test", ["prepend@far.test"], b"Subject: prepended\r\n\r\nx\r\n").code, 250, "a message")
        is_eq(c.message("a@client.test", ["bcc%d@far.test" % i for i in (1, 2, 3)], b"Subject: copies\r\n\r\nx\r\n").code, 250, "several BCC")
        is_eq(c.message("a@client.test", ["hold@far.test", "hold@far.test"]).code, 250, "HOLD twice")
    is_eq(SINK.wait("prepended").header("X-Policy"), ["y" * 900], "PREPEND")
    SINK.wait("copies")
    copies = ["bcc1@far.test", "bcc2@far.test", "bcc3@far.test", "one@far.test", "two@far.test"]
    wait_until(lambda: sorted(r for m in SINK.messages if m.header("Subject") == ["copies"] for r in m.rcpts) == copies, "each gets a copy")
    ok(True, "each gets one copy")
    is_eq(len(GW.find_log(r": hold: RCPT from .*<hold@far\.test>: Recipient address triggers HOLD action")), 1, "held once")


def test_long():
    text = " ".join("word%d" % i for i in range(5000))
    ANSWERS["long"] = "REJECT " + text
    with Client(PORTS["rcpt"]) as c:
        c.ehlo()
        c.cmd("MAIL FROM:<a@client.test>")
        r = c.cmd("RCPT TO:<long@far.test>")
        ok(r.code == 554 and len(r.lines) > 50, "a text that is long becomes a reply of many lines")
        is_eq([l for l in r.lines if len(l) > 512 - 6 or not l.startswith("5.7.1 ")], [], "none is longer than a client must take")
        is_eq(" ".join(l[6:] for l in r.lines), "<long@far.test>: Recipient address rejected: " + text, "nothing is lost")
        is_eq(c.cmd("RCPT TO:<fine@far.test>").code, 250, "the session goes on")


def test_connections():
    """Two messages at the same time each keep their connection; what is given back is used by the next."""
    SERVER.close_connections()
    n, before = since(), SERVER.connections
    with Client(PORTS["rcpt"]) as a, Client(PORTS["rcpt"]) as b:
        for c in (a, b):
            c.ehlo()
            c.cmd("MAIL FROM:<a@client.test>")
        for i in range(3):
            a.cmd("RCPT TO:<a%d@far.test>" % i)
            b.cmd("RCPT TO:<b%d@far.test>" % i)
        used = {name: {r["connection"] for r in SERVER.requests[n:] if r["recipient"][0] == name} for name in "ab"}
        is_eq([len(used["a"]), len(used["b"]), len(used["a"] | used["b"])], [1, 1, 2], "one connection for each message")
        for c in (a, b):
            c.cmd("RSET")
        is_eq(at_rcpt("rcpt").code, 250, "another message")
    ok(SERVER.requests[-1]["connection"] in used["a"] | used["b"] or len(GW.pids("smtpd")) > 1, "goes over one of them")


def test_restart():
    """A server may close at any time between requests: nobody notices."""
    at_rcpt("rcpt")
    mark = len(GW.log())
    with Client(PORTS["rcpt"]) as c:
        c.ehlo()
        c.cmd("MAIL FROM:<a@client.test>")
        is_eq(c.cmd("RCPT TO:<b@far.test>").code, 250, "before")
        SERVER.stop()
        wait_until(lambda: SERVER.open == 0, "the server's end")
        SERVER.start()
        is_eq(c.cmd("RCPT TO:<c@far.test>").code, 250, "after a restart of the server")
    ok(not GW.find_log("problem talking|connect to", since=mark), "without trouble")


def test_failures():
    mark = len(GW.log())
    is_eq(at_rcpt("gone").text, "451 4.3.5 <b@far.test>: Recipient address rejected: Server configuration problem", "no server")
    GW.wait_log(r"warning: connect to %s: Connection refused" % NOBODY[5:], count=2, since=mark)
    GW.wait_log(r"warning: problem talking to server %s: Connection refused" % NOBODY[5:], count=2, since=mark)
    is_eq(at_rcpt("skip").code, 250, "default_action=DUNNO")
    is_eq(at_rcpt("nested").text, "451 4.3.5 <b@far.test>: Recipient address rejected: Server configuration problem", "a default action that asks another server has the built-in one")
    for what, raw, log in (("closes", None, "connection closed before its answer was complete"), ("garbage", b"garbage\n\n", 'missing value of attribute "garbage" in its answer'),
                           ("no action", b"foo=bar\n\n", "missing attribute action in its answer"), ("a NUL", b"action=REJ\0ECT\n\n", "NUL in its answer"),
                           ("endless", b"action=" + b"x" * 200000, "its answer has more than 131072 bytes"), ("silent", b"action=", "Connection timed out")):
        mark, n = len(GW.log()), since()
        ANSWERS["bad"] = raw
        ANSWERS["bad2"] = raw
        is_eq(at_rcpt("patient", "bad@far.test").code, 451, what)
        GW.wait_log(r"warning: problem talking to server %s: %s$" % (SERVER.name[5:], re.escape(log)), since=mark)
        is_eq(at_rcpt("rcpt", "b@far.test").code, 250, "and then in order again")


def babbler(r):
    return b"action=DUNNO\n\naction=REJECT babble\n\n" if r["recipient"].startswith("babble") else answer(r)


def test_babble():
    SERVER.answer = babbler
    is_eq(at_rcpt("rcpt", "babble@far.test").code, 250, "the answer counts")
    is_eq([at_rcpt("rcpt").code for _ in range(3)], [250] * 3, "what comes behind it is no answer to others")
    SERVER.answer = answer


def test_crowd():
    """Many sessions share few connections; an idle one is closed."""
    n, before = since(), SERVER.connections
    clients = [Client(PORTS["few"]) for _ in range(60)]
    for c in clients:
        c.ehlo()
    for c in clients:
        c.send("MAIL FROM:<a@client.test>\r\nRCPT TO:<b@far.test>\r\n")
    codes = [[c.reply().code for _ in range(2)][-1] for c in clients]
    is_eq(set(codes), {250}, "all are answered")
    requests = [r for r in SERVER.requests[n:] if r["policy_context"] == "few"]
    is_eq(len(requests), 60, "each once")
    used = len({r["connection"] for r in requests})
    ok(used <= 4 * len(GW.pids("smtpd")), "over no more connections than default_process_limit")
    for c in clients:
        c.close()
    wait_until(lambda: not [s for s in SERVER.requests[n:] if s["connection"] > before and s["policy_context"] == "few"] or SERVER.open <= before, "idle connections are closed")
    ok(True, "max_idle")


def test_memory():
    with Client(PORTS["rcpt"]) as c:
        c.ehlo()

        def more(times):
            for _ in range(times):
                c.send("MAIL FROM:<a@client.test>\r\nRCPT TO:<no@far.test>\r\nRCPT TO:<b@far.test>\r\nRSET\r\n" * 20)
                for _ in range(80):
                    c.reply()

        def memory():
            return sum(int(re.search(r"^Pss:\s+(\d+)", open("/proc/%d/smaps_rollup" % p).read(), re.M).group(1)) for p in GW.pids("smtpd"))

        more(10)
        before = memory()
        more(150)
        ok(memory() - before < 400, "6000 requests: %d KiB more" % (memory() - before))


def test_configuration():
    for name in BAD:
        is_eq(at_rcpt(name).text, "451 4.3.5 Server configuration error", BAD[name])
    GW.wait_log(r"warning: restriction check_policy_service: unknown setting: \"colour\"")


with GW:
    os.chmod(GW.dir, 0o755)
    GW.write_config()
    GW.start()
    run(test_attributes, test_answers, test_long, test_connections, test_restart, test_failures, test_babble, test_crowd, test_memory, test_configuration)
