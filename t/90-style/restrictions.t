#!/usr/bin/env python3
"""Every restriction that smtpd knows, and what it tells policy servers, is in its manual page."""
import os
import re
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
from tap import ok, run

SRC = os.environ.get("POSTERN_SRC") or os.path.join(HERE, "../..")


def test_manual():
    known = re.findall(r"^RESTRICTION\((\w+),", open(os.path.join(SRC, "src/smtpd/restrict.tbl")).read(), re.M)
    page = set(re.findall(r"\w+", open(os.path.join(SRC, "man/smtpd.8")).read()))
    ok(len(known) > 20, "the table has rows")
    for name in known:
        ok(name in page, name)


def test_policy():
    known = re.findall(r"^POLICY_ATTR\((\w+),", open(os.path.join(SRC, "src/smtpd/policy.tbl")).read(), re.M)
    page = set(re.findall(r"\w+", open(os.path.join(SRC, "man/smtpd.8")).read()))
    ok(len(known) > 20 and set(known) <= page, "attributes of policy requests")


run(test_manual, test_policy)
