#!/usr/bin/env python3
"""postsuper: delete, hold, release, requeue, expire; while the system runs and while it is down; both lanes."""
import json
import os
import re
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import tap
from instance import Instance, free_port, is_gone, wait_until


def queues(i):
    """Queue names by ID, as they are on the disk."""
    out = {}
    for queue in ("incoming", "active", "deferred", "hold", "maildrop", "corrupt"):
        for base, _, files in os.walk(os.path.join(i.spool, queue)):
            out.update((f, queue) for f in files if "." not in f)
    return out


def submit(i, n=1):
    mark = len(i.log())
    for k in range(n):
        i.cmd("sendmail", "-f", "a%d@client.test" % k, "u%d@far.test" % k, input="Subject: x\n\nbody %d\n" % k, check=True)
    i.wait_log(r"status=deferred", count=n, since=mark)
    ids = [i.find_log(r"qmgr\[\d+\]: \w+: from=<a%d@" % k, mark)[0].split("]: ")[1].split(":")[0] for k in range(n)]
    wait_until(lambda: all(queues(i).get(q) == "deferred" for q in ids), "deferred files")
    return ids


def said(r, *lines):
    wanted = ["postsuper: " + l for l in lines]
    got = [l for l in r.stderr.splitlines()]
    tap.ok(got == wanted and r.returncode == 0, lines[0] if lines else "nothing is said")
    if got != wanted:
        tap.diag("got %r (exit %d)" % (got, r.returncode))


def operations(i, ids, how):
    tap.diag(how)
    said(i.cmd("postsuper", "-h", ids[0]), "%s: placed on hold" % ids[0], "Placed on hold: 1 message")
    tap.is_eq(queues(i)[ids[0]], "hold", "it is there")
    said(i.cmd("postsuper", "-h", ids[0]), "Placed on hold: 0 messages")
    said(i.cmd("postsuper", "-H", ids[1]), "Released from hold: 0 messages")
    said(i.cmd("postsuper", "-h", "-", input="%s\n\nNOSUCH1\n" % ids[1]), "%s: placed on hold" % ids[1], "Placed on hold: 1 message")
    said(i.cmd("postsuper", "-e", ids[0]), "%s: expired" % ids[0], "Force-expired: 1 message")
    marks = {j["queue_id"]: j["forced_expire"] for j in map(json.loads, i.cmd("postqueue", "-j").stdout.splitlines())}
    tap.is_eq([q for q in marks if marks[q]], [ids[0]], "the mark is there at once, on a held message too")
    said(i.cmd("postsuper", "-e", ids[0]), "Force-expired: 0 messages")
    said(i.cmd("postsuper", "-d", ids[1], "deferred"), "Deleted: 0 messages")
    said(i.cmd("postsuper", "-d", ids[1], "-d", "NOSUCH2"), "%s: removed" % ids[1], "Deleted: 1 message")
    tap.ok(ids[1] not in queues(i), "it is gone")
    said(i.cmd("postsuper", "-h", "ALL", "deferred"), "Placed on hold: %d messages" % (len(ids) - 2))
    said(i.cmd("postsuper", "-H", ids[2], "hold"), "%s: released from hold" % ids[2], "Released from hold: 1 message")
    tap.is_eq(queues(i)[ids[2]], "deferred", "it is in deferred")
    said(i.cmd("postsuper", "-H", "ALL"), "Released from hold: %d messages" % (len(ids) - 2))
    said(i.cmd("postsuper", "-d", "../../etc/passwd"), "warning: invalid mail queue id: ../../etc/passwd", "Deleted: 0 messages")
    said(i.cmd("postsuper", "-d", ids[3], "-h", ids[3]), "%s: removed" % ids[3], "Deleted: 1 message", "Placed on hold: 0 messages")


def refused(i):
    r = i.cmd("postsuper", "-d", "ALL", "nosuch")
    tap.ok(r.returncode == 1 and "fatal: invalid directory name: nosuch" in r.stderr, "an unknown queue")
    tap.is_eq(i.cmd("postsuper", "-x").returncode, 1, "an unknown option")
    if os.geteuid() == 0:
        r = i.cmd("/usr/bin/setpriv", "--reuid=65534", "--clear-groups", os.path.join(i.build, "bin/postsuper"), "-c", i.conf, "-d", "ALL")
        tap.ok(r.returncode != 0 and "reserved for the superuser" in r.stderr, "somebody else")


def running():
    # Long back-offs: nothing is tried again by itself.
    main = {"relayhost": "[127.0.0.1]:%d" % free_port(), "minimal_backoff_time": "4000s"}
    with Instance(main) as i:
        i.start()
        ids = submit(i, 5)
        operations(i, ids, "while the system runs")
        refused(i)
        # -e and -f
        i.cmd("postsuper", "-h", ids[4], check=True)
        said(i.cmd("postsuper", "-f", ids[4]), "%s: expired" % ids[4], "%s: released from hold" % ids[4], "Force-expired: 1 message",
             "Released from hold: 1 message")
        i.wait_log(r"%s: from=<a4@client.test>, status=force-expired, returned to sender" % ids[4])
        tap.ok(True, "a message that was expired and released is returned")
        # requeue: a new ID, the same message
        mark = len(i.log())
        said(i.cmd("postsuper", "-r", ids[2]), "%s: requeued" % ids[2], "Requeued: 1 message")
        i.wait_log(r"from=<a2@client.test>, size=", since=mark, timeout=70)
        tap.ok(ids[2] not in queues(i), "a requeued message has a new name")
        i.wait_log(r"to=<u2@far.test>.*status=deferred", since=mark)
        i.cmd("postsuper", "-d", "ALL", check=True)
        tap.is_eq(wait_until(lambda: i.cmd("postqueue", "-p").stdout, "a listing"), "Mail queue is empty\n", "-d ALL: nothing is left")


def down():
    main = {"relayhost": "[127.0.0.1]:%d" % free_port(), "minimal_backoff_time": "4000s"}
    with Instance(main) as i:
        i.start()
        ids = submit(i, 5)
        i.stop()
        operations(i, ids, "while the system is down")
        said(i.cmd("postsuper", "-f", ids[0]), "Force-expired: 0 messages", "Released from hold: 0 messages")
        said(i.cmd("postsuper", "-f", ids[4]), "%s: expired" % ids[4], "Force-expired: 1 message", "Released from hold: 0 messages")
        said(i.cmd("postsuper", "-r", ids[2]), "%s: requeued" % ids[2], "Requeued: 1 message")
        tap.is_eq(queues(i).get(ids[2]), "maildrop", "a requeued message waits in the maildrop")
        owners = {os.stat(os.path.join(b, f)).st_uid for b, _, fs in os.walk(i.spool) for f in fs
                  if "/pid" not in b and b != i.spool and ("/log" in b or "/deferred" in b or "/maildrop" in b)}
        tap.is_eq(len(owners), 1, "everything belongs to the owner of the mail")
        # structure
        right = [os.path.join(b, ids[0]) for b, _, f in os.walk(i.spool) if ids[0] in f][0]
        wrong = os.path.join(i.spool, "deferred", ids[0])
        os.rename(right, wrong)
        old = os.path.join(i.spool, "deferred", ".XYZ123.tmp")
        new = os.path.join(i.spool, "deferred", ".XYZ124.tmp")
        open(old, "w").close()
        open(new, "w").close()
        os.utime(old, (time.time() - 90000,) * 2)
        said(i.cmd("postsuper", "-s"), "Moved to their place: 1 message")
        tap.ok(os.path.exists(right) and not os.path.exists(wrong), "-s puts files where they belong")
        said(i.cmd("postsuper", "-p"))
        tap.ok(not os.path.exists(old) and os.path.exists(new), "-p removes old temporary files")
        os.unlink(new)
        said(i.cmd("postsuper"))
        mark = len(i.log())
        i.start()
        i.wait_log(r"%s: from=<a4@client.test>, status=force-expired, returned to sender" % ids[4], since=mark)
        i.wait_log(r"to=<u2@far.test>.*status=deferred", since=mark, timeout=70)
        tap.ok(True, "the system goes on where postsuper left it")
        listed = {json.loads(l)["sender"] for l in i.cmd("postqueue", "-j").stdout.splitlines()}
        tap.ok("a1@client.test" not in listed and "a3@client.test" not in listed, "what was deleted is gone")
        i.stop()
        said(i.cmd("postsuper", "-d", "ALL", "hold"), "Deleted: 0 messages")
        r = i.cmd("postsuper", "-d", "ALL")
        tap.like(r.stderr, r"Deleted: [1-9]\d* messages?", "-d ALL")
        tap.is_eq(queues(i), {}, "nothing is left")
        i.start()
        tap.is_eq(i.cmd("postqueue", "-p").stdout, "Mail queue is empty\n", "also not in the log")


def in_the_log():
    import socket
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        with Instance({"relayhost": "[127.0.0.1]:%d" % silent.getsockname()[1]}) as i:
            i.start()
            mark = len(i.log())
            for k in range(3):
                i.cmd("sendmail", "-f", "a%d@client.test" % k, "u%d@far.test" % k, input="Subject: x\n\nbody\n", check=True)
            i.wait_log(r"queue active", count=3, since=mark)
            ids = [i.find_log(r"from=<a%d@.*queue active" % k)[0].split("]: ")[1].split(":")[0] for k in range(3)]
            # as a power failure would: nobody has time to defer them
            pids = i.pids("qmgr") + [i.master_pid()] + i.pids()
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: all(is_gone(pid) for pid in pids), "the end of the system")
            tap.is_eq(queues(i), {}, "three messages are in the log only")
            said(i.cmd("postsuper", "-d", ids[0], "-h", ids[1]), "%s: removed" % ids[0], "%s: placed on hold" % ids[1], "Deleted: 1 message",
                 "Placed on hold: 1 message")
            tap.is_eq(queues(i), {ids[1]: "hold"}, "one of them is on hold now")
            i.start()
            listed = {json.loads(l)["queue_id"]: json.loads(l)["queue_name"] for l in i.cmd("postqueue", "-j").stdout.splitlines()}
            tap.is_eq((set(listed), listed.get(ids[1])), ({ids[1], ids[2]}, "hold"), "the other is active again")


def renamed():
    """postsuper -s when long queue IDs were switched off."""
    with Instance({"relayhost": "[127.0.0.1]:%d" % free_port(), "enable_long_queue_ids": "yes"}) as i:
        i.start()
        ids = submit(i, 3)
        tap.ok(all("z" in q and len(q) > 12 for q in ids), "long IDs")
        i.cmd("postsuper", "-h", ids[0], check=True)
        before = i.cmd("postcat", "-q", ids[1]).stdout
        i.main["enable_long_queue_ids"] = "no"
        i.write_config()
        said(i.cmd("postsuper", "-s"))
        tap.is_eq(sorted(queues(i)), sorted(ids), "nothing while the system runs")
        i.stop()
        said(i.cmd("postsuper", "-s"), "Renamed: 3 messages", "warning: queue IDs were changed to short ones")
        now = queues(i)
        tap.ok(len(now) == 3 and all(re.match(r"[0-9A-F]{6,14}$", q) for q in now), "short IDs")
        tap.is_eq(sorted(now.values()), ["deferred", "deferred", "hold"], "in the queues they were in")
        texts = [i.cmd("postcat", "-q", q).stdout for q in now]
        content = before.split("*** MESSAGE CONTENTS")[1].split("***\n", 1)[1].split("*** HEADER")[0]
        tap.ok(any(content in t and "recipient: u1@far.test" in t for t in texts), "the message is the same")
        said(i.cmd("postsuper", "-s"))
        mark = len(i.log())
        i.start()
        i.cmd("postsuper", "-H", "ALL", check=True)
        i.ctl("flush")
        for k in range(3):
            line = i.wait_log(r"to=<u%d@far\.test>.*status=deferred" % k, since=mark)
            tap.ok(line.split("]: ")[1].split(":")[0] in now, "delivery goes on under the new ID")
        said(i.cmd("postsuper", "-d", "ALL"), "Deleted: 3 messages")


tap.run(running, down, in_the_log, renamed)
