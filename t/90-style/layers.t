#!/usr/bin/env python3
"""A folder includes only from lower layers; programs do not include each other; files and manual pages."""
import os
import re
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
from tap import diag, is_eq, ok, run

ROOT = os.path.dirname(os.path.dirname(HERE))
SRC = os.path.join(ROOT, "src")
FILTERS = os.path.join(ROOT, "filters")
LAYERS = [["base"], ["loop"], ["param", "log"], ["table", "dns", "tls", "sasl"],
          ["mail", "ipc", "queue", "smtpwire", "milter", "policyproto", "mailbox"], ["service"]]
LIBRARIES = {f: n for n, fs in enumerate(LAYERS) for f in fs}
# Inside layer 5 there is an order of its own.
ORDER5 = {"mail": 0, "smtpwire": 1, "milter": 2, "policyproto": 1, "ipc": 2, "queue": 3, "mailbox": 4}
# The agents' side of a delivery opens content in the queue: it stands above both folders.
ABOVE_QUEUE = {"ipc/deliver.c"}
SIBLINGS = {("param", "log"), ("log", "param")}


def sources():
    for base, _, files in os.walk(SRC):
        for f in files:
            if f.endswith((".c", ".h", ".tbl")):
                yield os.path.relpath(os.path.join(base, f), SRC)


def folder_of(path):
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "cmd" else parts[0]


def may_include(user, used):
    if user == used:
        return True
    if used not in LIBRARIES:
        return False
    if user not in LIBRARIES:
        return True
    if LIBRARIES[user] != LIBRARIES[used]:
        return LIBRARIES[used] < LIBRARIES[user]
    if user in ORDER5:
        return ORDER5[used] < ORDER5[user]
    return (user, used) in SIBLINGS


def test_layers():
    bad = []
    for path in sorted(sources()):
        for n, line in enumerate(open(os.path.join(SRC, path), errors="replace"), 1):
            m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if path in ABOVE_QUEUE and m and m.group(1).startswith("queue/"):
                continue
            if m and "/" in m.group(1) and not may_include(folder_of(path), folder_of(m.group(1))):
                bad.append("src/%s:%d: %s" % (path, n, m.group(1)))
    if not ok(not bad, "folders include only from lower layers"):
        diag("\n".join(bad))


def test_filters():
    bad, missing = [], []
    for base, _, files in os.walk(FILTERS):
        for f in sorted(f for f in files if f.endswith((".c", ".h"))):
            for n, line in enumerate(open(os.path.join(base, f), errors="replace"), 1):
                m = re.match(r'\s*#\s*include\s+"([^"/]+)/', line)
                if m and m.group(1) not in ("filters", "smtpwire", *sum(LAYERS[:4], [])):
                    bad.append("%s/%s:%d: %s" % (os.path.relpath(base, ROOT), f, n, m.group(1)))
    for d in sorted(os.listdir(FILTERS)):
        if d != "check" and not os.path.exists(os.path.join(ROOT, "man", d + ".8")):
            missing.append(d)
    if not ok(not bad, "filters are clients like anybody's: they include no more than the lower layers and their protocol"):
        diag("\n".join(bad))
    is_eq(missing, [], "every filter has a manual page")


def test_length():
    long = []
    for path in sorted(sources()):
        n = sum(1 for _ in open(os.path.join(SRC, path), errors="replace"))
        if n > 900 and not path.endswith(".tbl"):
            long.append("src/%s: %d lines" % (path, n))
    if not ok(not long, "no file has more than 900 lines"):
        diag("\n".join(long))


def test_manual():
    missing = []
    for d in sorted(os.listdir(SRC)):
        if d not in LIBRARIES and d != "cmd" and any(f.endswith(".c") for f in os.listdir(os.path.join(SRC, d))):
            if not os.path.exists(os.path.join(ROOT, "man", d + ".8")):
                missing.append("man/%s.8" % d)
    for d in sorted(os.listdir(os.path.join(SRC, "cmd"))):
        if not os.path.exists(os.path.join(ROOT, "man", d + ".1")):
            missing.append("man/%s.1" % d)
    if not ok(not missing, "every program has a manual page"):
        diag("\n".join(missing))


def test_scripts():
    tests = [os.path.join(d, f) for d, _, files in os.walk(os.path.join(ROOT, "t")) for f in files if f.endswith(".t")]
    bad = [t for t in tests if not os.stat(t).st_mode & 0o100]
    is_eq(bad, [], "every test can be executed")


def test_words():
    bad = []
    for path in sorted(sources()):
        for n, line in enumerate(open(os.path.join(SRC, path), errors="replace"), 1):
            if re.search(r"\b(TODO|FIXME|XXX)\b", line):
                bad.append("src/%s:%d" % (path, n))
    if not ok(not bad, "nothing is marked as unfinished"):
        diag("\n".join(bad))


run(test_layers, test_filters, test_length, test_manual, test_scripts, test_words)
