#!/usr/bin/env python3
"""postmap: making, asking, changing, listing tables; what goes wrong."""
import base64
import json
import os
import re
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import Instance
from tap import is_eq, like, ok, run

i = Instance(main={"default_database_type": "lmdb", "smtputf8_enable": "yes"})
SOURCE = """# comment
User@X.test  one
b@x.test two  words
   and more

   # a comment inside
   and still more
@x.test three
user@x.test again
lonely
"quoted key" val
"q\\"x\\\\y" val2
"unterminated val
key:\tcolon value
"""


def postmap(*args, **kw):
    return i.cmd("postmap", *args, **kw)


def path(name):
    return os.path.join(i.conf, name)


def query(table, key, *flags):
    r = postmap(*flags, "-q", key, table)
    return r.stdout if r.returncode == 0 else (r.returncode, r.stdout, r.stderr)


NONE = (1, "", "")


def test_escapes():
    t = "lmdb:" + i.file("escapes", '\\"odd v\na\\ b v2\n\\\\ z\n')
    r = postmap(t)
    is_eq((r.returncode, r.stderr), (0, ""), "a backslash takes the meaning from what follows, outside quotes too")
    is_eq(postmap("-s", t).stdout, '\\"odd\tv\n\\\\\tz\na\\ b\tv2\n', "  in keys")


def test_option_order():
    t = "lmdb:" + i.file("order", "k v1\nk v2\n")
    for flags, want in (("-rw", "v1\n"), ("-wr", "v2\n")):
        is_eq((postmap(flags, t).stderr, query(t, "k")), ("", want), "the last of -r and -w counts: " + flags)
    for args in (["-s", "-q", "k"], ["-d", "k", "-d", "k"], ["-q", "k", "-q", "k"]):
        r = postmap(*args, t)
        is_eq(r.returncode, 1, "together: " + " ".join(args))
        like(r.stderr, "fatal: specify only one of -s -q or -d", "  says so")
    r = postmap("-m", "-q", "k", t)
    like(r.stderr, r'\Apostmap: fatal: specify -b -h or -m only with "-q -"', "-m with a key")


def test_cannot():
    for args, want in ((["-d", "k", "static:x"], "static:x map requires O_RDONLY access mode"), (["-s", "fail:x"], "table fail:x: sequence error: Application error"),
                       (["-s", "proxy:lmdb:x"], "can't sequence maps via the proxy service"), (["proxy:lmdb:x"], "can't create maps via the proxy service"),
                       (["-F", "-q", "k", "inline:{k=v}"], "table inline:{k=v}: query error")):
        r = postmap(*args)
        is_eq(r.returncode, 1, "cannot: " + " ".join(args))
        like(r.stderr, "fatal: " + re.escape(want), "  says so")


def test_build():
    for t in "lmdb", "hash", "btree", "cdb":
        src = i.file("src-" + t, SOURCE)
        table = t + ":" + src
        r = postmap(table)
        is_eq(r.returncode, 0, t + ": odd lines are no failure")
        like(r.stderr, r'warning: .*duplicate entry: "user@x\.test" \(.*src-\w+, line 9\)', t + ": duplicate")
        like(r.stderr, r"warning: \S+, line 10: expected format: key whitespace value\n", t + ": no value")
        like(r.stderr, r"warning: \S+, line 13: unbalanced '\"' in '\"unterminated val' -- ignoring this line\n", t + ": quote")
        like(r.stderr, r"warning: \S+, line 14: record is in \"key: value\" format; is this an alias file\?\n", t + ": colon")
        is_eq(r.stderr.count("\n"), 4, t + ": nothing else")
        is_eq(query(table, "USER@x.test"), "one\n", t + ": the first counts, keys are folded")
        is_eq(query(table, "b@x.test"), "two  words   and more   and still more\n", t + ": continuation")
        is_eq(query(table, '"quoted key"'), "val\n", t + ": quoted key")
        is_eq(query(table, "zzz"), NONE, t + ": nothing")
        is_eq(sorted(l.split("\t")[0] for l in postmap("-s", table).stdout.splitlines()),
              ['"q\\"x\\\\y"', '"quoted key"', "@x.test", "b@x.test", "key:", "user@x.test"], t + ": listing")
        is_eq(postmap("-rw", table).returncode, 0, t + ": built again")
    is_eq(query(path("src-lmdb"), "@x.test"), "three\n", "the default type")
    is_eq(query("lmdb:" + path("src-lmdb"), "User@X.test", "-f"), NONE, "-f: keys as they are")
    ok(not [f for f in os.listdir(i.conf) if f.count(".") > 1], "no temporary files")


def test_duplicates():
    t = "lmdb:" + i.file("dup", "k v1\nK v2\n")
    is_eq(postmap("-r", t).stderr, "", "-r is quiet")
    is_eq(query(t, "k"), "v2\n", "-r: the last counts")
    is_eq(postmap("-w", t).stderr, "", "-w is quiet")
    is_eq(query(t, "k"), "v1\n", "-w: the first counts")
    is_eq(postmap("-f", t).stderr, "", "-f: no duplicates")
    is_eq(query(t, "K", "-f"), "v2\n", "-f: two keys")


def test_update():
    t = "lmdb:" + i.file("up", "a 1\nb 2\n")
    postmap(t, check=True)
    is_eq(postmap("-i", t, input="c 3\nA 9\n").stderr.count("duplicate entry"), 1, "-i: a key that is there")
    is_eq((query(t, "a"), query(t, "c")), ("1\n", "3\n"), "-i adds")
    is_eq(postmap("-ir", t, input="a 9\n").stderr, "", "-ir replaces")
    is_eq(query(t, "a"), "9\n", "-ir")
    is_eq([postmap("-d", "A", t).returncode for _ in (1, 2)], [0, 1], "-d of what is there, and then is not")
    is_eq(postmap("-d", "-", t, input="x\nb\n").returncode, 0, "-d -: one of them was there")
    is_eq(postmap("-s", t).stdout, "c\t3\n", "what is left")
    is_eq(postmap("-i", "lmdb:" + path("new"), input="x y\n").returncode, 0, "-i makes a table")
    is_eq(query("lmdb:" + path("new"), "x"), "y\n", "of standard input")
    like(postmap("-i", t, input="one two\nlone\n").stderr, r"stdin, line 2: expected format", "its lines are counted")
    ok(postmap("-d", "x", "lmdb:" + path("missing")).returncode == 1 and not os.path.exists(path("missing.lmdb")), "-d makes none")
    for bad in ("cdb:" + path("up"), "static:x", "regexp:/dev/null"):
        ok(postmap("-d", "x", bad).returncode == 1, "-d where it cannot be: " + bad)


def test_many_keys():
    t, u = "lmdb:" + i.file("m1", "a 1\nb 2\n"), "hash:" + i.file("m2", "b x\nc 3\n")
    postmap(t, u, check=True)
    r = postmap("-q", "-", t, u, input="a\nb\n\nc\nzz\n B\n")
    is_eq((r.returncode, r.stdout), (0, "a\t1\nb\t2\nc\t3\n"), "-q - asks all tables for each line")
    is_eq(postmap("-q", "-", t, input="zz\n").returncode, 1, "nothing found")
    is_eq(postmap("-q", "c", t, u).stdout, "3\n", "-q asks them in turn")
    is_eq([json.loads(l) for l in postmap("-j", "-q", "-", t, input='a\nb\n').stdout.splitlines()],
          [{"a": "1"}, {"b": "2"}], "-j")
    j = "inline:{{q\"\\=a\tb}}"
    is_eq(json.loads(postmap("-js", j).stdout), {'q"\\': "a\tb"}, "-j with what must be escaped")


def test_files():
    a, b = i.file("fa", "first\n"), i.file("fb", "second")
    t = "lmdb:" + i.file("ff", "k %s, %s\nbad /no/such\n" % (a, b))
    like(postmap("-F", t).stderr, r"ff, line 2: .*/no/such.*No such file", "-F: a file that is not there")
    is_eq(base64.b64decode(query(t, "k")), b"first\n\nsecond", "-F stores the content")
    is_eq(query(t, "k", "-F"), "first\n\nsecond\n", "-F shows it")
    is_eq(postmap("-Fs", t).stdout, "k\tfirst\n\nsecond\n", "-Fs")
    like(postmap("-F", "-q", "x", "static:x!").stderr, r"warning: .*malformed BASE64 value", "-F of other values")


def test_modes():
    src = i.file("mode", "a b\n", 0o640)
    t = "lmdb:" + src
    postmap(t, check=True)
    is_eq(stat.S_IMODE(os.stat(src + ".lmdb").st_mode), 0o640, "a new file has the mode of its source")
    os.chmod(src + ".lmdb", 0o600)
    postmap(t, check=True)
    is_eq(stat.S_IMODE(os.stat(src + ".lmdb").st_mode), 0o600, "a file that is replaced keeps its own")
    os.unlink(src + ".lmdb")
    postmap("-p", t, check=True)
    is_eq(stat.S_IMODE(os.stat(src + ".lmdb").st_mode), 0o644, "-p: the default")
    if os.getuid() != 0:
        return
    d = path("theirs")
    os.mkdir(d)
    os.chown(d, 65534, 65534)
    os.chmod(i.conf, 0o755)
    with open(d + "/t", "w") as f:
        f.write("a b\n")
    os.chown(d + "/t", 65534, 65534)
    postmap("lmdb:" + d + "/t", check=True)
    is_eq(os.stat(d + "/t.lmdb").st_uid, 65534, "done with the rights of the source's owner")
    os.unlink(d + "/t.lmdb")
    postmap("-o", "lmdb:" + d + "/t", check=True)
    is_eq(os.stat(d + "/t.lmdb").st_uid, 0, "-o: of root")
    os.chown(d, 0, 0)
    r = postmap("lmdb:" + d + "/t")
    ok(r.returncode == 1 and "fatal: " in r.stderr, "what that user may not write is not written")
    os.chown(d + "/t.lmdb", 65534, 65534)
    with open(d + "/t", "a") as f:
        f.write("c d\n")
    is_eq(postmap("lmdb:" + d + "/t").returncode, 0, "but a file of its own, in a directory of others, is")
    is_eq(query("lmdb:" + d + "/t", "c"), "d\n", "in place")


def test_nul():
    for flags, n in ((("-n",), 0), (("-N",), 1), ((), 1)):
        src = i.file("nul", "abc def\n")
        if os.path.exists(src + ".lmdb"):
            os.unlink(src + ".lmdb")
        postmap(*flags, "lmdb:" + src, check=True)
        is_eq(open(src + ".lmdb", "rb").read().count(b"abc\0def\0" if n else b"abcdef"), 1, "NULs with %s" % (flags,))
        is_eq(query("lmdb:" + src, "abc"), "def\n", "found all the same")
        postmap("-i", "lmdb:" + src, input="ghi jkl\n", check=True)
        is_eq(postmap("-s", "lmdb:" + src).stdout, "abc\tdef\nghi\tjkl\n", "updates are of the same kind")


def test_message():
    rules = "regexp:" + i.file("checks", "/^subject: (.*)/ <$1>\n/^content-type: (.*)/ type\n/body/ b\n/^X-Long: a.*b/ folded\n")
    mail = ("Subject: hello\nX-Long: a\n b\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain\n\nsome body\n"
            "--x\nContent-Type: message/rfc822\n\nSubject: inner\n\nmore body\n--x--\n")
    is_eq(postmap("-hq", "-", rules, input=mail).stdout,
          "Subject: hello\t<hello>\nX-Long: a\n b\tfolded\nContent-Type: multipart/mixed; boundary=x\ttype\n", "-h: the first header")
    is_eq(postmap("-hmq", "-", rules, input=mail).stdout.count("\ttype\n"), 3, "-hm: those of parts, too")
    is_eq(postmap("-bq", "-", rules, input=mail).stdout.count("\ttype\n"), 2, "-b: all lines behind the header")
    is_eq(postmap("-bmq", "-", rules, input=mail).stdout, "some body\tb\nmore body\tb\n", "-bm: but not headers of parts")
    is_eq(postmap("-bhmq", "-", rules, input=mail).stdout.count("\n"), 9, "both")
    is_eq(postmap("-bq", "-", "static:x", input="Subject: y\n\na\n\nb\n").stdout, "\tx\na\tx\n\tx\nb\tx\n", "-b: empty lines too, the one that ends the header first")
    is_eq(postmap("-hq", "-", rules, input=b"Subject: \xff\n\nx\n").returncode, 0, "bytes that are no UTF-8")
    like(postmap("-bq", "x", rules).stderr, r'fatal: specify -b -h or -m only with "-q -"', "not with a key")


def test_errors():
    src = i.file("e", "a b\n")
    for args in (("lmdb:" + path("missing"),), ("nosuchtype:" + src,), ("-q", "k", "lmdb:" + path("missing")), ("inline:{a=1}",),
                 ("texthash:" + src,), (), ("-Z", "x"), ("-q", "k", "-s", src), ("-q", "k", "-d", "k", src), ("-s", "static:x"),
                 ("-q", "k"), ("-q", "k", "inline:{"), ("-c", "/no/such/dir", src), ("lmdb:" + i.conf,), ("-q", "x", "fail:x")):
        r = postmap(*args)
        ok(r.returncode == 1 and "postmap: fatal: " in r.stderr and not r.stdout, "fatal: " + " ".join(args).replace(i.dir, ""))
    i.file("bdb.db", "\0" * 12 + "\x61\x15\x06\0" + "\0" * 100)
    like(query("hash:" + path("bdb"), "k")[2], r"fatal: open database \S+bdb\.db: not a complete LMDB file", "somebody else's .db file")
    like(query("unionmap:{static:a, fail:x}", "k")[2], r"fatal: .*query error", "a failing member")
    like(query("inline:{k=}", "k"), r"^\n$", "an empty value is shown")
    like(postmap("-q", "k", "inline:{k=}").stderr, "empty string result is not allowed", "with a warning")
    big = i.file("big", "k " + "x" * 5000000 + "\n")
    like(postmap("lmdb:" + big).stderr, r"fatal: \S+big, line 1: line longer than", "a line without end")
    ok(not os.path.exists(big + ".lmdb"), "makes no table")
    long = i.file("long", "x" * 600 + " v\nb w\n")
    like(postmap("lmdb:" + long).stderr, r"long, line 1: a key of 600 bytes cannot be stored", "a key that is too long")
    is_eq(query("lmdb:" + long, "b"), "w\n", "is left out")
    utf = i.file("utf", "")
    with open(utf, "wb") as f:
        f.write(b"\xc3\x84 umlaut\nk\xff v\nk2 v\xff\nnul\0x v\n")
    like(postmap("lmdb:" + utf).stderr, r'utf, line 2: non-UTF-8 input "k\? v" -- ignoring this line', "not UTF-8")
    is_eq(query("lmdb:" + utf, "\u00e4"), "umlaut\n", "folded beyond ASCII")
    is_eq(postmap("-u", "lmdb:" + utf).stderr.count("\n"), 1, "-u: anything goes")


def test_large():
    src = i.file("large", "".join("user%d@example.test  target%d@example.test\n" % (n, n) for n in range(200000)))
    t = "lmdb:" + src
    is_eq(postmap(t).stderr, "", "200,000 entries")
    is_eq(query(t, "user199999@example.test"), "target199999@example.test\n", "the last")
    is_eq(postmap("-s", t).stdout.count("\n"), 200000, "all of them")


with i:
    run(test_escapes, test_option_order, test_cannot, test_build, test_duplicates, test_update, test_many_keys, test_files, test_modes, test_nul, test_message, test_errors, test_large)
