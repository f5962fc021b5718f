#!/usr/bin/env python3
"""smtpd: restrictions that ask the DNS, in a network of their own."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
NEW = ["unshare", "-m", "-n", "--propagation", "private"]
if not os.environ.get("POSTERN_TEST_NS"):
    if os.geteuid() != 0 or subprocess.run(NEW + ["true"], stderr=subprocess.DEVNULL).returncode:
        print("1..0 # SKIP needs root and namespaces", flush=True)
        sys.exit(0)
    os.environ["POSTERN_TEST_NS"] = "1"
    os.execvp(NEW[0], NEW + [sys.executable] + sys.argv)
from dnsserver import DnsServer
from instance import Instance, free_ports
from smtp import Client
from tap import ok, run

subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
with tempfile.NamedTemporaryFile("w", suffix=".conf", delete=False) as f:
    f.write("nameserver 127.0.0.1\noptions timeout:2 attempts:1\n")
os.chmod(f.name, 0o644)
subprocess.run(["mount", "--bind", f.name, "/etc/resolv.conf"], check=True)
os.unlink(f.name)
DNS = DnsServer({"h.test": {"A": ["127.0.0.9"]}, "9.0.0.127.in-addr.arpa": {"PTR": ["h.test"]}, "six.test": {"AAAA": ["2001:db8::1"]}, "a.test": {"A": ["192.0.2.1"]},
                 "mx.test": {"MX": ["10 a.test"]}, "lost.test": {"MX": ["10 gone.test"]}})
TABLE = "inline:{{h.test=REJECT name} {127.0.0.9=REJECT address} {192.0.2.1=REJECT one} {2001:db8::1=REJECT six}}"
MAIN = {"mydestination": "gw.example.test", "local_recipient_maps": "inline:{root=x}", "mynetworks": "192.0.2.0/24", "smtpd_error_sleep_time": "0", "inet_protocols": "ipv4",
        "smtpd_relay_restrictions": "permit_auth_destination, reject", "default_transport": "discard:"}
# parameters; client address, HELO name, recipient; reply
CASES = [
    ({"smtpd_client_restrictions": "check_client_a_access " + TABLE}, "9", "x.test", "root", "554 5.7.1 <h.test[127.0.0.9]>: Client host rejected: address", "the addresses of a name, not the name"),
    ({"smtpd_client_restrictions": "check_client_mx_access " + TABLE}, "9", "x.test", "root", "554 5.7.1 <h.test[127.0.0.9]>: Client host rejected: name", "a name without MX is its own"),
    ({"smtpd_helo_restrictions": "check_helo_a_access " + TABLE}, "8", "six.test", "root", "250", "only addresses of inet_protocols"),
    ({"smtpd_helo_restrictions": "check_helo_a_access " + TABLE}, "8", "a.test", "root", "554 5.7.1 <a.test>: Helo command rejected: one", "an address"),
    ({"smtpd_helo_restrictions": "check_helo_mx_access " + TABLE}, "8", "mx.test", "root", "554 5.7.1 <mx.test>: Helo command rejected: one", "that of its MX"),
    ({"smtpd_relay_restrictions": "permit_mx_backup, reject"}, "8", "x.test", "u@lost.test",
     "450 4.4.4 <u@lost.test>: Recipient address rejected: Unable to look up mail exchanger host gone.test: ", "an MX host without address: later"),
]
PORTS = free_ports(len(CASES))
GW = Instance(main=MAIN, services=["%d inet n - n - - smtpd " % p + " ".join("-o { %s = %s }" % x for x in c[0].items()) for p, c in zip(PORTS, CASES)])


def test_cases():
    for port, (_, source, helo, rcpt, want, why) in zip(PORTS, CASES):
        with Client(port, source="127.0.0." + source) as c:
            c.ehlo(helo)
            c.cmd("MAIL FROM:<a@b.test>")
            got = c.cmd("RCPT TO:<%s>" % rcpt).text
            ok(got.startswith(want), "%s: %s" % (why, got))


with GW:
    GW.start()
    run(test_cases)
