#!/usr/bin/env python3
"""The parts with machine code, built for aarch64 and run under qemu: the switch between stacks, checksums."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import SRC                                    # noqa: E402
from tap import is_eq, run, skip_all                        # noqa: E402

CC, QEMU, LIBC = "aarch64-linux-gnu-gcc", "qemu-aarch64", "/usr/aarch64-linux-gnu"
TESTS = (("t/00-unit/loop/ctx.c", "src/loop/ctx.c"), ("t/00-unit/base/crc32c.c", "src/base/crc32c.c"))


def aarch64():
    with tempfile.TemporaryDirectory() as d:
        for sources in TESTS:
            for level in ("-O0", "-O2"):
                program = os.path.join(d, "test")
                args = [CC, level, "-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-I" + os.path.join(SRC, "src"), "-static", "-o", program]
                p = subprocess.run(args + [os.path.join(SRC, s) for s in sources + ("src/base/str.c", "src/base/mem.c")], stderr=subprocess.PIPE, text=True)
                is_eq(p.stderr, "", "%s with %s builds" % (sources[1], level))
                p = subprocess.run([QEMU, "-L", LIBC, program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
                bad = [l for l in p.stdout.splitlines() if not l.startswith("ok ")][:-1]
                is_eq((p.returncode, bad), (0, []), "and passes")


if not shutil.which(CC) or not shutil.which(QEMU) or not os.path.isdir(LIBC):
    skip_all("needs gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, qemu-user")
run(aarch64)
