#!/usr/bin/env python3
"""The control command beside start and stop (those: ../master/workers.t)."""
import glob
import os
import re
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../lib"))
from instance import SRC, Instance
from tap import is_eq, like, ok, run


def bare(main=None):
    return Instance(main, standard=False)


def test_check():
    with bare() as i:
        is_eq(i.ctl("check").returncode, 0, "check of a new instance")
        for d in ("maildrop", "incoming", "active", "deferred", "hold", "corrupt", "pid", "public", "private"):
            ok(os.path.isdir(os.path.join(i.spool, d)), "directory " + d)
        ok(not os.stat(os.path.join(i.spool, "private")).st_mode & stat.S_IRWXO, "private/ is closed to others")
        os.chmod(os.path.join(i.conf, "main.cf"), 0o666)
        r = i.ctl("check")
        like(r.stderr, "warning: group or other writable: .*main.cf", "a main.cf that anybody may write draws a warning")
        is_eq(r.returncode, 0, "which is not fatal")
        for what, main in (("an unknown mail_owner", {"mail_owner": "nosuchuser"}), ("mail_owner root", {"mail_owner": "root"}),
                           ("an unknown setgid_group", {"setgid_group": "nosuchgroup"})):
            if os.geteuid() == 0:
                with bare(main) as j:
                    r = j.ctl("start")
                    is_eq(r.returncode, 1, what + " does not start")
                    like(r.stderr, "fatal: .*main.cf: parameter (mail_owner|setgid_group)", "and is named")
        with bare({"maillog_file": "/elsewhere/log"}) as j:
            like(j.ctl("start").stderr, "fatal: maillog_file value '/elsewhere/log' does not match any prefix", "a log file outside of the prefixes")
        with bare({"queue_directory": "relative"}) as j:
            is_eq(j.ctl("start").returncode, 1, "a relative queue_directory")


def test_bad_configuration():
    with bare() as i:
        os.unlink(os.path.join(i.conf, "master.cf"))
        r = i.ctl("start")
        is_eq(r.returncode, 1, "no master.cf")
        like(r.stderr, "master.cf", "is named")
        i.file("master.cf", "smtp inet n - n - - smtpd\nbad line\n")
        r = i.ctl("start")
        is_eq(r.returncode, 1, "a bad line in master.cf")
        like(r.stderr, "fatal: .*master.cf.*line 2", "is named")
        i.file("master.cf", "")
        i.file("main.cf", "this is not a parameter\n")
        is_eq(i.ctl("start").returncode, 1, "a bad main.cf")
        os.unlink(os.path.join(i.conf, "main.cf"))
        is_eq(i.ctl("start").returncode, 1, "no main.cf")


def test_first_lines():
    with Instance(services=["absent unix - - n - - nosuchprogram"]) as i:
        i.start()
        i.wait_log("daemon started")
        like(i.log(), r"warning: services whose program is not in \S+ are not available: absent \(nosuchprogram\)", "what master says before the log daemon runs")
        ok("were lost" not in i.log(), "no line is lost")
        i.stop()
    with bare() as i:
        like(i.ctl("nonsense").stderr, r"fatal: unknown command: 'nonsense'; the commands are: start, start-fg, stop, ", "an unknown command is named")
        is_eq((i.ctl("status").returncode, i.ctl("status").stderr), (1, ""), "what is no error is for terminals only")


def test_unknown():
    with bare() as i:
        for args in ((), ("nonsense",), ("start", "extra"), ("-x", "start")):
            r = i.ctl(*args)
            is_eq(r.returncode, 1, "usage: " + " ".join(args))
            if args != ("start", "extra"):
                man = re.findall(r"^\.It Cm (\S+)", open(os.path.join(SRC, "man/postern.1")).read(), re.M)
                told = re.findall(r"[a-z][a-z-]*(?=,|$| \[name)", r.stderr.strip().split("commands are: ")[1])
                is_eq(told, [a for a in man if not a.startswith("quick-")], "names every command of the manual page")
        is_eq(i.cmd("postern", "-c", "/nonexistent", "status").returncode, 1, "-c with a directory that is not there")
        is_eq(i.cmd("postfix", "status").returncode, 1, "the command under its other name")


def test_logrotate():
    with bare({"maillog_file_rotate_suffix": "old", "maillog_file_compressor": "gzip"}) as i:
        with open(i.logfile, "w") as f:
            f.write("a line\n")
        is_eq(i.ctl("logrotate").returncode, 0, "logrotate")
        is_eq([os.path.basename(f) for f in glob.glob(i.logfile + ".*")], ["mail.log.old.gz"], "the file has its suffix and is compressed")
        is_eq(i.ctl("logrotate").returncode, 1, "a log that is not there")
    with bare({"maillog_file": ""}) as i:
        is_eq(i.ctl("logrotate").returncode, 1, "no maillog_file")


def test_set_permissions():
    if os.geteuid() != 0:
        return
    with bare() as i:
        commands = os.path.join(i.dir, "commands")
        os.mkdir(commands)
        for c in ("postdrop", "postqueue"):
            open(os.path.join(commands, c), "w").close()
        os.symlink(os.path.join(i.build, "bin/postconf"), os.path.join(commands, "postconf"))
        i.main["command_directory"] = commands
        i.write_config()
        r = i.ctl("set-permissions", "mail_name=Other")
        is_eq((r.returncode, r.stderr), (0, ""), "set-permissions")
        ok(os.stat(os.path.join(commands, "postdrop")).st_mode & stat.S_ISGID, "postdrop is set-gid")
        like(open(os.path.join(i.conf, "main.cf")).read(), "(?m)^mail_name = Other$", "a name=value argument is in main.cf")


run(test_check, test_bad_configuration, test_first_lines, test_unknown, test_logrotate, test_set_permissions)
