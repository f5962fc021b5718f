"""A scripted milter for tests. Standard library only.

    m = Milter({"rcpt": lambda e: reply("550 5.7.1 no") if "bad" in e.args[0] else CONTINUE})
    m.where                      "inet:127.0.0.1:41234"
    m.names()                    ["negotiate", "connect", "helo", ...]
    m.wait("eom").macros         what came with it: {"i": "4F..."}

An answer is bytes: packets made with the functions here, or any bytes at all; or Hang, Close, Reset, Silent (no answer, and the
conversation goes on); or a list of such, or a function of the event that gives one. What is not in the table is answered by CONTINUE."""
import socket
import struct
import threading
import time

from instance import wait_until

EVENTS = {"A": "abort", "B": "body", "C": "connect", "D": "macros", "E": "eom", "H": "helo", "K": "quit_nc", "L": "header",
          "M": "mail", "N": "eoh", "O": "negotiate", "Q": "quit", "R": "rcpt", "T": "data", "U": "unknown"}
UNANSWERED = ("abort", "quit", "quit_nc", "macros")
# Steps that a milter may decline, answers that it may save, and what else it may ask for.
NO = {"connect": 0x1, "helo": 0x2, "mail": 0x4, "rcpt": 0x8, "body": 0x10, "header": 0x20, "eoh": 0x40, "unknown": 0x100, "data": 0x200}
NO_REPLY = {"header": 0x80, "connect": 0x1000, "helo": 0x2000, "mail": 0x4000, "rcpt": 0x8000, "data": 0x10000, "unknown": 0x20000,
            "eoh": 0x40000, "body": 0x80000}
SKIP_ALLOWED, REJECTED_RCPT, LEADING_SPACE = 0x400, 0x800, 0x100000
STAGES = {"connect": 0, "helo": 1, "mail": 2, "rcpt": 3, "data": 4, "eom": 5, "eoh": 6}


class Hang:
    """Say nothing until the other side has had enough."""


class Close:
    """Close the connection."""


class Reset:
    """Close it with a reset."""


class Silent:
    """No answer, and on with the next event."""


class Sleep:
    def __init__(self, seconds):
        self.seconds = seconds


def packet(command, data=b""):
    return struct.pack("!I", len(data) + 1) + command.encode() + data


def z(*texts):
    return b"".join((t if isinstance(t, bytes) else t.encode()) + b"\0" for t in texts)


CONTINUE, ACCEPT, REJECT, TEMPFAIL, DISCARD, SKIP, PROGRESS, SHUTDOWN, CONN_FAIL = (packet(c) for c in "cartdsp4f")


def reply(*lines):
    return packet("y", z("\r\n".join(lines)))


def add_header(name, value):
    return packet("h", z(name, value))


def insert_header(index, name, value):
    return packet("i", struct.pack("!I", index) + z(name, value))


def change_header(index, name, value):
    return packet("m", struct.pack("!I", index) + z(name, value))


def change_from(address, *args):
    return packet("e", z(address, *args))


def add_rcpt(address, *args):
    return packet("2" if args else "+", z(address, *args))


def delete_rcpt(address):
    return packet("-", z(address))


def replace_body(data):
    return packet("b", data)


def quarantine(reason):
    return packet("q", z(reason))


class Event:
    def __init__(self, session, name, data, macros):
        self.session, self.name, self.data, self.macros = session, name, data, macros
        texts = data.split(b"\0")
        self.args = [t.decode("utf-8", "replace") for t in texts[:-1]]
        if name == "connect":
            self.args = [self.args[0]] + ([texts[1][:1].decode()] if texts[1] else [])
            rest = data[len(texts[0]) + 2:]
            if len(rest) > 2:
                self.args += [struct.unpack("!H", rest[:2])[0], rest[2:].rstrip(b"\0").decode()]

    def __repr__(self):
        return "%s %r" % (self.name, self.args)


class Milter:
    """negotiate: an answer in place of the negotiation's. macros: {"mail": "{mail_addr} i"}: lists it asks for. path: a UNIX socket."""

    def __init__(self, answers=None, version=6, actions=0x1ff, steps=0, macros=None, negotiate=None, path=None, host="127.0.0.1"):
        self.answers, self.version, self.actions, self.steps = answers or {}, version, actions, steps
        self.macros, self.negotiate = macros or {}, negotiate
        self.events, self.offers, self.sessions, self.open, self.lock = [], [], 0, 0, threading.Lock()
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            self.listener.listen(100)
            self.where = "unix:" + path
        else:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self.listener = socket.create_server((host, 0), family=family, backlog=1000)
            self.where = "inet:%s:%d" % ("[%s]" % host if ":" in host else host, self.listener.getsockname()[1])
        threading.Thread(target=self.accept, daemon=True).start()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    # -- what came
    def names(self, session=None, but=("header", "abort")):
        with self.lock:
            return [e.name for e in self.events if session in (None, e.session) and e.name not in but]

    def seen(self, name):
        with self.lock:
            return [e for e in self.events if e.name == name]

    def wait(self, name, n=1):
        """The n-th event of that name."""
        return wait_until(lambda: len(self.seen(name)) >= n and self.seen(name)[n - 1], "milter event %s #%d" % (name, n))

    def idle(self):
        """Waits for the end of all sessions."""
        wait_until(lambda: self.open == 0, "end of the milter's sessions")
        return self

    def body(self):
        return b"".join(e.data for e in self.seen("body"))

    def clear(self):
        with self.lock:
            self.events.clear()

    # -- the conversation
    def accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.sessions += 1
                self.open += 1
                number = self.sessions
            threading.Thread(target=self.serve, args=(conn, number), daemon=True).start()

    def serve(self, conn, number):
        macros = {}
        try:
            with conn, conn.makefile("rb") as stream:
                while self.one(conn, stream, number, macros):
                    pass
        except (OSError, EOFError):
            pass
        finally:
            with self.lock:
                self.open -= 1

    def one(self, conn, stream, number, macros):
        head = stream.read(5)
        if len(head) < 5:
            return False
        name = EVENTS[head[4:].decode()]
        data = stream.read(struct.unpack("!I", head[:4])[0] - 1)
        if name == "macros":
            words = [w.decode("utf-8", "replace") for w in data[1:].split(b"\0")[:-1]]
            macros[EVENTS[data[:1].decode()]] = dict(zip(words[::2], words[1::2]))
            return True
        event = Event(number, name, data, macros.pop(name, {}))
        with self.lock:
            self.events.append(event)
        if name == "negotiate":
            self.offers.append(struct.unpack("!III", data))
            return self.say(conn, event, self.negotiate or self.terms(data))
        if name in UNANSWERED:
            return name != "quit"
        answer = self.answers.get(name)
        if answer is None and self.steps & NO_REPLY.get(name, 0):
            return True
        return self.say(conn, event, answer or CONTINUE)

    def terms(self, data):
        version, actions, steps = struct.unpack("!III", data)
        lists = b"".join(struct.pack("!I", STAGES[s]) + z(names) for s, names in self.macros.items())
        return packet("O", struct.pack("!III", min(self.version, version), self.actions & actions, self.steps & steps) + lists)

    def say(self, conn, event, answer):
        while callable(answer) and not isinstance(answer, type):
            answer = answer(event) or CONTINUE
        for part in answer if isinstance(answer, list) else [answer]:
            if part is Hang:
                conn.recv(1)
                return False
            if part is Close:
                return False
            if part is Reset:
                conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            if isinstance(part, Sleep):
                time.sleep(part.seconds)
            elif part is not Silent:
                conn.sendall(part)
        return True
