#!/usr/bin/env python3
"""Real policy servers: postgrey over TCP and a UNIX socket, the SPF daemons in Python and Perl under spawn, as Debian has them."""
import os
import pwd
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
import peers
from dnsserver import DnsServer
from instance import is_gone, wait_until
from smtp import Client, Sink
from tap import is_eq, like, ok, run

peers.isolate("postgrey", "spf-python", "spf-perl")
peers.resolver()
LOG = peers.syslog()
DNS = DnsServer({"good.test": {"TXT": ["v=spf1 ip4:192.0.2.25 -all"]}, "soft.test": {"TXT": ["v=spf1 ip4:192.0.2.25 ~all"]}, "none.test": {"A": ["192.0.2.1"]},
                 "broken.test": {"TXT": ["v=spf1 ip4:nonsense -all"]}, "helo.test": {"A": ["192.0.2.25"], "TXT": ["v=spf1 a -all"]}})
MAIN = {"smtpd_relay_restrictions": "reject_unauth_destination", "relay_domains": "far.test", "smtpd_authorized_xclient_hosts": "127.0.0.1", "smtpd_error_sleep_time": "0",
        "smtpd_soft_error_limit": "100000", "smtpd_hard_error_limit": "100000"}


class Postgrey(peers.Peer):
    """Its options are those of /etc/default/postgrey, but for a scratch database and a short delay."""
    port = 10023

    def __init__(self, *listen):
        super().__init__()
        self.listen = listen

    def config(self):
        user = pwd.getpwnam("postgrey")
        self.folder("db", (user.pw_uid, user.pw_gid), 0o700)

    def args(self):
        return ["/usr/sbin/postgrey", "--delay=2", "--dbdir=" + self.path("db"), "--pidfile=" + self.path("db", "pid"), *self.listen]


class Socket(Postgrey):
    """The same on a UNIX socket: there is no port to look for."""

    @property
    def socket(self):
        return self.path("db", "socket")

    def args(self):
        return super().args() + ["--unix=" + self.socket]


def stranger(address, helo="helo.test"):
    c = Client(2525)
    c.ehlo("front.test")
    c.cmd("XCLIENT NAME=[UNAVAILABLE] ADDR=" + address)
    c.ehlo(helo)
    return c


def transaction(c, sender, *rcpts):
    """Replies to RCPT, and to the end of data if one was good."""
    is_eq(c.cmd("MAIL FROM:<%s>" % sender).code, 250, "MAIL FROM:<%s>" % sender)
    replies = [c.cmd("RCPT TO:<%s>" % r) for r in rcpts]
    if any(r.code == 250 for r in replies):
        is_eq(c.data(b"Subject: from %s\r\n\r\nx\r\n" % sender.encode()).code, 250, "its message")
    else:
        c.cmd("RSET")
    return replies


def greylisted(g, sink, sender):
    with stranger("192.0.2.77") as c:
        first = transaction(c, sender, "a@far.test", "b@far.test")
        for r, name in zip(first, "ab"):
            like(r.text, r"^450 4\.2\.0 <%s@far\.test>: Recipient address rejected: Greylisted, see http://postgrey\.schweikert\.ch/help/far\.test\.html$" % name, "greylisted")
        g.wait_log(r"NOQUEUE: reject: RCPT from \S+: 450 4\.2\.0 <a@far\.test>: Recipient address rejected: Greylisted")
        wait_until(lambda: c.cmd("MAIL FROM:<%s>" % sender).code == 250 and (c.cmd("RCPT TO:<a@far.test>").code, c.cmd("RSET").code)[0] == 250, "the end of the delay", 30)
        is_eq([r.code for r in transaction(c, sender, "a@far.test", "b@far.test")], [250, 250], "accepted after the delay")
    like("".join(sink.wait("from " + sender).header("X-Greylist")), r"delayed \d+ seconds by postgrey-\S+ at ", "its header")


def test_postgrey():
    sink = Sink()
    with Postgrey("--inet=10023") as p, peers.gateway(relayhost="[127.0.0.1]:%d" % sink.port, smtpd_recipient_restrictions="check_policy_service inet:127.0.0.1:10023", **MAIN) as g:
        g.start()
        greylisted(g, sink, "one@client.test")
        is_eq(g.find_log("problem talking"), [], "no trouble")


def test_postgrey_unix():
    sink = Sink()
    with Postgrey("--inet=10023") as p, Socket() as s:
        wait_until(lambda: os.path.exists(s.socket), "the socket")
        os.chmod(s.path("db"), 0o755)
        os.chmod(s.socket, 0o666)
        with peers.gateway(relayhost="[127.0.0.1]:%d" % sink.port, smtpd_recipient_restrictions="check_policy_service { unix:%s, timeout=10s, { default_action = DUNNO } }" % s.socket, **MAIN) as g:
            g.start()
            greylisted(g, sink, "two@client.test")
            is_eq(g.find_log("problem talking"), [], "no trouble")


def children(g):
    """The commands that spawn has started."""
    spawns = g.pids("spawn")
    out = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = open("/proc/%s/stat" % pid).read()
        except OSError:
            continue
        if "(command-guard)" not in stat and int(stat.rsplit(")", 1)[1].split()[1]) in spawns:
            out.append(int(pid))
    return out


def spf(command, refused, passed):
    sink = Sink()
    services = ["policyd-spf unix - n n - 0 spawn user=policyd-spf argv=" + command]
    with peers.gateway(services, relayhost="[127.0.0.1]:%d" % sink.port, smtpd_recipient_restrictions="check_policy_service unix:private/policyd-spf", **{"policyd-spf_time_limit": "3600"},
                       **MAIN) as g:
        g.start()
        with stranger("192.0.2.25") as c:
            is_eq([r.code for r in transaction(c, "s@good.test", "a@far.test", "b@far.test", "c@far.test")], [250] * 3, "SPF pass")
            is_eq([r.code for r in transaction(c, "s@none.test", "a@far.test")], [250], "no SPF record")
            is_eq([r.code for r in transaction(c, "s@broken.test", "a@far.test")], [250], "a record with a mistake")
        m = sink.wait("from s@good.test")
        is_eq(len(m.header("Received-SPF")), 1, "one header for three recipients: it is told what belongs to one message")
        like(m.header("Received-SPF")[0], passed, "its header")
        like(m.data.decode(), r"(?m)\AReceived-SPF:", "above our Received")
        with stranger("192.0.2.66", "client.test") as c:
            replies = transaction(c, "s@good.test", "a@far.test", "b@far.test")
            for r in replies:
                like(r.text, refused, "SPF fail")
            is_eq([r.code for r in transaction(c, "s@soft.test", "a@far.test")], [250], "SPF softfail")
            is_eq(len(children(g)), 1, "one process serves them all")
            pids = children(g)
            is_eq({pwd.getpwuid(os.stat("/proc/%d" % p).st_uid).pw_name for p in pids}, {"policyd-spf"}, "as its user")
        is_eq(g.find_log("problem talking|exit status|killed"), [], "no trouble")
        # Two messages at the same time have a process each.
        with stranger("192.0.2.25") as c, stranger("192.0.2.25") as d:
            for s in (c, d):
                s.cmd("MAIL FROM:<s@good.test>")
            is_eq([s.cmd("RCPT TO:<%s@far.test>" % r).code for r in "ab" for s in (c, d)], [250] * 4, "two messages at the same time")
            for s, name in ((c, b"c"), (d, b"d")):
                s.data(b"Subject: concurrent %s\r\n\r\nx\r\n" % name)
        for name in "cd":
            is_eq(len(sink.wait("concurrent " + name).header("Received-SPF")), 1, "one header each")
        pids = children(g)
        g.stop()
        wait_until(lambda: all(is_gone(p) for p in pids), "their end")
        ok(True, "a stop ends them")


def test_spf_python():
    spf("/usr/bin/policyd-spf", r"^550 5\.7\.23 <\w@far\.test>: Recipient address rejected: Message rejected due to: SPF fail - not authorized\.", r"^Pass \(mailfrom\)")
    ok(LOG.find(r"policyd-spf\[\d+\]: .*550 5\.7\.23"), "it says so in the log")


def test_spf_perl():
    spf("/usr/sbin/postfix-policyd-spf-perl", r"^550 5\.7\.1 <\w@far\.test>: Recipient address rejected: Please see http://www\.openspf\.\w+/Why", r"^pass \(good\.test")
    ok(LOG.find(r"policy-spf\[\d+\]: Policy action=550"), "it says so in the log")


run(test_postgrey, test_postgrey_unix, test_spf_python, test_spf_perl)
