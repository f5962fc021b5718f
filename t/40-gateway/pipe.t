#!/usr/bin/env python3
"""A gateway that delivers to commands: a content filter in a shell script, FILTER, limits of qmgr and master, reports."""
import os
import pwd
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
from instance import Instance, free_port, wait_until
from smtp import Client, Sink
from tap import is_eq, like, ok, run

USER = "daemon" if os.geteuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
PORT, BACK = free_port(), free_port()


class Gateway(Instance):
    """Mail to cmd.test goes to the script as service prog. OUT: a folder for it."""

    def __init__(self, script, services="", main=None, attributes="argv=SCRIPT ${recipient}", fields="- n n - -"):
        self.sink = Sink()
        super().__init__(main={"relayhost": "[127.0.0.1]:%d" % self.sink.port, "mynetworks": "127.0.0.0/8", "smtpd_relay_restrictions": "permit_mynetworks, reject",
                               "smtpd_peername_lookup": "no", "transport_maps": "inline:{cmd.test=prog:}", **(main or {})})
        self.out = os.path.join(self.dir, "out")
        os.mkdir(self.out)
        os.chmod(self.out, 0o777)
        path = self.file("script", "#!/bin/sh\n" + script.replace("OUT", self.out).replace("SENDMAIL", os.path.join(self.build, "bin/sendmail")), 0o755)
        self.services += ["%d inet n - n - - smtpd" % PORT + services, "prog unix %s pipe user=%s %s" % (fields, USER, attributes.replace("SCRIPT", path))]
        self.write_config()
        self.start()
        # postdrop is not set-gid where it was built.
        os.chmod(self.spool, 0o755)
        os.chmod(self.spool + "/maildrop", 0o777)
        os.chmod(self.spool + "/public", 0o755)
        os.chmod(self.spool + "/public/pickup", 0o666)

    def files(self, prefix):
        return [f for f in os.listdir(self.out) if f.startswith(prefix)]


def send(sender, rcpts, content, options=""):
    with Client(PORT) as c:
        c.ehlo("mx.client.test")
        c.cmd("MAIL FROM:<%s>" % sender)
        for r in rcpts:
            c.cmd("RCPT TO:<%s>%s" % (r, options))
        r = c.data(content)
        c.cmd("QUIT")
    return r.text.split("queued as ")[1]


def test_filter():
    script = """mail=$(mktemp) || exit 75
trap "rm -f $mail" 0
cat >$mail
if grep -q "bad" $mail; then echo "5.7.1 bad content"; exit 69; fi
sed 's/^Subject: /&[seen] /' $mail | SENDMAIL -G -i "$@"
"""
    options = "\n    -o content_filter=prog:dummy"
    with Gateway(script, options, attributes="flags=Rq null_sender= argv=SCRIPT -f ${sender} -- ${recipient}", main={"transport_maps": "", "prog_destination_recipient_limit": "2"}) as gw:
        qid = send("a@client.test", ["b@far.test", '"c d"@far.test', "e@other.test"], b"Subject: one\r\n\r\n.first\r\n..\r\nlast\r\n")
        wait_until(lambda: len(gw.sink.messages) >= 2, "the message")
        ms = gw.sink.messages
        is_eq(sorted(r for m in ms for r in m.rcpts), ['"c d"@far.test', "b@far.test", "e@other.test"], "all recipients, in deliveries of two")
        is_eq({(m.sender, m.header("Subject")[0], m.body) for m in ms}, {("a@client.test", "[seen] one", b"first\r\n.\r\nlast\r\n")}, "what the filter made of it")
        for r in ("b@far.test", '"c d"@far.test', "e@other.test"):
            gw.wait_log(r"pipe\[\d+\]: %s: to=<%s>, relay=prog, .*dsn=2\.0\.0, status=sent \(delivered via prog service\)" % (qid, re.escape(r)))
        send("", ["n@far.test"], b"Subject: null\r\n\r\nx\r\n")
        is_eq(gw.sink.wait("[seen] null").sender, "", "the null sender")
        qid = send("victim@client.test", ["b@far.test"], b"Subject: two\r\n\r\nbad\r\n")
        gw.wait_log(r"%s: to=<b@far\.test>, relay=prog, .*dsn=5\.7\.1, status=bounced \(bad content\)" % qid)
        report = wait_until(lambda: next((m for m in gw.sink.messages if m.rcpts == ["victim@client.test"]), None), "the report")
        like(report.data.decode(), r"(?s)Final-Recipient: rfc822; b@far\.test.*Action: failed\r\nStatus: 5\.7\.1\r\nDiagnostic-Code: x-unix; bad content\r\n", "the report has the filter's words")


def test_reports():
    for flags, action in (("", "relayed"), ("flags=X ", "delivered")):
        with Gateway("cat >/dev/null; echo put away", attributes=flags + "argv=SCRIPT") as gw:
            send("a@client.test", ["b@cmd.test"], b"Subject: x\r\n\r\nx\r\n", " NOTIFY=SUCCESS")
            report = wait_until(lambda: gw.sink.messages, "the report")[0]
            like(report.data.decode(), r"Action: %s\r\nStatus: 2\.0\.0\r\n" % action, "a success report says " + action)
            like(report.data.decode(), r"delivered via prog service \(put away\)", "and what the command said")


def test_limits():
    script = "cat >/dev/null; : >OUT/run.$$; ls OUT | grep -c run >OUT/count.$$; while ! test -e OUT/go; do sleep 0.05; done; rm OUT/run.$$"
    with Gateway(script, fields="- n n - 2", main={"prog_destination_concurrency_limit": "10", "prog_destination_recipient_limit": "1"}) as gw:
        send("a@client.test", ["u%d@cmd.test" % n for n in range(7)], b"Subject: x\r\n\r\nx\r\n")
        wait_until(lambda: len(gw.files("run.")) == 2, "two commands")
        open(os.path.join(gw.out, "go"), "w").close()
        gw.wait_log(r"to=<u\d@cmd\.test>, relay=prog, .*status=sent", count=7)
        counts = [int(open(os.path.join(gw.out, f)).read()) for f in gw.files("count.")]
        is_eq((len(counts), max(counts)), (7, 2), "each recipient a command, never more than two at a time")


def test_filter_action():
    services = "\n    -o { smtpd_recipient_restrictions = check_recipient_access inline:{{b@far.test = FILTER prog:}}, permit }"
    with Gateway('for a in "$@"; do echo "$a"; done >OUT/n.$$; cat >/dev/null; mv OUT/n.$$ OUT/run', services, attributes="argv=SCRIPT $nexthop $recipient") as gw:
        send("a@client.test", ["b@far.test"], b"Subject: x\r\n\r\nx\r\n")
        gw.wait_log(r"to=<b@far\.test>, relay=prog, .*status=sent")
        is_eq(open(os.path.join(gw.out, "run")).read().split(), ["far.test", "b@far.test"], "FILTER without a next hop: the recipient's domain")
        ok(not gw.sink.messages, "nothing went elsewhere")


run(test_filter, test_reports, test_limits, test_filter_action)
