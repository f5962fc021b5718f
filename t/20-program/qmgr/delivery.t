#!/usr/bin/env python3
"""qmgr delivers: agents, recipients, windows, dead sites, retries, reports. The test plays all that is around it."""
import os
import select
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import wait_until
from qmgrfakes import BOUNCED, DEFERRED, SENT, Gate
from tap import is_eq, like, ok, run


def test_simple():
    with Gate() as g:
        g.start()
        qid = g.put("a@far.test", "old@x.test=b@far.test", "c@near.test", flags=["-a", "client_name=mx.client.test"])
        g.wait_removed(qid)
        like(g.wait_log("queue active"), r"%s: from=<sender@example\.test>, size=20, nrcpt=3 \(queue active\)$" % qid, "activation is logged")
        smtp = g.agent("smtp")
        is_eq(sorted(r.to for r in smtp.requests), [["a@far.test", "b@far.test"], ["c@near.test"]], "recipients by destination")
        r = next(r for r in smtp.requests if r.nexthop == "far.test")
        is_eq(r.rcpts[1]["orig_address"], "old@x.test", "the original address goes along")
        is_eq((r.sender, r.attrs["client_name"], r.fields["transport"]), ("sender@example.test", "mx.client.test", "smtp"), "what agents are told")
        with open(os.path.join(g.spool, r.fields["path"]), "rb") as f:
            f.seek(r.fields["content_offset"])
            is_eq(f.read(r.fields["content_length"]), b"Subject: test\r\n\r\nbody\r\n", "the content is where the request says")
        is_eq(g.list(), {}, "nothing is left")
        ids = g.put("u@far.test", n=300)
        g.wait_removed(*ids)
        is_eq(sorted(x.id for x in smtp.requests if x.to == ["u@far.test"]), sorted(ids), "300 messages, each once")
        ok(smtp.service.connections <= 40, "connections to agents are kept")
        qid = g.put("u@far.test", flags=["-f"])
        g.wait_removed(qid)
        ok(not any(qid in f for _, _, f in os.walk(g.spool)), "a message in a file is gone from the disk")


def test_retry():
    with Gate({"minimal_backoff_time": "2s", "maximal_backoff_time": "2s", "queue_run_delay": "1s"}) as g:
        g.start()
        times = []
        smtp = g.agent("smtp")

        def answer(r):
            times.append(time.monotonic())
            if len(times) < 3:
                return [(DEFERRED, "4.2.1", "busy") if a == "b@far.test" else (SENT, "2.0.0", "ok") for a in r.to]
            return SENT, "2.0.0", "ok"
        smtp.answer = answer
        qid = g.put("a@far.test", "b@far.test")
        g.wait_queue(qid, "deferred")
        is_eq(g.list()[qid]["rcpts"], [("b@far.test", "busy")], "what is left, with the reason")
        ok(os.path.exists(os.path.join(g.spool, "deferred", qid[0], qid)), "its file is where administrators know it")
        g.wait_removed(qid)
        is_eq([r.to for r in smtp.requests], [["a@far.test", "b@far.test"], ["b@far.test"], ["b@far.test"]], "only what was deferred is tried again")
        gaps = [b - a for a, b in zip(times, times[1:])]
        ok(min(gaps) >= 1.9 and max(gaps) < 8, "not before its time: %r" % gaps)
        is_eq(len(g.find_log("%s: from=.*queue active" % qid)), 3, "activations")


def test_bounce():
    with Gate() as g:
        g.start()
        g.agent("smtp").answer = lambda r: [(BOUNCED, "5.1.1", "no") if a.startswith("no") else (SENT, "2.0.0", "ok") for a in r.to]
        qid = g.put("no@far.test", "yes@far.test")
        g.wait_removed(qid)
        is_eq(len(g.reports), 1, "one report")
        is_eq((g.reports[0]["service"], g.reports[0]["sender"], g.reports[0]["rcpts"]), ("bounce", "sender@example.test", [("no@far.test", "5.1.1", "", "no")]), "about the refused recipient")
        # The report cannot be made: the message waits with what became of it.
        g.report_status = 1
        qid = g.put("no@far.test", "yes@far.test")
        g.wait_queue(qid, "deferred")
        n = len(g.agent("smtp").requests)
        g.report_status = 0
        g.flush()
        g.wait_removed(qid)
        is_eq(len(g.agent("smtp").requests), n, "only the report is tried again")
        is_eq(g.reports[-1]["rcpts"], [("no@far.test", "5.1.1", "", "no")], "with what was known")
        # One is bounced now, another later: no report comes twice.
        g.agent("smtp").answer = lambda r: [(BOUNCED, "5.1.1", "no") if a.startswith("no") else (DEFERRED, "4.2.0", "later") for a in r.to]
        del g.reports[:]
        qid = g.put("no@far.test", "later@far.test")
        g.wait_queue(qid, "deferred")
        g.agent("smtp").answer = lambda r: (BOUNCED, "5.2.0", "never")
        g.flush()
        g.wait_removed(qid)
        is_eq([[x[0] for x in r["rcpts"]] for r in g.reports], [["no@far.test"], ["later@far.test"]], "each recipient is reported once")
        # Success, asked for.
        g.agent("smtp").answer = lambda r: (SENT, "2.0.0", "ok")
        del g.reports[:]
        g.wait_removed(g.put("yes@far.test", flags=["-N"]))
        is_eq([(r["service"], len(r["rcpts"])) for r in g.reports], [("trace", 1)], "success report")
        g.wait_removed(g.put("yes@far.test", flags=["-v"]))
        is_eq([r["service"] for r in g.reports], ["trace", "trace"], "sendmail -v")
        # sendmail -v reports the first round, and success is not told again in the second.
        del g.reports[:]
        g.agent("smtp").answer = lambda r: [(DEFERRED, "4.2.0", "later") if a.startswith("later") else (SENT, "2.0.0", "ok") for a in r.to]
        qid = g.put("yes@far.test", "later@far.test", flags=["-v", "-N"])
        g.wait_queue(qid, "deferred")
        g.agent("smtp").answer = lambda r: (SENT, "2.0.0", "ok")
        g.flush()
        g.wait_removed(qid)
        is_eq([sorted(x[0] for x in r["rcpts"]) for r in g.reports], [["later@far.test", "yes@far.test"], ["later@far.test"]], "reports of two rounds")


def test_expire():
    with Gate({"maximal_queue_lifetime": "0", "bounce_queue_lifetime": "0"}) as g:
        g.start()
        g.agent("smtp").answer = lambda r: (DEFERRED, "4.2.1", "busy")
        qid = g.put("a@far.test")
        g.wait_removed(qid)
        like("\n".join(g.find_log("expired")), r"%s: from=<sender@example\.test>, status=expired, returned to sender" % qid, "logged")
        is_eq(g.reports[0]["rcpts"], [("a@far.test", "4.2.1", "failed", "busy")], "the last reason is reported")
    with Gate({"maximal_queue_lifetime": "5d", "bounce_queue_lifetime": "0"}) as g:
        g.start()
        g.agent("smtp").answer = lambda r: (DEFERRED, "4.2.1", "busy")
        qid = g.put("a@far.test")
        g.wait_queue(qid, "deferred")
        g.wait_removed(g.put("a@far.test", sender=""))
        ok(True, "mail from <> has a life time of its own")
        is_eq(g.super("e", qid)["count"], 1, "expire by force")
        is_eq(g.list()[qid]["forced_expire"], 1, "the listing knows")
        g.flush()
        g.wait_log("%s: from=<sender@example.test>, status=force-expired, returned to sender" % qid)
        g.wait_removed(qid)


def test_delay_warning():
    with Gate({"delay_warning_time": "1s", "minimal_backoff_time": "2s", "maximal_backoff_time": "2s", "queue_run_delay": "1s"}) as g:
        g.start()
        g.agent("smtp").answer = lambda r: (DEFERRED, "4.2.1", "busy")
        qid = g.put("a@far.test")
        wait_until(lambda: len(g.agent("smtp").requests) >= 4, "four attempts")
        is_eq([(r["service"], r["rcpts"][0][0]) for r in g.reports], [("defer", "a@far.test")], "one warning")
        g.agent("smtp").answer = lambda r: (SENT, "2.0.0", "ok")
        g.flush()
        g.wait_removed(qid)


def test_windows():
    with Gate({"smtp_destination_concurrency_limit": "3", "smtp_initial_destination_concurrency": "2", "smtp_destination_recipient_limit": "2"}) as g:
        g.start()
        go = threading.Event()
        smtp = g.agent("smtp")
        smtp.answer = lambda r: go.wait(20) and (SENT, "2.0.0", "ok")
        ids = g.put("u@slow.test", n=20)
        wait_until(lambda: smtp.now == 2, "two deliveries")
        other = g.put("u@other.test")
        wait_until(lambda: smtp.now == 3, "another destination is served")
        is_eq(g.list()[ids[-1]]["queue"], "active", "the others wait in the active queue")
        go.set()
        g.wait_removed(other, *ids)
        ok(smtp.most <= 4, "never more than the limit (and one to the other): %d" % smtp.most)
        many = g.put(*["u%d@slow.test" % n for n in range(5)])
        g.wait_removed(many)
        is_eq(sorted(len(r.rcpts) for r in smtp.requests if r.id == many), [1, 2, 2], "recipients of one delivery")


def test_agent_limit():
    with Gate() as g:
        g.start()
        smtp = g.agent("smtp")
        smtp.limit = threading.Semaphore(2)
        smtp.answer = lambda r: time.sleep(0.05) or (SENT, "2.0.0", "ok")
        ids = g.put("u@far.test", n=10) + [g.put("u@d%d.test" % n) for n in range(5)]
        g.wait_removed(*ids)
        is_eq(smtp.most, 2, "an agent that has no room gets nothing, and nothing waits for it")


def test_dead_site():
    with Gate({"initial_destination_concurrency": "1"}) as g:
        g.start()
        smtp, retry = g.agent("smtp"), g.agent("retry")
        smtp.answer = lambda r: ("dead", "4.4.1", "connect to h: Connection refused") if r.nexthop == "dead.test" else (SENT, "2.0.0", "ok")
        first = g.put("u@dead.test")
        g.wait_queue(first, "deferred")
        second = g.put("v@dead.test")
        g.wait_queue(second, "deferred")
        is_eq([r.nexthop for r in retry.requests], ["4.4.1 delivery temporarily suspended: connect to h: Connection refused"], "later mail goes to retry")
        g.wait_removed(g.put("w@alive.test"))
        is_eq(len([r for r in smtp.requests if r.nexthop == "dead.test"]), 1, "one attempt")
        smtp.answer = lambda r: (SENT, "2.0.0", "ok")
        is_eq(g.flush(), 2, "a flush tries all again")
        g.wait_removed(first, second)


def test_transport_away():
    with Gate({"transport_retry_time": "1s"}) as g:
        g.route["gone.test"] = ("nosuch", "gone.test")
        g.start()
        qid = g.put("u@gone.test")
        g.wait_queue(qid, "deferred")
        ok(g.wait_log(r"qmgr\[\d+\]: warning: connect to transport private/nosuch: No such file or directory$"), "warning")
        is_eq(g.agent("retry").requests[0].nexthop, "4.3.0 mail transport unavailable", "its mail is deferred")
        a = g.agent("nosuch")
        wait_until(lambda: g.flush() is not None and a.requests, "and delivered when it is there")
        g.wait_removed(qid)
        # An agent that dies in the middle.
        g.agent("smtp").answer = lambda r: None
        qid = g.put("u@far.test")
        g.wait_queue(qid, "deferred")
        is_eq(g.list()[qid]["rcpts"], [("u@far.test", "unknown mail transport error")], "deferred with that reason")
        # retry is away too: qmgr defers by itself.
        g.agent("retry").service.close()
        g.route["gone2.test"] = ("nosuch2", "gone2.test")
        qid = g.put("u@gone2.test", flags=["-k"])       # found by the next qmgr
        for s in g.pids("qmgr"):
            g.kill(s)
        g.wait_queue(qid, "deferred")
        g.wait_log(r"qmgr\[\d+\]: %s: to=<u@gone2\.test>, relay=none, delay=\S+, delays=\S+, dsn=4\.3\.0, status=deferred \(mail transport unavailable\)$" % qid)
        ok(True, "without a retry service qmgr writes the record")


def test_kept_connection_closed():
    with Gate() as g:
        g.start()
        smtp = g.agent("smtp")
        state = {"n": 0}

        def answer(r):
            state["n"] += 1
            return None if state["n"] == 2 else (SENT, "2.0.0", "ok")
        smtp.answer = answer
        g.wait_removed(g.put("u@far.test"))
        g.wait_removed(g.put("u@far.test"))
        is_eq(state["n"], 3, "a request that a closed connection swallowed is given to another")
        is_eq(g.find_log("ended without"), [], "without noise")


def test_closed_unread():
    """An agent that ends, as after a reload, while its first request is on the way."""
    with Gate() as g:
        g.start()
        smtp = g.agent("smtp")
        serve, state = smtp.serve, {"first": True}

        def once(c):
            if not state.pop("first", False):
                return serve(c)
            c.send("DELIVER_READY")
            select.select([c.sock], [], [], 20)
        smtp.service.handler = once
        g.wait_removed(g.put("u@far.test"))
        is_eq((len(smtp.requests), g.find_log("ended without")), (1, []), "a request that was not read is given to another")


def test_bad_agent():
    with Gate() as g:
        g.start()
        smtp = g.agent("smtp")
        original = smtp.reply
        for bad in ([("RCPT_STATUS", dict(index=7, kind=SENT))], [("DELIVER_DONE", {})], [("RCPT_STATUS", dict(index=0, kind=9))],
                    [("RCPT_STATUS", dict(index=0, kind=DEFERRED, dsn="4.0.0", reason="x")), ("RCPT_STATUS", dict(index=0, kind=SENT))], [("QMGR_ANSWER", {})], b"\xb5\x02garbage!", b"xxxxxxxxxxxxxxxx"):
            def reply(c, r, bad=bad):
                if isinstance(bad, bytes):
                    c.send_raw(bad)
                else:
                    for name, fields in bad:
                        c.send(name, **fields)
                return True
            smtp.reply = reply
            qid = g.put("u@far.test")
            g.wait_queue(qid, "deferred")
            smtp.reply = original
            g.flush()
            g.wait_removed(qid)
        ok(len(g.pids("qmgr")) == 1 and not g.find_log("panic|signal"), "an agent that talks nonsense does no harm")


def test_filter_and_verp():
    with Gate() as g:
        g.start()
        g.agent("scan")
        qid = g.put("a@far.test", "b@other.test", flags=["-a", "content_filter=scan:[127.0.0.1]:10025"])
        g.wait_removed(qid)
        is_eq([(r.nexthop, r.to) for r in g.agent("scan").requests], [("[127.0.0.1]:10025", ["a@far.test", "b@other.test"])], "content_filter takes all")
        qid = g.put("a@far.test", "b@other.test", flags=["-a", "content_filter=scan:"])
        g.wait_removed(qid)
        is_eq(sorted(r.nexthop for r in g.agent("scan").requests[1:]), ["far.test", "other.test"], "without next hop: the recipient's domain")
        g.route["fail.test"] = ("smtp", "x", 1 << 2)
        qid = g.put("a@fail.test")
        g.wait_queue(qid, "deferred")
        is_eq(g.agent("retry").requests[-1].nexthop, "4.3.0 address resolver failure", "a look-up that failed defers")
        g.route["double-bounce@gw.example.test"] = ("local", "gw.example.test", 1 << 8)
        qid = g.put("double-bounce@gw.example.test")
        g.wait_removed(qid)
        like("\n".join(g.find_log(qid)), r"to=<double-bounce@gw\.example\.test>, relay=none, .*status=sent \(undeliverable postmaster notification discarded\)", "mail to double-bounce ends here")


def test_recipient_batches():
    main = {"smtp_recipient_limit": "20", "smtp_extra_recipient_limit": "0", "smtp_recipient_refill_limit": "10", "default_recipient_limit": "30",
            "smtp_destination_recipient_limit": "5", "qmgr_message_recipient_minimum": "7"}
    with Gate(main) as g:
        g.start()
        go = threading.Event()
        g.agent("smtp").answer = lambda r: go.wait(20) and (SENT, "2.0.0", "ok")
        rcpts = ["u%d@far.test" % n for n in range(200)]
        qid = g.put(*rcpts)
        wait_until(lambda: g.agent("smtp").now >= 4, "in flight")
        first = len(set(g.resolved))
        ok(first <= 40, "not all recipients are taken into memory at once: %d" % first)
        other = g.put("v@far2.test")
        go.set()
        g.wait_removed(qid, other)
        is_eq(sorted(a for r in g.agent("smtp").requests if r.id == qid for a in r.to), sorted(rcpts), "but all are delivered, once")


run(test_recipient_batches, test_simple, test_retry, test_bounce, test_expire, test_delay_warning, test_windows, test_agent_limit, test_dead_site, test_transport_away,
    test_kept_connection_closed, test_closed_unread, test_bad_agent, test_filter_and_verp)
