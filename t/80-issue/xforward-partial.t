#!/usr/bin/env python3
"""XFORWARD that tells only where the message has been, XCLIENT with a login: what the message keeps of it."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from instance import Instance, free_port
from smtp import Client
import tap


def held(i, c, sender="s@x.test"):
    """The queue ID and the records of a message that is put on hold."""
    qid = c.message(sender, ["hold@far.test"]).text.split()[-1]
    return qid, i.cmd("postcat", "-q", qid, check=True).stdout


def xforward(i, port):
    with Client(port) as c:
        c.ehlo()
        c.cmd("XFORWARD IDENT=UPSTREAM SOURCE=LOCAL")
        _, text = held(i, c)
        for want in ("log_ident=UPSTREAM", "log_client_address=127.0.0.1", "log_helo_name=client.example.org", "log_protocol_name=ESMTP"):
            tap.ok(want in text, "the client is the one it was: " + want)
        c.cmd("XFORWARD PROTO=SMTP")
        qid, text = held(i, c)
        tap.ok("log_protocol_name=SMTP" in text and "log_client_address=127" not in text, "one word about a client: nothing else is known of it")
        tap.ok("log_ident=" + qid in text, "the name of the message is ours")
        tap.ok(i.wait_log(r"%s: client=unknown\[127\.0\.0\.1\], orig_client=unknown$" % qid), "logged")
        for bad in ("NAME=", "HELO="):
            tap.is_eq(c.cmd("XFORWARD " + bad).text, "501 5.5.4 Error: attribute=value expected", bad)


def xclient(i, port):
    with Client(port) as c:
        c.ehlo()
        tap.is_eq(c.cmd("XCLIENT LOGIN=").text, "501 5.5.4 Error: attribute=value expected", "a login without a name")
        c.cmd("XCLIENT LOGIN=anna")
        c.ehlo()
        tap.like(held(i, c)[1], r"with ESMTPA id ", "Received tells that the client is known (RFC 3848)")


def test_partial():
    port = free_port()
    with Instance(main={"smtpd_peername_lookup": "no", "smtpd_authorized_xforward_hosts": "127.0.0.1", "smtpd_authorized_xclient_hosts": "127.0.0.1", "relayhost": "[127.0.0.1]:9",
                        "smtpd_recipient_restrictions": "check_recipient_access inline:{hold@far.test=HOLD}"},
                  services=["%d inet n - n - - smtpd" % port]) as i:
        i.start()
        xforward(i, port)
        xclient(i, port)


tap.run(test_partial)
