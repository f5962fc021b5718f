#!/usr/bin/env python3
"""pickup: what the maildrop has goes into the queue; what is damaged or no message does no harm."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import STANDARD, Instance, wait_until
from tap import is_eq, like, ok, run


def maildrop(i):
    return sorted(f for f in os.listdir(os.path.join(i.spool, "maildrop")))


def submit(i, *args, text="Subject: x\n\nx\n"):
    i.cmd("sendmail", *args, input=text, check=True)


def path(i, name):
    return os.path.join(i.spool, "maildrop", name)


def test_strange_files():
    with Instance({"default_transport": "discard:gone"}) as i:
        i.ctl("check")
        submit(i, "-f", "cut@x.test", "b@far.test")
        cut = maildrop(i)[0]
        with open(path(i, cut), "r+b") as f:
            f.truncate(os.path.getsize(path(i, cut)) - 3)
        submit(i, "-f", "flip@x.test", "b@far.test")
        flipped = [f for f in maildrop(i) if f != cut][0]
        with open(path(i, flipped), "r+b") as f:
            f.seek(70)
            byte = f.read(1)
            f.seek(70)
            f.write(bytes([byte[0] ^ 1]))
        submit(i, "-f", "part@x.test", "b@far.test")
        part = [f for f in maildrop(i) if f not in (cut, flipped)][0]
        os.chmod(path(i, part), 0o644)
        submit(i, "-f", "linked@x.test", "b@far.test")
        linked = [f for f in maildrop(i) if f not in (cut, flipped, part)][0]
        os.link(path(i, linked), os.path.join(i.dir, "other-name"))
        for name, data in (("EMPTY1", b""), ("TEXT1", b"From: me\n\nhello\n" * 10)):
            with open(path(i, name), "wb") as f:
                f.write(data)
            os.chmod(path(i, name), 0o744)
        os.mkfifo(path(i, "FIFO1"))
        os.symlink("/etc/passwd", path(i, "LINK1"))
        os.mkdir(path(i, "DIR1"))
        submit(i, "-f", "good@x.test", "b@far.test")
        i.start()
        i.wait_log(r"from=<good@x\.test>, size=")
        i.wait_log(r"to=<b@far\.test>.*status=sent")
        corrupt = os.path.join(i.spool, "corrupt")
        wait_until(lambda: len(os.listdir(corrupt)) == 5, "damaged files are in corrupt")
        is_eq(sorted(os.listdir(corrupt)), sorted([cut, flipped, linked, "EMPTY1", "TEXT1"]), "damaged files are set aside")
        for name in (cut, flipped, linked, "EMPTY1", "TEXT1"):
            like(i.wait_log(r"warning: maildrop/%s: .* -- saved to corrupt/%s" % (name, name)), "warning", "with a warning: " + name)
        is_eq(maildrop(i), sorted([part, "FIFO1", "LINK1", "DIR1"]), "what is not complete, and what is no file, stays")
        is_eq(i.find_log("panic|signal"), [], "no crash")
        os.chmod(path(i, part), 0o744)
        i.cmd("postkick", "public", "pickup", "W", check=True)
        i.wait_log(r"from=<part@x\.test>, size=")
        ok(True, "a file that has become complete")


def test_retry():
    """What cannot be queued now stays in the maildrop."""
    with Instance({"default_transport": "discard:gone", "virtual_alias_maps": "fail:always", "virtual_alias_domains": ""}) as i:
        i.start()
        submit(i, "b@far.test")
        i.wait_log("warning: maildrop/.*: error writing .*: queue file write error")
        is_eq(len(maildrop(i)), 1, "it stays")
        i.main["virtual_alias_maps"] = ""
        i.reload()
        i.cmd("postkick", "public", "pickup", "W", check=True)
        i.wait_log(r"to=<b@far\.test>.*status=sent")
        wait_until(lambda: not maildrop(i), "the maildrop is empty")
        ok(True, "and goes when it can")


def test_refused():
    """What cleanup refuses goes back to its sender."""
    with Instance({"default_transport": "discard:gone", "header_checks": "inline:{{X-Bad: 1 = REJECT no such header}}", "hopcount_limit": "5"}) as i:
        i.start()
        submit(i, "-f", "me@x.test", "b@far.test", text="X-Bad: 1\n\nx\n")
        l = i.wait_log(r"to=<b@far\.test>, relay=none, .*dsn=5\.7\.1, status=bounced \(no such header\)")
        qid = l.split("]: ")[1].split(":")[0]
        i.wait_log("%s: sender non-delivery notification: " % qid)
        i.wait_log(r"to=<me@x\.test>.*status=sent")
        i.wait_log("%s: removed" % qid)
        submit(i, "-f", "me@x.test", "b@far.test", text="Received: x\n" * 5 + "\nx\n")
        i.wait_log(r"to=<b@far\.test>, relay=none, .*dsn=5\.4\.0, status=bounced \(too many hops\)")
        i.wait_log(r"to=<me@x\.test>.*status=sent", count=2)
        is_eq(maildrop(i), [], "the maildrop is empty")


def test_options():
    """content_filter and receive_override_options of the pickup service."""
    services = [s + " -o content_filter=discard:filtered -o receive_override_options=no_header_body_checks,no_address_mappings" if s.startswith("pickup ") else s
                for s in STANDARD.strip().splitlines()]
    with Instance({"default_transport": "discard:direct", "header_checks": "static:REJECT", "always_bcc": "copy@far.test"}, services=services, standard=False) as i:
        i.start()
        submit(i, "b@far.test")
        i.wait_log(r"to=<b@far\.test>.*status=sent \(filtered\)")
        is_eq(i.find_log("reject:|copy@"), [], "no checks, no copies")


def test_many():
    with Instance({"default_transport": "discard:gone"}) as i:
        i.ctl("check")
        for n in range(100):
            submit(i, "-f", "m%d@x.test" % n, "b@far.test")
        begin = time.monotonic()
        i.start()
        i.wait_log(r"to=<b@far\.test>.*status=sent", count=100, timeout=30)
        wait_until(lambda: not maildrop(i), "the maildrop is empty")
        is_eq(len(i.find_log(r"pickup\[\d+\]: \w+: uid=\d+ from=")), 100, "each once, in %.1f s" % (time.monotonic() - begin))


run(test_strange_files, test_retry, test_refused, test_options, test_many)
