#!/usr/bin/env python3
"""Small commands: what they say and how they exit when something is wrong with what they were asked."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import Instance
from tap import is_eq, ok, run


def said(i, code, err, command, *args):
    p = i.cmd(command, *args)
    is_eq((p.returncode, p.stderr), (code, err), " ".join((command,) + args))


def test_texts():
    with Instance({"fast_flush_domains": "fl.test"}) as i:
        i.start()
        said(i, 0, "", "postkick", "public", "pickup", "W")
        for cls, name in (("public", "nosuch"), ("private", "nosuch"), ("bogus", "pickup"), ("public", "../public/pickup")):
            said(i, 1, "postkick: warning: unable to look up %s/%s: No such file or directory\n"
                 "postkick: warning: Cannot contact class %s service %s - perhaps the mail system is down\n" % (cls, name, cls, name), "postkick", cls, name, "W")
        for arg in ("", "../x", "no-id"):
            said(i, 69, 'postqueue: fatal: Cannot flush queue ID - invalid name: "%s"\n' % arg, "postqueue", "-i", arg)
        for arg in ("", "bad domain", "-x"):
            said(i, 69, 'postqueue: fatal: Cannot flush mail queue - invalid destination: "%s"\n' % arg, "postqueue", "-s", arg)
        said(i, 69, 'postqueue: fatal: Flush service is not configured for destination "far.test"\n', "postqueue", "-s", "far.test")
        for arg in ("", "../x"):
            said(i, 1, "postcat: fatal: bad mail queue ID: %s\n" % arg, "postcat", "-q", arg)
            i.cmd("postsuper", "-d", arg)
            i.wait_log(r"postfix/postsuper\[\d+\]: warning: invalid mail queue id: %s$" % arg)
        ok(True, "postsuper tells the log of what is no ID")
        for command in ("postkick", "postlock", "postqueue", "postsuper", "postcat", "postdrop", "postmap", "postalias", "postlog"):
            is_eq(i.cmd(command, "-Z").stderr.split("\n")[0], "%s: invalid option -- 'Z'" % command, command + ": its own name, without a path")


run(test_texts)
