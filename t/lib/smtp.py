"""SMTP for tests: a client with control over every byte, and a sink that keeps what it was given. Standard library only."""
import re
import socket
import threading

from instance import wait_until


class Reply:
    def __init__(self, lines):
        self.lines = [l[4:] for l in lines]
        self.code = int(lines[-1][:3])
        self.text = "%d %s" % (self.code, self.lines[-1])

    def __str__(self):
        return self.text


class Gone(Exception):
    """The connection ended."""


class Client:
    """c.cmd("NOOP").code. greet=False leaves the greeting unread; first: bytes to send before anything is read."""

    def __init__(self, port, source="127.0.0.1", greet=True, first=b"", timeout=20):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout, source_address=(source, 0))
        self.buffer = b""
        self.send(first)
        self.greeting = self.reply() if greet else None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        while b"\n" not in self.buffer:
            try:
                got = self.sock.recv(65536)
            except ConnectionError:
                got = b""
            if not got:
                raise Gone("after %r" % self.buffer)
            self.buffer += got
        line, self.buffer = self.buffer.split(b"\n", 1)
        return (line + b"\n").decode("utf-8", "replace")

    def reply(self):
        lines = []
        while not lines or lines[-1][3:4] == "-":
            lines.append(self.line())
            if not re.match(r"\d{3}[ -].*\r\n$", lines[-1]):
                raise AssertionError("not a reply line: %r" % lines[-1])
        return Reply([l[:-2] for l in lines])

    def cmd(self, line):
        self.send(line if isinstance(line, bytes) else line + "\r\n")
        return self.reply()

    def ehlo(self, name="client.example.org"):
        r = self.cmd("EHLO " + name)
        self.caps = {l.split()[0]: l.split()[1:] for l in r.lines[1:]}
        return r

    def data(self, content):
        """Content as it goes over the wire, without the final dot."""
        r = self.cmd("DATA")
        if r.code != 354:
            return r
        self.send(content + b".\r\n")
        return self.reply()

    def message(self, sender, rcpts, content=b"Subject: x\r\n\r\nx\r\n"):
        for line in ["MAIL FROM:<%s>" % sender] + ["RCPT TO:<%s>" % r for r in rcpts]:
            r = self.cmd(line)
            if r.code != 250:
                raise AssertionError("%s: %s" % (line, r))
        return self.data(content)

    def ended(self):
        """Waits for the end; what came before it."""
        try:
            while True:
                got = self.sock.recv(65536)
                if not got:
                    break
                self.buffer += got
        except ConnectionError:
            pass
        return self.buffer

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()


class Message:
    def __init__(self, sender, rcpts, data):
        self.sender, self.rcpts, self.data = sender, rcpts, data
        head, _, self.body = data.partition(b"\r\n\r\n")
        self.headers = re.sub(rb"\r\n([ \t])", rb"\1", head).decode("utf-8", "replace").split("\r\n")

    def header(self, name):
        return [h.split(":", 1)[1].strip() for h in self.headers if h.lower().startswith(name.lower() + ":")]


class Sink:
    """Takes every message; messages: what it has, in order."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.messages = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                conn = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        f = conn.makefile("rwb")

        def say(text):
            f.write(text.encode() + b"\r\n")
            f.flush()
        say("220 sink")
        sender, rcpts = None, []
        for line in f:
            verb = line[:4].upper()
            if verb == b"EHLO":
                say("250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE")
            elif verb == b"DATA":
                say("354 go")
                lines = []
                for line in f:
                    if line == b".\r\n":
                        break
                    lines.append(line[1:] if line.startswith(b".") else line)
                self.messages.append(Message(sender, rcpts, b"".join(lines)))
                say("250 2.0.0 ok: queued as S%d" % len(self.messages))
                rcpts = []
            elif verb == b"QUIT":
                say("221 bye")
                break
            else:
                if verb == b"MAIL":
                    sender = re.search(rb"<(.*?)>", line).group(1).decode()
                elif verb == b"RCPT":
                    rcpts.append(re.search(rb"<(.*?)>", line).group(1).decode())
                say("250 2.0.0 ok")
        conn.close()

    def wait(self, subject):
        """The message with this subject."""
        return wait_until(lambda: next((m for m in self.messages if m.header("Subject") == [subject]), None), "message %s at the sink" % subject)

    def close(self):
        self.listener.close()


class Scripted:
    """A server whose replies are told: replies[verb] is bytes, or None to hang up (also CONNECT, and EOM for the end of data). lines:
    what it heard; messages: content that it got, in wire form; sessions: the lines of each connection."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.replies, self.lines, self.messages, self.sessions = {}, [], [], []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            conn = self.listener.accept()[0]
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        try:
            self.talk(conn)
        except OSError:
            pass
        conn.close()

    def talk(self, conn):
        f = conn.makefile("rb")
        session = []
        self.sessions.append(session)

        def say(key, default):
            reply = self.replies.get(key, default)
            if reply is None:
                conn.close()
                raise OSError
            conn.sendall(reply)
        say("CONNECT", b"220 next.test ESMTP\r\n")
        for line in f:
            session.append(line.decode("utf-8", "replace").rstrip("\r\n"))
            self.lines.append(session[-1])
            verb = line[:4].upper().decode()
            if verb == "EHLO":
                say("EHLO", b"250-next.test\r\n250-PIPELINING\r\n250-SIZE 100000\r\n250-STARTTLS\r\n250-AUTH PLAIN\r\n250-CHUNKING\r\n250-XFORWARD NAME ADDR HELO\r\n250 8BITMIME\r\n")
            elif verb == "DATA":
                other = "DATA" in self.replies  # before the test goes on
                say("DATA", b"354 go on\r\n")
                if other:
                    continue
                content = []
                for line in f:
                    if line == b".\r\n":
                        break
                    content.append(line)
                self.messages.append(b"".join(content))
                say("EOM", b"250 2.0.0 taken\r\n")
            else:
                say(verb, b"221 2.0.0 bye\r\n" if verb == "QUIT" else b"250 2.1.0 " + verb.encode() + b" fine\r\n")
                if verb == "QUIT":
                    return
