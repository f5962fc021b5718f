#!/usr/bin/env python3
"""What a canonical table gives is looked up again; a table that cannot be used gives 451, not a hanging session; BDAT goes on after
a refused chunk that was the last."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from instance import Instance, free_port
import tap


class Client:
    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port), timeout=15)
        self.f = self.s.makefile("rb")
        self.reply()

    def reply(self):
        while True:
            line = self.f.readline().decode()
            if line[3:4] != "-":
                return line.strip()

    def cmd(self, text):
        self.s.sendall(text.encode() + b"\r\n")
        return self.reply()


def check():
    port = free_port()
    with Instance(services=["%d inet n - n - - smtpd" % port],
                  main={"default_transport": "discard:", "recipient_canonical_maps": "inline:{{a@x.test=b@x.test},{b@x.test=c@x.test}}",
                        "transport_maps": ""}) as i:
        i.start()
        c = Client(port)
        c.cmd("EHLO client.test")
        c.cmd("MAIL FROM:<s@x.test>")
        tap.is_eq(c.cmd("BDAT 5 LAST\r\nabc")[:3], "554", "a last chunk without recipients is refused")
        tap.is_eq(c.cmd("MAIL FROM:<s@x.test>")[:3], "250", "and ends the transaction")
        c.cmd("RCPT TO:<a@x.test>")
        tap.is_eq(c.cmd("BDAT 14 LAST\r\nSubject: x\r\n")[:3], "250", "octets of a chunk are no pipelined command")
        tap.ok(i.wait_log(r"to=<c@x\.test>.*status=sent"), "the address was mapped twice")
        c.s.close()
        i.main["transport_maps"] = "nosuch:/x"
        i.reload()
        c = Client(port)
        c.cmd("EHLO client.test")
        c.cmd("MAIL FROM:<s@x.test>")
        tap.is_eq(c.cmd("RCPT TO:<z@x.test>"), "451 4.3.0 <z@x.test>: Temporary lookup failure", "a table of unknown type")


tap.run(check)
