#!/usr/bin/env python3
"""smtpd: refusals that are put off (DEFER_IF_PERMIT, DEFER_IF_REJECT), warn_if_reject, classes; actions where there is no message."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import Instance, free_ports
from smtp import Client
from tap import is_eq, ok, run

PERMIT, REJECT = "check_client_access static:{DEFER_IF_PERMIT per}", "check_client_access static:{DEFER_IF_REJECT rej}"
NO, WARN = "check_recipient_access static:{REJECT no}", "check_client_access static:{WARN go on}"
MAIN = {"relay_domains": "far.test", "mydestination": "gw.example.test", "local_recipient_maps": "inline:{root=x}", "smtpd_peername_lookup": "no", "smtpd_error_sleep_time": "0",
        "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination", "smtpd_delay_reject": "yes", "mynetworks": "192.0.2.0/24", "default_transport": "discard:",
        "relay_transport": "discard:", "local_transport": "discard:", "smtpd_restriction_classes": "two, warned, missing", "two": "check_sender_access inline:{nobody=x}, reject",
        "warned": "check_recipient_access inline:{{w@far.test=warn_if_reject}}, reject"}
LATER, OLD = "450 4.7.1 <unknown[127.0.0.1]>: Client host rejected: ", "554 5.7.1 <%s>: Recipient address rejected: "

# parameters; recipients and the replies they get
CASES = [
    ({"smtpd_client_restrictions": REJECT}, {"v@elsewhere.test": "554 5.7.1 <v@elsewhere.test>: Relay access denied", "nobody": "550 5.1.1", "w@far.test": "250"}, "DEFER_IF_REJECT ends with its list"),
    ({"smtpd_relay_restrictions": REJECT + ", reject_unauth_destination", "smtpd_recipient_restrictions": "check_recipient_access inline:{{w@far.test=REJECT}}"},
     {"v@elsewhere.test": LATER + "rej", "w@far.test": LATER + "rej", "nobody": LATER + "rej", "root": "250"}, "which for the relay and recipient lists is one"),
    ({"smtpd_client_restrictions": PERMIT}, {"v@elsewhere.test": "554 5.7.1", "nobody": LATER + "per", "w@far.test": LATER + "per"}, "DEFER_IF_PERMIT holds for all lists, and comes before unknown recipients"),
    ({"smtpd_recipient_restrictions": "%s, %s, %s, %s" % (REJECT, PERMIT, WARN, NO)}, {"w@far.test": LATER + "per"}, "both: later, whatever comes"),
    ({"smtpd_recipient_restrictions": "%s, %s, check_client_access static:DISCARD" % (PERMIT, REJECT)}, {"w@far.test": LATER + "per", "root": LATER + "per"}, "nothing more is asked then"),
    ({"smtpd_client_restrictions": PERMIT, "smtpd_sender_restrictions": "check_sender_access static:DISCARD", "smtpd_delay_reject": "no"}, {"w@far.test": LATER + "per"},
     "DISCARD does not undo what was put off"),
    ({"smtpd_recipient_restrictions": "warn_if_reject two"}, {"w@far.test": "250"}, "warn_if_reject holds for the whole of a class"),
    ({"smtpd_recipient_restrictions": "warn_if_reject two, reject"}, {"w@far.test": OLD % "w@far.test" + "Access denied"}, "and no further"),
    ({"smtpd_recipient_restrictions": "warned"}, {"w@far.test": OLD % "w@far.test" + "Access denied"}, "nor beyond the end of its list"),
    ({"smtpd_recipient_restrictions": "warn_if_reject nosuch, permit"}, {"w@far.test": "451 4.3.5 Server configuration error"}, "a wrong configuration is more than a warning"),
    ({"smtpd_recipient_restrictions": "missing, permit"}, {"w@far.test": "451 4.3.5 Server configuration error"}, "a class without definition"),
]
ETRN = [({"smtpd_client_restrictions": PERMIT, "smtpd_delay_reject": "no"}, LATER + "per"), ({"smtpd_etrn_restrictions": "check_etrn_access static:DISCARD, reject"}, "554 5.7.1"),
        ({"smtpd_etrn_restrictions": "check_etrn_access static:HOLD, reject"}, "554 5.7.1")]
VRFY = [{"smtpd_sender_restrictions": "warn_if_reject reject, reject"}, {"smtpd_recipient_restrictions": "check_client_access static:HOLD"}]
ports = iter(free_ports(len(CASES) + len(ETRN) + len(VRFY)))


def service(parameters):
    port = next(ports)
    return port, "%d inet n - n - - smtpd " % port + " ".join("-o { %s = %s }" % p for p in parameters.items())


CASES, ETRN, VRFY = [(service(c[0]),) + c[1:] for c in CASES], [(service(c[0]), c[1]) for c in ETRN], [service(c) for c in VRFY]
GW = Instance(main=MAIN, services=[c[0][1] for c in CASES + ETRN] + [c[1] for c in VRFY])


def test_recipients():
    for (port, _), rcpts, why in CASES:
        with Client(port) as c:
            c.ehlo()
            c.cmd("MAIL FROM:<a@b.test>")
            for rcpt, want in rcpts.items():
                got = c.cmd("RCPT TO:<%s>" % rcpt).text
                ok(got.startswith(want), "%s: %s: %s" % (why, rcpt, got))
    is_eq(GW.find_log("triggers DISCARD action; from=<a@b.test> to=<w@far.test>"), [], "what comes after both is not looked at")
    is_eq(GW.find_log("warn: RCPT .*: go on"), [], "nor that")


def test_etrn():
    for (port, _), want in ETRN:
        with Client(port) as c:
            c.ehlo()
            got = c.cmd("ETRN far.test").text
            ok(got.startswith(want), "ETRN: " + got)
    for action in ("DISCARD", "HOLD"):
        GW.wait_log(r"warning: access table static:%s: action %s is unavailable in smtpd_etrn_restrictions" % (action, action))


def test_vrfy():
    for port, _ in VRFY:
        with Client(port) as c:
            c.ehlo()
            is_eq(c.cmd("VRFY root").code, 252, "VRFY: no sender is judged, and nothing is put on hold")
    is_eq(GW.find_log("hold: VRFY"), [], "no message, no hold")


with GW:
    GW.start()
    run(test_recipients, test_etrn, test_vrfy)
