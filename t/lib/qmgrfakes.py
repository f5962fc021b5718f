"""qmgr with everything around it played by the test: rewrite, delivery agents, bounce.

    with Gate() as g:
        g.route["far.test"] = ("smtp", "far.test")
        ids = g.put("u@far.test")
        g.agent("smtp").answer = lambda request: ...   # see Agent
"""
import fcntl
import json
import os
import struct
import threading
import time

from instance import Instance, wait_until
from ipc import Client, Service, frame

SENT, DEFERRED, BOUNCED = 1, 2, 3


class Request:
    """One delivery: fields of DELIVER, attributes, recipients (fields of DELIVER_RCPT)."""

    def __init__(self, fields):
        self.fields, self.attrs, self.rcpts = fields, {}, []
        self.id, self.nexthop, self.sender = fields["queue_id"], fields["nexthop"], fields["sender"]

    @property
    def to(self):
        return [r["address"] for r in self.rcpts]


class Agent:
    """A transport. answer(request) gives a list of (kind, dsn, reason), one for each recipient, or one for all; or
    ("dead", dsn, reason); or None: hang up."""

    def __init__(self, gate, name):
        self.gate, self.name = gate, name
        self.requests, self.now, self.most = [], 0, 0
        self.answer = lambda request: (SENT, "2.0.0", "250 ok")
        self.limit = threading.Semaphore(1000)
        self.marks = False          # as the real ones: a delivery in flight is marked, and its result told to the next qmgr
        self.lock = threading.Lock()
        self.service = Service(gate.private(name), self.serve)

    def serve(self, c):
        with self.limit:
            c.send("DELIVER_READY")
            while True:
                name, fields = c.recv()
                assert name == "DELIVER", name
                r = Request(fields)
                while True:
                    name, fields = c.recv()
                    if name == "ENV_ATTR":
                        r.attrs[fields["name"]] = fields["value"]
                    elif name == "DELIVER_RCPT":
                        r.rcpts.append(fields)
                    else:
                        assert name == "DELIVER_GO", name
                        break
                fd = self.mark(r) if self.marks else -1
                with self.lock:
                    self.requests.append(r)
                    self.now += 1
                    self.most = max(self.most, self.now)
                try:
                    if not self.reply(c, r):
                        return
                except OSError:
                    if fd < 0:
                        raise
                    self.late(r)
                    return
                finally:
                    if fd >= 0:
                        os.close(fd)
                    with self.lock:
                        self.now -= 1

    def mark(self, r):
        fd = os.open(os.path.join(self.gate.spool, r.fields["path"]), os.O_RDONLY)
        at = (1 << 61) + (r.fields["content_offset"] << 20) + r.rcpts[0]["index"]
        fcntl.fcntl(fd, 37, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, at, 1, 0))        # F_OFD_SETLK
        return fd

    def late(self, r, kind=SENT):
        frames = b"".join(frame("RCPT_STATUS", index=rcpt["index"], kind=kind, dsn="%d.0.0" % {SENT: 2, DEFERRED: 4, BOUNCED: 5}[kind], reason="ok") for rcpt in r.rcpts)
        while True:
            try:
                self.gate.ask("QMGR_LATE", queue_id=r.id, statuses=frames)
                return
            except (OSError, TypeError):
                time.sleep(0.05)

    def reply(self, c, r):
        a = self.answer(r)
        if a is None:
            return False
        site, dsn, reason = 0, "", ""
        if a and a[0] == "dead":
            site, dsn, reason = 1, a[1], a[2]
            a = (DEFERRED, dsn, reason)
        if isinstance(a, tuple):
            a = [a] * len(r.rcpts)
        with self.lock:
            self.now -= 1           # before qmgr knows of it, or the next one could be counted beside it
        try:
            for rcpt, (kind, code, text) in zip(r.rcpts, a):
                c.send("RCPT_STATUS", index=rcpt["index"], kind=kind, dsn=code, reason=text, action="")
            c.send("DELIVER_DONE", site=site, dsn=dsn, reason=reason)
        finally:
            with self.lock:
                self.now += 1
        return True

    def to(self):
        """Recipients of all requests so far."""
        return [a for r in self.requests for a in r.to]


class Gate(Instance):
    def __init__(self, main=None, services=(), debug=True):
        base = {"minimal_backoff_time": "300s", "maximal_backoff_time": "4000s"}
        base.update(main or {})
        super().__init__(main=base, services=["qmgr unix n - n 300 1 qmgr", "showq unix n - n - - showq", "postlog unix-dgram n - n - 1 postlogd"] + list(services),
                         standard=False, debug=debug)
        self.route, self.reports, self.report_status = {}, [], 0
        self.agents, self.resolved = {}, []

    def private(self, name):
        return os.path.join(self.spool, "private", name)

    def start(self):
        super().start()
        if not os.path.exists(self.private("rewrite")):
            Service(self.private("rewrite"), self.rewrite)
            for name in ("bounce", "defer", "trace"):
                Service(self.private(name), lambda c, name=name: self.notify(c, name))
            for name in ("smtp", "retry", "error"):
                self.agent(name)
        return self

    def agent(self, name):
        if name not in self.agents:
            self.agents[name] = a = Agent(self, name)
            if name == "retry":     # next hop: "4.3.0 text"
                a.answer = lambda r: (DEFERRED,) + tuple(r.nexthop.split(" ", 1))
            if name == "error":
                a.answer = lambda r: (BOUNCED,) + tuple(r.nexthop.split(" ", 1))
        return self.agents[name]

    def rewrite(self, c):
        while True:
            name, f = c.recv()
            self.resolved.append(f["address"])
            domain = f["address"].rpartition("@")[2]
            r = self.route.get(f["address"]) or self.route.get(domain) or ("smtp", domain)
            c.send("RESOLVED", flags=r[2] if len(r) > 2 else 1 << 12, transport=r[0], nexthop=r[1], recipient=f["address"])

    def notify(self, c, service):
        while True:
            name, f = c.recv()
            assert name == "NOTIFY", name
            f["service"], f["rcpts"] = service, []
            while True:
                name, g = c.recv()
                if name == "DELIVER_RCPT":
                    rcpt = g
                elif name == "RCPT_STATUS":
                    f["rcpts"].append((rcpt["address"], g["dsn"], g["action"], g["reason"]))
                elif name == "NOTIFY_GO":
                    break
            self.reports.append(f)
            c.send("NOTIFY_DONE", status=self.report_status)

    def put(self, *rcpts, n=1, flags=(), sender=None):
        """Queue IDs of n new messages (of the first one alone, when n is 1)."""
        args = ["-c", self.conf, "-n", str(n)] + list(flags)
        if sender is not None:
            args += ["-s", sender]
        qput = os.path.join(os.environ.get("POSTERN_BUILD") or "build", "t/programs/qput")
        ids = self.cmd(os.path.abspath(qput), *args, *rcpts, check=True).stdout.split()
        return ids[0] if n == 1 else ids

    def qmgr(self):
        return Client(os.path.join(self.spool, "public/qmgr"))

    def ask(self, message, **fields):
        c = self.qmgr()
        c.send(message, **fields)
        a = c.recv()
        c.close()
        return a[1]

    def super(self, op, qid, queues=""):
        return self.ask("QMGR_SUPER", op=op, queue_id=qid, queues=queues)

    def flush(self, **fields):
        return self.ask("QMGR_FLUSH", **fields)["count"]

    def list(self, qid=""):
        """{id: message with "rcpts"}"""
        c = self.qmgr()
        c.send("QMGR_LIST", queue_id=qid)
        out = {}
        while True:
            name, f = c.recv()
            if name == "QLIST_MESSAGE":
                out[f["queue_id"]] = last = dict(f, rcpts=[])
            elif name == "QLIST_RCPT":
                last["rcpts"].append((f["address"], f["reason"]))
            else:
                c.close()
                return out

    def wait_queue(self, qid, queue, timeout=20):
        return wait_until(lambda: self.list().get(qid, {}).get("queue") == queue, "%s in %s" % (qid, queue), timeout)

    def wait_removed(self, *ids):
        for qid in ids:
            self.wait_log(r"qmgr\[\d+\]: %s: removed$" % qid)

    def json(self):
        return [json.loads(l) for l in self.cmd("postqueue", "-j", check=True).stdout.splitlines()]
