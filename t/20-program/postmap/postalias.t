#!/usr/bin/env python3
"""postalias: the syntax of alias files."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import Instance
from tap import is_eq, like, ok, run

i = Instance(main={"default_database_type": "lmdb"})


def query(name, *flags):
    r = i.cmd("postalias", *flags, "-q", name, "lmdb:" + i.conf + "/al")
    return r.stdout[:-1] if r.returncode == 0 else None


def values(text):
    path = i.file("one", "k: %s\n" % text)
    i.cmd("postalias", "lmdb:" + path)
    return i.cmd("postalias", "-q", "k", "lmdb:" + path).stdout[:-1]


def test_file():
    i.file("al", 'Root: anna, bert\n"two words": c@x.test\nlist: :include:/x,\n   "|prog x"\n#no: no\nbroken line\n'
                 "a b: c\nc4@domain: x\nc6:\n: y\nroot: dup\n\"c\\\"27\": z\n")
    r = i.cmd("postalias", "lmdb:" + i.conf + "/al")
    is_eq(r.returncode, 0, "exit status")
    for line, what in ((6, "need name:value pair"), (8, "name must be local"), (9, "need name:value pair"), (10, "need name:value pair")):
        like(r.stderr, r"warning: \S+al, line %d: %s\n" % (line, what), "line %d" % line)
    like(r.stderr, r'duplicate entry: "root" \(.*line 11\)', "a name twice")
    for name, want in (("root", "anna, bert"), ("ROOT", "anna, bert"), ("two words", "c@x.test"), ("list", ':include:/x, "|prog x"'),
                       ("a b", "c"), ('c"27', "z"), ("none", None), ("c4@domain", None)):
        is_eq(query(name), want, "postalias -q " + name)
    listing = dict(l.split(":\t", 1) for l in i.cmd("postalias", "-s", "lmdb:" + i.conf + "/al").stdout.splitlines())
    like(listing["YP_LAST_MODIFIED"], r"^\d{10}$", "time of the last change")
    is_eq((listing["YP_MASTER_NAME"], listing["@"]), ("gw.example.test", "@"), "host, and Sendmail's mark")
    is_eq(query("@", "-f"), "@", "names in capitals are found with -f")
    r = i.cmd("postalias", "-q", "-", "lmdb:" + i.conf + "/al", input="root\nnone\n")
    is_eq((r.returncode, r.stdout), (0, "root:\tanna, bert\n"), "-q -")
    i.cmd("postalias", "-i", "lmdb:" + i.conf + "/al", input="New: x\n", check=True)
    is_eq(query("new"), "x", "-i")
    is_eq(i.cmd("postalias", "-d", "New", "lmdb:" + i.conf + "/al").returncode, 0, "-d")
    is_eq(query("new"), None, "it is gone")


def test_values():
    for text, want in (("x<y>", "x <y>"), ("x :y", "x:y"), ("(c)(d)", "(c) (d)"), ('"a""b"', '"a" "b"'), ("x , , y", "x, , y"),
                       ("a\\ b", '"a b"'), ('"a\\b"', '"ab"'), ("[a\\]b]", "[a]b]"), ("[a", "[a]"), ("(a(b)c) d", "(a(b)c) d"),
                       ('"|cmd \\\\x"', '"|cmd \\\\x"'), ("a  b\tc", "a b c"), ('|"cmd x", y', '|"cmd x", y'), ('| "cmd x"', '|"cmd x"'), ('x"y z"', 'x "y z"'), ('"open', '"open"'), ("x\\", "x"), ("x ! y", "x!y"),
                       ("a@b , <c@d>, N <e@f>", "a@b, <c@d>, N <e@f>"), ("/file name", "/file name"), ("(open", "(open")):
        is_eq(values(text), want, "value " + text)


def test_errors():
    for args in ((), ("-b", "x"), ("lmdb:/no/such",), ("-q", "x", "lmdb:/no/such"), ("-Z",)):
        r = i.cmd("postalias", *args)
        ok(r.returncode == 1 and "postalias: fatal: " in r.stderr, "fatal: " + " ".join(args))


with i:
    run(test_file, test_values, test_errors)
