#!/usr/bin/env python3
"""clang-format decides about the form of C code, mandoc about that of manual pages."""
import glob
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
from tap import diag, ok, run, skip

ROOT = os.path.dirname(os.path.dirname(HERE))
CLANG_FORMAT = shutil.which("clang-format-14") or shutil.which("clang-format")


def test_format():
    if not CLANG_FORMAT or b" 14." not in subprocess.run([CLANG_FORMAT, "--version"], stdout=subprocess.PIPE).stdout:
        skip("format of C code", "no clang-format 14")
        return
    files = sorted(f for d in ("src", "filters", "t") for e in ("c", "h") for f in glob.glob("%s/%s/**/*.%s" % (ROOT, d, e), recursive=True))
    p = subprocess.run([CLANG_FORMAT, "--dry-run", "-Werror"] + files, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    bad = sorted({l.split(":")[0] for l in p.stderr.splitlines() if ": error:" in l})
    if not ok(not bad, "C code is formatted"):
        diag("\n".join(os.path.relpath(b, ROOT) for b in bad))


def test_manual():
    if not shutil.which("mandoc"):
        skip("manual pages", "no mandoc")
        return
    pages = sorted(glob.glob(ROOT + "/man/*.[158]"))
    p = subprocess.run(["mandoc", "-T", "lint", "-W", "warning"] + pages, stdout=subprocess.PIPE, text=True)
    if not ok(not p.stdout.strip(), "manual pages have no mistakes"):
        diag(p.stdout[:3000])


run(test_format, test_manual)
