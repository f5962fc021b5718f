#!/usr/bin/env python3
"""SIGKILL under load: random processes, and the whole system, again and again; then every recipient of every message is accounted for.

What was acknowledged arrives, whole, at every recipient. It arrives once, unless a process that stood between the next hop's 250
and the record of it was killed at that moment: SMTP's own window, as wide as the interval at which the status log is synced.
First the kills come as fast as they can, so that they hit recovery too: everything must arrive. Then they are rare, so that a delivery
long before a kill can be told from one at that moment: that one must not be repeated.
KILLS in the environment sets how many there are in all; SEED repeats a run's choices."""
import os
import random
import re
import signal
import socket
import socketserver
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from instance import Instance, free_port, wait_until  # noqa: E402
from tap import diag, is_eq, ok, run                   # noqa: E402

KILLS = int(os.environ.get("KILLS", "200"))
RARE = min(12, KILLS // 10)     # of them
CLIENTS = 8
WINDOW = 1.0        # seconds: sync interval of the status log, and slack for a busy machine
GAP = 2.5           # between rare kills
POSTMASTER = "postmaster@gw.example.test"   # is told of sessions that a kill disturbed
WHOLE = 0.1         # share of kills that hit all processes at once
SPARED = ()         # programs of the instance that are not killed
BETWEEN = ("system", "master", "qmgr", "smtp")  # who stands between the next hop's 250 and the record of it
SIZES = [10] * 30 + [700] * 20 + [9000] * 9 + [600000]  # of bodies, by chance: small ones, and one for a file


def body(n):
    line = b"%08d " % n + b"x" * 61 + b"\r\n"
    return line * (1 + SIZES[n * 7919 % len(SIZES)] // len(line))


def rcpts(n):
    """Every third message has two recipients."""
    return ["n%da@far.test" % n] + (["n%db@far.test" % n] if n % 3 == 0 else [])


class Sink(socketserver.ThreadingTCPServer):
    """Takes mail. Some recipients are taken only at the second attempt: of every seventh message all, of every fifth the second.
    arrived: recipient -> times at which the message was complete."""
    allow_reuse_address, daemon_threads, request_queue_size = True, True, 200

    def __init__(self, port):
        super().__init__(("127.0.0.1", port), Session)
        self.arrived, self.refused, self.damaged, self.lock = {}, set(), [], threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # a killed client

    def takes(self, rcpt):
        n, which = int(re.sub(r"\D", "", rcpt.partition("@")[0])), rcpt.partition("@")[0][-1]
        with self.lock:
            late = rcpt not in self.refused and (n % 7 == 0 or (n % 5 == 0 and which == "b"))
            self.refused.add(rcpt)
        return not late

    def complete(self, to, content):
        if to == [POSTMASTER]:
            return
        n = int(re.search(r"\d+", to[0]).group())
        good = content.partition(b"\r\n\r\n")[2] == body(n)
        with self.lock:
            for r in to:
                self.arrived.setdefault(r, []).append(time.monotonic())
            if not good:
                self.damaged.append(n)


class Session(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text + b"\r\n")

    def handle(self):
        self.say(b"220 sink ESMTP")
        to = []
        for line in iter(self.rfile.readline, b""):
            verb = line[:4].upper()
            if verb == b"EHLO":
                self.say(b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME")
            elif verb == b"MAIL":
                to = []
                self.say(b"250 ok")
            elif verb == b"RCPT":
                rcpt = re.search(rb"<(.+?)>", line).group(1).decode()
                if rcpt == POSTMASTER or self.server.takes(rcpt):
                    to.append(rcpt)
                    self.say(b"250 ok")
                else:
                    self.say(b"451 4.2.0 later")
            elif verb == b"DATA":
                if not to:
                    self.say(b"554 no valid recipients")
                    continue
                self.say(b"354 go")
                content = []
                for part in iter(self.rfile.readline, b""):
                    if part == b".\r\n":
                        break
                    content.append(part)
                else:
                    return
                self.server.complete(to, b"".join(content))
                self.say(b"250 2.0.0 ok")
            elif verb == b"QUIT":
                self.say(b"221 bye")
                return
            else:
                self.say(b"250 ok")


class Load:
    """CLIENTS sessions at once. acked: numbers of the messages that were answered with 250."""

    def __init__(self, port):
        self.port, self.next, self.acked, self.stop, self.pause = port, 0, set(), False, 0.02
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.client, daemon=True) for _ in range(CLIENTS)]
        for t in self.threads:
            t.start()

    def number(self):
        with self.lock:
            self.next += 1
            return self.next

    def session(self):
        with socket.create_connection(("127.0.0.1", self.port), 10) as s:
            s.settimeout(15)
            f = s.makefile("rb")

            def reply(text):
                if text:
                    s.sendall(text)
                line = f.readline()
                while line[3:4] == b"-":
                    line = f.readline()
                if line[:1] not in (b"2", b"3"):
                    raise OSError("refused: %r" % line)
            reply(b"")
            reply(b"EHLO load\r\n")
            while not self.stop:
                n = self.number()
                reply(b"MAIL FROM:<s@client.test>\r\n")
                for r in rcpts(n):
                    reply(b"RCPT TO:<%s>\r\n" % r.encode())
                reply(b"DATA\r\n")
                reply(b"Subject: %d\r\n\r\n%s.\r\n" % (n, body(n)))
                with self.lock:
                    self.acked.add(n)
                time.sleep(self.pause)

    def client(self):
        while not self.stop:
            try:
                self.session()
            except OSError:
                time.sleep(0.05)

    def end(self):
        self.stop = True
        for t in self.threads:
            t.join(20)

    def owed(self):
        """Recipients that were promised delivery."""
        with self.lock:
            return {r for n in self.acked for r in rcpts(n)}


class Killer:
    """Kills, and remembers when whom."""

    def __init__(self, gw):
        self.gw, self.kills, self.names = gw, [], {}

    def program(self, pid):
        try:
            return os.path.basename(open("/proc/%d/cmdline" % pid).read().split("\0")[0])
        except OSError:
            return ""

    def note(self, program):
        self.kills.append((time.monotonic(), program))
        self.names[program] = self.names.get(program, 0) + 1

    def kill(self, *pids):
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass

    def system(self):
        """The master first, so that it restarts nobody."""
        workers, master = self.gw.pids(), self.gw.master_pid()
        self.kill(master, *workers)
        self.note("system")
        self.restart(workers)

    def master(self):
        """The master alone: its workers end by themselves."""
        workers = self.gw.pids()
        self.kill(self.gw.master_pid())
        self.note("master")
        self.restart(workers)

    def restart(self, workers):
        wait_until(lambda: not any(os.path.exists("/proc/%d" % p) for p in workers), "end of the workers", 30)
        wait_until(lambda: self.gw.ctl("start").returncode == 0, "start after a crash", 30)

    def one(self, *among):
        """A program by chance (of some), then one of its processes."""
        found = {}
        for pid in self.gw.pids():
            found.setdefault(self.program(pid), []).append(pid)
        names = sorted(n for n in found if n and n not in SPARED and (n in among or not among))
        if not names:
            return
        name = random.choice(names)
        self.kill(random.choice(found[name]))
        self.note(name)

    def any(self):
        dice = random.random()
        if dice < WHOLE:
            self.system()
        elif dice < WHOLE * 1.3:
            self.master()
        else:
            self.one()


def repeated(sink, kills, since):
    """Recipients who got a message again though nobody was killed soon after they had it the first time."""
    odd = []
    for rcpt, times in sink.arrived.items():
        for a in times[:-1]:
            if a >= since and not any(a - 0.2 <= k <= a + WINDOW and p in BETWEEN for k, p in kills):
                odd.append((rcpt, [round(t - a, 2) for t in times], [(round(k - a, 2), p) for k, p in kills if abs(k - a) < 4]))
    return odd


def arrived(gw, load, sink):
    wait_until(lambda: not load.owed() - set(sink.arrived) and not gw.cmd("postqueue", "-j").stdout.strip(),
               "every acknowledged message at the next hop; missing: %s" % sorted(load.owed() - set(sink.arrived))[:20], 120)


def crash():
    seed = int(os.environ.get("SEED", time.time_ns() % 100000))
    random.seed(seed)
    diag("SEED=%d KILLS=%d" % (seed, KILLS))
    port, sink_port = free_port(), free_port()
    sink = Sink(sink_port)
    main = {"relayhost": "[127.0.0.1]:%d" % sink_port, "minimal_backoff_time": "1s", "maximal_backoff_time": "2s",
            "queue_run_delay": "1s", "service_throttle_time": "1s", "transport_retry_time": "1s", "smtpd_peername_lookup": "no"}
    with Instance(main=main, services=["127.0.0.1:%d inet n - n - - smtpd" % port]) as gw:
        gw.start()
        load, killer = Load(port), Killer(gw)
        wait_until(lambda: len(load.acked) > 20, "first messages")
        while len(killer.kills) < KILLS - RARE:
            time.sleep(random.uniform(0.02, 0.25))
            killer.any()
        fast = len(load.acked)
        load.pause = 0.1
        calm = time.monotonic() + WINDOW
        for _ in range(RARE):
            time.sleep(GAP + random.random())
            killer.one("qmgr", "smtp") if random.random() < 0.7 else killer.system()
        time.sleep(WINDOW)
        load.end()
        diag("killed: %s" % ", ".join("%s %d" % x for x in sorted(killer.names.items())))
        diag("%d messages acknowledged, %d of them while kills were rare" % (len(load.acked), len(load.acked) - fast))
        arrived(gw, load, sink)
        is_eq(sorted(load.owed() - set(sink.arrived)), [], "what was acknowledged has arrived at every recipient")
        is_eq(sink.damaged, [], "whole")
        twice = [r for r, t in sink.arrived.items() if len(t) > 1]
        rare = [r for r in twice if sink.arrived[r][0] >= calm]
        diag("%d recipients got a message more than once, %d of them while kills were rare" % (len(twice), len(rare)))
        is_eq(repeated(sink, killer.kills, calm), [], "nothing arrived twice but for a kill in between delivery and its record")
        ok(not gw.find_log(r"panic|corrupt"), "no panic, nothing corrupt")
        is_eq(os.listdir(os.path.join(gw.spool, "corrupt")), [], "corrupt queue")


run(crash)
