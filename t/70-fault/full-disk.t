#!/usr/bin/env python3
"""A file system that is really full: clients are told so, what was acknowledged arrives, and the service recovers by itself.
The queue is on a small tmpfs in a mount namespace of its own."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from instance import Instance, free_port, wait_until        # noqa: E402
from smtp import Client, Sink                               # noqa: E402
from tap import diag, is_eq, like, ok, run, skip_all        # noqa: E402

SIZE = 48 << 20
FULL = r"^452 4\.3\.1 Insufficient system storage"


def isolate():
    if os.geteuid() != 0:
        skip_all("mounts a file system: needs root")
    if os.environ.get("POSTERN_MOUNTS") != "own":
        os.environ["POSTERN_MOUNTS"] = "own"
        os.execvp("unshare", ["unshare", "--mount", sys.executable, "-B", os.path.realpath(sys.argv[0])])


class Small(Instance):
    """An instance whose queue has SIZE bytes of room."""

    def __init__(self, **main):
        self.sink, self.port = Sink(), free_port()
        base = {"relayhost": "[127.0.0.1]:%d" % self.sink.port, "message_size_limit": "1000000", "smtpd_peername_lookup": "no",
                "minimal_backoff_time": "1s", "maximal_backoff_time": "1s", "queue_run_delay": "1s"}
        base.update(main)
        super().__init__(main=base, services=["127.0.0.1:%d inet n - n - - smtpd" % self.port])
        os.mkdir(self.spool, 0o755)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d" % SIZE, "tmpfs", self.spool], check=True)
        self.ballast = os.path.join(self.spool, "saved", "ballast")

    def __exit__(self, *exc):
        if self.master_pid():
            self.ctl("abort")
        subprocess.run(["umount", "-l", self.spool], check=True)
        super().__exit__(*exc)

    def fill(self, leave=0):
        """All room is gone but leave bytes."""
        st = os.statvfs(self.spool)
        with open(self.ballast, "ab") as f:
            f.write(b"x" * max(0, st.f_bavail * st.f_frsize - leave))
        st = os.statvfs(self.spool)
        if leave < 4096 and st.f_bavail:
            raise AssertionError("%d blocks are left" % st.f_bavail)

    def drain(self):
        os.unlink(self.ballast)

    def client(self):
        c = Client(self.port)
        c.ehlo()
        return c

    def settled(self):
        wait_until(lambda: not self.cmd("postqueue", "-j").stdout, "an empty queue")
        is_eq(os.listdir(os.path.join(self.spool, "corrupt")), [], "nothing is damaged")
        ok(not self.find_log("panic|fatal"), "no program has died")


def lines(n, size):
    return b"Subject: m%d\r\n\r\n" % n + (b"0123456789abcdef" * 4 + b"\r\n") * (size // 66)


def refused(c):
    """smtpd looks at the disk once a second."""
    reply = c.cmd("MAIL FROM:<s@client.test>")
    c.cmd("RSET")
    return reply.text.startswith("452 4.3.1 Insufficient system storage")


def room_again(c):
    wait_until(lambda: not refused(c), "acceptance")


def test_full_before():
    """Nothing can be written from the start."""
    with Small() as gw:
        gw.start()
        gw.fill()
        with gw.client() as c:
            like(c.cmd("MAIL FROM:<s@client.test>").text, FULL, "refused at MAIL")
            gw.drain()
            room_again(c)
            is_eq(c.message("s@client.test", ["u@far.test"], lines(1, 300)).code, 250, "accepted when there is room, in the same session")
        gw.sink.wait("m1")
        with gw.client() as c:
            gw.fill(leave=800000)
            wait_until(lambda: refused(c), "a refusal: room for less than one and a half of the largest message")
            gw.drain()
        gw.settled()


def test_minfree():
    with Small(queue_minfree="20000000") as gw:
        gw.start()
        gw.fill(leave=15000000)
        with gw.client() as c:
            like(c.cmd("MAIL FROM:<s@client.test>").text, FULL, "less is free than queue_minfree")
            gw.drain()
            room_again(c)


def fill_in_the_middle(gw, size):
    """A message whose disk is full when its content comes."""
    with gw.client() as c:
        for line in ("MAIL FROM:<s@client.test>", "RCPT TO:<u@far.test>", "DATA"):
            c.cmd(line)
        gw.fill()
        c.send(lines(99, size) + b".\r\n")
        like(c.reply().text, FULL, "content of %d bytes: refused at its end" % size)
        ok(c.cmd("NOOP").code == 250, "the session goes on")
        gw.drain()
        is_eq(c.message("s@client.test", ["u@far.test"], lines(size, size)).code, 250, "accepted when there is room again")
    gw.sink.wait("m%d" % size)


def test_full_in_the_middle():
    for size in (500, 300000, 700000):
        with Small() as gw:
            gw.start()
            fill_in_the_middle(gw, size)
            ok(gw.find_log(r"cleanup.*warning: .*No space left on device"), "the log names the trouble")
            is_eq([m for m in gw.sink.messages if m.header("Subject") == ["m99"]], [], "what was refused is not sent")
            gw.settled()


def test_full_under_load():
    """Messages until nothing more fits, with a next hop that is away: the acknowledged ones are there afterwards."""
    with Small(relayhost="[127.0.0.1]:1", message_size_limit="100000") as gw:
        gw.start()
        acked, refused = set(), 0
        with gw.client() as c:
            acked.add(1)
            is_eq(c.message("s@client.test", ["u@far.test"], lines(1, 90000)).code, 250, "a first message")
            gw.fill(leave=1 << 20)
            for n in range(2, 2000):
                try:
                    code = c.message("s@client.test", ["u@far.test"], lines(n, 90000)).code
                except AssertionError as e:         # refused at MAIL
                    like(str(e), r": 452 4\.3\.1 ", "a refusal") if refused == 0 else None
                    c.cmd("RSET")
                    code = 452
                if code == 250:
                    acked.add(n)
                else:
                    refused += 1
                if refused > 5:
                    break
        ok(refused > 5, "the disk gets full")
        diag("%d messages acknowledged" % len(acked))
        is_eq(len(gw.cmd("postqueue", "-j").stdout.splitlines()), len(acked), "the acknowledged ones are listed")
        gw.ctl("abort")
        wait_until(lambda: not gw.master_pid(), "end")
        gw.main["relayhost"] = "[127.0.0.1]:%d" % gw.sink.port
        gw.write_config()
        gw.start()
        wait_until(lambda: len({m.header("Subject")[0] for m in gw.sink.messages}) >= len(acked), "delivery, with a disk that is still full", 60)
        gw.drain()
        is_eq(sorted(int(m.header("Subject")[0][1:]) for m in gw.sink.messages), sorted(acked), "each acknowledged message arrives, once")
        ok(all(m.body == lines(0, 90000).partition(b"\r\n\r\n")[2] for m in gw.sink.messages), "whole")
        gw.settled()


isolate()
run(test_full_before, test_minfree, test_full_in_the_middle, test_full_under_load)
