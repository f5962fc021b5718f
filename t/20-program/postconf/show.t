#!/usr/bin/env python3
"""postconf shows main.cf and master.cf, and warns of what means nothing."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from conf import Conf
from tap import is_eq, like, ok, run

MASTER = """# head
smtp inet n - n - - smtpd
    -o smtpd_banner=hi
    -o { smtpd_client_restrictions = permit_mynetworks, reject }
relay unix - - n - - smtp -o syslog_name=postfix/$service_name
spooler unix - n n - 2 pipe flags=R user=nobody argv=/usr/bin/spool -a ${sender} -b ${recipient} --long
mine unix - - n - - spawn user=nobody argv=/bin/cat
averylongservice unix-dgram n - n 1000? 1 postlogd
"""


def test_values():
    with Conf("myorigin =   $mydomain\nmydestination = one.test,\n    two.test\n  # inside\n\tthree.test\nempty=\nx = $empty\n") as c:
        out = c("-n").out
        is_eq(out.splitlines(), ["compatibility_level = 3.6", "config_directory = " + c.dir, "empty =",
                                 "mydestination = one.test, two.test three.test", "myorigin = $mydomain"], "-n")
        is_eq(c("-h", "myorigin").out, "$mydomain\n", "-h")
        is_eq(c("-H", "myorigin", "biff").out, "myorigin\nbiff\n", "-H")
        is_eq(c("-x", "myorigin").out, "myorigin = %s\n" % c("-xh", "mydomain").out.strip(), "-x")
        is_eq(c("-d", "myorigin", "smtpd_timeout").out, "myorigin = $myhostname\nsmtpd_timeout = ${stress?{10}:{300}}s\n", "-d")
        is_eq(c("-dx", "smtpd_timeout").out, "smtpd_timeout = 300s\n", "-dx")
        is_eq(c("-xo", "stress=yes", "smtpd_timeout").out, "smtpd_timeout = 10s\n", "-o")
        is_eq(c("-j", "myorigin").out, '{"name": "myorigin", "value": "$mydomain"}\n', "-j")
        r = c("biff", "nonsense")
        is_eq((r.rc, r.out), (0, "biff = yes\n"), "unknown names are left out")
        like(r.err, "postconf: warning: nonsense: unknown parameter", "with a warning")
        names = [l.split(" =")[0] for l in c("-d").out.splitlines()]
        is_eq(names, sorted(names), "-d is sorted")
        ok(len(names) > 900, "and has them all")
        like(c("-dh", "mail_version").out, r"^\d+\.\d+\.\d+$", "mail_version")


def test_fold():
    with Conf("relay_domains = %s { e   f }\n" % " ".join(x * 30 for x in "abc")) as c:
        is_eq(c("-f", "relay_domains").out, "relay_domains = %s %s\n    %s { e f }\n" % ("a" * 30, "b" * 30, "c" * 30), "-f")
        is_eq(c("-fh", "relay_domains").out, "%s %s\n    %s { e f }\n" % ("a" * 30, "b" * 30, "c" * 30), "-fh")


def test_classes():
    with Conf("mine_time_limit = 5\nmine_destination_rate_delay = 5\nrelay_transport_rate_delay = 1s\nused = 1\nmyorigin = $used\n", MASTER) as c:
        service = c("-nC", "service", "-H").out.split()
        is_eq(service, ["mine_time_limit", "relay_transport_rate_delay"], "-C service")
        is_eq(c("-C", "user").out, "used = 1\n", "-C user")
        ok("used" not in c("-C", "builtin").out.split(), "-C builtin")
        is_eq(c("-C", "wrong").rc, 1, "an unknown class")
        like(c("-n").err, "unused parameter: mine_destination_rate_delay=5", "spawn has no destinations")
        is_eq(c("-h", "relay_destination_concurrency_limit").out, "$default_destination_concurrency_limit\n", "default of a service's name")
        is_eq(c("-xh", "relay_destination_concurrency_limit").out, "20\n", "expanded")


def test_master():
    with Conf("", MASTER) as c:
        is_eq(c("-M", "smtp", "averylongservice/*").out,
              "smtp       inet  n       -       n       -       -       smtpd -o smtpd_banner=hi -o {smtpd_client_restrictions=permit_mynetworks, reject}\n"
              "averylongservice unix-dgram n -  n       1000?   1       postlogd\n", "-M")
        is_eq(c("-Mf", "*/unix").out,
              "relay      unix  -       -       n       -       -       smtp\n    -o syslog_name=postfix/$service_name\n"
              "spooler    unix  -       n       n       -       2       pipe flags=R\n"
              "    user=nobody argv=/usr/bin/spool -a ${sender} -b ${recipient} --long\n"
              "mine       unix  -       -       n       -       -       spawn user=nobody\n    argv=/bin/cat\n", "-Mf")
        is_eq(c("-F", "spooler/unix/process_limit", "*/inet/service").out, "smtp/inet/service = smtp\nspooler/unix/process_limit = 2\n", "-F")
        is_eq(c("-Fh", "relay/unix/command").out, "smtp -o syslog_name=postfix/$service_name\n", "-Fh")
        is_eq(c("-P").out, "smtp/inet/smtpd_banner = hi\nsmtp/inet/smtpd_client_restrictions = permit_mynetworks, reject\n"
                           "relay/unix/syslog_name = postfix/$service_name\n", "-P")
        is_eq(c("-Px", "relay").out, "relay/unix/syslog_name = postfix/relay\n", "-Px")
        is_eq(len(c("-M", "smtp", "*/inet").out.splitlines()), 2, "-M: once for each request")
        r = c("-M", "nowhere/unix")
        is_eq((r.rc, r.out), (0, ""), "no such service")
        like(r.err, 'warning: unmatched request: "nowhere/unix"', "with a warning")


def test_warnings():
    with Conf("smtpd_helo_requird = yes\nused = 1\nmyorigin = $used\nsmtpd_banner = $undefined\nalias_maps = ldap:users, hash:/x\n"
              "users_server_host = ldap.test\nusers_nonsense = 1\nsmtpd_restriction_classes = strict\nstrict = reject\n"
              "relay_domains = a.test # only this\nsmtp_use_tls = yes\nprocess_name = x\nforward_path = $home/.forward\n",
              "s unix - - - - - smtpd -o own=1 -o smtpd_banner=$own -o typo=1\n") as c:
        r = c("-n")
        main, master = c.dir + "/main.cf", c.dir + "/master.cf"
        is_eq(r.rc, 0, "warnings are no failure")
        is_eq(sorted(l.split("warning: ", 1)[1] for l in r.err.splitlines()), sorted([
            main + ": undefined parameter: undefined",
            main + ": unused parameter: smtpd_helo_requird=yes",
            main + ": unused parameter: users_nonsense=1",
            main + ": #comment after other text is not allowed: # only this...",
            main + ': support for parameter "smtp_use_tls" will be removed; instead, specify "smtp_tls_security_level"',
            main + ": read-only parameter assignment: process_name=x",
            master + ": unused parameter: typo=1"]), "warnings")
        is_eq(c("-nq").err, "", "-q: none")
        is_eq(c("-d", "biff").err, "", "none with -d")


def test_unused_with_bad_syntax():
    with Conf("mine = a$\nmydomain = x.test\n") as c:
        r = c("-n", "mydomain")
        is_eq((r.rc, r.out), (0, "mydomain = x.test\n"), "a name that nobody uses may have any value")
        like(r.err, r'warning: empty macro name: "a\$"\n.*warning: \S+: unused parameter: mine=a\$', "with warnings")
    with Conf("mine = a$\nmydomain = $mine\n") as c:
        is_eq(c("-n").rc, 1, "one that is used may not")


def test_databases():
    with Conf("virtual_alias_maps = ldap:%DIR%/ld, proxy:mysql:%DIR%/my\nmine = ldap:%DIR%/none\n", "s unix - - n - - smtpd -o relay_domains=pgsql:%DIR%/no\n") as c:
        for name in "main.cf", "master.cf":
            c.write(name, open(os.path.join(c.dir, name)).read().replace("%DIR%", c.dir))
        c.write("ld", "server_host = h\nserver_hosts = h\n")
        c.write("my", "hosts = h\nserver_host = h\n")
        r = c("-n")
        is_eq(r.rc, 0, "files of database clients")
        is_eq(sorted(l.split("warning: ", 1)[1].replace(c.dir, "") for l in r.err.splitlines()), [
            "/main.cf: unused parameter: mine=ldap:/none", "ldap:/ld: unused parameter: server_hosts=h", "mysql:/my: unused parameter: server_host=h",
            'open "pgsql" configuration "/no": No such file or directory'], "names in them that mean nothing")


def test_names_and_classes():
    with Conf("", "local unix - n n - - local\nsmtp inet n - n - - smtpd -o smtpd_banner=$process_name\n") as c:
        is_eq(c("-Cuser", "-h", "biff").out, "yes\n", "a name that is asked for is shown whatever its class")
        like(c("-C", "service", "-d", "-H").out, r"(?m)^local_destination_concurrency_limit$", "-C service: those of local too")
        ok("local_destination_concurrency_limit" not in c("-C", "builtin", "-d", "-H").out, "-C builtin: not them")
        is_eq(c("-Px").out, "smtp/inet/smtpd_banner = smtpd\n", "process_name is the service's program")
        like(c("-o", "typo=1", "-n").err, "unused parameter: typo=1", "-o with a name that nobody knows")
        os.unlink(c.dir + "/master.cf")
        r = c("-n")
        is_eq(r.rc, 0, "without master.cf")
        like(r.err, r"warning: open \S+/master.cf: No such file or directory", "a warning")
        r = c("-T", "nonsense")
        is_eq(r.rc, 1, "-T with an unknown mode")
        like(r.err, "warning: unknown 'postconf -T' mode: nonsense", "says so")


def test_bad_files():
    for text, want in (("no equals sign\n", "main.cf, line 2: missing '=' after attribute name: \"no equals sign\""),
                       ("= x\n", "line 2: missing attribute name"), ("myorigin = ${x\n", "truncated macro reference")):
        with Conf(text) as c:
            r = c("-n")
            is_eq(r.rc, 1, "bad main.cf")
            like(r.err, want, "says why")
    for text, want in (("smtp inet\n", "line 1: bad field count"), ("smtp tcp n - n - - smtpd\n", 'invalid type field "tcp"'),
                       ("smtp unix n - n x - smtpd\n", 'invalid wakeup field "x"')):
        with Conf("", text) as c:
            is_eq(c("-M").rc, 1, "bad master.cf")
            like(c("-M").err, want, "says why")
    with Conf("a = $a\nmyorigin = $a\n") as c:
        r = c("-x", "myorigin")
        is_eq(r.rc, 1, "a circle")
        like(r.err, "unreasonable macro call nesting", "says why")


def test_bounces():
    template = "failure_template = <<EOF\nCharset: utf-8\nFrom: me\nSubject: no\n\nText of $myhostname\nEOF\n"
    with Conf("myhostname = h.test\n") as c:
        c.write("t.cf", template)
        like(c("-t").out, r"(?s)^failure_template = <<EOF\nCharset: .*\nEOF\n\ndelay_template = <<EOF\n.*\nverify_template = <<EOF\n.*\nEOF\n\Z", "-t")
        like(c("-b").out, r"(?s)^expanded_failure_text = <<EOF\n.*h\.test.*\nEOF\n\Z", "-b")
        like(c("-b", c.dir + "/t.cf").out, r"\Aexpanded_failure_text = <<EOF\nText of h\.test\nEOF\n\nexpanded_delay_text", "-b file")
        c("-e", "bounce_template_file=%s/t.cf" % c.dir)
        like(c("-t").out, r"(?s)\Afailure_template = <<EOF\nCharset: utf-8\n.*\n\nText of \$myhostname\nEOF\n", "bounce_template_file")
        ok("Text of" not in c("-t", "").out, "an empty name: built-in")
        is_eq(c("-b", "/nonexistent").rc, 1, "no such file")
        is_eq(c("-b", "a", "b").rc, 1, "too many files")


def test_bad_templates():
    good = "From: me\nSubject: no\n\ntext\nEOF\n"
    with Conf("myhostname = h.test\n") as c:
        for what, text, want in (
                ("no text", "failure_template = <<EOF\nFrom: me\nEOF\n", r"t\.cf: missing message text in failure template -- ignoring this template"),
                ("a header that is none", "failure_template = <<EOF\nX-A: b\n" + good, r't\.cf: unknown "X-A" header label in failure template -- ignoring this template'),
                ("another template", "odd_template = <<EOF\n" + good, r"t\.cf, line 6: unknown template name: odd_template -- ignoring this template"),
                ("8-bit text", "failure_template = <<EOF\nFrom: me\n\n\u00e9\nEOF\n", r"t\.cf: 8-bit message text in failure template"),
                ("bad syntax", "failure_template = <<EOF\nFrom: me\n\n${x\nEOF\n", r"t\.cf: truncated macro reference: .* in failure template -- ignoring this template"),
                ("a parameter", "biff = no\n", r"t\.cf, line 1: unknown template name: biff")):
            c.write("t.cf", text)
            r = c("-t", c.dir + "/t.cf")
            is_eq(r.rc, 0, what + ": a warning")
            like(r.err, "warning: \\S*" + want, "  that says so")
            like(r.out, r"\Afailure_template = <<EOF\nCharset: us-ascii\nFrom: Mail Delivery System", "  the built-in text stays")
            is_eq(r.err.count("warning"), 1, "  nothing else")
        c.write("t.cf", "failure_template = <<EOF\nFrom: me\n you\nSubject: x\n\ntext\n")
        r = c("-t", c.dir + "/t.cf")
        like(r.err, r'warning: \S*t\.cf, line 7: missing "EOF" end marker', "no end marker")
        like(r.out, r"\Afailure_template = <<EOF\nCharset: us-ascii\nFrom: me\n you\nSubject: x\n", "what is there is taken; headers may have several lines")
        c.write("t.cf", "some words\n")
        r = c("-b", c.dir + "/t.cf")
        is_eq(r.rc, 1, "a line that is no assignment")
        like(r.err, r"fatal: \S*t\.cf, line 1: missing '=' after attribute name: \"some words\"", "  says so")


def test_usage():
    with Conf("") as c:
        for args in (["-d", "-n"], ["-M", "-F"], ["-h", "-H"], ["-e"], ["-e", "x"], ["-M", "-h"], ["-z"], ["-o", "x"], ["-X"], ["-P", "-#", "a/b/c"],
                     ["-M", "a/b/c"], ["-F", "a/b/zork"], ["-d", "a=b"]):
            r = c(*args)
            is_eq(r.rc, 1, "refused: " + " ".join(args))
            like(r.err, "fatal: ", "says why")
        is_eq(c("-l").out, "flock\nfcntl\ndotlock\n", "-l")
        ok("dovecot" in c("-a").out.split() and "cyrus" in c("-A").out.split(), "-a, -A")
        types = c("-m").out.split()
        ok(set(types) >= {"hash", "lmdb", "regexp", "pcre", "cidr", "static", "inline"} and types == sorted(types), "-m")
        os.remove(c.dir + "/main.cf")
        like(c("-n").err, "fatal: open .*main.cf: No such file", "no main.cf")


run(test_values, test_fold, test_classes, test_master, test_warnings, test_unused_with_bad_syntax, test_databases, test_names_and_classes, test_bad_files, test_bounces, test_bad_templates, test_usage)
