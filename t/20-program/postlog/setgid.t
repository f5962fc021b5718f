#!/usr/bin/env python3
"""postlog as it is installed: set-gid, so that everybody's lines reach postlogd, and nothing else comes of it."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
import namespace

namespace.enter()
import grp
import pwd
from instance import BUILD, Instance, first_name
from tap import is_eq, like, ok, run

USER = pwd.getpwnam(first_name(pwd.getpwnam, ["games", "nobody"]))
GROUP = first_name(grp.getgrnam, ["postdrop", "mail"])
with open(os.path.join(os.path.dirname(BUILD), "config.h")) as f:
    DEFAULT = re.search(r'POSTERN_CONF_DIR "([^"]+)"', f.read()).group(1)


class Installed(Instance):
    def __init__(self):
        super().__init__({"setgid_group": GROUP}, services=[])
        self.program = os.path.join(self.dir, "postlog")
        shutil.copy(os.path.join(self.build, "bin/postlog"), self.program)
        os.chown(self.program, 0, grp.getgrnam(GROUP).gr_gid)
        os.chmod(self.program, 0o2755)
        self.allow(self.conf)

    def allow(self, dirs):
        with open(os.path.join(DEFAULT, "main.cf"), "w") as f:
            f.write("alternate_config_directories = %s\n" % dirs)

    def user(self, *args, input=b"", **env):
        return subprocess.run([self.program] + list(args), input=input, stdout=subprocess.PIPE, stderr=subprocess.PIPE, user=USER.pw_uid, group=USER.pw_gid,
                              extra_groups=[], env=dict(self.env, **env), timeout=60, cwd="/")


def test_log():
    with Installed() as i:
        i.start()
        p = i.user("from a user")
        is_eq((p.returncode, p.stderr), (0, b""), "a user's line")
        like(i.wait_log("from a user"), r"postfix/postlog\[\d+\]: from a user$", "is in the log")
        i.user("-t", "x[1]: y\nJan  1 00:00:00 gw postfix/smtpd", "forged\nline")
        like(i.wait_log("forged"), r"\?Jan  1 00:00:00 gw postfix/smtpd\[\d+\]: forged\?line$", "no line of somebody else's can be forged")
        i.user("-t", "t" * 5000, "long tag")
        ok(len(i.wait_log("long tag")) < 200, "a tag is cut")
        i.user(input=b"one\0two\nthree\n")
        i.wait_log("three")
        p = i.user("-v", "-v", "quiet")
        is_eq(p.stderr, b"", "-v shows nobody else's configuration")


def test_down():
    with Installed() as i:
        os.chmod(os.path.dirname(i.logfile), 0o2777)
        i.ctl("check")
        if os.path.exists(i.logfile):
            os.unlink(i.logfile)
        is_eq(i.user("nobody hears").returncode, 0, "no log daemon")
        ok(not os.path.exists(i.logfile), "a user makes no log file with the group's rights")
        subprocess.run([i.program, "root is heard"], env=i.env, timeout=60)
        like(i.log(), "root is heard", "root does")
        is_eq(os.stat(i.logfile).st_mode & 0o070, 0, "nothing in it for the group")


def test_config():
    with Installed() as i:
        secret = os.path.join(i.dir, "secret")
        os.mkdir(secret, 0o750)
        os.chown(secret, 0, grp.getgrnam(GROUP).gr_gid)
        with open(os.path.join(secret, "main.cf"), "w") as f:
            f.write("syslog_name = secret\n")
        i.allow("/elsewhere")
        for what, p in (("-c", i.user("-c", secret, "x")), ("MAIL_CONFIG", i.user("x", MAIL_CONFIG=secret))):
            is_eq(p.returncode, 1, "a directory that nobody authorized: " + what)
            like(p.stderr.decode(), "unauthorized configuration directory name: " + secret, "is refused")
            ok("secret/" not in p.stderr.decode().replace(secret, ""), "and not read")
        for name in ("/etc/shadow", "/nonexistent"):
            p = i.user("-c", name, "x")
            like(p.stderr.decode(), "unauthorized configuration directory name: " + name, "no word whether there is " + name)


namespace.private_dir(DEFAULT)
run(test_log, test_down, test_config)
