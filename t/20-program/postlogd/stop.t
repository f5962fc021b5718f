#!/usr/bin/env python3
"""The last lines before the system stops. In a network namespace of its own (root only), where the log socket holds many packets."""
import os
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import Instance, wait_until
from tap import is_eq, like, run, skip_all

QLEN = "/proc/sys/net/unix/max_dgram_qlen"
PACKETS = 300

if not os.environ.get("POSTERN_TEST_NS"):
    argv = ["unshare", "-n"]
    if os.geteuid() != 0 or subprocess.run(argv + ["sh", "-c", "echo 512 >" + QLEN], stderr=subprocess.DEVNULL).returncode:
        skip_all("needs root and network namespaces")
    os.environ["POSTERN_TEST_NS"] = "1"
    os.execvp(argv[0], argv + [sys.executable] + sys.argv)
with open(QLEN, "w") as qlen:
    qlen.write("512")


def packet(text):
    return b"PL" + (17 + 3 + len(text)).to_bytes(2, "little") + bytes(8) + (7).to_bytes(4, "little") + b"\x03" + b"abc" + text


def stop(i, packets=()):
    """Begins it, while postlogd does not run and has these packets to read."""
    wait_until(lambda: i.find_log("daemon started"), "the start")
    pid = wait_until(lambda: i.pids("postlogd"), "postlogd")[0]
    os.kill(pid, signal.SIGSTOP)
    for p in packets:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:  # a sender has no room for all of them
            s.settimeout(20)
            s.sendto(p, os.path.join(i.spool, "public", "postlog"))
    return pid, subprocess.Popen([os.path.join(i.build, "bin/postern"), "stop"], env=i.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def instance():
    return Instance(services=["postlog unix-dgram n - n - 1 postlogd"], standard=False)


def test_unread():
    with instance() as i:
        i.start()
        pid, p = stop(i, [packet(b"line %d" % n) for n in range(PACKETS)])
        time.sleep(0.5)  # for master to tell it; sooner or later, all has to be read
        os.kill(pid, signal.SIGCONT)
        is_eq(p.wait(60), 0, "the system stops")
        is_eq(len(i.find_log(r": line \d+$")), PACKETS, "what waits in the socket is read first")
        like(i.log(), "terminating on signal 15", "also master's own")


def test_gone():
    with instance() as i:
        i.start()
        pid, p = stop(i)
        os.kill(pid, signal.SIGKILL)
        p.wait(60)
        like(i.log(), r"process \S+/postlogd pid %d killed by signal 9" % pid, "with no log server left, master writes the file")


run(test_unread, test_gone)
