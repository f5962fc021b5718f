#!/usr/bin/env python3
"""SIGKILL under load: random workers, and the whole system, again and again; then every message is accounted for.

What was acknowledged arrives. It arrives once, unless a process that stood between the next hop's 250 and the
record of it was killed at that moment: SMTP's own window, as wide as the interval at which the status log is synced.
KILLS in the environment sets how many."""
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
CLIENTS = 8
VICTIMS = ("smtpd", "cleanup", "qmgr", "smtp", "trivial-rewrite", "error", "bounce")
WINDOW = 2.5  # seconds: sync interval of the status log, and slack for a busy machine


class Sink(socketserver.ThreadingTCPServer):
    """Takes mail; every seventh message only at the second attempt, so that files are made of log records."""
    allow_reuse_address, daemon_threads, request_queue_size = True, True, 200

    def __init__(self, port):
        super().__init__(("127.0.0.1", port), Session)
        self.arrived, self.refused, self.lock = {}, set(), threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # a killed client


class Session(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text + b"\r\n")

    def handle(self):
        self.say(b"220 sink ESMTP")
        for line in iter(self.rfile.readline, b""):
            verb = line[:4].upper()
            if verb == b"EHLO":
                self.say(b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME")
            elif verb == b"RCPT":
                number = int(re.search(rb"<n(\d+)@", line).group(1))
                with self.server.lock:
                    no = number % 7 == 0 and number not in self.server.refused
                    self.server.refused.add(number)
                self.taken = not no
                self.say(b"451 4.2.0 later" if no else b"250 ok")
            elif verb == b"DATA":
                if not self.taken:
                    self.say(b"554 no valid recipients")
                    continue
                self.say(b"354 go")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                with self.server.lock:
                    self.server.arrived.setdefault(number, []).append(time.monotonic())
                self.say(b"250 2.0.0 ok")
            elif verb == b"QUIT":
                self.say(b"221 bye")
                return
            else:
                self.say(b"250 ok")


class Load:
    def __init__(self, port):
        self.port, self.next, self.acked, self.stop = port, 0, set(), False
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
                reply(b"RCPT TO:<n%d@far.test>\r\n" % n)
                reply(b"DATA\r\n")
                reply(b"Subject: %d\r\n\r\n%s\r\n.\r\n" % (n, b"x" * random.choice((10, 70, 900))))
                with self.lock:
                    self.acked.add(n)
                time.sleep(0.02)

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


def kill_all(gw):
    """The master first, so that it restarts nobody."""
    workers, master = gw.pids(), gw.master_pid()
    for pid in [master] + workers:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    wait_until(lambda: not any(os.path.exists("/proc/%d" % p) for p in workers), "end of the workers")
    wait_until(lambda: gw.ctl("start").returncode == 0, "start after a crash", 30)


def kill_one(gw):
    """A random worker; its program's name, or None when it was gone."""
    program = random.choice(VICTIMS)
    pids = gw.pids(program)
    if not pids:
        return None
    try:
        os.kill(random.choice(pids), signal.SIGKILL)
    except OSError:
        return None
    return program


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
        load = Load(port)
        wait_until(lambda: len(load.acked) > 20, "first messages")
        kills, done, systems = [], 0, 0
        while done < KILLS:
            time.sleep(random.uniform(0.02, 0.25))
            if random.random() < 0.1:
                kill_all(gw)
                systems += 1
                program = "system"
            else:
                program = kill_one(gw)
            if program:
                done += 1
                if program in ("system", "qmgr", "smtp", "error", "bounce"):
                    kills.append((time.monotonic(), program))
        load.end()
        diag("%d kills, %d of them of the whole system; %d messages acknowledged" % (done, systems, len(load.acked)))
        wait_until(lambda: not gw.cmd("postqueue", "-j").stdout.strip() and not load.acked - set(sink.arrived),
                   "every acknowledged message at the next hop; missing: %s" % sorted(load.acked - set(sink.arrived))[:20], 90)
        is_eq(sorted(load.acked - set(sink.arrived)), [], "what was acknowledged has arrived")
        twice = {n: t for n, t in sink.arrived.items() if len(t) > 1}
        odd = [n for n, times in twice.items() for a in times[:-1] if not any(a - 0.5 <= k <= a + WINDOW for k, _ in kills)]
        near = [min(kills, key=lambda k: abs(k[0] - t[0]))[1] for t in twice.values()]
        diag("%d messages arrived more than once, near kills of %s" % (len(twice), {p: near.count(p) for p in set(near)}))
        is_eq(odd, [], "nothing arrived twice but for a kill in between delivery and its record")
        ok(not gw.find_log(r"panic|corrupt"), "no panic, nothing corrupt")
        is_eq(os.listdir(os.path.join(gw.spool, "corrupt")), [], "corrupt queue")


run(crash)
