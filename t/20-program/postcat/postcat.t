#!/usr/bin/env python3
"""postcat: envelope, header and body of queue files and of messages that are still in the log."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import tap
from instance import Instance, free_port, wait_until

MESSAGE = "Subject: cat\nX-Folded: a\n b\n\nline one\n\n.dot\nlast\n"


def queue_file(i, qid):
    for base, _, files in os.walk(i.spool):
        if qid in files:
            return os.path.join(base, qid)


def submit(i, *rcpts):
    i.cmd("sendmail", "-f", "a@client.test", "-N", "success,failure", "-V", "xyz", *rcpts, input=MESSAGE, check=True)
    mark = i.wait_log(r"postfix/qmgr\[\d+\]: \w+: from=<a@client.test>")
    return mark.split("]: ")[1].split(":")[0]


def deferred():
    with Instance({"relayhost": "[127.0.0.1]:%d" % free_port()}) as i:
        i.start()
        qid = submit(i, "one@far.test", "two@far.test")
        i.wait_log(r"%s: to=<two@far.test>.*status=deferred" % qid)
        path = wait_until(lambda: "/deferred/" in (queue_file(i, qid) or "") and queue_file(i, qid), "the queue file")
        out = i.cmd("postcat", "-q", qid, check=True).stdout
        name = "deferred/%s/%s" % (qid[0], qid)
        tap.like(out, r"(?s)\A\*\*\* ENVELOPE RECORDS %s \*\*\*\n.*^\*\*\* MESSAGE CONTENTS %s \*\*\*\n.*"
                 r"^\*\*\* HEADER EXTRACTED %s \*\*\*\n\*\*\* MESSAGE FILE END %s \*\*\*\n\Z".replace("(?s)", "(?sm)") % ((name,) * 4),
                 "sections in order")
        for pattern in (r"^message_size: +\d+ +\d+ +2 +\d+ +\d+ +\d+$", r"^message_arrival_time: \w\w\w \w\w\w [ \d]\d \d\d:\d\d:\d\d \d{4}$",
                        r"^create_time: ", r"^named_attribute: log_ident=%s$" % qid, r"^named_attribute: rewrite_context=local$",
                        r"^sender: a@client\.test$", r"^recipient: one@far\.test$", r"^recipient: two@far\.test$",
                        r"^named_attribute: envelope_id=xyz$", r"^named_attribute: notify_flags=6$",
                        r"^Subject: cat\nX-Folded: a\n b$", r"^line one\n\n\.dot\nlast$"):
            tap.like(out, "(?m)" + pattern, "it shows /%s/" % pattern)
        tap.is_eq(i.cmd("postcat", "-bq", qid).stdout, "\nline one\n\n.dot\nlast\n", "-b: the body, from the empty line on")
        head = i.cmd("postcat", "-hq", qid).stdout
        tap.ok(head.startswith("Received: ") and "line one" not in head and "sender:" not in head, "-h: the header")
        tap.is_eq(i.cmd("postcat", "-bhq", qid).stdout, head + "\nline one\n\n.dot\nlast\n", "-bh: both")
        envelope = i.cmd("postcat", "-eq", qid).stdout
        tap.ok("sender: a@client.test\n" in envelope and "Subject" not in envelope, "-e: the envelope")
        tap.like(i.cmd("postcat", "-odq", qid).stdout, r"(?m)^ +\d+  67 message_size:", "-o -d: offset and type")
        tap.like(i.cmd("postcat", "-vbq", qid).stdout, r"(?m)^regular_text: line one$", "-v: with the names of text records")
        raw = i.cmd("postcat", "-roq", qid).stdout
        offsets = [int(line.split()[0]) for line in raw.splitlines() if line[:9].strip().isdigit()]
        tap.ok(offsets[:-2] == sorted(offsets[:-2]) and raw.index("MESSAGE CONTENTS") < raw.index("ENVELOPE RECORDS"),
               "-r: in the order of the file")
        last = [o for o, line in zip(offsets, raw.splitlines()) if line.endswith(" last")][0]
        tap.is_eq(i.cmd("postcat", "-b", "-s", last, "-q", qid).stdout, "last\n", "-s: from an offset on")
        tap.like(i.cmd("postcat", path).stdout, r"(?m)^recipient: two@far\.test$", "by file name")
        tap.like(i.cmd("postcat", input=open(path, "rb").read()).stdout, r"\A\*\*\* ENVELOPE RECORDS stdin \*\*\*\n", "from standard input")
        r = i.cmd("postcat", "-q", "0123456789AB")
        tap.ok(r.returncode == 1 and "postcat: fatal: open queue file 0123456789AB: No such file or directory" in r.stderr,
               "an ID that is not there")
        r = i.cmd("postcat", "/etc/passwd")
        tap.ok("warning: /etc/passwd: input is not a valid queue file" in r.stderr, "a file that is no queue file")
        tap.is_eq(i.cmd("postcat", path + ".none").returncode, 1, "a file that is not there")
        tap.is_eq(i.cmd("postcat", "-Z").returncode, 1, "an unknown option")
        data = open(path, "rb").read()
        crashes = 0
        for at in list(range(0, len(data), 7)):
            r = i.cmd("postcat", "-", input=b"") if at < 0 else i.cmd("postcat", input=data[:at])
            crashes += r.returncode not in (0, 1)
        tap.is_eq(crashes, 0, "files that are cut off: an error at most")


def in_the_log():
    # The next hop takes the connection and says nothing: the message stays active, in the log.
    import socket
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        with Instance({"relayhost": "[127.0.0.1]:%d" % silent.getsockname()[1]}) as i:
            i.start()
            qid = submit(i, "one@far.test")
            tap.ok(queue_file(i, qid) is None, "a message that is being delivered has no file")
            out = i.cmd("postcat", "-q", qid, check=True).stdout
            tap.like(out, r"(?sm)\A\*\*\* ENVELOPE RECORDS active/%s \*\*\*\n.*^recipient: one@far\.test$.*^line one\n\n\.dot\nlast\n\*\*\*" % qid,
                     "postcat -q shows it from the log")
            i.stop()
            tap.like(i.cmd("postcat", "-q", qid).stdout, r"(?m)^recipient: one@far\.test$", "also while the system is down")


tap.run(deferred, in_the_log)
