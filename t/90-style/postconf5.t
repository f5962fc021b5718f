#!/usr/bin/env python3
"""man/postconf.5 is what its script makes of the parameter table, and has every parameter."""
import os
import re
import subprocess
import sys

ROOT = os.environ.get("POSTERN_SRC") or os.path.join(os.path.dirname(os.path.realpath(__file__)), "../..")
sys.path.insert(0, os.path.join(ROOT, "t/lib"))
from tap import is_eq, ok, run


def test_page():
    page = open(os.path.join(ROOT, "man/postconf.5")).read()
    made = subprocess.run([os.path.join(ROOT, "man/make-postconf5")], stdout=subprocess.PIPE, text=True, check=True).stdout
    ok(page == made, "man/postconf.5 is up to date (man/make-postconf5 > man/postconf.5)")
    table = open(os.path.join(ROOT, "src/param/param.tbl")).read()
    rows = re.findall(r'^PARAM_(?:STR|RAW|INT|SIZE|BOOL|TIME|ENUM|COMPUTED)\(\w+, "([^"]+)"|^PARAM_TRANSPORT\("([^"]+)"', table, re.M)
    is_eq([n.replace("\\-", "-") for n in re.findall(r"^\.It Va (\S+)$", page, re.M)], [a or b for a, b in rows], "every parameter is in it")


run(test_page)
