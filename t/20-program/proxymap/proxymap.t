#!/usr/bin/env python3
"""proxymap and proxywrite: approved tables are served, others are not."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import Instance, wait_until
from tap import is_eq, like, ok, run

i = Instance(services=[])
ok_table = i.file("ok", "Key value\n@d.test catch\n")
i.file("write", "a b\n")
i.main.update(proxy_read_maps="proxy:texthash:%s proxy:unix:passwd.byname, unionmap:{proxy:inline:{a=1},static:x} hash:/no" % ok_table,
              proxy_write_maps="proxy:lmdb:%s/cache" % i.data)
i.write_config()


def ask(table, key, *flags):
    r = i.cmd("postmap", *flags, "-q", key, table)
    return r.stdout[:-1] if r.returncode == 0 else (r.returncode, r.stderr)


def test_read():
    i.start()
    is_eq(ask("proxy:texthash:" + ok_table, "KEY"), "value", "an approved table")
    is_eq(ask("proxy:texthash:" + ok_table, "none"), (1, ""), "a key that is not in it")
    is_eq(ask("proxy:texthash:" + ok_table, "KEY", "-f"), (1, ""), "flags are passed on")
    like(ask("proxy:unix:passwd.byname", "root"), r"^root:", "unix:")
    is_eq(ask("proxy:inline:{a=1}", "a"), "1", "one that stands in braces")
    like(ask("proxy:static:x", "a")[1], r"fatal: .*denies access", "one that is not approved")
    i.wait_log(r'proxymap\[\d+\]: warning: request for unapproved table: "static:x"')
    i.wait_log(r"warning: to approve this table for read-only access, list proxy:static:x in \S+:proxy_read_maps")
    like(i.cmd("postmap", "-s", "proxy:texthash:" + ok_table).stderr, "fatal: can't sequence maps via the proxy service", "there is no listing")


def test_changes():
    i.file("ok", "Key other\n")
    wait_until(lambda: ask("proxy:texthash:" + ok_table, "key") == "other", "the new content")
    ok(True, "a changed file is seen")


def test_garbage():
    for bytes in (b"hello\n", b"\xb5\x01\xff\xff\xff\xff\xff\xff", b"\xb5\x01\xd1\x00\x04\x00\x00\x00\xff\xff\xff\xff", b"\xb5"):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(i.spool + "/private/proxymap")
            s.sendall(bytes)
            s.shutdown(socket.SHUT_WR)
            try:
                is_eq(s.recv(100), b"", "garbage is answered by hanging up")
            except ConnectionResetError:
                ok(True, "garbage is answered by hanging up")
    is_eq(ask("proxy:inline:{a=1}", "a"), "1", "others are still served")


with i:
    run(test_read, test_changes, test_garbage)
