#!/usr/bin/env python3
"""A connection that another program has accepted and hands over: the client is who it was there, or nobody."""
import os
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import Instance, wait_until
from tap import is_eq, like, ok, run

i = Instance(services=["handed pass - - n - - smtpd"], main={"mynetworks": "127.0.0.0/8"})


def hand_over(conn):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(i.spool + "/private/handed")
        socket.send_fds(s, [b"x"], [conn.fileno()])
        conn.close()
        try:
            s.recv(1)  # its end: the descriptor was taken
        except ConnectionResetError:
            pass


def connect():
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname(), timeout=20)
        return client, server.accept()[0]


def test_live():
    i.start()
    client, conn = connect()
    hand_over(conn)
    like(client.recv(1000).decode(), r"^220 ", "the client is greeted")
    port = client.getsockname()[1]
    client.sendall(b"QUIT\r\n")
    like(client.recv(1000).decode(), r"^221 ", "and served")
    client.close()
    i.wait_log(r"smtpd\[\d+\]: disconnect from ")
    ok(not i.find_log(r"smtpd\[\d+\]: connect from localhost\[127.0.0.1\]:0"), "as the client at port %d" % port)


def gone():
    """A connection whose client has sent mail, and has reset it."""
    client, conn = connect()
    client.sendall(b"EHLO x\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nDATA\r\n\r\nspam\r\n.\r\nQUIT\r\n")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()  # a reset: the kernel knows no peer any more

    def has_no_peer():
        try:
            conn.getpeername()
        except OSError:
            return True
    wait_until(has_no_peer, "the reset")
    return conn


def test_gone():
    since = len(i.log())
    hand_over(gone())
    client, conn = connect()
    hand_over(conn)
    like(client.recv(1000).decode(), r"^220 ", "others are served")
    client.sendall(b"QUIT\r\n")
    client.recv(1000)
    client.close()
    i.wait_log(r"smtpd\[\d+\]: disconnect from ", since=since)
    is_eq(len(i.log()[since:].split(": connect from ")) - 1, 1, "who has gone is no client of this host")


def by_hand(conn):
    with conn:
        subprocess.run([os.path.join(i.build, "bin", "sendmail"), "-bs"], stdin=conn, stdout=conn, env=i.env, timeout=60)


def test_by_hand():
    since = len(i.log())
    by_hand(gone())
    client, conn = connect()
    client.sendall(b"QUIT\r\n")
    by_hand(conn)
    like(client.recv(1000).decode(), r"^220 ", "a server that inetd starts")
    client.close()
    i.wait_log(r"smtpd\[\d+\]: disconnect from ", since=since)
    is_eq(len(i.log()[since:].split(": connect from ")) - 1, 1, "who has gone is not served by it")


with i:
    run(test_live, test_gone, test_by_hand)
