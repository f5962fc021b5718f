#!/usr/bin/env python3
"""configure and make install."""
import os
import shutil
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import BUILD, SRC
from tap import diag, is_eq, like, ok, run

ROOT = os.path.dirname(BUILD)


def sh(*argv, cwd, env=None):
    return subprocess.run(argv, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ, **(env or {})))


def test_configure():
    with tempfile.TemporaryDirectory() as d:
        r = sh(SRC + "/configure", "--prefix=/opt/p", "--localstatedir=/srv", "--mandir=/opt/man", "--with-mail-owner=mo",
               "--with-setgid-group=sg", cwd=d)
        is_eq(r.returncode, 0, "configure, out of tree")
        mk, h = open(d + "/config.mk").read(), open(d + "/config.h").read()
        like(mk, r"(?m)^daemondir = /opt/p/libexec/postern$", "place of the daemons")
        like(mk, r"(?m)^confdir = /opt/p/etc/postern$", "place of the configuration")
        like(h, r'POSTERN_QUEUE_DIR "/srv/spool/postern"', "place of the queue")
        like(h, r'POSTERN_MAIL_OWNER "mo"(.|\n)*POSTERN_SETGID_GROUP "sg"', "accounts")
        before = os.stat(d + "/config.mk").st_mtime_ns
        sh(SRC + "/configure", "--prefix=/opt/p", "--localstatedir=/srv", "--mandir=/opt/man", "--with-mail-owner=mo",
           "--with-setgid-group=sg", cwd=d)
        is_eq(os.stat(d + "/config.mk").st_mtime_ns, before, "the same again changes nothing, so that nothing is rebuilt")
        sh(SRC + "/configure", "--prefix=/usr", "--enable-debug", cwd=d)
        mk = open(d + "/config.mk").read()
        like(mk, r"(?m)^confdir = /etc/postern$", "--prefix=/usr has its configuration in /etc")
        like(mk, r"(?m)^CFLAGS = .*-fsanitize=address", "--enable-debug")
        is_eq(sh(SRC + "/configure", "--no-such-option", cwd=d).returncode, 1, "an unknown option")
        r = sh(SRC + "/configure", "--prefix", "/opt/q", "--exec-prefix=/opt/x", "--datarootdir", "/opt/d", "--libdir=/opt/l", "--build=b", cwd=d)
        is_eq(r.returncode, 0, "directory options as packagers give them, also as two words")
        mk = open(d + "/config.mk").read()
        like(mk, r"(?m)^daemondir = /opt/x/libexec/postern$(.|\n)*^confdir = /opt/q/etc/postern$(.|\n)*^mandir = /opt/d/man$", "they are where they were wished")
        is_eq(sh(SRC + "/configure", "--sbindir=sbin", cwd=d).returncode, 1, "a relative directory")
        is_eq(sh(SRC + "/configure", "--prefix", cwd=d).returncode, 1, "an option without its directory")
        # Options that a compiler does not know are not given to it.
        if shutil.which("clang"):
            is_eq(sh(SRC + "/configure", "CC=clang", cwd=d).returncode, 0, "with clang")
            r = sh("make", "build/obj/src/base/err.o", "build/san/src/base/err.o", cwd=d)
            ok(r.returncode == 0, "clang takes its options") or diag(r.stdout)
        is_eq(sh(SRC + "/configure", "--prefix=relative", cwd=d).returncode, 1, "a relative prefix")
        # A pkg-config that knows nothing: what is missing is named with its package.
        r = sh(SRC + "/configure", cwd=d, env={"PKG_CONFIG_LIBDIR": "/nonexistent", "PKG_CONFIG_PATH": ""})
        is_eq(r.returncode, 1, "missing libraries")
        like(r.stdout, r"libuv .*: Debian package libuv1-dev(.|\n)*libpcre2-8 .*: Debian package libpcre2-dev", "each with its package")


def test_install():
    with tempfile.TemporaryDirectory() as d:
        r = sh("make", "install", "DESTDIR=" + d, cwd=ROOT)
        if not ok(r.returncode == 0, "make install DESTDIR="):
            diag(r.stdout[-2000:])
            return
        var = dict(map(str.strip, l.split("=", 1)) for l in open(ROOT + "/config.mk") if "=" in l)
        at = lambda name, *rest: os.path.join(d + var[name], *rest)
        for daemon in ("master", "smtpd", "qmgr", "lmtp"):
            ok(os.access(at("daemondir", daemon), os.X_OK), "daemon " + daemon)
        for command in ("postern", "postfix", "postconf", "postmap", "postqueue", "sendmail"):
            ok(os.access(at("sbindir", command), os.X_OK), "command " + command)
        for link in ("mailq", "newaliases"):
            is_eq(os.readlink(at("bindir", link)), var["sbindir"] + "/sendmail", "link " + link)
        ok(os.path.exists(at("mandir", "man8/master.8")) and os.path.exists(at("mandir", "man1/postern.1")), "manual pages")
        ok(os.path.exists(at("confdir", "main.cf")), "main.cf")
        mode = os.stat(at("sbindir", "postdrop")).st_mode
        import grp
        if os.geteuid() == 0 and var["setgid_group"] in [g.gr_name for g in grp.getgrall()]:
            ok(mode & stat.S_ISGID, "postdrop is set-gid")
        else:
            ok(not mode & stat.S_ISGID, "postdrop is not set-gid to a group that is not ours")
        with open(at("confdir", "main.cf"), "a") as f:
            f.write("# mine\n")
        sh("make", "install", "DESTDIR=" + d, cwd=ROOT)
        like(open(at("confdir", "main.cf")).read(), "# mine", "a second install leaves the configuration alone")
        is_eq(sh("make", "uninstall", "DESTDIR=" + d, cwd=ROOT).returncode, 0, "make uninstall")
        left = sorted(os.path.relpath(os.path.join(b, f), d) for b, _, fs in os.walk(d) for f in fs)
        is_eq(left, [os.path.relpath(at("confdir", f), d) for f in ("main.cf", "master.cf")], "leaves the configuration and nothing else")


if shutil.which("make"):
    run(test_configure, test_install)
