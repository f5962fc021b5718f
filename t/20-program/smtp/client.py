"""smtp and lmtp with the test in qmgr's place, and servers that do what a test wants.

    with Smtp() as s:
        s.start()
        with Server({"RCPT": "450 4.2.0 later"}) as peer:
            fate = s.deliver("u@far.test", peer.nexthop)      # Fate(kind, dsn, reason, ...)
"""
import os
import socket
import sys
import threading
import time
from collections import namedtuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
import ipc
from instance import Instance, wait_until

SENT, DEFERRED, BOUNCED = 1, 2, 3
PROBE, REPORT_ONLY, REUSE = 2, 4, 16            # flags of ipc/deliver.h
BODY_7BIT, UTF8, UTF8_HEADER = 2, 4, 8          # flags of mail/dsn.h
EIGHT_HEADER, EIGHT_BODY, EIGHT_MIME = 1, 2, 4  # flags of queue/envelope.h

Fate = namedtuple("Fate", "kind dsn reason action mta diag")

CAPS = ["PIPELINING", "SIZE 10240000", "8BITMIME", "ENHANCEDSTATUSCODES", "DSN", "SMTPUTF8"]


class Close(Exception):
    """A reply function may raise it: the connection ends."""


class Server:
    """An SMTP or LMTP server. replies: verb (CONNECT, EHLO, LHLO, HELO, MAIL, RCPT, DATA, EOM, ...) -> reply, list of
    replies used in turn (the last one stays), or function(session, argument) -> reply. A reply is text (lines separated by
    newlines, sent with CRLF), bytes (sent as they are), None (the usual one), or Close."""

    def __init__(self, replies=None, caps=CAPS, host="127.0.0.1", port=0, path=None, lmtp=False, read_delay=0):
        self.replies, self.caps, self.lmtp, self.path, self.read_delay = dict(replies or {}), caps, lmtp, path, read_delay
        self.sock = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if read_delay:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.bind(path or (host, port))
        if path:
            os.chmod(path, 0o666)
        self.sock.listen(50)
        self.host, self.port = (path, 0) if path else self.sock.getsockname()
        self.sessions, self.live = [], []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    @property
    def nexthop(self):
        return "unix:" + self.path if self.path else "inet:%s:%d" % (self.host, self.port) if self.lmtp else "[%s]:%d" % (self.host, self.port)

    @property
    def relay(self):
        return "gw.example.test[%s]" % self.path if self.path else "%s[%s]:%d" % (self.host, self.host, self.port)

    @property
    def messages(self):
        return [m for s in self.sessions for m in s.messages]

    def commands(self, n=-1):
        return self.sessions[n].commands

    def all_commands(self):
        """Of the last session, once it has ended."""
        wait_until(lambda: self.sessions[-1].ended, "end of the session")
        return self.commands()

    def close(self):
        self.sock.close()
        self.drop()

    def drop(self):
        """Ends the connections there are."""
        for s in self.live[:]:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            if not self.path:
                conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.live.append(conn)
            session = Session(self, conn)
            self.sessions.append(session)
            threading.Thread(target=session.run, daemon=True).start()

    def choose(self, verb, session, arg, usual):
        r = self.replies.get(verb)
        if isinstance(r, list):
            r = r.pop(0) if len(r) > 1 else r[0]
        if callable(r) and r is not Close:
            r = r(session, arg)
        if r is Close:
            raise Close
        return usual if r is None else r


class Session:
    def __init__(self, server, conn):
        self.server, self.conn, self.file = server, conn, conn.makefile("rb")
        self.commands, self.messages, self.rcpts, self.ended = [], [], [], False
        self.open, self.raw = False, b""

    def send(self, reply):
        if isinstance(reply, bytes):
            self.conn.sendall(reply)
            return
        lines = reply.split("\n")
        self.conn.sendall("".join("%s%s%s\r\n" % (l[:3], " " if l is lines[-1] else "-", l[4:]) for l in lines).encode())

    def answer(self, verb, usual, arg=""):
        reply = self.server.choose(verb, self, arg, usual)
        self.send(reply)
        return reply[:1] in ("2", b"2") or reply[:3] in ("354", b"354") or reply[-14:-11] == b"250"

    def line(self):
        line = self.file.readline()
        if not line.endswith(b"\n"):
            raise Close
        return line

    def run(self):
        try:
            self.answer("CONNECT", "220 %s ESMTP" % "mx.test")
            while self.command(self.line().decode("utf-8", "surrogateescape").rstrip("\r\n")):
                pass
        except (Close, OSError, ValueError):
            pass
        self.ended = True
        self.server.live.remove(self.conn)
        self.file.close()
        self.conn.close()

    def command(self, line):
        self.commands.append(line)
        verb, _, arg = line.partition(" ")
        if verb in ("EHLO", "LHLO"):
            if (verb == "LHLO") != self.server.lmtp:
                self.send("500 5.5.1 what?")
            else:
                self.answer(verb, "\n".join(["250 mx.test"] + ["250 " + c for c in self.server.caps]), arg)
        elif verb == "MAIL":
            self.rcpts = []
            self.open = self.answer(verb, "250 2.1.0 ok", arg)
        elif verb == "RCPT":
            if not self.open:
                self.send("503 5.5.1 MAIL first")
            elif self.answer(verb, "250 2.1.5 ok", arg):
                self.rcpts.append(arg)
        elif verb == "DATA":
            if self.answer(verb, "354 go" if self.rcpts else "554 5.5.1 nobody"):
                self.data()
        elif verb == "QUIT":
            self.answer(verb, "221 2.0.0 bye")
            return False
        else:
            self.answer(verb, "250 2.0.0 ok" if verb in ("HELO", "RSET", "NOOP", "XFORWARD") else "502 5.5.2 unknown", arg)
        return True

    def data(self):
        lines = []
        while True:
            if self.server.read_delay:
                time.sleep(self.server.read_delay)
            line = self.line()
            if line == b".\r\n":
                break
            lines.append(line)
            self.raw = b"".join(lines) if len(lines) < 100 else self.raw
        self.messages.append(b"".join(lines))
        for r in self.rcpts if self.server.lmtp else [None]:
            self.answer("EOM", "250 2.0.0 queued" if r is None else "250 2.1.5 delivered", r)


class Smtp(Instance):
    """Services smtp and lmtp (and more lines for master.cf), nothing else."""

    def __init__(self, main=None, services=(), debug=False):
        super().__init__(services=["smtp unix - - n - - smtp", "lmtp unix - - n - - lmtp", "postlog unix-dgram n - n - 1 postlogd"] + list(services),
                         standard=False, debug=debug)
        self.main.update(main or {})
        self.write_config()
        self.clients, self.count = {}, 0

    def connect(self, service="smtp"):
        c = ipc.Client(os.path.join(self.spool, "private", service), 120)
        assert c.recv()[0] == "DELIVER_READY"
        return c

    def content(self, wire):
        self.count += 1
        name = "content%d" % self.count
        with open(os.path.join(self.spool, name), "wb") as f:
            f.write(wire)
        os.chmod(os.path.join(self.spool, name), 0o644)
        return name

    def request(self, rcpts, nexthop, wire=b"Subject: x\r\n\r\nbody\r\n", client=None, service="smtp", attrs=None, length=None, **values):
        """rcpts: address, list of them, or list of dicts of DELIVER_RCPT's fields."""
        rcpts = [rcpts] if isinstance(rcpts, (str, dict)) else rcpts
        c, now = client or self.clients.setdefault(service, None) or self.connect(service), int(time.time() * 1e6)
        if not client:
            self.clients[service] = c
        fields = dict(queue_id="QID%d" % self.count, path=self.content(wire), content_length=len(wire) if length is None else length, size=len(wire) - wire.count(b"\n.") - wire.startswith(b"."),
                      max_line=max(map(len, wire.split(b"\r\n"))), transport=service, nexthop=nexthop, sender="s@client.test",
                      arrival_us=now, active_us=now, queue="active")
        fields.update(values)
        c.send("DELIVER", **fields)
        for name, value in (attrs or {}).items():
            c.send("ENV_ATTR", name=name, value=value)
        for i, r in enumerate(rcpts):
            r = {"address": r, "orig_address": r} if isinstance(r, str) else r
            c.send("DELIVER_RCPT", index=i, **r)
        c.send("DELIVER_GO")
        return c

    def answer(self, client):
        """Fates by recipient, and DELIVER_DONE's fields."""
        out = {}
        while True:
            name, f = client.recv()
            if name == "DELIVER_DONE":
                return [out[i] for i in sorted(out)], f
            assert f["index"] not in out, "two fates for recipient %d" % f["index"]
            out[f["index"]] = Fate(f["kind"], f["dsn"], f["reason"], f["action"], f["mta_name"], f["diag"])

    def deliver(self, rcpts, nexthop, *args, **values):
        """The fate of the recipient; a list of them for several."""
        fates, self.done = self.answer(self.request(rcpts, nexthop, *args, **values))
        assert len(fates) == (len(rcpts) if isinstance(rcpts, list) else 1), "a fate for each: %s" % fates
        return fates if isinstance(rcpts, list) else fates[0]

    def record(self, pattern, since=0):
        """The last part of a delivery record, from relay= on."""
        line = self.wait_log(pattern, since=since)
        return line[line.index("relay="):]
