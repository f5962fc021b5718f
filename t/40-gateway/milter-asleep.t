#!/usr/bin/env python3
"""A milter that sleeps on a thousand messages: nobody else waits for it, and then all of them are taken."""
import asyncio
import os
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
from instance import Instance, free_port, wait_until
from smtp import Client, Sink
from tap import is_eq, ok, run

CLIENTS = 1000
SINK = Sink()
JUDGED, FREE, MILTER = free_port(), free_port(), free_port()
GW = Instance(main={"relayhost": "[127.0.0.1]:%d" % SINK.port, "mynetworks": "127.0.0.0/8", "smtpd_peername_lookup": "no", "smtpd_timeout": "300s"},
              services=["%d inet n - n - - smtpd -o smtpd_milters=inet:127.0.0.1:%d" % (JUDGED, MILTER), "%d inet n - n - - smtpd" % FREE])


class Crowd:
    """The milter and its thousand clients, in a loop of their own."""

    def __init__(self):
        self.asleep, self.replies, self.failures = 0, [], []
        self.loop = asyncio.new_event_loop()
        self.wake = None
        ready = threading.Event()
        threading.Thread(target=self.serve, args=(ready,), daemon=True).start()
        assert ready.wait(20)

    def serve(self, ready):
        asyncio.set_event_loop(self.loop)

        async def start():
            self.wake = asyncio.Event()
            await asyncio.start_server(self.milter, "127.0.0.1", MILTER, backlog=CLIENTS)
            ready.set()

        self.loop.create_task(start())
        self.loop.run_forever()

    async def milter(self, reader, writer):
        try:
            while True:
                size, = struct.unpack("!I", await reader.readexactly(4))
                packet = await reader.readexactly(size)
                kind = packet[:1]
                if kind == b"O":  # nothing is declined, headers and body need no answer
                    writer.write(struct.pack("!IcIII", 13, b"O", 6, 0, 0x80 | 0x40000 | 0x80000))
                elif kind == b"E":
                    self.asleep += 1
                    await self.wake.wait()
                    writer.write(struct.pack("!Ic", 1, b"c"))
                elif kind in b"CHMRTU":
                    writer.write(struct.pack("!Ic", 1, b"c"))
        except asyncio.IncompleteReadError:
            writer.close()

    async def client(self, n):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", JUDGED)
            reply = await reader.readline()
            for line in ("HELO c.test", "MAIL FROM:<s%d@c.test>" % n, "RCPT TO:<judged@far.test>", "DATA", "Subject: x\r\n\r\nx\r\n."):
                if reply[:1] not in b"23" or not reply:
                    self.failures.append((n, line, reply))
                writer.write(line.encode() + b"\r\n")
                reply = await reader.readline()
            self.replies.append(reply[:3])
            writer.close()
        except OSError as e:
            self.failures.append(e)

    def start(self):
        # Kept, since the loop itself does not hold its tasks.
        self.clients = [asyncio.run_coroutine_threadsafe(self.client(n), self.loop) for n in range(CLIENTS)]

    def release(self):
        self.loop.call_soon_threadsafe(self.wake.set)


def test():
    crowd = Crowd()
    crowd.start()
    wait_until(lambda: crowd.failures or crowd.asleep == CLIENTS, "the milter has all the messages", 150)
    is_eq((crowd.failures, crowd.asleep), ([], CLIENTS), "a thousand messages wait for the milter at the same time")
    with Client(FREE) as c:
        c.ehlo()
        for n in range(20):
            is_eq(c.message("free@c.test", ["free%d@far.test" % n]).code, 250, "one that it does not judge is taken")
    wait_until(lambda: len([m for m in SINK.messages if m.sender == "free@c.test"]) == 20, "and delivered")
    is_eq((crowd.asleep, crowd.replies), (CLIENTS, []), "meanwhile the others wait")
    crowd.release()
    wait_until(lambda: len(crowd.replies) == CLIENTS, "every client gets its reply", 60)
    is_eq(set(crowd.replies), {b"250"}, "then all are taken")
    wait_until(lambda: len(SINK.messages) == CLIENTS + 20, "and delivered", 120)
    ok(not [l for l in GW.find_log(r"warning:|fatal:|panic:") if "alias_maps" not in l], "and nothing went wrong")


with GW:
    GW.start()
    run(test)
