#!/usr/bin/env python3
"""A queue under load is killed with SIGKILL at random moments: what was acknowledged is found by recovery, whole, once
and where it was; what was finished and synced does not come back."""
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import tap

TOOL = os.path.join(os.path.abspath(os.environ.get("POSTERN_BUILD", "build")), "t/programs/queuetool")
ROUNDS = int(os.environ.get("QUEUE_KILLS", "30"))
SEED = int(os.environ.get("QUEUE_SEED", str(random.randrange(1, 1 << 20))))


class Account:
    """What was promised so far."""

    def __init__(self):
        self.place = {}      # id -> queue, or None when it is not known
        self.ending = set()  # the end has begun
        self.ended = set()

    def line(self, words):
        what, name = words[0], words[1]
        if what in "AM":
            self.place[name] = words[2]
        elif what == "W":
            self.place[name] = None
        elif what == "B":
            self.ending.add(name)
        elif what == "F":
            self.ended.add(name)

    def settle(self, found):
        """After a look at what is there: nothing is unsure any more."""
        for name in self.ending - set(found):
            self.ended.add(name)
        self.ending.clear()
        self.place = dict(found)


def run_and_kill(directory, seed):
    tool = subprocess.Popen([TOOL, "run", str(seed)], cwd=directory, stdout=subprocess.PIPE)
    first = tool.stdout.readline()
    time.sleep(random.random() ** 2 * 0.7)
    tool.kill()
    output = (first + tool.stdout.read()).decode()
    tool.wait()
    return [line.split() for line in output.split("\n")[:-1]]


def kills(directory):
    account, total = Account(), 0
    for i in range(ROUNDS):
        for words in run_and_kill(directory, SEED % 4096 * 4096 + i):
            account.line(words)
            total += words[0] == "A"
        check = subprocess.run([TOOL, "check"], cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        lines = [line.split() for line in check.stdout.decode().splitlines()]
        found = {words[1]: words[2] for words in lines}
        trouble = {
            "exit": check.returncode,
            "lost": [n for n in account.place if n not in found and n not in account.ending | account.ended],
            "back": [n for n in found if n in account.ended],
            "twice": len(lines) - len(found),
            "damaged": [words[1] for words in lines if words[3] != "whole"],
            "moved": [n for n, q in account.place.items() if q and found.get(n, q) != q],
        }
        if not tap.ok(not any(trouble.values()), "kill %d: %d acknowledged in all, %d found" % (i + 1, total, len(found))):
            tap.diag("%r %s" % (trouble, check.stderr.decode()[-1000:]))
        account.settle(found)


def main():
    tap.diag("QUEUE_SEED=%d" % SEED)
    random.seed(SEED)
    directory = tempfile.mkdtemp(prefix="postern-kill-", dir="/var/tmp")
    try:
        subprocess.run([TOOL, "make"], cwd=directory, check=True)
        kills(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


tap.run(main)
