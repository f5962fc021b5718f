"""A policy server for tests. Standard library only."""
import os
import socket
import threading


class PolicyServer:
    """answer(request) gives the action's text, bytes to send instead of an answer, or None: it closes. where: a port of 127.0.0.1 (0: any), or a path."""

    def __init__(self, answer=lambda r: "DUNNO", where=0):
        self.answer = answer if callable(answer) else lambda r: answer
        self.where = where
        self.requests = []  # dictionaries, with "connection" (a number) and "names" (in order) added
        self.connections = 0
        self.open = 0
        self.lock = threading.Lock()
        self.socks = set()
        self.start()

    def start(self):
        if isinstance(self.where, str):
            if os.path.exists(self.where):
                os.unlink(self.where)
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(self.where)
            os.chmod(self.where, 0o666)
        else:
            self.listener = socket.socket()
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind(("127.0.0.1", self.where))
            self.where = self.listener.getsockname()[1]
        self.listener.listen(200)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    @property
    def name(self):
        return "unix:" + self.where if isinstance(self.where, str) else "inet:127.0.0.1:%d" % self.where

    def accept(self, listener):
        while True:
            try:
                sock = listener.accept()[0]
            except OSError:
                return
            with self.lock:
                self.connections += 1
                self.open += 1
                self.socks.add(sock)
                number = self.connections
            threading.Thread(target=self.serve, args=(sock, number), daemon=True).start()

    def serve(self, sock, number):
        try:
            self.converse(sock, number)
        except OSError:
            pass
        with self.lock:
            self.open -= 1
            self.socks.discard(sock)
        sock.close()

    def converse(self, sock, number):
        lines = []
        for line in sock.makefile("rb"):
            if line != b"\n":
                lines.append(line[:-1].decode("utf-8", "surrogateescape").split("=", 1))
                continue
            request = dict(lines)
            request.update(connection=number, names=[l[0] for l in lines])
            lines = []
            with self.lock:
                self.requests.append(request)
            answer = self.answer(request)
            if answer is None:
                return
            sock.sendall(answer if isinstance(answer, bytes) else b"action=%s\n\n" % answer.encode())

    def close_connections(self):
        with self.lock:
            for s in self.socks:
                s.shutdown(socket.SHUT_RDWR)

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.close_connections()
