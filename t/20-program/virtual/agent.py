"""virtual with the test in qmgr's place: box = Box(); box.deliver("u@box.test", content)."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
import ipc
from instance import Instance

SENT, DEFERRED, BOUNCED = 1, 2, 3
UID = GID = 5000


def user():
    """(uid, gid) of mailboxes: as root somebody else, or ourselves."""
    return (UID, GID) if os.geteuid() == 0 else (os.getuid(), os.getgid())


class Box(Instance):
    def __init__(self, maps, main=None, debug=False):
        super().__init__(services=["virtual unix - n n - - virtual", "postlog unix-dgram n - n - 1 postlogd"], standard=False, debug=debug)
        self.mail = os.path.join(self.dir, "mail")
        os.mkdir(self.mail)
        os.chmod(self.mail, 0o777)
        uid, gid = user()
        self.main.update({
            "virtual_mailbox_base": self.mail, "virtual_uid_maps": "static:%d" % uid, "virtual_gid_maps": "static:%d" % gid,
            "virtual_minimum_uid": "1", "message_size_limit": "100000", "virtual_mailbox_limit": "200000", "recipient_delimiter": "+",
            "virtual_mailbox_maps": "inline:{%s}" % ", ".join("{%s = %s}" % (k, v) for k, v in maps.items()) if isinstance(maps, dict) else maps})
        self.main.update(main or {})
        self.write_config()
        self.faults = os.path.join(self.dir, "faults")
        if debug:
            open(self.faults, "w").close()
            self.env["POSTERN_FAULTS"] = self.faults
            self.main["import_environment"] = "POSTERN_FAULTS ASAN_OPTIONS UBSAN_OPTIONS"
            self.write_config()

    def path(self, *names):
        return os.path.join(self.mail, *names)

    def put(self, name, data=b"", mode=0o600, owner=None):
        """A file that is the recipient's."""
        with open(self.path(name), "wb") as f:
            f.write(data)
        os.chmod(self.path(name), mode)
        os.chown(self.path(name), *(owner or user()))

    def folder(self, name, mode=0o700, owner=None):
        os.mkdir(self.path(name))
        os.chmod(self.path(name), mode)
        os.chown(self.path(name), *(owner or user()))

    def read(self, *names):
        with open(self.path(*names), "rb") as f:
            return f.read()

    def only(self, *names):
        """The content of the only file of a folder."""
        names = names + tuple(os.listdir(self.path(*names)))
        return self.read(*names)

    def start(self):
        super().start()
        self.client = self.connect()
        return self

    def connect(self):
        c = ipc.Client(os.path.join(self.spool, "private", "virtual"), 60)
        assert c.recv()[0] == "DELIVER_READY"
        return c

    def content(self, wire, name="content"):
        path = os.path.join(self.spool, name)
        with open(path, "wb") as f:
            f.write(wire)
        os.chmod(path, 0o644)
        return len(wire)

    def request(self, rcpts, wire=b"Subject: x\r\n\r\nbody\r\n", sender="s@x.test", flags=0, orig="", client=None, size=None, name="content"):
        rcpts = [rcpts] if isinstance(rcpts, str) else rcpts
        c, n, now = client or self.client, self.content(wire, name), int(time.time() * 1e6)
        c.send("DELIVER", queue_id="QID1", path=name, content_length=n if size is None else size, transport="virtual", nexthop="box.test",
               sender=sender, flags=flags, arrival_us=now, active_us=now, queue="active")
        for i, r in enumerate(rcpts):
            c.send("DELIVER_RCPT", index=i, address=r, orig_address=orig or r)
        c.send("DELIVER_GO")

    def answer(self, client=None):
        out = []
        while True:
            name, fields = (client or self.client).recv()
            if name == "DELIVER_DONE":
                return out
            out.append((fields["kind"], fields["dsn"], fields["reason"]))

    def deliver(self, rcpts, *args, **values):
        """(kind, dsn, reason) of the recipient; a list of them for several."""
        self.request(rcpts, *args, **values)
        out = self.answer()
        return out[0] if isinstance(rcpts, str) else out
