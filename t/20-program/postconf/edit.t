#!/usr/bin/env python3
"""postconf edits main.cf and master.cf; what it was not asked about stays."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from conf import Conf
from tap import is_eq, like, ok, run

MAIN = "# first\n\nmyorigin = old\n# inner\n   more\n\n  # tail\nrelay_domains=a,\n  b\n#c1\n  c\nmyorigin=twice\nempty=\n"
MASTER = "# head\nsmtp inet n - n - - smtpd\n  -o a=b\n# in\n  -o c=d\n\n#tail\nfoo unix - - n - - pipe\n  user=x argv=/bin/x\nlast unix - - n - 5 smtp\n"
HEAD = "compatibility_level = 3.6\n"


def main_after(args, want, warning=None):
    with Conf(MAIN) as c:
        r = c(*args)
        is_eq(r.rc, 0, "postconf " + " ".join(args))
        is_eq(c.read("main.cf"), HEAD + want, "  main.cf")
        if warning:
            like(r.err, warning, "  warning")


def test_main():
    main_after(["-e", "relay_domains = x"], MAIN.replace("relay_domains=a,\n  b\n#c1\n  c\n", "relay_domains = x\n#c1\n"))
    main_after(["relay_domains=x", "new=  a  b "], MAIN.replace("relay_domains=a,\n  b\n#c1\n  c\n", "relay_domains = x\n#c1\n") + "new = a  b\n")
    main_after(["-e", "myorigin=n"], MAIN.replace("myorigin = old\n# inner\n   more\n", "myorigin = n\n# inner\n").replace("myorigin=twice", "myorigin = n"),
               'multiple entries for "myorigin"')
    main_after(["-e", "empty=a", "empty=b"], MAIN.replace("empty=", "empty = b"), "ignoring earlier request: 'empty = a'")
    main_after(["-#", "relay_domains", "absent"], MAIN.replace("relay_domains=a,\n  b\n#c1\n  c\n", "#relay_domains=a,\n#  b\n#c1\n#  c\n"))
    main_after(["-X", "relay_domains"], MAIN.replace("relay_domains=a,\n  b\n#c1\n  c\n", "#c1\n"))
    main_after(["-X", "absent"], MAIN)
    main_after(["-e", "mynetworks=127.0.0.0/8 [::1]/128"], MAIN + "mynetworks = 127.0.0.0/8 [::1]/128\n")


def test_main_file():
    with Conf(MAIN + "last = 1") as c:
        os.chmod(c.dir + "/main.cf", 0o640)
        os.rename(c.dir + "/main.cf", c.dir + "/real.cf")
        os.symlink("real.cf", c.dir + "/main.cf")
        c("-e", "x=y")
        is_eq(c.read("main.cf"), HEAD + MAIN + "last = 1\nx = y\n", "a last line without newline")
        is_eq(os.stat(c.dir + "/main.cf").st_mode & 0o777, 0o640, "the mode is kept")
        ok(os.path.islink(c.dir + "/main.cf"), "a link stays a link")
        is_eq(sorted(os.listdir(c.dir)), ["main.cf", "master.cf", "real.cf"], "nothing is left behind")


def test_refused():
    with Conf(MAIN, MASTER) as c:
        for args in (["-e", "a=b\nc=d"], ["-e", "#a=b"], ["-e", "a b=c"], ["-e", "=c"], ["-e", "good=1", "bad"], ["-#", ""], ["-X", "a=b"],
                     ["-Me", "new/unix=new unix - - n"], ["-Me", "smtp=smtp inet n - n - - smtpd"], ["-Me", "smtp/inet=smtp tcp n - n - - smtpd"],
                     ["-MX", "foo"], ["-Fe", "foo/unix/zork=1"], ["-Fe", "foo/unix/chroot=zork"], ["-Fe", "foo/unix/*=y"], ["-Fe", "foo/unix=3"],
                     ["-Fe", "foo/unix/command="], ["-Pe", "foo/unix/a=x y"], ["-Pe", "foo/unix=3"], ["-PX", "foo/unix"], ["-F#", "foo/unix/chroot"]):
            r = c(*args)
            is_eq(r.rc, 1, "refused: " + " ".join(args))
            like(r.err, "fatal: ", "says why")
        is_eq((c.read("main.cf"), c.read("master.cf")), (HEAD + MAIN, MASTER), "nothing was changed")


def master_after(args, want):
    with Conf("", MASTER) as c:
        r = c(*args)
        is_eq(r.rc, 0, "postconf " + " ".join(args))
        is_eq(c.read("master.cf"), want, "  master.cf")
        return r


SMTP = "smtp inet n - n - - smtpd\n  -o a=b\n# in\n  -o c=d\n"


def test_master():
    master_after(["-Me", "smtp/inet=smtp inet n - y - - smtpd -o x=y"],
                 MASTER.replace(SMTP, "smtp       inet  n       -       y       -       -       smtpd\n    -o x=y\n# in\n"))
    master_after(["-M", "new/unix=new unix - - n - 3 error -o { a = b c } d"],
                 MASTER + "new        unix  -       -       n       -       3       error\n    -o {a=b c}\n    d\n")
    master_after(["-M#", "smtp/inet"], MASTER.replace(SMTP, "#smtp inet n - n - - smtpd\n#  -o a=b\n# in\n#  -o c=d\n"))
    master_after(["-MX", "*/unix"], MASTER[:MASTER.index("foo")])
    master_after(["-MX", "absent/unix"], MASTER)


def test_fields():
    printed = "smtp       inet  n       -       %s       -       -       smtpd\n    -o a=%s\n    -o c=d\n"
    master_after(["-Fe", "smtp/inet/chroot=y"], MASTER.replace(SMTP + "\n#tail\n", "# in\n\n#tail\n" + printed % ("y", "b")))
    master_after(["-F", "*/unix/process_limit=7"], MASTER[:MASTER.index("foo")] +
                 "foo        unix  -       -       n       -       7       pipe user=x\n    argv=/bin/x\n"
                 "last       unix  -       -       n       -       7       smtp\n")
    master_after(["-Fe", "last/unix/command=x -o a=b"], MASTER[:MASTER.index("last")] +
                 "last       unix  -       -       n       -       5       x\n    -o a=b\n")
    like(master_after(["-Fe", "no/unix/chroot=y"], MASTER).err, 'unmatched service_name/type: "no/unix/chroot=y"', "no such service")


def test_options():
    printed = "# in\n\n#tail\nsmtp       inet  n       -       n       -       -       smtpd\n%s"
    master_after(["-Pe", "smtp/inet/a=n", "smtp/inet/z=1"], MASTER.replace(SMTP + "\n#tail\n", printed % "    -o a=n\n    -o c=d\n    -o z=1\n"))
    master_after(["-PX", "smtp/inet/a"], MASTER.replace(SMTP + "\n#tail\n", printed % "    -o c=d\n"))
    master_after(["-P", "foo/unix/q=1"], MASTER.replace("foo unix - - n - - pipe\n  user=x argv=/bin/x\n",
                 "foo        unix  -       -       n       -       -       pipe\n    -o q=1\n    user=x argv=/bin/x\n"))


run(test_main, test_main_file, test_refused, test_master, test_fields, test_options)
