"""pipe with the test in qmgr's place: p = Pipe({"prog": "argv=SCRIPT $recipient"}); p.deliver("prog", "u@pipe.test", content)."""
import os
import pwd
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
import ipc
from instance import Instance, wait_until

SENT, DEFERRED, BOUNCED = 1, 2, 3
# As root commands run as somebody else, or else as ourselves.
USER = "daemon" if os.geteuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
# Keeps its arguments and its input.
KEEP = """cd OUT && n=$$
for a in "$@"; do printf '%s\\n' "$a"; done >$n.args
cat >$n.in
mv $n.in $n.msg
"""


class Pipe(Instance):
    def __init__(self, services, script=KEEP, main=None, fields="- n n - -", user=True):
        """services: attributes by name; SCRIPT in them is the script, OUT in the script a folder that commands may write to."""
        super().__init__(standard=False)
        self.out = os.path.join(self.dir, "out")
        os.mkdir(self.out)
        os.chmod(self.out, 0o777)
        self.script = self.file("script", "#!/bin/sh\n" + script.replace("OUT", self.out), 0o755)
        who = "user=%s " % USER if user else ""
        self.services = ["postlog unix-dgram n - n - 1 postlogd"] + [
            "%s unix %s pipe %s%s" % (name, fields, who, attributes.replace("SCRIPT", self.script)) for name, attributes in services.items()]
        self.main.update({"recipient_delimiter": "+"})
        self.main.update(main or {})
        self.write_config()
        self.clients = {}

    def connect(self, service):
        c = ipc.Client(os.path.join(self.spool, "private", service), 60)
        assert c.recv()[0] == "DELIVER_READY"
        return c

    def request(self, service, rcpts, wire=b"Subject: x\r\n\r\nbody\r\n", sender="s@x.test", flags=0, orig="", client=None, length=None,
                attrs=(), nexthop="Hop.Test", name="content"):
        rcpts = [rcpts] if isinstance(rcpts, str) else rcpts
        if client is None:
            if service not in self.clients:
                self.clients[service] = self.connect(service)
            client = self.clients[service]
        path, now = os.path.join(self.spool, name), int(time.time() * 1e6)
        with open(path, "wb") as f:
            f.write(wire)
        os.chmod(path, 0o600)
        client.send("DELIVER", queue_id="QID1", path=name, content_length=len(wire) if length is None else length, size=len(wire), transport=service,
                    nexthop=nexthop, sender=sender, flags=flags, arrival_us=now, active_us=now, queue="active", envid="env1")
        for k, v in dict(attrs).items():
            client.send("ENV_ATTR", name=k, value=v)
        for i, r in enumerate(rcpts):
            client.send("DELIVER_RCPT", index=i, address=r, orig_address=orig or r)
        client.send("DELIVER_GO")
        return client

    @staticmethod
    def answer(client):
        """(kind, dsn, reason) of each recipient."""
        out = []
        while True:
            name, fields = client.recv()
            if name == "DELIVER_DONE":
                return out
            out.append((fields["kind"], fields["dsn"], fields["reason"]))

    def deliver(self, service, rcpts, *args, **values):
        out = self.answer(self.request(service, rcpts, *args, **values))
        return out[0] if isinstance(rcpts, str) else out

    def path(self, name):
        return os.path.join(self.out, name)

    def wait_file(self, name):
        wait_until(lambda: os.path.exists(self.path(name)), "file " + name)
        return self.path(name)

    def runs(self):
        """(arguments, input) of the finished runs of KEEP; forgets them."""
        out = []
        for f in sorted(f for f in os.listdir(self.out) if f.endswith(".msg")):
            args, msg = self.path(f[:-4] + ".args"), self.path(f)
            out.append((open(args, encoding="utf-8").read().split("\n")[:-1], open(msg, "rb").read()))
            os.unlink(args)
            os.unlink(msg)
        return out
